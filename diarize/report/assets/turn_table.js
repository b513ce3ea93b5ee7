// All turns as a table, a hundred at a time: the same content as the lanes, for readers of any kind.

const ROWS = 100;

class TurnTable {
  constructor(page) {
    Object.assign(this, page); // turns, palette, goTo
    this.body = element("turn-table").tBodies[0];
    this.first = 0;
    element("page-back").addEventListener("click", () => this.show(this.first - ROWS));
    element("page-on").addEventListener("click", () => this.show(this.first + ROWS));
    this.turns.listen((turnsChanged) => (turnsChanged ? this.show() : this.mark()));
    this.palette.listen(() => this.show());
    this.show();
  }

  show(first = this.first) {
    const { turns, palette } = this;
    const n = turns.list.length;
    this.first = clamp(first, 0, Math.max(0, Math.ceil(n / ROWS) - 1) * ROWS);
    const shown = turns.list.slice(this.first, this.first + ROWS);
    refill(this.body, ...shown.map((turn) => make("tr", { "data-turn": turn.id },
      make("td", {}, make("button", { type: "button", class: "link", "aria-label": `Play from ${clock(turn.start)}`, onclick: () => this.goTo(turn) }, clock(turn.start))),
      make("td", {}, clock(turn.end)),
      make("td", {}, ((turn.end - turn.start) / 1000).toFixed(2)),
      make("td", {}, swatch(palette.of(turn.speaker)), turns.name(turn.speaker)),
      make("td", {}, turn.confidence === null ? "" : `${Math.round(100 * turn.confidence)} %`))));
    element("turn-table").classList.toggle("unsure", turns.list.some((turn) => turn.confidence !== null));
    const last = Math.min(n, this.first + ROWS);
    element("page-range").textContent = n ? `${(this.first + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${n.toLocaleString("en")}` : "no turns";
    element("page-back").hidden = element("page-on").hidden = n <= ROWS;
    element("page-back").disabled = this.first === 0;
    element("page-on").disabled = last >= n;
    this.mark();
  }

  // Show which rows are selected; turn to the page of the first.
  mark() {
    const { turns } = this;
    const place = turns.selected.size ? turns.list.findIndex((turn) => turns.selected.has(turn.id)) : -1;
    if (place >= 0 && (place < this.first || place >= this.first + ROWS)) {
      this.show(Math.floor(place / ROWS) * ROWS);
      return;
    }
    for (const row of this.body.rows) {
      if (turns.selected.has(Number(row.dataset.turn))) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}
