// Lists of places to look at: doubtful turns, and errors against a reference. A click goes there and plays.

const DOUBTFUL = 0.8; // confidence below which a turn is marked in its lane
const MOST_LISTED = 50;

class DoubtList {
  constructor(page) {
    Object.assign(this, page); // turns, palette, goTo
    element("doubt-card").hidden = !this.turns.doubtful().length;
    this.turns.listen(() => this.show());
    this.show();
  }

  show() {
    const { turns, palette } = this;
    const doubtful = turns.doubtful();
    const below = doubtful.filter((turn) => turn.confidence < DOUBTFUL).length;
    element("doubt-note").textContent = !doubtful.length ? "Every turn has been decided."
      : `${plural(below, "turn")} below ${100 * DOUBTFUL} %. The least sure come first; "Right" takes one off the list.`;
    refill(element("doubts"), ...doubtful.slice(0, MOST_LISTED).map((turn) => jump(
      turns.selected.has(turn.id), () => this.goTo(turn), palette.of(turn.speaker),
      clock(turn.start, 1), turns.name(turn.speaker), `${Math.round(100 * turn.confidence)} %`,
    )));
  }

  // The next one to decide; after the last, the first.
  next(step) {
    const doubtful = this.turns.doubtful();
    if (!doubtful.length) return;
    const now = doubtful.findIndex((turn) => this.turns.selected.has(turn.id));
    this.goTo(doubtful[now < 0 ? 0 : (now + step + doubtful.length) % doubtful.length]);
  }
}

class ErrorList {
  constructor(page) {
    Object.assign(this, page); // turns, errors, view, player, palette
    if (!this.errors) return;
    const { der, seconds, total, conditions, kinds } = this.errors;
    element("error-card").hidden = false;
    const percent = (value) => (total ? `${((100 * value) / total).toFixed(1)} %` : "-");
    const facts = [["DER", der === null ? "-" : `${(100 * der).toFixed(1)} %`, null], ...kinds.map((kind, number) => [kind, percent(seconds[kind]), number])];
    element("error-facts").replaceChildren(...facts.map(([name, value, number]) => make("div", {},
      make("dt", {}, ...(number === null ? [] : [swatch(this.palette.errors[number])]), name), make("dd", {}, value))));
    this.order = this.errors.regions.map((region, place) => ({ region, place }))
      .sort((a, b) => (b.region[1] - b.region[0]) - (a.region[1] - a.region[0]));
    this.note = `${conditions}. The longest come first.`;
    this.turns.listen((turnsChanged) => { if (turnsChanged) this.show(); });
    this.show();
  }

  show() {
    const { errors, turns } = this;
    element("error-note").textContent = this.note + (turns.list !== turns.original ? " These are the errors before your corrections." : "");
    refill(element("errors"), ...this.order.slice(0, MOST_LISTED).map(({ region: [start, end, kind, ...who], place }) => jump(
      false, () => this.visit(place), this.palette.errors[kind], clock(start, 1),
      `${errors.kinds[kind]}: ${who.length ? `${who.map((id) => errors.speakers[id]).join(" and ")} spoke` : "nobody spoke"}`,
      `${((end - start) / 1000).toFixed(2)} s`,
    )));
  }

  visit(place) {
    const [start, end] = this.errors.regions[place];
    this.turns.select([], [start, end]);
    this.view.reveal(start, end);
    this.player.play(Math.max(0, start - 500), end + 500);
  }

  next(step) {
    const regions = this.errors?.regions ?? [];
    if (!regions.length) return;
    const from = this.turns.range?.[0] ?? this.player.time;
    const ahead = step > 0 ? regions.findIndex(([start]) => start > from) : regions.findLastIndex(([start]) => start < from);
    this.visit(ahead >= 0 ? ahead : step > 0 ? 0 : regions.length - 1);
  }
}

// An entry of a list: a button with a colour, a time, a text and a figure.
function jump(current, go, colour, time, text, figure) {
  return make("li", {}, make("button", { type: "button", "aria-current": current ? "true" : null, onclick: go },
    swatch(colour), make("span", { class: "time" }, time), make("span", { class: "text" }, text), make("span", { class: "figure" }, figure)));
}
