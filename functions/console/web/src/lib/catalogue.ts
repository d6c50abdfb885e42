// Modules, connections and hooks to choose from.

import { all, get } from "./api";
import type { Connection, Hook, Module, Platform } from "./types";

export const platforms = async () => (await get<{ items: Platform[] }>("/v1/modules")).items;
export const connections = () => all<Connection>("/v1/connections");
export const hooks = () => all<Hook>("/v1/hooks");

export function find(all: Platform[], name: string): { platform: Platform; module: Module } | null {
  for (const platform of all) {
    const module = platform.modules.find((module) => module.name === name);
    if (module) return { platform, module };
  }
  return null;
}

/** The connections of a platform, to choose from. */
export function choices(all: Connection[], platform: string): { value: string; label: string }[] {
  return all.filter((one) => one.platform === platform).map(({ id, name }) => ({ value: id, label: name }));
}
