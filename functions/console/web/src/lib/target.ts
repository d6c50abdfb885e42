// Targets of routes and subscriptions, in words.

import { resource } from "./aws";
import { names } from "./names.svelte";
import type { Subscription, Target } from "./types";

/** A webhook's URL, an action's label, the name of an AWS resource, or the host of an MCP client's endpoint. */
export function described(target: Target | Subscription["target"]): string {
  if (target.type === "mcp") return `${host(target.url)} (MCP client)`;
  if (target.type === "webhook") return target.url;
  if (target.type === "action") return names.module(target.action)?.label ?? target.action;
  const { kind, name } = resource(target.arn);
  return `${name} (${kind})`;
}

/** The host of a URL, or the text itself if it is none. */
export const host = (url: string) => (URL.canParse(url) ? new URL(url).host : url);
