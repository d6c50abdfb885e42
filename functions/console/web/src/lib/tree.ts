// Size limits of a JSON tree on the page.

import { entries } from "./json";
import type { Json } from "./types";

/** Entries of one object or list that are shown before "show more". */
export const MAX_AT_ONCE = 100;
/** Entries of a whole tree that are shown before the user unfolds any. */
const MAX_AT_FIRST = 300;
const OPEN_DEPTH = 3;
const OPEN_DEPTH_TO_PICK = 5;

/** Objects and lists that are unfolded at first, level by level until the limit is reached. */
export function unfolded(root: Json, isToPick: boolean): Set<Json> {
  const open = new Set<Json>([root]);
  let level = [root];
  let left = MAX_AT_FIRST;
  for (let depth = 0; depth < (isToPick ? OPEN_DEPTH_TO_PICK : OPEN_DEPTH); depth++) {
    const next: Json[] = [];
    for (const value of level) {
      const shown = entries(value)?.slice(0, MAX_AT_ONCE) ?? [];
      if (shown.length === 0 || (shown.length > left && value !== root)) continue;
      open.add(value);
      left -= shown.length;
      next.push(...shown.map(([, one]) => one).filter((one) => entries(one) !== null));
    }
    level = next;
  }
  return open;
}
