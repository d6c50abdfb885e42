// Outcomes of what the user did. They outlive the row or page that they are about.

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
  link?: { text: string; to: string };
}

const SHOWN_MS = 8_000;
const MAX_SHOWN = 4;
let count = 0;

export const toasts = $state<{ all: Toast[] }>({ all: [] });

/** Shows an outcome for some seconds, or a fault until the user closes it. */
export function toast(text: string, { bad = false, link }: { bad?: boolean; link?: Toast["link"] } = {}) {
  const id = ++count;
  toasts.all = [...toasts.all, { id, text, bad, ...(link && { link }) }].slice(-MAX_SHOWN);
  if (!bad) setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number) {
  toasts.all = toasts.all.filter((one) => one.id !== id);
}
