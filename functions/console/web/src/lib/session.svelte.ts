// The signed-in key. It is stored for the tab, or on the device if the user chooses so. Open tabs share it.

import type { Key } from "./types";

const NAME = "switchboard-key";

type Message = { wants: true } | { key: string } | { ended: string };

const tabs = new BroadcastChannel(NAME);

export const SCOPES = ["read", "operate", "act", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

class Session {
  key = $state(sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME));
  /** The key's name, scope and end; null until it is loaded. */
  own = $state.raw<Key | null>(null);
  /** Reason of the last sign-out. */
  ended = $state<string | null>(null);

  constructor() {
    tabs.onmessage = ({ data }: MessageEvent<Message>) => this.#receive(data);
    if (this.key === null) tabs.postMessage({ wants: true });
  }

  #receive(message: Message) {
    if ("wants" in message) {
      if (this.key !== null) tabs.postMessage({ key: this.key });
    } else if ("ended" in message) {
      if (message.ended === this.key) this.#clear("You have signed out.");
    } else if (this.key === null) {
      this.begin(message.key, false);
    }
  }

  begin(key: string, stay: boolean) {
    (stay ? localStorage : sessionStorage).setItem(NAME, key);
    this.key = key;
    this.ended = null;
  }

  end(reason: string | null = null) {
    if (this.key !== null) tabs.postMessage({ ended: this.key });
    this.#clear(reason);
  }

  #clear(reason: string | null) {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
    this.key = null;
    this.own = null;
    this.ended = reason;
  }

  /** True if the key's scope includes `scope`, or isn't known yet. */
  may(scope: Scope): boolean {
    return this.own === null || SCOPES.indexOf(this.own.scope) >= SCOPES.indexOf(scope);
  }
}

export const session = new Session();
