// Who is signed in. The key lives as long as its tab, unless it is asked to stay.

const NAME = "switchboard-key";

class Session {
  key = $state(sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME));
  /** Why it ended, for who has to sign in again. */
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
