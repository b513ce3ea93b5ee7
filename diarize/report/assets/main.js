// Puts the page together: its parts know each other only by the names in `page`.

const data = JSON.parse(element("data").textContent);
const page = { errors: data.errors ?? null };
page.turns = new Turns(data);
page.turns.original = page.turns.list;
page.view = new View(data.duration);
page.player = new Player(findAudio(data.audio), data.duration);
page.waveform = new Waveform(data.peaks);
page.palette = new Palette(page.turns, data.colours);
page.corrections = new Corrections(page.turns);
page.server = data.save ? new Server(data.save) : null;

page.say = (text) => { element("message").textContent = text; };
page.goTo = (turn) => {
  page.turns.select([turn.id]);
  page.view.reveal(turn.start, turn.end);
  page.player.play(turn.start, turn.end);
};
page.save = async () => {
  if (!page.server) return exportAs("rttm");
  const { state } = page.turns;
  try {
    page.say(await page.server.save(toJson(page.turns, data.document)));
    page.turns.saved = state; // a correction made meanwhile is not saved yet
    page.turns.tell(true);
  } catch (error) {
    page.say(error.message);
  }
};

function exportAs(kind) {
  try {
    const name = data.recording.replace(/[/\\]/g, "_");
    if (kind === "rttm") download(toRttm(page.turns), `${name}.rttm`, "text/plain");
    else download(toJson(page.turns, data.document), `${name}.json`, "application/json");
    if (!page.server) page.turns.markSaved(); // otherwise the file is still to be written
  } catch (error) {
    page.say(error.message);
  }
}

page.timeline = new Timeline(page);
page.pointer = new Pointer(page);
page.form = new TurnForm(page);
page.speakerList = new SpeakerList(page);
page.doubts = new DoubtList(page);
page.errorList = new ErrorList(page);
page.table = new TurnTable(page);
page.map = new EmbeddingMap(page, data.points ?? []);
page.keys = new Keys(page);

function showState() {
  const { turns } = page;
  const facts = [clock(data.duration, 0), plural(turns.speakers.length, "speaker"), plural(turns.list.length, "turn")];
  if (typeof data.document.model === "string") facts.push(`model ${data.document.model}`);
  if (turns.changed) facts.push("corrected, not saved");
  element("facts").textContent = facts.join(" · ");
  element("undo").disabled = !turns.past.length;
  element("redo").disabled = !turns.future.length;
  element("save").disabled = !turns.changed;
}

function showPlayer() {
  const { player, turns } = page;
  element("clock").textContent = `${clock(player.time, 1)} / ${clock(data.duration, 0)}`;
  element("now").textContent = turns.at(player.time).map((turn) => turns.name(turn.speaker)).join(" + ");
  const button = element("play");
  button.disabled = !player.works;
  button.classList.toggle("playing", player.playing);
  button.setAttribute("aria-label", player.playing ? "Pause" : "Play");
  element("no-audio").hidden = player.works;
  element("no-audio").textContent = data.audio
    ? "The audio cannot be played: the file is not where it was when the page was made, or this browser does not know its format. Make the page again with --embed-audio."
    : "There is no audio on this page; make it again with --audio to hear the turns.";
}

element("save").hidden = !page.server;
element("evidence-card").hidden = !element("evidence-card").querySelector("p");
element("save").addEventListener("click", page.save);
element("undo").addEventListener("click", () => page.turns.undo());
element("redo").addEventListener("click", () => page.turns.redo());
element("download-rttm").addEventListener("click", () => exportAs("rttm"));
element("download-json").addEventListener("click", () => exportAs("json"));
element("play").addEventListener("click", () => page.player.toggle());
element("speed").addEventListener("change", () => { page.player.audio.playbackRate = Number(element("speed").value); });
element("zoom-in").addEventListener("click", () => page.view.zoom(1.6, page.keys.anchor(page.view, page.player)));
element("zoom-out").addEventListener("click", () => page.view.zoom(1 / 1.6, page.keys.anchor(page.view, page.player)));
element("zoom-all").addEventListener("click", () => page.view.all());
addEventListener("beforeunload", (event) => { if (page.turns.changed) event.preventDefault(); });
page.turns.listen((turnsChanged) => { if (turnsChanged) showState(); });
page.timeline.drawn = showPlayer;
showState();

// page.html#t=62.5 opens with the turn at 62.5 s selected.
const asked = /^#t=([\d.:]+)$/.exec(location.hash);
const time = asked && readClock(asked[1]);
if (time !== null && time !== undefined) {
  page.player.seek(time);
  page.turns.select(page.turns.at(time).slice(0, 1).map((turn) => turn.id));
}
if (data.duration > 300000) page.view.set(time ? time - 60000 : 0, 120000 / page.view.width);
window.recordingPage = page; // for tests and for scripts of the reader
