// The turns and speakers of the page, which of them are selected, and every earlier state for undo.
//
// A state is never changed in place: a correction (corrections.js) makes a new one from it. A turn is
// {id, start, end, speaker, confidence}; `speaker` is the id of {id, name}, and `confidence` is null where it is
// unknown or where somebody has decided.

class Turns {
  constructor(data) {
    this.recording = data.recording;
    this.duration = data.duration;
    const speakers = data.speakers.map((name, id) => ({ id, name }));
    const turns = data.turns.map(([start, end, speaker, confidence = null], id) => ({ id, start, end, speaker, confidence }));
    this.state = { speakers, turns };
    this.saved = this.state;
    this.past = [];
    this.future = [];
    this.selected = new Set();
    this.range = null; // [start, end]: time that was chosen with the mouse, to add a turn there
    this.listeners = [];
    this.nextId = turns.length + speakers.length; // of turns and speakers that are added
    this.index();
  }

  get list() { return this.state.turns; }
  get speakers() { return this.state.speakers; }
  get changed() { return this.state !== this.saved; }

  // Call a function after each change of turns or selection; its argument tells whether turns changed.
  listen(listener) { this.listeners.push(listener); }
  tell(turnsChanged) { for (const listener of this.listeners) listener(turnsChanged); }

  index() {
    this.byId = new Map(this.list.map((turn) => [turn.id, turn]));
    this.lane = new Map(this.speakers.map((speaker, lane) => [speaker.id, lane]));
    this.longest = this.list.reduce((most, turn) => Math.max(most, turn.end - turn.start), 0);
    for (const id of this.selected) if (!this.byId.has(id)) this.selected.delete(id);
  }

  newId() { return this.nextId++; }

  // Take over a new state, which undo can leave again. `select` are ids of turns in it.
  apply(state, select = null) {
    if (state === this.state) return;
    this.past.push({ state: this.state, selected: [...this.selected] });
    if (this.past.length > 500) this.past.shift();
    this.future = [];
    this.become(state, select ?? this.selected);
  }

  become(state, select) {
    this.state = state;
    this.selected = new Set(select);
    this.range = null;
    this.index();
    this.tell(true);
  }

  undo() { this.step(this.past, this.future); }
  redo() { this.step(this.future, this.past); }
  step(from, to) {
    const last = from.pop();
    if (!last) return;
    to.push({ state: this.state, selected: [...this.selected] });
    this.become(last.state, last.selected);
  }

  markSaved() { this.saved = this.state; this.tell(true); }

  select(ids, range = null) {
    this.selected = new Set(ids);
    this.range = range;
    this.tell(false);
  }
  toggle(id) {
    const ids = new Set(this.selected);
    if (!ids.delete(id)) ids.add(id);
    this.select(ids);
  }

  // The selected turns in order of time.
  chosen() { return this.list.filter((turn) => this.selected.has(turn.id)); }
  name(id) { return this.speakers[this.lane.get(id)]?.name ?? ""; }

  // The turns that overlap a span, in order of start.
  within(start, end) {
    const found = [];
    for (let i = this.firstFrom(start - this.longest); i < this.list.length && this.list[i].start < end; i++) {
      if (this.list[i].end > start) found.push(this.list[i]);
    }
    return found;
  }
  at(time) { return this.within(time, time + 1); }

  // The place of the first turn that starts at this time or later.
  firstFrom(time) {
    let [low, high] = [0, this.list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle].start < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Seconds and number of turns of each speaker, by id.
  totals() {
    const totals = new Map(this.speakers.map(({ id }) => [id, { ms: 0, n: 0 }]));
    for (const turn of this.list) {
      const own = totals.get(turn.speaker);
      own.ms += turn.end - turn.start;
      own.n += 1;
    }
    return totals;
  }

  // The turns whose speaker is doubtful, most doubtful first.
  doubtful() {
    return this.list.filter((turn) => turn.confidence !== null).sort((a, b) => a.confidence - b.confidence);
  }
}
