// The speakers: name (a field, to rename or merge), speaking time, number of turns; and their labels on the lanes.

class SpeakerList {
  constructor(page) {
    Object.assign(this, page); // turns, corrections, palette, timeline, say
    this.list = element("speakers");
    this.labels = element("lanes");
    this.turns.listen((turnsChanged) => { if (turnsChanged) this.show(); });
    this.palette.listen(() => this.show());
    addEventListener("resize", () => this.showLabels());
    this.show();
  }

  show() {
    const { turns, palette } = this;
    const totals = turns.totals();
    const most = Math.max(1, ...[...totals.values()].map(({ ms }) => ms));
    const all = [...totals.values()].reduce((sum, { ms }) => sum + ms, 0);
    refill(this.list, ...turns.speakers.map(({ id, name }) => {
      const { ms, n } = totals.get(id);
      const bar = make("span", { class: "bar" });
      bar.style.width = `${(100 * ms) / most}%`;
      bar.style.background = palette.of(id);
      const field = make("input", {
        type: "text", value: name, "data-speaker": id, "aria-label": `Name of ${name}`, autocomplete: "off", spellcheck: "false",
        onchange: () => this.rename(id, field),
        onkeydown: (event) => {
          if (event.key === "Enter") field.blur();
          if (event.key === "Escape") field.value = turns.name(id);
        },
      });
      const share = all ? Math.round((100 * ms) / all) : 0;
      return make("li", {},
        make("div", { class: "row" }, swatch(palette.of(id)), field,
          make("span", { class: "quiet" }, `${spell(ms)}, ${share} %, ${plural(n, "turn")}`)),
        make("span", { class: "track", "aria-hidden": "true" }, bar));
    }));
    this.showLabels();
  }

  showLabels() {
    const { timeline, turns, palette } = this;
    const short = innerWidth < 600 ? commonStart(turns.speakers.map(({ name }) => name)) : 0;
    const labels = turns.speakers.map(({ id, name }) => {
      const label = make("div", { class: "lane", title: name }, swatch(palette.of(id)), make("span", {}, name.slice(short)));
      label.style.height = `${timeline.laneHeight}px`;
      return label;
    });
    this.labels.style.paddingTop = `${timeline.top}px`;
    this.labels.replaceChildren(...labels);
  }

  rename(id, field) {
    const { turns } = this;
    const name = cleanName(field.value);
    const other = turns.speakers.find((speaker) => speaker.name === name && speaker.id !== id);
    const old = turns.name(id);
    this.corrections.rename(id, field.value);
    if (other) this.say(`${old} and ${name} are one speaker now. Undo separates them.`);
    if (!name) field.value = old;
  }

  // Put the cursor into the name of a speaker.
  edit(id) {
    const field = this.list.querySelector(`[data-speaker="${id}"]`);
    field?.focus();
    field?.select();
  }
}

// How many characters all names begin with, up to a mark between words: 8 for SPEAKER_00 and SPEAKER_01.
function commonStart(names) {
  const [first = "", ...others] = names;
  let n = first.length;
  for (const name of others) while (!name.startsWith(first.slice(0, n))) n--;
  return others.length ? Math.max(...["_", " ", "-"].map((mark) => first.slice(0, n).lastIndexOf(mark))) + 1 : 0;
}

function swatch(colour) {
  const made = make("span", { class: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}
