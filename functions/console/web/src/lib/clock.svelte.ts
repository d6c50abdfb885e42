// Times as the user reads them: relative, and exact in UTC or the local time zone.

const TICK_MS = 5_000;
const NAME = "switchboard-zone";

class Clock {
  now = $state(Date.now());
  isUtc = $state(localStorage.getItem(NAME) === "utc");

  constructor() {
    setInterval(() => {
      if (!document.hidden) this.now = Date.now();
    }, TICK_MS);
  }

  choose(isUtc: boolean) {
    this.isUtc = isUtc;
    localStorage.setItem(NAME, isUtc ? "utc" : "local");
  }
}

export const clock = new Clock();

const two = (number: number, length = 2) => String(number).padStart(length, "0");

/** `2026-11-28 07:31:12.480`, followed by `UTC` or the offset of the local time zone. */
export function exact(time: string): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  if (clock.isUtc) return `${at.toISOString().replace("T", " ").replace("Z", "")} UTC`;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const offset = -at.getTimezoneOffset();
  const zone = `${offset < 0 ? "−" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)} ${zone}`;
}

const UNITS: [number, string, number][] = [
  [60, "s", 1],
  [3_600, "min", 60],
  [86_400, "h", 3_600],
  [Infinity, "d", 86_400],
];

/** A time span in its largest unit: `40 s`, `3 min`, `12 d`. */
export function span(seconds: number): string {
  const [, unit, length] = UNITS.find(([below]) => seconds < below) ?? [0, "d", 86_400];
  return `${Math.floor(seconds / length)} ${unit}`;
}

/** `now`, `40 s ago`, `in 3 min`. */
export function relative(time: string, now = clock.now): string {
  const seconds = (now - Date.parse(time)) / 1_000;
  if (Number.isNaN(seconds)) return time;
  if (Math.abs(seconds) < 5) return "now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

/** A duration in milliseconds: `86 ms`, `1.4 s`. */
export function duration(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
