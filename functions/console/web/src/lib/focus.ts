// Focus after a refused form.

const INVALID = "[aria-invalid=true]";

/** Moves the focus to the first invalid field, which may be an editor in a shadow root. */
export function focusFault(form: HTMLElement) {
  for (const element of form.querySelectorAll<HTMLElement>(`${INVALID}, .editor`)) {
    const field = element.shadowRoot?.querySelector<HTMLElement>(INVALID) ?? (element.matches(INVALID) ? element : null);
    if (field) return field.focus();
  }
}
