// Routes and hooks as JSON files. They contain no secret and no URL of a hook. An import is checked as a creation.

import { parse, write } from "./json";
import type { Hook, Json, Route } from "./types";

export type Kind = "routes" | "hooks";
type Fields = Record<string, Json>;

/** Body that creates a copy of the hook. */
export function exportHook({ trigger, name, connection, settings }: Hook): Json {
  return { trigger, name, connection, settings };
}

/** Body that creates a copy of the route. The values of its headers are secrets: only their names are kept, with empty values. */
export function exportRoute({ name, events, hook, connection, filter, target, enabled }: Route): Json {
  return { name, events, hook, connection, filter, enabled, target: withoutSecrets(target) };
}

function withoutSecrets(target: Route["target"]): Json {
  if (target.type !== "webhook") return target as unknown as Json;
  const { type, url, headers, body } = target;
  return { type, url, headers: Object.fromEntries(Object.keys(headers).map((name) => [name, ""])), ...(body && { body }) };
}

/** Bodies of a file: one, or a list. */
export function read(text: string): Fields[] {
  const value = parse(text);
  const all = Array.isArray(value) ? value : [value];
  if (!all.every((one) => one !== null && typeof one === "object" && !Array.isArray(one))) {
    throw new Error("The file must contain a JSON object, or a list of them.");
  }
  return all as Fields[];
}

/** Names of a route's headers, whose values must be typed in again. */
export function emptyHeaders(body: Fields): string[] {
  const target = body["target"] as Fields | undefined;
  return Object.entries((target?.["headers"] ?? {}) as Fields)
    .filter(([, value]) => value === "")
    .map(([name]) => name);
}

/** The file of many exports. */
export const file = (all: Json[]) => `${write(all.length === 1 ? all[0] : all, 2)}\n`;
