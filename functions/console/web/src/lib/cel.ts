// CEL expressions for paths in an event.

import { isLosslessNumber } from "lossless-json";
import type { Json } from "./types";

// Reserved words, which can't follow a dot: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax
const RESERVED = new Set(
  "as break const continue else false for function if import in let loop namespace null package return true var void while".split(" "),
);

/** CEL expression for a JSON Pointer (RFC 6901). */
export function expression(event: Json, pointer: string): string {
  let text = "";
  let at: Json | undefined = event;
  for (const step of pointer.split("/").slice(1).map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))) {
    if (Array.isArray(at)) {
      text += `[${step}]`;
      at = at[Number(step)];
    } else {
      const isName = /^[A-Za-z_]\w*$/.test(step) && !RESERVED.has(step);
      text += isName ? `${text && "."}${step}` : `[${JSON.stringify(step)}]`;
      at = at !== null && typeof at === "object" && !isLosslessNumber(at) ? at[step] : undefined;
    }
  }
  return text;
}
