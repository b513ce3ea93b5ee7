// Colours of the canvases, from the style of the page, so that they follow light and dark.

class Palette {
  constructor(turns, colours) {
    this.turns = turns;
    this.colours = colours;
    this.first = new Map(); // a speaker keeps its colour when others come and go
    this.listeners = [];
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.read();
      for (const listener of this.listeners) listener();
    });
    this.read();
  }

  listen(listener) { this.listeners.push(listener); }

  read() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    for (const name of ["paper", "ink", "line", "quiet", "silence", "overlap", "range", "veil"]) this[name] = get(name);
    this.errors = ["missed", "false", "confused"].map(get);
    this.font = style.fontFamily || "sans-serif";
    this.dark = get("dark") === "1";
  }

  number(speaker) {
    if (!this.first.has(speaker)) this.first.set(speaker, this.first.size);
    return this.first.get(speaker);
  }
  of(speaker) {
    const colour = this.colours[this.number(speaker) % this.colours.length];
    return this.dark ? lighter(colour) : colour;
  }
}

// A colour (#rrggbb) a fifth of the way to white.
function lighter(colour) {
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + 0.2 * (255 - part))).join(" ")})`;
}
