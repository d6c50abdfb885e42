// The current page, kept in the URL's fragment. It never holds a key or a token.

class Place {
  #path = $state(read());

  constructor() {
    addEventListener("hashchange", () => {
      this.#path = read();
    });
  }

  /** The segments of the path: `#/events/evt_…` is `["events", "evt_…"]`. */
  get steps(): string[] {
    return this.#path.split("/").filter(Boolean).map(decoded);
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

export function go(...steps: string[]) {
  location.hash = at(...steps);
}
