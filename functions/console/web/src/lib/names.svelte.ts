// Names of hooks, routes and connections, and labels of modules, for pages that would otherwise show ids.

import { all } from "./api";
import { platforms } from "./catalogue";
import { isOfSubscription } from "./paths";
import type { Connection, Hook, Key, Module, Platform, Route, Subscription } from "./types";

/** Labels of the product's own event types. */
export const OWN_TYPES: Record<string, string> = {
  "switchboard.delivery.dead": "Delivery is dead",
  "switchboard.route.failing": "Route is failing",
  "switchboard.route.recovered": "Route has recovered",
  "switchboard.route.disabled": "Route was disabled",
};

async function set<T>(list: Promise<T>, keep: (list: T) => void) {
  keep(await list);
}

class Names {
  hooks = $state.raw<Hook[] | null>(null);
  routes = $state.raw<Route[] | null>(null);
  connections = $state.raw<Connection[] | null>(null);
  platforms = $state.raw<Platform[] | null>(null);
  /** Loaded at their first use, because there may be hundreds; and with them the keys, to which they belong. */
  subscriptions = $state.raw<Subscription[] | null>(null);
  keys = $state.raw<Key[] | null>(null);
  #hasSubscriptions = false;
  #loading: Promise<void> | null = null;
  #missed = new Set<string>();

  /** Loads the lists, unless they are loading. A list that can't be loaded stays as it is. */
  load(): Promise<void> {
    return (this.#loading ??= this.#fetch().finally(() => (this.#loading = null)));
  }

  /** Loads the subscriptions and the keys, and from now on again with each load. */
  async loadSubscriptions() {
    if (this.#hasSubscriptions) return;
    this.#hasSubscriptions = true;
    await Promise.allSettled(this.#fetchSubscriptions());
  }

  #fetchSubscriptions(): Promise<void>[] {
    return [
      set(all<Subscription>("/v1/routes", { kind: "mcp" }), (list) => (this.subscriptions = list)),
      set(all<Key>("/v1/keys"), (list) => (this.keys = list)),
    ];
  }

  async #fetch() {
    await Promise.allSettled([
      set(all<Hook>("/v1/hooks"), (list) => (this.hooks = list)),
      set(all<Route>("/v1/routes"), (list) => (this.routes = list)),
      set(all<Connection>("/v1/connections"), (list) => (this.connections = list)),
      this.platforms ? null : set(platforms(), (list) => (this.platforms = list)),
      ...(this.#hasSubscriptions ? this.#fetchSubscriptions() : []),
    ]);
  }

  /** Forgets everything at the sign-out. */
  clear() {
    [this.hooks, this.routes, this.connections, this.subscriptions, this.keys] = [null, null, null, null, null];
    this.#hasSubscriptions = false;
  }

  hook(id: string): string {
    return this.#name(this.hooks, id, "a deleted hook");
  }

  /** The name of a route, or of a subscription. */
  route(id: string): string {
    if (!isOfSubscription(id)) return this.#name(this.routes, id, "a deleted route");
    return this.#name(this.#subscriptions(), id, "an ended subscription");
  }

  key(id: string): string {
    void this.#subscriptions();
    return this.#name(this.keys, id, "a deleted key");
  }

  /** A route or a subscription, if it is loaded. */
  findRoute(id: string): Route | Subscription | undefined {
    return (isOfSubscription(id) ? this.#subscriptions() : this.routes)?.find((route) => route.id === id);
  }

  #subscriptions(): Subscription[] | null {
    if (!this.#hasSubscriptions) setTimeout(() => void this.loadSubscriptions());
    return this.subscriptions;
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
