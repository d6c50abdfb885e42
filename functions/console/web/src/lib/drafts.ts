// Texts that the user has typed but not saved, kept for the tab: Back, a reload or an expired key loses nothing. Secrets
// must not be kept.

const PREFIX = "draft ";

export function kept<T>(name: string): T | null {
  const text = sessionStorage.getItem(PREFIX + name);
  try {
    return text === null ? null : (JSON.parse(text) as T);
  } catch {
    return null;
  }
}

/** Keeps a draft, or forgets it if it is null. */
export function keep(name: string, draft: unknown) {
  if (draft === null) sessionStorage.removeItem(PREFIX + name);
  else sessionStorage.setItem(PREFIX + name, JSON.stringify(draft));
}
