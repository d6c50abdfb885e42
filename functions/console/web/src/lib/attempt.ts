import { duration } from "./clock.svelte";
import type { Attempt, Delivery } from "./types";

/** Outcome of an attempt: the status of the answer, or a reason why there is none. */
export function outcome({ status, error }: Attempt): string {
  if (status !== null) return String(status);
  return error?.startsWith("nothing was sent") ? "not sent" : "no answer";
}

/** Outcome and duration of a delivery's last attempt: `503 · 212 ms`. */
export function last({ attempts }: Delivery): string {
  const attempt = attempts.at(-1);
  return attempt ? `${outcome(attempt)} · ${duration(attempt.duration_ms)}` : "–";
}
