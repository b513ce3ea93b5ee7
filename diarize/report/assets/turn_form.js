// The form below the timeline: speaker and times of what is selected, and buttons for each correction.

const NEW = "new";

class TurnForm {
  constructor(page) {
    Object.assign(this, page); // turns, player, corrections, say
    this.speaker = element("turn-speaker");
    this.from = element("turn-start");
    this.to = element("turn-end");
    element("turn-form").addEventListener("submit", (event) => event.preventDefault());
    this.speaker.addEventListener("change", () => this.give());
    for (const input of [this.from, this.to]) {
      input.addEventListener("change", () => this.retime());
      input.addEventListener("keydown", (event) => { if (event.key === "Escape") this.show(); });
    }
    const press = (id, act) => element(id).addEventListener("click", act);
    press("turn-play", () => this.play());
    press("turn-confirm", () => this.confirm());
    press("turn-cut", () => this.cut());
    press("turn-add", () => this.add());
    press("turn-delete", () => this.remove());
    this.turns.listen(() => this.show());
    this.show();
  }

  show() {
    const { turns } = this;
    const chosen = turns.chosen();
    const one = chosen.length === 1 ? chosen[0] : null;
    const { range } = turns;
    element("turn-hint").hidden = chosen.length > 0 || range !== null;
    element("turn-fields").hidden = !chosen.length && !range;
    const shown = one ?? (range && { start: range[0], end: range[1] });
    this.from.disabled = this.to.disabled = !one;
    this.from.value = shown ? clock(shown.start) : "";
    this.to.value = shown ? clock(shown.end) : "";
    const speakers = new Set(chosen.map((turn) => turn.speaker));
    this.speaker.replaceChildren(
      ...(chosen.length && speakers.size === 1 ? [] : [make("option", { value: "" }, chosen.length ? "several" : "nobody yet")]),
      ...turns.speakers.map(({ id, name }) => make("option", { value: id }, name)),
      make("option", { value: NEW }, "New speaker"),
    );
    this.speaker.value = speakers.size === 1 ? [...speakers][0] : "";
    const sure = one?.confidence ?? null;
    element("turn-sure").textContent = chosen.length > 1 ? plural(chosen.length, "turn")
      : sure === null ? "" : `confidence ${Math.round(100 * sure)} %`;
    element("selected").textContent = one ? `${turns.name(one.speaker)}, ${clock(one.start, 1)} to ${clock(one.end, 1)}` : ""; // read aloud
    element("turn-play").disabled = !shown;
    element("turn-confirm").hidden = !chosen.some((turn) => turn.confidence !== null);
    element("turn-cut").disabled = !one;
    element("turn-add").hidden = !range;
    element("turn-delete").disabled = !chosen.length;
  }

  // The speaker that the field shows gets what is selected.
  give() {
    const { value } = this.speaker;
    if (!value) return;
    const ids = [...this.turns.selected];
    if (!ids.length) this.add(value === NEW ? null : Number(value));
    else if (value === NEW) this.corrections.split(ids);
    else this.corrections.reassign(ids, Number(value));
  }

  retime() {
    const [turn] = this.turns.chosen();
    const [start, end] = [readClock(this.from.value), readClock(this.to.value)];
    if (!turn) return;
    if (start === null || end === null || start >= end) {
      this.say("Give times such as 1:02.5; the start comes before the end.");
      this.show();
    } else this.corrections.move(turn.id, start, end);
  }

  play() {
    const [turn] = this.turns.chosen();
    const { range } = this.turns;
    if (turn) this.player.play(turn.start, turn.end);
    else if (range) this.player.play(...range);
  }

  confirm() { this.corrections.confirm([...this.turns.selected]); }
  remove() { this.corrections.remove([...this.turns.selected]); }

  cut() {
    const { turns, player } = this;
    const turn = turns.chosen()[0] ?? turns.at(player.time)[0];
    if (!turn || !this.corrections.cut(turn.id, player.time)) {
      this.say("To cut a turn, put the player inside it first: click above the lanes.");
    }
  }

  // A turn in the chosen time, otherwise two seconds from the player's position.
  add(speaker = undefined) {
    const { turns, player } = this;
    const [start, end] = turns.range ?? [player.time, Math.min(player.time + 2000, turns.duration)];
    if (end - start < SHORTEST) return;
    const first = turns.chosen()[0]?.speaker ?? turns.speakers[0]?.id ?? null;
    this.corrections.add(start, end, speaker === undefined ? first : speaker);
  }
}
