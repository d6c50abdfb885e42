// Figures of the last deliveries of a route, from the list of its deliveries.

import type { Stub } from "./types";
import { isStub, type Delivery } from "./types";

export interface Stats {
  /** Deliveries that have ended or were attempted. */
  count: number;
  /** Share of attempted deliveries that succeeded, 0 to 1. */
  rate: number | null;
  /** Milliseconds of the last attempts: median, and the 95th percentile. */
  median: number | null;
  slow: number | null;
  /** Last attempts, oldest first. */
  points: { ms: number; isGood: boolean; at: string }[];
}

export function stats(items: (Delivery | Stub)[]): Stats {
  const tried = items.filter((item): item is Delivery => !isStub(item) && item.attempts.length > 0);
  const points = tried
    .map((delivery) => {
      const last = delivery.attempts[delivery.attempts.length - 1];
      return { ms: last?.duration_ms ?? 0, isGood: delivery.state === "succeeded", at: last?.at ?? delivery.created_at };
    })
    .sort((a, b) => a.at.localeCompare(b.at));
  const times = points.map(({ ms }) => ms).sort((a, b) => a - b);
  const good = points.filter(({ isGood }) => isGood).length;
  return {
    count: tried.length,
    rate: tried.length > 0 ? good / tried.length : null,
    median: at(times, 0.5),
    slow: at(times, 0.95),
    points,
  };
}

function at(sorted: number[], share: number): number | null {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
}

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

export function rate(share: number | null): string {
  return share === null ? "–" : percent.format(share);
}

const GOOD = 0.95;
const HALF = 0.5;

/** Class of a success rate: a route whose target is healthy may still have deliveries that can't succeed. */
export function tone(share: number | null): "" | "warn" | "bad" {
  return share === null || share >= GOOD ? "" : share >= HALF ? "warn" : "bad";
}
