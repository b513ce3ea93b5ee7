// Mouse and touch on the timeline and the overview.
//
// Mouse: click a turn to hear it; drag its ends to move them, the turn itself to another lane to give it to that
// speaker; drag over empty time to choose it; turn the wheel sideways to scroll, with Ctrl to zoom.
// Touch: tap, drag sideways to scroll, pinch to zoom; the ends of the selected turn can be dragged.

class Pointer {
  constructor(page) {
    Object.assign(this, page); // turns, view, player, timeline, corrections
    this.canvas = this.timeline.canvas;
    this.down = new Map(); // pointers that touch the canvas, by id
    this.drag = null; // {kind, ...}: what the first of them does
    const on = (target, name, method) => target.addEventListener(name, (event) => this[method](event), { passive: false });
    on(this.canvas, "pointerdown", "press");
    on(this.canvas, "pointermove", "moved");
    on(this.canvas, "pointerup", "release");
    on(this.canvas, "pointercancel", "cancel");
    on(this.canvas, "wheel", "wheel");
    const { overview } = this.timeline;
    on(overview, "pointerdown", "overviewMoved");
    on(overview, "pointermove", "overviewMoved");
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // What lies under a point: {turn, edge}, edge being "start", "end" or null.
  hit({ x, y }, reach) {
    const speaker = this.turns.speakers[this.timeline.laneAt(y)];
    if (y < this.timeline.top || !speaker) return { turn: null, edge: null };
    const far = reach * this.view.perPixel;
    const time = this.view.time(x);
    const near = this.turns.within(time - far, time + far).filter((turn) => turn.speaker === speaker.id);
    near.sort((a, b) => this.turns.selected.has(b.id) - this.turns.selected.has(a.id));
    const inside = near.find((turn) => turn.start <= time && time <= turn.end);
    for (const turn of near) {
      const third = Math.min(far, (turn.end - turn.start) / 3);
      if (time >= turn.start - far && time <= turn.start + third) return { turn, edge: "start" };
      if (time <= turn.end + far && time >= turn.end - third) return { turn, edge: "end" };
    }
    return { turn: inside ?? null, edge: null };
  }

  press(event) {
    if (event.button !== 0) return;
    const at = this.place(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.down.set(event.pointerId, at);
    if (this.down.size === 2) {
      this.drag = { kind: "pinch", ...this.pinch() };
      this.timeline.preview = null;
      return;
    }
    const touch = event.pointerType === "touch";
    const { turn, edge } = this.hit(at, touch ? 16 : 6);
    const many = event.shiftKey || event.ctrlKey || event.metaKey;
    const common = { from: at, turn, many, moved: false, start: this.view.start };
    if (turn && edge && !many && (!touch || this.turns.selected.has(turn.id))) this.drag = { kind: "edge", edge, ...common };
    else if (turn && !touch) this.drag = { kind: "turn", ...common };
    else if (!touch && at.y > RULER) this.drag = { kind: "range", ...common };
    else this.drag = { kind: "pan", ...common };
  }

  moved(event) {
    const at = this.place(event);
    if (!this.down.has(event.pointerId)) {
      const { turn, edge } = this.hit(at, 6);
      this.canvas.style.cursor = edge ? "ew-resize" : turn ? "pointer" : "default";
      this.canvas.title = turn ? `${this.turns.name(turn.speaker)}, ${clock(turn.start)} to ${clock(turn.end)}` : "";
      return;
    }
    this.down.set(event.pointerId, at);
    const { drag, view } = this;
    if (!drag) return;
    if (drag.kind === "pinch") {
      if (this.down.size < 2) return;
      const { middle, width } = this.pinch();
      const perPixel = (drag.perPixel * drag.width) / Math.max(width, 1);
      view.set(drag.time - middle * perPixel, perPixel);
      return;
    }
    if (Math.abs(at.x - drag.from.x) + Math.abs(at.y - drag.from.y) > 4) drag.moved = true;
    if (!drag.moved) return;
    if (drag.kind === "pan") view.set(drag.start - (at.x - drag.from.x) * view.perPixel);
    if (drag.kind === "range") {
      const times = [view.time(drag.from.x), view.time(clamp(at.x, 0, view.width))];
      this.turns.select([], times.map((time) => clamp(time, 0, view.duration)).sort((a, b) => a - b));
    }
    if (drag.kind === "edge") {
      const ends = { start: drag.turn.start, end: drag.turn.end };
      ends[drag.edge] += (at.x - drag.from.x) * view.perPixel;
      const [start, end] = this.corrections.limit(drag.turn, ends.start, ends.end);
      this.timeline.preview = { ...drag.turn, start, end };
      this.timeline.ask();
    }
    if (drag.kind === "turn") {
      const speaker = this.turns.speakers[this.timeline.laneAt(at.y)]?.id ?? drag.turn.speaker;
      this.timeline.preview = { ...drag.turn, speaker };
      this.timeline.ask();
    }
  }

  release(event) {
    const { drag, timeline } = this;
    this.down.delete(event.pointerId);
    if (drag?.kind === "pinch" && this.down.size) return;
    this.drag = null;
    if (!drag || drag.kind === "pinch") return;
    const preview = timeline.preview;
    timeline.preview = null;
    if (!drag.moved) this.click(drag);
    else if (drag.kind === "edge" && preview) {
      this.turns.select([drag.turn.id]);
      this.corrections.move(drag.turn.id, preview.start, preview.end);
    } else if (drag.kind === "turn" && preview && preview.speaker !== drag.turn.speaker) {
      const ids = this.turns.selected.has(drag.turn.id) ? [...this.turns.selected] : [drag.turn.id];
      this.corrections.reassign(ids, preview.speaker);
    }
    timeline.ask();
  }

  cancel(event) {
    this.down.delete(event.pointerId);
    this.drag = this.timeline.preview = null;
    this.timeline.ask();
  }

  click({ from, turn, many }) {
    if (turn && many) this.turns.toggle(turn.id);
    else if (turn) {
      this.turns.select([turn.id]);
      this.player.play(turn.start, turn.end);
    } else {
      this.turns.select([]);
      this.player.seek(this.view.time(from.x));
    }
  }

  // Of two fingers: the middle, its time, and the distance.
  pinch() {
    const [a, b] = [...this.down.values()];
    const middle = (a.x + b.x) / 2;
    return { middle, time: this.view.time(middle), width: Math.abs(a.x - b.x), perPixel: this.view.perPixel };
  }

  wheel(event) {
    const { view } = this;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.004)), view.time(this.place(event).x));
      return;
    }
    const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
    if (Math.abs(sideways) <= Math.abs(event.deltaY) && !event.shiftKey) return; // the page scrolls
    event.preventDefault();
    view.pan(sideways * (event.deltaMode ? 20 : 1) * view.perPixel);
  }

  overviewMoved(event) {
    if (event.type === "pointermove" && !(event.buttons & 1)) return;
    const { overview } = this.timeline;
    if (event.type === "pointerdown") overview.setPointerCapture(event.pointerId);
    const x = event.clientX - overview.getBoundingClientRect().left;
    const time = (x / overview.clientWidth) * this.view.duration;
    this.view.set(time - this.view.span / 2);
    if (event.type === "pointerdown") this.player.seek(clamp(time, 0, this.view.duration));
  }
}
