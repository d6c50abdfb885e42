// The time filter of a list: a preset, or a range in the chosen time zone.

import { clock } from "./clock.svelte";

export const PRESETS: { value: string; label: string; seconds: number }[] = [
  { value: "15m", label: "last 15 minutes", seconds: 900 },
  { value: "1h", label: "last hour", seconds: 3_600 },
  { value: "24h", label: "last 24 hours", seconds: 86_400 },
  { value: "7d", label: "last 7 days", seconds: 604_800 },
  { value: "30d", label: "last 30 days", seconds: 2_592_000 },
];
export const RANGE = "range";

/** A `datetime-local` value as RFC 3339; null if it is none. */
function instant(typed: string | null): string | null {
  if (!typed) return null;
  const at = new Date(clock.isUtc ? `${typed}Z` : typed);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/** The filters `after` and `before` of the URL's values. */
export function times(values: URLSearchParams): { after: string | null; before: string | null } {
  const preset = PRESETS.find(({ value }) => value === values.get("time"));
  if (preset) return { after: new Date(Date.now() - preset.seconds * 1_000).toISOString(), before: null };
  if (values.get("time") !== RANGE) return { after: null, before: null };
  return { after: instant(values.get("from")), before: instant(values.get("until")) };
}
