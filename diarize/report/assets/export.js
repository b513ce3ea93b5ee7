// The turns as RTTM and as the JSON document of this project; downloads, and saving to the server.

const seconds = (ms) => `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, "0")}`;

// Ten fields for each turn; names hold no blanks. Names that would become the same are an error.
function toRttm(turns) {
  const words = new Map();
  const word = (name) => name.replace(/\s+/g, "_") || "_";
  for (const { name } of turns.speakers) {
    const other = words.get(word(name));
    if (other !== undefined) throw new Error(`"${other}" and "${name}" would both be written as "${word(name)}"; rename one.`);
    if (word(name).toLowerCase() === "<na>") throw new Error(`RTTM cannot hold the name "${name}"; rename it.`);
    words.set(word(name), name);
  }
  return ordered(turns).map((turn) =>
    `SPEAKER ${word(turns.recording)} 1 ${seconds(turn.start)} ${seconds(turn.end - turn.start)}`
    + ` <NA> <NA> ${word(turns.name(turn.speaker))} <NA> <NA>\n`).join("");
}

// What the file said beside the turns is kept. Only turns that nobody has decided have a confidence.
function toJson(turns, kept) {
  const totals = turns.totals();
  const list = ordered(turns).map((turn) => ({
    start: turn.start / 1000, end: turn.end / 1000, speaker: turns.name(turn.speaker),
    ...(turn.confidence === null ? {} : { confidence: turn.confidence }),
  }));
  const names = [...new Set(ordered(turns).map((turn) => turn.speaker))];
  const speakers = names.map((id) => ({ speaker: turns.name(id), seconds: totals.get(id).ms / 1000, n_turns: totals.get(id).n }));
  const { duration, ...others } = kept;
  const lines = (items) => (items.length ? "[\n  " + items.map((item) => JSON.stringify(item)).join(",\n  ") + "\n ]" : "[]");
  const entries = [
    ["format", '"diarize"'], ["version", "1"], ["recording", JSON.stringify(turns.recording)],
    ...(duration === undefined ? [] : [["duration", JSON.stringify(duration)]]),
    ["speakers", lines(speakers)], ["turns", lines(list)],
    ...Object.entries(others).map(([key, value]) => [key, JSON.stringify(value)]),
  ];
  return "{\n" + entries.map(([key, text]) => ` ${JSON.stringify(key)}: ${text}`).join(",\n") + "\n}\n";
}

// By start, end and name, as the formats sort them.
function ordered(turns) {
  const less = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return [...turns.list].sort((a, b) => a.start - b.start || a.end - b.end || less(turns.name(a.speaker), turns.name(b.speaker)));
}

function download(text, name, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// Sends corrections to the server the page comes from, which writes them to the file.
class Server {
  constructor({ address, version }) { Object.assign(this, { address, version }); }

  // What happened, as a sentence. Throws an error whose message is one.
  async save(text) {
    const answer = await fetch(this.address, {
      method: "PUT", body: text,
      headers: { "Content-Type": "application/json", "If-Match": `"${this.version}"` },
    }).catch(() => { throw new Error("Not saved: the server does not answer. Is diarize serve still running?"); });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(`Not saved: ${told.error ?? answer.statusText}`);
    this.version = told.version;
    return `Saved: ${told.written.join(", ")}`;
  }
}
