import type { Attempt } from "./types";

/** Outcome of an attempt: the status of the answer, or a reason why there is none. */
export function outcome({ status, error }: Attempt): string {
  if (status !== null) return String(status);
  return error?.startsWith("nothing was sent") ? "not sent" : "no answer";
}
