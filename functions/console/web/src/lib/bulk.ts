// Operations on many items: a dry run first, then the calls, with progress.

import { post, query } from "./api";
import type { Json } from "./types";

type Counts = Record<string, number>;

/** Posts again while an answer has a `next`. Returns the sums of the answers' numbers, also after each call. */
export async function postThrough(path: string, body: Json, progress: (sums: Counts) => void = () => {}): Promise<Counts> {
  const sums: Counts = {};
  let cursor: string | null = null;
  do {
    const answer: Record<string, Json> = await post(query(path, { cursor }), body);
    for (const [name, value] of Object.entries(answer)) {
      if (typeof value === "number") sums[name] = (sums[name] ?? 0) + value;
    }
    progress(sums);
    cursor = typeof answer["next"] === "string" ? answer["next"] : null;
  } while (cursor);
  return sums;
}

const CONCURRENCY = 4;

/** Calls for each id, some at a time. Returns the number of calls that succeeded, and the first fault. */
export async function each(
  ids: string[],
  run: (id: string) => Promise<unknown>,
  progress: (done: number) => void,
): Promise<{ done: number; fault: unknown }> {
  const left = [...ids];
  let [done, count] = [0, 0];
  let fault: unknown = null;
  async function work() {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await run(id);
        done++;
      } catch (error) {
        fault ??= error;
      }
      progress(++count);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return { done, fault };
}
