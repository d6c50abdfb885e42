// The last hundred deliveries of a route, in figures.

import { get, query, type Page } from "./api";
import { Loaded } from "./loaded.svelte";
import { stats, type Stats } from "./stats";
import type { Delivery } from "./types";

const COUNTED = 100;

export function pulse(route: string): Loaded<Stats> {
  return new Loaded(async () => stats((await get<Page<Delivery>>(query("/v1/deliveries", { route, limit: COUNTED }))).items));
}
