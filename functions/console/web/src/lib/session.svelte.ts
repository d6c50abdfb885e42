// The signed-in key. It is stored for the tab, or on the device if the user chooses so.

const NAME = "switchboard-key";

class Session {
  key = $state(sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME));
  /** Reason of the last sign-out. */
  ended = $state<string | null>(null);

  begin(key: string, stay: boolean) {
    (stay ? localStorage : sessionStorage).setItem(NAME, key);
    this.key = key;
    this.ended = null;
  }

  end(why: string | null = null) {
    sessionStorage.removeItem(NAME);
    localStorage.removeItem(NAME);
    this.key = null;
    this.ended = why;
  }
}

export const session = new Session();
