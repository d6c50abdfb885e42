// Problems that need a person, counted for the navigation and listed on the overview.

import { all, get, query, type Page } from "./api";
import { Loaded } from "./loaded.svelte";
import { session } from "./session.svelte";
import type { Connection, Delivery, Event, Hook, Route, Takeover } from "./types";

const MAX_COUNTED = 100;

export interface Attention {
  routes: Route[];
  hooks: Hook[];
  connections: Connection[];
  dead: Page<Delivery>;
  takeovers: Page<Takeover>;
  hasEvents: boolean;
}

async function look(): Promise<Attention> {
  const page = <T>(path: string, filters: Record<string, string>) => get<Page<T>>(query(path, { ...filters, limit: MAX_COUNTED }));
  const [routes, hooks, connections, dead, takeovers, events] = await Promise.all([
    all<Route>("/v1/routes"),
    all<Hook>("/v1/hooks"),
    all<Connection>("/v1/connections"),
    page<Delivery>("/v1/deliveries", { state: "dead" }),
    page<Takeover>("/v1/takeovers", { state: "open" }),
    get<Page<Event>>("/v1/events?limit=1&view=summary"),
  ]);
  return { routes, hooks, connections, dead, takeovers, hasEvents: events.items.length > 0 };
}

let found: Loaded<Attention> | null = null;

/** The problems of the signed-in session, loaded at first use. */
export function attention(): Loaded<Attention> {
  return (found ??= new Loaded(look));
}

/** Forgets them at the sign-out. */
export function forget() {
  if (session.key === null) found = null;
}

const counted = ({ items, next }: Page<unknown>) => (items.length === 0 ? "" : `${items.length}${next ? "+" : ""}`);

/** Counts for the navigation, by area. */
export function counts({ routes, dead, takeovers }: Attention): Record<string, string> {
  const failing = routes.filter(({ enabled, health }) => enabled && health.state === "failing").length;
  return { deliveries: counted(dead), takeovers: counted(takeovers), routes: failing > 0 ? String(failing) : "" };
}
