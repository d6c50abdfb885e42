// The current page and its filters, kept in the URL's fragment: `#/events?hook=hook_…`. It never holds a key or a token.

type Values = Record<string, string | null | undefined>;

class Place {
  #fragment = $state(read());

  constructor() {
    addEventListener("hashchange", () => this.update());
  }

  update() {
    this.#fragment = read();
  }

  /** The segments of the path: `#/events/evt_…` is `["events", "evt_…"]`. */
  get steps(): string[] {
    return (this.#fragment.split("?")[0] ?? "").split("/").filter(Boolean).map(decoded);
  }

  /** Values after the question mark. */
  get values(): URLSearchParams {
    const at = this.#fragment.indexOf("?");
    return new URLSearchParams(at < 0 ? "" : this.#fragment.slice(at));
  }

  /** A value after the question mark; empty if it is not set. */
  value(name: string): string {
    return this.values.get(name) ?? "";
  }
}

/** Decoded segment. One typed by hand may not be percent-encoded. */
function decoded(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

function read(): string {
  return location.hash.replace(/^#/, "");
}

export const place = new Place();

/** The link to a page. */
export function at(...steps: string[]): string {
  return `#/${steps.map(encodeURIComponent).join("/")}`;
}

/** The link to a page, such as `routes/new`, with filters. Empty values are left out. */
export function filtered(page: string, values: Values): string {
  const set = Object.entries(values).filter((entry): entry is [string, string] => Boolean(entry[1]));
  const link = at(...page.split("/"));
  return set.length > 0 ? `${link}?${new URLSearchParams(set)}` : link;
}

export function go(...steps: string[]) {
  location.hash = at(...steps);
}

/** The same after a call that was begun on the current page. A reader who has left that page by then stays where they are. */
export function goAfter(): (...steps: string[]) => void {
  const isHere = stays();
  return (...steps) => isHere() && go(...steps);
}

/** A check for later: is the reader still on the current page, with whatever filters? */
export function stays(): () => boolean {
  const page = at(...place.steps);
  return () => at(...place.steps) === page;
}

/** Changes values of the current page in place: Back leads to the page before, not to the former values. */
export function change(values: Values) {
  const all = { ...Object.fromEntries(place.values), ...values };
  history.replaceState(null, "", filtered(place.steps.join("/"), all));
  place.update();
}

/** Removes values of the current page in place. */
export function clear(names: string[]) {
  change(Object.fromEntries(names.map((name) => [name, null])));
}
