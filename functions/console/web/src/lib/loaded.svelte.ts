// What is fetched to be shown: the value, or the problem, or that it is on its way.

import { Problem, get, query, type Page } from "./api";

export class Loaded<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  #load: () => Promise<T>;
  #latest = 0;

  constructor(load: () => Promise<T>) {
    this.#load = load;
    void this.reload();
  }

  /** Fetches it again. What is shown stays until then; an answer that a later one has overtaken is dropped. */
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
  items = $state.raw<T[]>([]);
  next = $state<string | null>(null);
  problem = $state.raw<Problem | null>(null);
  /** Whether the first page is there. */
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

  /** The next page that has something: a filtered one may be empty and not be the last. It looks through a good many. */
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

  /** Looks no further: nobody looks at it any more. */
  end() {
    this.#ended = true;
  }

  /** Shows the first page as it is now, before what was loaded after it; the number of items that are new. */
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
      // It is all there is, or none of it is known: what lies between has not been loaded.
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

const INTERVAL_MS = 2_000;

/** Does something every two seconds, as long as the tab is in sight and the last time has ended. For an `$effect`. */
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
