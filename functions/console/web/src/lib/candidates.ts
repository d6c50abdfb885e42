// Stored events that a route's draft may match, to test it with.

import { get, query, type Page } from "./api";
import { isStub, type Event, type Stub } from "./types";

const MAX_TYPES = 5;
const EACH = 10;

/** The newest events of the draft's types, and of its hook if it has one. */
export async function candidates({ events, hook }: { events: string[]; hook: string | null }): Promise<(Event | Stub)[]> {
  const pages = await Promise.all(
    events.slice(0, MAX_TYPES).map((type) => get<Page<Event>>(query("/v1/events", { type, hook, limit: EACH, view: "summary" }))),
  );
  const unique = [...new Map(pages.flatMap(({ items }) => items.map((event) => [event.id, event]))).values()];
  const time = (event: Event | Stub) => (isStub(event) ? "" : event.time);
  return unique.sort((a, b) => time(b).localeCompare(time(a)));
}
