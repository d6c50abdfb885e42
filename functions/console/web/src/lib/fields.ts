// Fields of a webhook's body, as the builder edits them: a CEL value each, or an object of further fields.

import { entriesOf, literal, map } from "./cel-text";

export interface BodyField {
  /** Identifies it in the builder. */
  key: number;
  name: string;
  /** CEL; unused if there are `fields`. */
  value: string;
  /** Fields of an object; null for a value. */
  fields: BodyField[] | null;
}

let count = 0;

export const emptyField = (): BodyField => ({ key: ++count, name: "", value: "", fields: null });

export function fieldsOf(body: Record<string, string>): BodyField[] {
  return Object.entries(body).map(([name, value]) => fieldOf(name, value));
}

function fieldOf(name: string, value: string): BodyField {
  const inner = entriesOf(value);
  return { key: ++count, name, value: inner ? "" : value, fields: inner?.map(([name, value]) => fieldOf(name, value)) ?? null };
}

/** A value inside an object's expression. */
interface Part {
  key: number;
  start: number;
  text: string;
}

/** The values of an object, with their places in its expression. */
function partsOf(field: BodyField, start = 0): Part[] {
  if (!field.fields) return [{ key: field.key, start, text: field.value }];
  const parts: Part[] = [];
  let at = start + "{".length;
  for (const inner of named(field.fields)) {
    at += literal(inner.name.trim()).length + ": ".length;
    parts.push(...partsOf(inner, at));
    at += cel(inner).length + ", ".length;
  }
  return parts;
}

const POSITION = /^(\d+):(\d+): /;

/** Faults by the field's key. One inside an object stands at the inner field, with its position there. */
export function faultsByKey(fields: BodyField[], faultsOf: (name: string) => string[]): Map<number, string[]> {
  const placed = new Map<number, string[]>();
  for (const field of named(fields)) {
    for (const fault of faultsOf(field.name.trim())) {
      const [key, text] = field.fields ? within(field, fault) : [field.key, fault];
      placed.set(key, [...(placed.get(key) ?? []), text]);
    }
  }
  return placed;
}

function within(field: BodyField, fault: string): [number, string] {
  const position = POSITION.exec(fault);
  if (!position) return [field.key, fault];
  const detail = fault.slice(position[0].length);
  const lines = cel(field).split("\n").slice(0, Number(position[1]) - 1);
  const at = lines.reduce((sum, line) => sum + line.length + 1, 0) + Number(position[2]) - 1;
  // The end of a value that is incomplete is reported behind it.
  const part = partsOf(field).findLast(({ start }) => start <= at);
  if (!part) return [field.key, detail];
  const before = part.text.slice(0, at - part.start).split("\n");
  return [part.key, `${before.length}:${(before.at(-1)?.length ?? 0) + 1}: ${detail}`];
}

const cel = ({ value, fields }: BodyField): string => (fields ? map(named(fields).map((field) => [field.name.trim(), cel(field)])) : value);
const named = (fields: BodyField[]) => fields.filter(({ name }) => name.trim() !== "");

/** The body for the API: a CEL expression for each field. */
export function bodyOf(fields: BodyField[]): Record<string, string> {
  return Object.fromEntries(named(fields).map((field) => [field.name.trim(), cel(field)]));
}

/** Faults of names, by the field's key: missing ones, and repeated ones. */
export function nameless(fields: BodyField[]): Map<number, string> {
  const faults = new Map<number, string>();
  const names = fields.map(({ name }) => name.trim());
  fields.forEach(({ key, fields }, at) => {
    const name = names[at] ?? "";
    if (name === "") faults.set(key, "a name is missing");
    else if (names.indexOf(name) !== at) faults.set(key, "names must not be repeated");
    for (const [inner, fault] of nameless(fields ?? [])) faults.set(inner, fault);
  });
  return faults;
}
