// Corrections: each makes a new state of the turns from the present one and hands it to `turns.apply`.
//
// Afterwards the turns of a speaker who was touched do not overlap (those that did are joined), turns are sorted,
// and a speaker without turns is gone. A turn that somebody has decided has no confidence any more.

const SHORTEST = 10; // ms

class Corrections {
  constructor(turns) { this.turns = turns; }

  finish(list, speakers, touched, select = null) {
    const { turns } = this;
    const joined = joinOverlaps(list, new Set(touched));
    joined.sort((a, b) => a.start - b.start || a.end - b.end || a.speaker - b.speaker);
    const present = new Set(joined.map((turn) => turn.speaker));
    const kept = speakers.filter(({ id }) => present.has(id));
    const there = new Set(joined.map((turn) => turn.id));
    turns.apply({ speakers: kept, turns: joined }, [...(select ?? turns.selected)].filter((id) => there.has(id)));
  }

  // Change turns by id: `change` gives the new fields of a turn.
  edit(ids, change, speakers = this.turns.speakers, touched = []) {
    const own = new Set(ids);
    const touchedAlso = new Set(touched);
    const list = this.turns.list.map((turn) => {
      if (!own.has(turn.id)) return turn;
      const next = { ...turn, confidence: null, ...change(turn) };
      touchedAlso.add(next.speaker);
      return next;
    });
    this.finish(list, speakers, touchedAlso);
  }

  // A speaker's new name. A name that another speaker has merges the two.
  rename(id, text) {
    const name = cleanName(text);
    const { speakers, list } = this.turns;
    if (!name || name === this.turns.name(id)) return;
    const other = speakers.find((speaker) => speaker.name === name);
    if (other) this.merge(id, other.id);
    else this.turns.apply({ turns: list, speakers: speakers.map((each) => (each.id === id ? { id, name } : each)) });
  }

  // All turns of one speaker become those of another, who keeps name and lane.
  merge(from, into) {
    const list = this.turns.list.map((turn) => (turn.speaker === from ? { ...turn, speaker: into } : turn));
    this.finish(list, this.turns.speakers, [into]);
  }

  reassign(ids, speaker) {
    if (ids.length) this.edit(ids, () => ({ speaker }));
  }

  // The turns get a speaker of their own.
  split(ids) {
    if (!ids.length) return;
    const speaker = this.newSpeaker();
    this.edit(ids, () => ({ speaker: speaker.id }), [...this.turns.speakers, speaker]);
  }

  newSpeaker() {
    const names = new Set(this.turns.speakers.map(({ name }) => name));
    let number = 0;
    const name = () => `SPEAKER_${String(number).padStart(2, "0")}`;
    while (names.has(name())) number++;
    return { id: this.turns.newId(), name: name() };
  }

  // Speaker and confidence stay: a moved end says nothing about who speaks.
  move(id, start, end) {
    const turn = this.turns.byId.get(id);
    [start, end] = this.limit(turn, start, end);
    if (start === turn.start && end === turn.end) return;
    this.edit([id], () => ({ start, end, confidence: turn.confidence }));
  }

  // Start and end within the recording, at least `SHORTEST` apart; the one that did not move wins.
  limit(turn, start, end) {
    start = clamp(Math.round(start), 0, this.turns.duration);
    end = clamp(Math.round(end), 0, this.turns.duration);
    if (start !== turn.start) start = clamp(start, 0, Math.max(0, end - SHORTEST));
    return [start, Math.max(end, start + SHORTEST)];
  }

  add(start, end, speaker = null) {
    const made = speaker === null ? this.newSpeaker() : null;
    const turn = { id: this.turns.newId(), start: Math.round(start), end: Math.round(end), speaker: made ? made.id : speaker, confidence: null };
    const speakers = made ? [...this.turns.speakers, made] : this.turns.speakers;
    this.finish([...this.turns.list, turn], speakers, [turn.speaker], [turn.id]);
  }

  remove(ids) {
    const gone = new Set(ids);
    this.finish(this.turns.list.filter((turn) => !gone.has(turn.id)), this.turns.speakers, []);
  }

  // Two turns that touch at the given time; the second one is selected, to be given to somebody else.
  cut(id, time) {
    const turn = this.turns.byId.get(id);
    time = Math.round(time);
    if (time - turn.start < SHORTEST || turn.end - time < SHORTEST) return false;
    const second = { ...turn, id: this.turns.newId(), start: time, confidence: null };
    const list = this.turns.list.map((each) => (each === turn ? { ...turn, end: time, confidence: null } : each));
    this.finish([...list, second], this.turns.speakers, [], [second.id]);
    return true;
  }

  // The speaker is right: the turns are doubtful no more.
  confirm(ids) {
    const sure = new Set(ids);
    if (!this.turns.list.some((turn) => sure.has(turn.id) && turn.confidence !== null)) return;
    this.edit(ids, () => ({}));
  }
}

// The turns with overlapping ones of each given speaker joined into the first of them.
function joinOverlaps(list, speakers) {
  const last = new Map();
  const joined = [];
  for (const turn of [...list].sort((a, b) => a.start - b.start)) {
    const place = last.get(turn.speaker);
    const before = place === undefined ? null : joined[place];
    if (speakers.has(turn.speaker) && before && turn.start < before.end) {
      joined[place] = { ...before, end: Math.max(before.end, turn.end), confidence: null };
    } else {
      last.set(turn.speaker, joined.length);
      joined.push(turn);
    }
  }
  return joined;
}

// A name as the formats can hold it: one line, no control characters, composed characters.
function cleanName(text) {
  return text.normalize("NFC").replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, " ").trim();
}
