// Paths of the API. An id may come from the address bar, so all ids are checked and encoded here.

const PREFIXES = {
  connections: "con",
  hooks: "hook",
  routes: "rt",
  events: "evt",
  subscribers: "sub",
  takeovers: "tko",
  deliveries: "dlv",
  keys: "key",
  records: "cpr",
  rejected: "rej",
} as const;

export type Kind = keyof typeof PREFIXES;

/** True for the id of an item of this kind. */
export function isId(kind: Kind, text: string): boolean {
  const prefix = `${PREFIXES[kind]}_`;
  return text.startsWith(prefix) && /^[0-9a-v]+$/.test(text.slice(prefix.length));
}

/** True for a route's id that belongs to an MCP client's subscription. Ids of other routes begin with their time. */
export const isOfSubscription = (route: string) => route.startsWith("rt_v");

export class NotAnId extends Error {}

function checked(kind: Kind, id: string): string {
  if (!isId(kind, id)) throw new NotAnId(`${id} is not an id of ${kind}.`);
  return encodeURIComponent(id);
}

/** Path of an item or of an operation on it: `item("hooks", id, "rotate")` is `/v1/hooks/hook_…/rotate`. */
export function item(kind: Exclude<Kind, "rejected">, id: string, does?: string): string {
  const path = `/v1/${kind === "records" ? "checkpoint-records" : kind}/${checked(kind, id)}`;
  return does === undefined ? path : `${path}/${does}`;
}

/** Path of a rejected call's body. */
export function rejectedBody(hook: string, id: string): string {
  return `${item("hooks", hook, "rejected")}/${checked("rejected", id)}/raw`;
}

/** True for an unambiguous path of the API: a browser resolves dots, and drops tabs and line ends. */
export function isPlain(path: string): boolean {
  return /^\/v1(\/[a-z0-9_][A-Za-z0-9_.-]*)+(\?[^#\s]*)?$/.test(path);
}
