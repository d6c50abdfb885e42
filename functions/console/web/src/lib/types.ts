// Types of the API's answers, with the fields that the console shows.

import type { LosslessNumber } from "lossless-json";
import type { Fault } from "./api";
import type { Scope } from "./session.svelte";

export type Json = null | boolean | number | LosslessNumber | string | Json[] | { [name: string]: Json };

/** An item that can't be read or is over 1 MB: only its id. */
export interface Stub {
  id: string;
  truncated: true;
}

export function isStub(value: unknown): value is Stub {
  if (value === null || typeof value !== "object" || !("truncated" in value)) return false;
  return value.truncated === true && Object.keys(value).every((name) => name === "id" || name === "truncated");
}

/** A column of a list. */
export interface Column {
  title: string;
  /** Width in per cent, or as in CSS; columns without one share the rest. */
  width?: number | string;
  isNumber?: boolean;
  /** True if it gives way to an open panel. */
  isAside?: boolean;
  /** True if it gives way on a narrow screen. */
  isExtra?: boolean;
}

export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  enum?: Json[];
  default?: Json;
  format?: string;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
}

export interface Module {
  name: string;
  kind: "trigger" | "action";
  label: string;
  description: string;
  input: Schema;
  output: Schema;
  path: string | null;
  event_type: string | null;
  setup: string | null;
  sample: Json;
}

export interface Platform {
  name: string;
  label: string;
  credentials: Schema;
  /** Name of the credential that can be generated. */
  generated: string | null;
  modules: Module[];
}

export interface Connection {
  id: string;
  platform: string;
  name: string;
  credentials: Record<string, Json>;
  warnings: Fault[];
  generated: Json;
  created_at: string;
}

export interface Hook {
  id: string;
  trigger: string;
  name: string;
  connection: string;
  enabled: boolean;
  settings: { mapping: Record<string, string>; dedupe_seconds: number | null; [name: string]: Json };
  url?: string;
  old_url_until: string | null;
  registration: Registration | null;
  setup: string | null;
  created_at: string;
}

/** State of a hook's registration at its platform. */
export interface Registration {
  state: "pending" | "registered" | "stale" | "manual";
  webhook: string | null;
  token: string | null;
}

export interface Rejected {
  id: string;
  at: string;
  code: string;
  detail: string;
  content_type: string | null;
  bytes: number;
  truncated: boolean;
}

export interface Event {
  id: string;
  type: string;
  source: string;
  subject?: string;
  time: string;
  data: Record<string, Json> & { unmapped?: string[]; raw?: Json; hook?: string; truncated?: boolean };
}

export interface Attempt {
  at: string;
  status: number | null;
  duration_ms: number;
  error: string | null;
  body: string | null;
}

export interface Delivery {
  id: string;
  event: string;
  route: string;
  state: string;
  reason: string | null;
  attempts: Attempt[];
  next_attempt_at: string | null;
  created_at: string;
  /** Only with `expand=event`. */
  event_type?: string | null;
  subscriber?: { id: string; platform_id: string; name: string | null } | null;
}

export type Target =
  | { type: "webhook"; url: string; headers: Record<string, string>; body: Record<string, string> | null; secret?: string | null }
  | { type: "action"; action: string; connection: string; input: Record<string, string> }
  | { type: "aws"; arn: string; input: Record<string, string> | null; group: string | null };

export interface Route {
  id: string;
  name: string;
  events: string[];
  hook: string | null;
  connection: string | null;
  filter: string | null;
  target: Target;
  enabled: boolean;
  disabled_reason: "target_gone" | "failing" | "hook_deleted" | null;
  health: { state: string; since: string | null; disables_at: string | null };
  created_at: string;
}

/** An MCP client's subscription: a route that only the client makes and renews. */
export interface Subscription extends Omit<Route, "target"> {
  target: { type: "mcp"; url: string; key: string; arguments: Record<string, Json>; expires_at: string };
}

export function isSubscription(route: Route | Subscription): route is Subscription {
  return route.target.type === "mcp";
}

/** Outcome of testing a route with an event. */
export interface Tried {
  event: Event;
  matches: boolean;
  request: Json;
  fault: string | null;
  attempt: Attempt | null;
}

export interface Subscriber {
  id: string;
  platform: string;
  platform_id: string;
  name: string | null;
  email: string | null;
  tags: string[];
  attributes: Record<string, Json>;
  first_seen: string | null;
  last_seen: string | null;
}

export interface CheckpointRecord {
  id: string;
  subscriber: string | null;
  checkpoint: string | null;
  fields: Record<string, Json>;
  event: string;
  created_at: string;
}

export interface Takeover {
  id: string;
  subscriber: string | null;
  reason: string | null;
  state: "open" | "claimed" | "closed";
  /** Name of the key that claimed it. */
  claimed_by: string | null;
  event: string;
  created_at: string;
}

export interface Key {
  id: string;
  name: string;
  scope: Scope;
  created_at: string;
  expires_at: string | null;
  /** Types of events to which it may subscribe as an MCP client. */
  subscribe: string[];
  /** Only in the answer to its creation. */
  key?: string | null;
}

export interface Metrics {
  times: string[];
  /** In seconds. */
  period: number;
  series: Series[];
}

export interface Series {
  metric: string;
  statistic: "Sum" | "p50" | "p99";
  values: (number | null)[];
}
