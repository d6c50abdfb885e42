// The lists of the address. The first one is asked for before the page is drawn, which takes as long as the answer.

import { Deliveries } from "./deliveries.svelte";
import { Events } from "./events.svelte";
import { place } from "./router.svelte";
import { session } from "./session.svelte";
import { times } from "./time-filter";

const chosen = (names: string[]) => ({
  ...Object.fromEntries(names.map((name) => [name, place.value(name)])),
  ...times(place.values),
});

const LISTS = {
  events: () => new Events(chosen(["type", "hook", "subscriber"])),
  deliveries: () => new Deliveries(chosen(["state", "reason", "route", "event"])),
};
type Lists = typeof LISTS;

let first: { [Area in keyof Lists]?: ReturnType<Lists[Area]> } = {};

/** Asks for the list of the address that the page was opened with. */
export function ask() {
  const [area, id] = place.steps;
  if (session.key === null || id !== undefined) return;
  if (area === "events") first = { events: LISTS.events() };
  if (area === "deliveries") first = { deliveries: LISTS.deliveries() };
}

/** The list with the filters of the address. */
export function listed<Area extends keyof Lists>(area: Area): ReturnType<Lists[Area]> {
  const list = first[area] ?? (LISTS[area]() as ReturnType<Lists[Area]>);
  first = {};
  return list;
}
