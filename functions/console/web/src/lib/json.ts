// JSON whose numbers keep their digits: JavaScript's own numbers would round long ones.

import { LosslessNumber, isLosslessNumber, parse as parseLossless, stringify } from "lossless-json";
import type { Json } from "./types";

/** A number, or its digits if JavaScript would write it differently: `1.0`, `1e400`, `123456789012345678901`. */
function exact(digits: string): number | LosslessNumber {
  const number = Number(digits);
  return String(number) === digits ? number : new LosslessNumber(digits);
}

/** Parses JSON. If a key is repeated, its last value counts, as in the API. */
export function parse(text: string): Json {
  return parseLossless(text, undefined, { parseNumber: exact, onDuplicateKey: ({ newValue }) => newValue }) as Json;
}

/** Serializes JSON with all digits that `parse` has read. */
export function write(value: unknown, indent?: number): string {
  return stringify(value, undefined, indent) ?? "null";
}

/** Entries of an object or a list; null for any other value. */
export function entries(value: Json): [string, Json][] | null {
  return value === null || typeof value !== "object" || isLosslessNumber(value) ? null : Object.entries(value);
}

/** Kind of a value, as a style sheet names it. */
export function kind(value: Json): string {
  if (value === null) return "null";
  return isLosslessNumber(value) ? "number" : typeof value;
}

/** Number as typed, if it is one in JSON. */
export function number(typed: string): number | LosslessNumber | null {
  try {
    return exact(new LosslessNumber(typed).toString());
  } catch {
    return null;
  }
}

/** First characters of a text, with an ellipsis if some are left out. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const isSplit = /[\uD800-\uDBFF]/.test(text.charAt(most - 1));
  return `${text.slice(0, isSplit ? most - 1 : most)}…`;
}

/** A name as a segment of a JSON Pointer (RFC 6901). */
export const segment = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");
