// The expression that is being edited: a path that is chosen in an event is inserted there, and paths complete it.

import { expression } from "./cel";
import { cut, entries, segment, write } from "./json";
import type { Json } from "./types";

export interface Path {
  path: string;
  /** The value there, in short. */
  value: string;
}

/** Inserts a text into an expression. */
type Insert = (text: string) => void;

class Expressions {
  /** The expression that had the focus last, with its label. */
  edited = $state.raw<{ label: string; insert: Insert } | null>(null);
  paths = $state.raw<Path[]>([]);
}

export const expressions = new Expressions();

/** Ends the choice of paths for an expression that is gone. */
export function leave(insert: Insert) {
  if (expressions.edited?.insert === insert) expressions.edited = null;
}

const MAX_PATHS = 400;
const MAX_VALUE = 40;

/** Paths of an event, level by level. */
export function pathsOf(event: Json): Path[] {
  const found: Path[] = [];
  let level: [string, Json][] = [["", event]];
  while (level.length > 0 && found.length < MAX_PATHS) {
    const next: [string, Json][] = [];
    for (const [pointer, value] of level) {
      for (const [name, one] of entries(value) ?? []) {
        const place = `${pointer}/${segment(name)}`;
        found.push({ path: expression(event, place), value: cut(entries(one) ? "" : write(one), MAX_VALUE) });
        next.push([place, one]);
      }
    }
    level = next;
  }
  return found.slice(0, MAX_PATHS);
}
