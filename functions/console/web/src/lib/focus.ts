// Focus after a refused form, and after a dialog.

const INVALID = "[aria-invalid=true]";

/** Moves the focus to the first invalid field, which may be an editor in a shadow root. */
export function focusFault(form: HTMLElement) {
  for (const element of form.querySelectorAll<HTMLElement>(`${INVALID}, .editor`)) {
    const field = element.shadowRoot?.querySelector<HTMLElement>(INVALID) ?? (element.matches(INVALID) ? element : null);
    if (field) return field.focus();
  }
}

/** Returns the focus to the element that had it before a dialog, or to the page if the element is gone. */
export function giveBack(before: Element | null) {
  setTimeout(() => {
    if (document.activeElement !== document.body || document.querySelector("dialog[open]")) return;
    const target = before instanceof HTMLElement && before.isConnected && before !== document.body ? before : document.getElementById("main");
    target?.focus();
  });
}
