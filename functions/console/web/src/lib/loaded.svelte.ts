// Values and lists that a page fetches, with the problem if that fails.

import { Problem, get, query, type Page } from "./api";
import type { Event, Stub } from "./types";

export class Loaded<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  #load: () => Promise<T>;
  #latest = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
    void this.reload();
  }

  /** Fetches it again and keeps the old value until then. An answer that arrives after a later one is dropped. */
  async reload() {
    const turn = ++this.#latest;
    try {
      const value = await this.#load();
      if (turn === this.#latest) [this.value, this.problem] = [value, null];
    } catch (error) {
      if (turn === this.#latest) this.problem = problem(error);
    }
  }
}

const PAGES_AT_ONCE = 25;

/** A list, page by page. */
export class Listed<T extends { id: string }> {
  items = $state.raw<(T | Stub)[]>([]);
  next = $state<string | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** True once the first page is loaded. */
  begun = $state(false);
  busy = $state(false);
  #path: string;
  #filters: Record<string, string | null>;
  #ended = false;

  constructor(path: string, filters: Record<string, string | null> = {}) {
    this.#path = path;
    this.#filters = filters;
    void this.more();
  }

  /** Loads the next page with items. A filtered page may be empty without being the last, so this may load several. */
  async more() {
    if (this.busy) return;
    this.busy = true;
    this.#ended = false;
    for (let pages = 0; pages < PAGES_AT_ONCE; pages++) {
      const page = await this.#page(this.next);
      if (!page) break;
      this.items = [...this.items, ...page.items];
      [this.next, this.begun] = [page.next, true];
      if (page.items.length > 0 || !page.next || this.#ended) break;
    }
    this.busy = false;
  }

  /** Stops the search: the list is no longer shown. */
  end() {
    this.#ended = true;
  }

  /** Loads the first page again and keeps the pages after it. Returns the number of new items. */
  async refresh(): Promise<number> {
    if (this.busy) return 0;
    if (!this.begun) {
      await this.more();
      return 0;
    }
    const page = await this.#page(null);
    if (!page) return 0;
    const known = this.items.map(({ id }) => id);
    const added = page.items.filter(({ id }) => !known.includes(id)).length;
    const last = page.items.at(-1);
    const end = last ? known.indexOf(last.id) : -1;
    if (page.next && end >= 0) {
      this.items = [...page.items, ...this.items.slice(end + 1)];
    } else if (last || !page.next) {
      // The page is the whole list, or has no known item: items in between may be missing.
      [this.items, this.next] = [page.items, page.next];
    }
    return added;
  }

  async #page(cursor: string | null): Promise<Page<T> | null> {
    try {
      const page = await get<Page<T>>(query(this.#path, { ...this.#filters, cursor }));
      this.problem = null;
      return page;
    } catch (error) {
      this.problem = problem(error);
      return null;
    }
  }
}

/** Events without their bodies. */
export function events(filters: Record<string, string | null> = {}): Listed<Event> {
  return new Listed<Event>("/v1/events", { ...filters, view: "summary" });
}

const INTERVAL_MS = 2_000;

/** Repeats a task while the tab is visible, never two at once. For an `$effect`. */
export function regularly(what: () => Promise<unknown>, interval = INTERVAL_MS): () => void {
  let timer: ReturnType<typeof setTimeout>;
  let ended = false;
  const turn = async () => {
    if (!document.hidden) await what();
    if (!ended) timer = setTimeout(turn, interval);
  };
  timer = setTimeout(turn, interval);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

export function problem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "unknown", String(error));
}
