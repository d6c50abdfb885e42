// Series of the metrics API.

import type { Series } from "./types";

export function values(series: Series[], metric: string, statistic: string): (number | null)[] {
  const found = series.find((one) => one.metric === metric && one.statistic === statistic);
  return found?.values.map((one) => (one === null ? null : Number(one))) ?? [];
}

export function total(values: (number | null)[]): number {
  return values.reduce<number>((sum, one) => sum + (one ?? 0), 0);
}
