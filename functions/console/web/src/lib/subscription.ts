// Parts of a subscription, in words.

import { clock } from "./clock.svelte";
import { write } from "./json";
import { names } from "./names.svelte";
import type { Subscription } from "./types";

/** Its health, or `ended`: it is listed for a while after its end. */
export function standing({ target, health }: Subscription): string {
  return Date.parse(target.expires_at) <= clock.now ? "ended" : health.state;
}

/** Its arguments by name, with the names of hooks and connections instead of their ids. */
export function argumentsOf({ target }: Subscription): [string, string][] {
  return Object.entries(target.arguments).map(([name, value]) => {
    const text = typeof value === "string" ? value : write(value);
    if (name === "hook") return [name, names.hook(text)];
    return [name, name === "connection" ? names.connection(text) : text];
  });
}
