// Names of hooks, routes and connections, and labels of modules, for pages that would otherwise show ids.

import { all } from "./api";
import { platforms } from "./catalogue";
import type { Connection, Hook, Module, Platform, Route } from "./types";

/** Labels of the product's own event types. */
export const OWN_TYPES: Record<string, string> = {
  "switchboard.delivery.dead": "Delivery is dead",
  "switchboard.route.failing": "Route is failing",
  "switchboard.route.recovered": "Route has recovered",
  "switchboard.route.disabled": "Route was disabled",
};

class Names {
  hooks = $state.raw<Hook[] | null>(null);
  routes = $state.raw<Route[] | null>(null);
  connections = $state.raw<Connection[] | null>(null);
  platforms = $state.raw<Platform[] | null>(null);
  #loading: Promise<void> | null = null;
  #missed = new Set<string>();

  /** Loads the lists, unless they are loading. A list that can't be loaded stays as it is. */
  load(): Promise<void> {
    return (this.#loading ??= this.#fetch().finally(() => (this.#loading = null)));
  }

  async #fetch() {
    const set = async <T>(list: Promise<T>, keep: (list: T) => void) => keep(await list);
    await Promise.allSettled([
      set(all<Hook>("/v1/hooks"), (list) => (this.hooks = list)),
      set(all<Route>("/v1/routes"), (list) => (this.routes = list)),
      set(all<Connection>("/v1/connections"), (list) => (this.connections = list)),
      this.platforms ? null : set(platforms(), (list) => (this.platforms = list)),
    ]);
  }

  /** Forgets everything at the sign-out. */
  clear() {
    [this.hooks, this.routes, this.connections] = [null, null, null];
  }

  hook(id: string): string {
    return this.#name(this.hooks, id, "a deleted hook");
  }

  route(id: string): string {
    return this.#name(this.routes, id, "a deleted route");
  }

  connection(id: string): string {
    return this.#name(this.connections, id, "a deleted connection");
  }

  /** The name of an item. One that isn't known may be new, so the lists are loaded again, once for each id. */
  #name(list: { id: string; name: string }[] | null, id: string, none: string): string {
    const found = list?.find((item) => item.id === id);
    if (found || !list) return found?.name ?? "…";
    if (!this.#missed.has(id)) {
      this.#missed.add(id);
      setTimeout(() => void this.load());
    }
    return none;
  }

  module(name: string): Module | null {
    return this.#modules().find((module) => module.name === name) ?? null;
  }

  /** Label of an event type, such as `Checkpoint Record` of the trigger `Watch New Checkpoint Record`; else the type itself. */
  type(type: string): string {
    const label = this.#modules().find(({ event_type }) => event_type === type)?.label;
    return label?.replace(/^Watch (New )?/, "") ?? OWN_TYPES[type] ?? type;
  }

  platform(name: string): string {
    return this.platforms?.find((platform) => platform.name === name)?.label ?? name;
  }

  #modules(): Module[] {
    return this.platforms?.flatMap(({ modules }) => modules) ?? [];
  }
}

export const names = new Names();
