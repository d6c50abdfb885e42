// Targets of routes, in words.

import { resource } from "./aws";
import { names } from "./names.svelte";
import type { Target } from "./types";

/** A webhook's URL, an action's label, or the name of an AWS resource. */
export function described(target: Target): string {
  if (target.type === "webhook") return target.url;
  if (target.type === "action") return names.module(target.action)?.label ?? target.action;
  const { kind, name } = resource(target.arn);
  return `${name} (${kind})`;
}
