// The list of events. Its polls fetch only events that are newer than the newest known one, so no body is fetched twice.

import type { Page } from "./api";
import { Listed, MAX_ROWS, type Filters } from "./loaded.svelte";
import { isStub, type Event, type Json } from "./types";

/** Events of functions whose clocks differ may arrive out of order: soon after an arrival, the whole page is read again. */
const OUT_OF_ORDER_MS = 20_000;
/** Held back events that are kept in memory. */
const MAX_HELD = 200;

export class Events extends Listed<Event> {
  /** Events that are held back; none if they are too many. */
  #held: Event[] = [];
  /** Time of the newest known event. */
  #newest: string | null = null;
  #arrived = 0;
  #read = Date.now();

  constructor(filters: Filters = {}) {
    super("/v1/events", { ...filters, view: "summary" });
  }

  override async refresh(most = Infinity): Promise<number> {
    const newest = this.#newest ?? this.items.find((item): item is Event => !isStub(item))?.time;
    const isSettled = this.#arrived < this.#read || Date.now() - this.#read < OUT_OF_ORDER_MS;
    if (!newest || !this.begun || this.busy || !isSettled) {
      return this.#whole(most);
    }
    const page = await this.page(null, { ...this.filters, after: newest });
    if (!page) return 0;
    return page.next || page.items.some(isStub) ? this.#whole(most) : this.#add(page.items as Event[], most);
  }

  /** Reads the whole first page. */
  #whole(most: number): Promise<number> {
    this.#read = Date.now();
    return super.refresh(most);
  }

  protected override merge(page: Page<Event>, most: number): number {
    const held = this.held;
    const shown = super.merge(page, most);
    this.#newest = page.items.find((item): item is Event => !isStub(item))?.time ?? null;
    this.#held = [];
    if (this.held > 0) this.held = Math.max(held, this.held);
    return shown;
  }

  async #add(found: Event[], most: number): Promise<number> {
    if (found[0]) [this.#arrived, this.#newest] = [Date.now(), found[0].time];
    this.#held = [...found, ...this.#held];
    this.held += found.length;
    if (this.held > MAX_HELD) this.#held = [];
    return this.held > most || this.held === 0 ? 0 : this.show();
  }

  override reload(): Promise<void> {
    [this.#held, this.#newest] = [[], null];
    return super.reload();
  }

  override async show(): Promise<number> {
    const added = this.#held.length;
    if (added < this.held || this.items.length + added > MAX_ROWS) {
      await this.reload();
      return added;
    }
    this.items = [...this.#held, ...this.items];
    [this.#held, this.held] = [[], 0];
    return added;
  }
}

type Person = Record<string, Json> | null | undefined;

/** The person of an event: the name, or another way to recognise them. Null without a person. */
export function person({ data }: Event): { name: string | null; id: string | null } | null {
  const person = data?.["subscriber"] as Person;
  if (!person) return null;
  const name = person["name"] ?? person["email"] ?? person["phone"];
  const id = person["platform_id"];
  return name || id ? { name: name ? String(name) : null, id: id ? String(id) : null } : null;
}
