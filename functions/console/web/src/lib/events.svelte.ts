// The list of events. Its polls fetch only events that are newer than the newest known one, so no body is fetched twice.

import type { Page } from "./api";
import { Listed, type Filters } from "./loaded.svelte";
import { isStub, type Event, type Json } from "./types";

/** Events of functions whose clocks differ may arrive out of order: soon after an arrival, the whole page is read again. */
const OUT_OF_ORDER_MS = 20_000;

export class Events extends Listed<Event> {
  #held: Event[] = [];
  #arrived = 0;
  #read = Date.now();

  constructor(filters: Filters = {}) {
    super("/v1/events", { ...filters, view: "summary" });
  }

  override async refresh(most = Infinity): Promise<number> {
    const newest = this.#held[0] ?? this.items.find((item): item is Event => !isStub(item));
    const isSettled = this.#arrived < this.#read || Date.now() - this.#read < OUT_OF_ORDER_MS;
    if (!newest || !this.begun || this.busy || !isSettled) {
      this.#read = Date.now();
      this.#held = [];
      return super.refresh(most);
    }
    const page = await this.page(null, { ...this.filters, after: newest.time });
    if (!page) return 0;
    if (page.next) {
      this.#held = [];
      return super.refresh(most);
    }
    return this.#add(page, most);
  }

  async #add(page: Page<Event>, most: number): Promise<number> {
    const found = page.items.filter((item): item is Event => !isStub(item));
    if (found.length > 0) this.#arrived = Date.now();
    this.#held = [...found, ...this.#held];
    this.held = this.#held.length;
    return this.held > most || this.held === 0 ? 0 : this.show();
  }

  override reload(): Promise<void> {
    this.#held = [];
    return super.reload();
  }

  override async show(): Promise<number> {
    if (this.#held.length === 0) return super.refresh();
    const added = this.#held.length;
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
