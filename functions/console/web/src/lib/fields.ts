// Fields of a webhook's body, as the builder edits them: a CEL value each, or an object of further fields.

import { entriesOf, map } from "./cel-text";

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

const cel = ({ value, fields }: BodyField): string => (fields ? map(named(fields).map((field) => [field.name.trim(), cel(field)])) : value);
const named = (fields: BodyField[]) => fields.filter(({ name }) => name.trim() !== "");

/** The body for the API: a CEL expression for each field. */
export function bodyOf(fields: BodyField[]): Record<string, string> {
  return Object.fromEntries(named(fields).map((field) => [field.name.trim(), cel(field)]));
}

/** Details of what would be lost: fields without a name, and repeated names. */
export function lost(fields: BodyField[]): string[] {
  const names = fields.map(({ name }) => name.trim());
  return [
    ...(fields.some(({ name, value, fields }) => !name.trim() && (value !== "" || fields !== null)) ? ["a name is missing"] : []),
    ...(names.some((name, at) => name && names.indexOf(name) !== at) ? ["names must not be repeated"] : []),
    ...fields.flatMap(({ fields }) => (fields ? lost(fields) : [])),
  ];
}
