// The theme: light, dark, or as the system has it.

const NAME = "switchboard-theme";

class Theme {
  chosen = $state(localStorage.getItem(NAME) ?? "");

  constructor() {
    this.#apply();
  }

  choose(theme: string) {
    this.chosen = theme;
    localStorage.setItem(NAME, theme);
    this.#apply();
  }

  #apply() {
    if (this.chosen) document.documentElement.dataset["theme"] = this.chosen;
    else delete document.documentElement.dataset["theme"];
  }
}

export const theme = new Theme();
