// Names of people, for lists that have only their ids. Each is fetched once, when a row shows it.

import { get } from "./api";
import { isId, item } from "./paths";
import { SvelteMap } from "svelte/reactivity";
import type { Subscriber } from "./types";

const CONCURRENCY = 4;

const known = new SvelteMap<string, string | null>();
const asked = new Set<string>();
const waiting: string[] = [];
let working = 0;

/** The person's name or platform id; undefined while it is loading, null if the person is gone. */
export function nameOf(id: string): string | null | undefined {
  return known.get(id);
}

/** Fetches a name that isn't known yet. */
export function ask(id: string) {
  if (asked.has(id) || !isId("subscribers", id)) return;
  asked.add(id);
  waiting.push(id);
  if (working < CONCURRENCY) void work();
}

async function work() {
  working++;
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    try {
      const { name, email, platform_id } = await get<Subscriber>(item("subscribers", id));
      known.set(id, name ?? email ?? platform_id ?? null);
    } catch {
      known.set(id, null);
    }
  }
  working--;
}
