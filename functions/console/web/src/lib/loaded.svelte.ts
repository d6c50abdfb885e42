// Values and lists that a page fetches, with the problem if that fails.

import { Problem, get, query, type Page } from "./api";
import { item } from "./paths";
import type { Rejected, Stub } from "./types";

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

const MAX_PAGES = 25;
/** Rows of a page, a screenful. */
export const LIMIT = 30;
/** Rows of a list that grows by itself. */
export const MAX_ROWS = 400;

const NOT_A_LIST = "The answer is not from Switchboard. Is a proxy or a sign-in page in between?";

export type Filters = Record<string, string | null>;

/** A list, page by page. New items can be held back, so that rows don't move while they are read. */
export class Listed<T extends { id: string }> {
  items = $state.raw<(T | Stub)[]>([]);
  next = $state<string | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** True once the first page is loaded. */
  begun = $state(false);
  busy = $state(false);
  /** Number of new items that are held back. */
  held = $state(0);
  #ended = false;

  constructor(
    readonly path: string,
    readonly filters: Filters = {},
  ) {
    void this.more();
  }

  /** Loads the next page with items. A filtered page may be empty without being the last, so this may load several. */
  async more() {
    if (this.busy) return;
    this.busy = true;
    this.#ended = false;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await this.page(this.next);
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

  /**
   * Loads the first page again and keeps the pages after it. If there are more than `most` new items, they are counted
   * and held back, and only the known ones are updated. Returns the number of new items that are shown.
   */
  async refresh(most = Infinity): Promise<number> {
    if (this.busy) return 0;
    if (!this.begun) {
      await this.more();
      return 0;
    }
    const page = await this.page(null);
    return page ? this.merge(page, most) : 0;
  }

  protected merge(page: Page<T>, most: number): number {
    const known = new Set(this.items.map(({ id }) => id));
    const added = page.items.filter(({ id }) => !known.has(id)).length;
    if (added > most) {
      const changed = new Map(page.items.map((item) => [item.id, item]));
      this.items = this.items.map((item) => changed.get(item.id) ?? item);
      this.held = added;
      return 0;
    }
    this.held = 0;
    const last = page.items.at(-1);
    const end = last ? this.items.findIndex(({ id }) => id === last.id) : -1;
    if (page.next && end >= 0 && this.items.length + added <= MAX_ROWS) {
      this.items = [...page.items, ...this.items.slice(end + 1)];
    } else if (last || !page.next) {
      // The page is the whole list, or has no known item, so that items in between may be missing; or a list that grows
      // while nobody reads it has become too long.
      [this.items, this.next] = [page.items, page.next];
    }
    return added;
  }

  /** Loads the first page again, in place of everything. */
  async reload() {
    const page = await this.page(null);
    if (page) [this.items, this.next, this.held] = [page.items, page.next, 0];
  }

  /** Shows the items that were held back. */
  show(): Promise<number> {
    return this.refresh();
  }

  /** Replaces an item that an operation has changed. */
  replace(changed: T) {
    this.items = this.items.map((item) => (item.id === changed.id ? changed : item));
  }

  protected async page(cursor: string | null, filters = this.filters): Promise<Page<T> | null> {
    try {
      const page = await get<Page<T>>(query(this.path, { limit: LIMIT, ...filters, cursor }));
      if (!Array.isArray(page?.items)) throw new Problem(0, "unknown", NOT_A_LIST);
      this.problem = null;
      return page;
    } catch (error) {
      this.problem = problem(error);
      return null;
    }
  }
}

/** Rejected calls of a hook, without their bodies. */
export function rejectedCalls(hook: string): Listed<Rejected> {
  return new Listed<Rejected>(item("hooks", hook, "rejected"), { view: "summary" });
}

const INTERVAL_MS = 2_500;

/** Repeats a task while the tab is visible, never two at once. For an `$effect`. */
export function regularly(task: () => Promise<unknown>, interval = INTERVAL_MS): () => void {
  let timer: ReturnType<typeof setTimeout>;
  let ended = false;
  const turn = async () => {
    try {
      if (!document.hidden) await task();
    } catch (error) {
      // A poll goes on, whatever one answer was.
      console.error(error);
    }
    if (!ended) timer = setTimeout(turn, interval);
  };
  timer = setTimeout(turn, interval);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

export function problem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, "unknown", error instanceof Error ? error.message : String(error));
}
