// The list of deliveries, with the type and person of their events. Polls ask for those only if there is a new delivery.

import type { Page } from "./api";
import { Listed, type Filters } from "./loaded.svelte";
import { isStub, type Delivery, type Stub } from "./types";

export class Deliveries extends Listed<Delivery> {
  constructor(filters: Filters = {}) {
    super("/v1/deliveries", filters);
  }

  protected override async page(cursor: string | null): Promise<Page<Delivery> | null> {
    const expanded = () => super.page(cursor, { ...this.filters, expand: "event" });
    if (cursor !== null || !this.begun) return expanded();
    const page = await super.page(cursor);
    if (!page) return null;
    const known = new Map(this.items.map((item) => [item.id, item]));
    if (page.items.some(({ id }) => !known.has(id))) return expanded();
    return { ...page, items: page.items.map((item) => withEvent(item, known.get(item.id))) };
  }
}

function withEvent(item: Delivery | Stub, known: Delivery | Stub | undefined): Delivery | Stub {
  if (isStub(item) || !known || isStub(known)) return item;
  const { event_type = null, subscriber = null } = known;
  return { ...item, event_type, subscriber };
}
