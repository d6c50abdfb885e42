// Form fields for a JSON Schema, and the JSON of their texts.

import type { Fault } from "./api";
import * as exact from "./json";
import type { Json, Schema } from "./types";

export type Control = "text" | "long" | "number" | "flag" | "choice" | "lines" | "json";

/** Typed texts by field. */
export type Draft = Record<string, string>;

const LONG = 2_000;

export function control(schema: Schema): Control {
  const types = [schema.type ?? []].flat().filter((type) => type !== "null");
  if (schema.enum) return "choice";
  if (types.length !== 1) return "json";
  switch (types[0]) {
    case "string":
      return (schema.maxLength ?? 0) > LONG ? "long" : "text";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "flag";
    case "array":
      return schema.items?.type === "string" && !schema.items.enum ? "lines" : "json";
    default:
      return "json";
  }
}

export function label(name: string, schema: Schema): string {
  const words = name.replaceAll("_", " ");
  return schema.title ?? (words.charAt(0).toUpperCase() + words.slice(1)).replace(/\b(api|ip|url)\b/gi, (word) => word.toUpperCase());
}

/** Body for the API from the typed texts. Empty fields are left out. */
export function read(schema: Schema, draft: Draft): { body: Record<string, Json>; faults: Fault[] } {
  const body: Record<string, Json> = {};
  const faults: Fault[] = [];
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const typed = draft[name] ?? "";
    if (typed.trim() === "") {
      if (schema.required?.includes(name)) faults.push({ pointer: `/${name}`, detail: "is required" });
      continue;
    }
    try {
      body[name] = value(control(field), typed);
    } catch (error) {
      faults.push({ pointer: `/${name}`, detail: error instanceof Error ? error.message : String(error) });
    }
  }
  return { body, faults };
}

/** Texts of a body for editing. */
export function fill(schema: Schema, body: Record<string, Json>): Draft {
  const known = Object.entries(schema.properties ?? {}).filter(([name]) => (body[name] ?? null) !== null);
  return Object.fromEntries(known.map(([name, field]) => [name, typed(control(field), body[name] ?? null)]));
}

function typed(control: Control, value: Json): string {
  if (control === "lines" && Array.isArray(value)) return value.join("\n");
  return control === "json" ? exact.write(value, 2) : String(value);
}

function value(control: Control, typed: string): Json {
  switch (control) {
    case "number": {
      const number = exact.number(typed.trim());
      if (number === null) throw new Error("must be a number");
      return number;
    }
    case "flag":
      return typed === "true";
    case "lines":
      return typed.split("\n").map((line) => line.trim()).filter(Boolean);
    case "json":
      return json(typed);
    default:
      return typed;
  }
}

function json(typed: string): Json {
  try {
    return exact.parse(typed);
  } catch {
    // A plain word counts as a text.
    if (/^[\w .,:@-]+$/.test(typed.trim())) return typed.trim();
    throw new Error("must be JSON");
  }
}
