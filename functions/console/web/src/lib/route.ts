// A route as it is typed, and what is made of that.

import type { Fault } from "./api";
import type { Hook, Json, Route, Schema } from "./types";

export interface Pair {
  name: string;
  value: string;
}

export interface RouteDraft {
  name: string;
  /** Types of events that are ticked. */
  types: string[];
  /** More, with stars, one in a line. */
  patterns: string;
  hook: string;
  connection: string;
  filter: string;
  kind: "webhook" | "action";
  url: string;
  headers: Pair[];
  /** Whether the body is made of fields, rather than the event as it is. */
  shaped: boolean;
  body: Pair[];
  action: string;
  /** The connection that the action is called with. */
  account: string;
  input: Record<string, string>;
}

export function begin(types: string[], route?: Route): RouteDraft {
  const target = route?.target;
  const webhook = target?.type === "webhook" ? target : null;
  const action = target?.type === "action" ? target : null;
  const events = route?.events ?? [];
  return {
    name: route?.name ?? "",
    types: events.filter((event) => types.includes(event)),
    patterns: events.filter((event) => !types.includes(event)).join("\n"),
    hook: route?.hook ?? "",
    connection: route?.connection ?? "",
    filter: route?.filter ?? "",
    kind: target?.type ?? "webhook",
    url: webhook?.url ?? "",
    // Their values are sealed, and told to nobody.
    headers: Object.keys(webhook?.headers ?? {}).map((name) => ({ name, value: "" })),
    shaped: Boolean(webhook?.body),
    body: pairs(webhook?.body ?? {}),
    action: action?.action ?? "",
    account: action?.connection ?? "",
    input: { ...action?.input },
  };
}

function pairs(fields: Record<string, string>): Pair[] {
  return Object.entries(fields).map(([name, value]) => ({ name, value }));
}

function fields(pairs: Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.filter(({ name }) => name.trim()).map(({ name, value }) => [name.trim(), value]));
}

/** Which events it is for. */
export function selection(draft: RouteDraft) {
  const patterns = draft.patterns.split("\n").map((line) => line.trim());
  return {
    events: [...draft.types, ...patterns.filter(Boolean)],
    hook: draft.hook || null,
    connection: draft.connection || null,
    filter: draft.filter.trim() || null,
  };
}

/** The target; of an action, with those of its fields that there are. */
export function target(draft: RouteDraft, fieldsOf: (action: string) => string[]): Record<string, Json> {
  if (draft.kind === "webhook") {
    const { url, headers, shaped, body } = draft;
    return { type: "webhook", url: url.trim(), headers: fields(headers), ...(shaped && { body: fields(body) }) };
  }
  const known = fieldsOf(draft.action);
  const input = Object.entries(draft.input).filter(([name, text]) => known.includes(name) && text.trim());
  return { type: "action", action: draft.action, connection: draft.account, input: Object.fromEntries(input) };
}

/** Whether enough of the target is typed to tell what would be sent. */
export function hasTarget({ kind, url, action, account }: RouteDraft): boolean {
  return kind === "webhook" ? url.trim() !== "" : action !== "" && account !== "";
}

/** What is missing that the API would not tell at a field of the form. */
export function missing(draft: RouteDraft): Fault[] {
  const faults: Fault[] = [];
  const need = (pointer: string, is: boolean, detail = "is required") => is || faults.push({ pointer, detail });
  need("/name", draft.name.trim() !== "");
  need("/events", selection(draft).events.length > 0);
  if (draft.kind === "webhook") {
    need("/target/url", draft.url.trim() !== "");
    need("/target/headers", draft.headers.every(({ name, value }) => !name.trim() || value !== ""), "a value is required");
    faults.push(...namesOf("/target/headers", draft.headers), ...(draft.shaped ? namesOf("/target/body", draft.body) : []));
  } else {
    need("/target/action", draft.action !== "");
    need("/target/connection", draft.account !== "");
  }
  return faults;
}

/** What would be lost: a value without a name, or of a name that another has. */
function namesOf(pointer: string, pairs: Pair[]): Fault[] {
  const names = pairs.map(({ name }) => name.trim());
  const faults = [];
  if (pairs.some(({ name, value }) => !name.trim() && value !== "")) faults.push({ pointer, detail: "one has no name" });
  if (names.some((name, at) => name && names.indexOf(name) !== at)) faults.push({ pointer, detail: "two have the same name" });
  return faults;
}

/** The fields of an action's input that a route fills. */
export function inputs(schema: Schema): [string, Schema][] {
  return Object.entries(schema.properties ?? {}).filter(([name]) => name !== "connection" && name !== "idempotency_key");
}

/** The hooks whose events it may be for. */
export function named(all: Hook[]): { value: string; label: string }[] {
  return all.map(({ id, name }) => ({ value: id, label: name }));
}
