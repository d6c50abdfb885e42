// The map of a deployment: hooks, routes and targets, and their connections.

import { resource } from "./aws";
import { feeds } from "./wiring";
import { at } from "./router.svelte";
import { host } from "./target";
import type { Hook, Platform, Route } from "./types";

export interface Node {
  id: string;
  column: 0 | 1 | 2;
  row: number;
  title: string;
  detail: string;
  state: "good" | "bad" | "idle";
  to: string;
}

export interface Wire {
  from: Node;
  to: Node;
  state: "good" | "bad" | "idle";
}

const MAX_ROWS = 12;

export interface Drawing {
  nodes: Node[];
  wires: Wire[];
  /** The same, route by route. */
  paths: { hooks: Node[]; route: Node; target: Node | undefined }[];
  /** Number of hooks and routes that are left out. */
  left: number;
  rows: number;
}

export function draw(hooks: Hook[], routes: Route[], platforms: Platform[]): Drawing {
  const modules = platforms.flatMap(({ label, modules }) => modules.map((module) => ({ ...module, platform: label })));
  const module = (name: string) => modules.find((module) => module.name === name);
  const type = (hook: Hook) => module(hook.trigger)?.event_type ?? "";
  const senders = hooks.slice(0, MAX_ROWS).map((hook, row): Node => {
    const trigger = module(hook.trigger);
    const state = hook.enabled ? "good" : "idle";
    return { id: hook.id, column: 0, row, title: hook.name, detail: `${trigger?.platform ?? ""} · ${trigger?.label ?? hook.trigger}`, state, to: at("hooks", hook.id) };
  });
  const middle = routes.slice(0, MAX_ROWS).map((route, row): Node => {
    return { id: route.id, column: 1, row, title: route.name, detail: health(route), state: state(route), to: at("routes", route.id) };
  });
  const targets = new Map<string, Node>();
  const wires: Wire[] = [];
  routes.slice(0, MAX_ROWS).forEach((route, index) => {
    const node = middle[index];
    if (!node) return;
    for (const [at_, hook] of hooks.slice(0, MAX_ROWS).entries()) {
      const sender = senders[at_];
      if (sender && feeds(hook, type(hook), route)) wires.push({ from: sender, to: node, state: hook.enabled ? node.state : "idle" });
    }
    const [id, title, detail] = target(route, module);
    const known = targets.get(id) ?? { id, column: 2, row: targets.size, title, detail, state: node.state, to: node.to };
    if (node.state === "bad") known.state = "bad";
    targets.set(id, known);
    wires.push({ from: node, to: known, state: node.state });
  });
  const nodes = [...senders, ...middle, ...targets.values()];
  const left = Math.max(0, hooks.length - MAX_ROWS) + Math.max(0, routes.length - MAX_ROWS);
  const paths = middle.map((route) => ({
    hooks: wires.filter(({ to }) => to === route).map(({ from }) => from),
    route,
    target: wires.find(({ from }) => from === route)?.to,
  }));
  return { nodes, wires, paths, left, rows: Math.max(senders.length, middle.length, targets.size) };
}

function state({ enabled, health }: Route): Node["state"] {
  return !enabled ? "idle" : health.state === "failing" ? "bad" : "good";
}

function health({ enabled, health, filter }: Route): string {
  if (!enabled) return "disabled";
  return health.state === "failing" ? "failing" : filter ? "with a filter" : "all of its events";
}

function target({ target }: Route, module: (name: string) => { label: string; platform: string } | undefined): [string, string, string] {
  if (target.type === "webhook") {
    const name = host(target.url);
    return [name, name, "webhook"];
  }
  if (target.type === "aws") {
    const { kind, name } = resource(target.arn);
    return [target.arn, name, kind];
  }
  const action = module(target.action);
  return [`${target.action} ${target.connection}`, action?.label ?? target.action, `${action?.platform ?? ""} action`];
}
