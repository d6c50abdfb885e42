// Which hooks feed which routes.

import type { Hook, Route } from "./types";

/** True if a type matches a pattern, where `*` stands for any characters. */
export function matches(pattern: string, type: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(type);
}

/** True if events of the hook can match the route. `type` is the hook's event type. */
export function feeds(hook: Hook, type: string, route: Route): boolean {
  return (
    (route.hook === null || route.hook === hook.id) &&
    (route.connection === null || route.connection === hook.connection) &&
    route.events.some((pattern) => matches(pattern, type))
  );
}
