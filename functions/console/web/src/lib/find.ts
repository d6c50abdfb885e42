// Pages that belong to an id, for the search and for links.

import { isId, isOfSubscription, type Kind } from "./paths";
import { at } from "./router.svelte";

const PAGES: [Kind, string, string][] = [
  ["events", "events", "Event"],
  ["deliveries", "deliveries", "Delivery"],
  ["hooks", "hooks", "Hook"],
  ["routes", "routes", "Route"],
  ["connections", "connections", "Connection"],
  ["subscribers", "subscribers", "Person"],
  ["records", "records", "Checkpoint record"],
  ["keys", "keys", "Key"],
];

/** The page of an id, with the kind in words; null if the text is no id. */
export function pageOf(id: string): { kind: string; to: string } | null {
  // A takeover has no page of its own; its id ends like that of its event.
  if (isId("takeovers", id)) return { kind: "Takeover", to: at("events", id.replace(/^tko_/, "evt_")) };
  const found = PAGES.find(([kind]) => isId(kind, id));
  if (!found) return null;
  const [, page, words] = found;
  return { kind: isOfSubscription(id) ? "MCP subscription" : words, to: at(page, id) };
}
