// CEL texts that the builder writes and reads back: string literals, and maps with literal keys.

/** A CEL string literal. CEL knows the escapes of JSON: https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values */
export const literal = (text: string): string => JSON.stringify(text);

/** The text of a CEL string literal; null for any other expression. */
export function textOf(expression: string): string | null {
  if (!/^"(?:[^"\\\n]|\\.)*"$/.test(expression.trim())) return null;
  try {
    return JSON.parse(expression) as string;
  } catch {
    return null;
  }
}

export const map = (entries: [string, string][]): string =>
  `{${entries.map(([name, value]) => `${literal(name)}: ${value}`).join(", ")}}`;

const OPENING = "([{";
const CLOSING = ")]}";

/** Parts of a text between separators that stand outside of brackets and literals; null if they don't match. */
function split(text: string, separator: string): string[] | null {
  const parts = [""];
  let depth = 0;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote) {
      if (char === "\\") parts[parts.length - 1] += char + text.charAt(++at);
      else parts[parts.length - 1] += char;
      if (char === quote) quote = "";
      continue;
    }
    if (char === '"' || char === "'") quote = char;
    if (OPENING.includes(char)) depth++;
    if (CLOSING.includes(char)) depth--;
    if (depth < 0) return null;
    if (char === separator && depth === 0) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return quote || depth !== 0 ? null : parts;
}

/** Entries of a map with literal keys; null for any other expression. */
export function entriesOf(expression: string): [string, string][] | null {
  const inner = /^\{(.*)\}$/s.exec(expression.trim())?.[1];
  if (inner === undefined) return null;
  if (inner.trim() === "") return [];
  const entries = split(inner, ",")?.map((entry): [string, string] | null => {
    const [key = "", ...rest] = split(entry, ":") ?? [];
    const name = textOf(key);
    return name === null || rest.length === 0 ? null : [name, rest.join(":").trim()];
  });
  return entries?.every((entry) => entry !== null) ? entries : null;
}
