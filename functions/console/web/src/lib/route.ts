// A route that is being edited, and its API body.

import type { Fault } from "./api";
import { bodyOf, fieldsOf, nameless, type BodyField } from "./fields";
import type { Hook, Json, Route, Schema } from "./types";

export interface Pair {
  name: string;
  value: string;
}

export interface RouteDraft {
  name: string;
  /** Checked event types. */
  types: string[];
  /** More types, with `*`, one per line. */
  patterns: string;
  hook: string;
  connection: string;
  filter: string;
  kind: "webhook" | "action" | "aws";
  url: string;
  arn: string;
  /** CEL: the message group of a FIFO queue or topic. */
  group: string;
  headers: Pair[];
  /** True if a webhook's body, or the input of an AWS service, has custom fields instead of the whole event. */
  hasCustomBody: boolean;
  body: BodyField[];
  action: string;
  /** Connection that runs the action. */
  actionConnection: string;
  input: Record<string, string>;
}

export function begin(types: string[], route?: Route): RouteDraft {
  const target = route?.target;
  const webhook = target?.type === "webhook" ? target : null;
  const action = target?.type === "action" ? target : null;
  const aws = target?.type === "aws" ? target : null;
  const custom = webhook?.body ?? aws?.input ?? null;
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
    arn: aws?.arn ?? "",
    group: aws?.group ?? "",
    // The API never returns header values.
    headers: Object.keys(webhook?.headers ?? {}).map((name) => ({ name, value: "" })),
    hasCustomBody: custom !== null,
    body: fieldsOf(custom ?? {}),
    action: action?.action ?? "",
    actionConnection: action?.connection ?? "",
    input: { ...action?.input },
  };
}

function fields(pairs: Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.filter(({ name }) => name.trim()).map(({ name, value }) => [name.trim(), value]));
}

/** Types of events: the checked ones, and those that were typed. */
export function chosen(types: string[], patterns: string): string[] {
  return [...types, ...patterns.split("\n").map((line) => line.trim()).filter(Boolean)];
}

/** The route's selection of events. */
export function selection(draft: RouteDraft) {
  return {
    events: chosen(draft.types, draft.patterns),
    hook: draft.hook || null,
    connection: draft.connection || null,
    filter: draft.filter.trim() || null,
  };
}

/** Target for the API. Of an action's input, only its known fields are sent. */
export function target(draft: RouteDraft, fieldsOf: (action: string) => string[]): Record<string, Json> {
  if (draft.kind === "webhook") {
    const { url, headers, hasCustomBody, body } = draft;
    return { type: "webhook", url: url.trim(), headers: fields(headers), ...(hasCustomBody && { body: bodyOf(body) }) };
  }
  if (draft.kind === "aws") {
    const { arn, hasCustomBody, body } = draft;
    return { type: "aws", arn: arn.trim(), ...(hasCustomBody && { input: bodyOf(body) }), ...(isFifo(draft) && { group: draft.group.trim() }) };
  }
  const known = fieldsOf(draft.action);
  const input = Object.entries(draft.input).filter(([name, text]) => known.includes(name) && text.trim());
  return { type: "action", action: draft.action, connection: draft.actionConnection, input: Object.fromEntries(input) };
}

/** True for a FIFO queue or topic, whose messages have a group. */
export const isFifo = ({ arn }: RouteDraft) => arn.trim().endsWith(".fifo");

/** True if the target is complete enough for a test. */
export function hasTarget({ kind, url, arn, action, actionConnection }: RouteDraft): boolean {
  return { webhook: url.trim() !== "", aws: arn.trim() !== "", action: action !== "" && actionConnection !== "" }[kind];
}

/** Missing values, with pointers to fields of the form. */
export function missing(draft: RouteDraft): Fault[] {
  const faults: Fault[] = [];
  const need = (pointer: string, is: boolean, detail = "is required") => is || faults.push({ pointer, detail });
  need("/name", draft.name.trim() !== "");
  need("/events", selection(draft).events.length > 0);
  if (draft.kind === "webhook") {
    need("/target/url", draft.url.trim() !== "");
    need("/target/headers", draft.headers.every(({ name, value }) => !name.trim() || value !== ""), "a value is required");
    faults.push(...namesOf("/target/headers", draft.headers));
  } else if (draft.kind === "aws") {
    need("/target/arn", draft.arn.trim() !== "");
    need("/target/group", !isFifo(draft) || draft.group.trim() !== "");
  } else {
    need("/target/action", draft.action !== "");
    need("/target/connection", draft.actionConnection !== "");
  }
  if (draft.kind !== "action" && draft.hasCustomBody) {
    faults.push(...[...nameless(draft.body)].map(([key, detail]) => ({ pointer: nameOf(key), detail })));
  }
  return faults;
}

/** Pointer of a fault in the name of a body's field, which the API doesn't know. */
export const nameOf = (key: number) => `name of field ${key}`;

/** Faults of pairs that would be lost: those without a name, or with a repeated name. */
function namesOf(pointer: string, pairs: Pair[]): Fault[] {
  const names = pairs.map(({ name }) => name.trim());
  const faults = [];
  if (pairs.some(({ name, value }) => !name.trim() && value !== "")) faults.push({ pointer, detail: "a name is missing" });
  if (names.some((name, at) => name && names.indexOf(name) !== at)) faults.push({ pointer, detail: "names must not be repeated" });
  return faults;
}

/** The fields of an action's input that a route fills. */
export function inputs(schema: Schema): [string, Schema][] {
  return Object.entries(schema.properties ?? {}).filter(([name]) => name !== "connection" && name !== "idempotency_key");
}

/** Hooks to choose from. */
export function named(all: Hook[]): { value: string; label: string }[] {
  return all.map(({ id, name }) => ({ value: id, label: name }));
}
