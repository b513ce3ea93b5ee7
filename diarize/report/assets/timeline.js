// Draws the overview, the waveform and the lanes, only what is in view, at most once a frame.

const RULER = 22, ERRORS = 12, GAP = 6; // pixels
const STEPS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 900000, 1800000, 3600000];

class Timeline {
  constructor(page) {
    Object.assign(this, page); // turns, view, player, waveform, errors, palette
    this.canvas = element("canvas");
    this.overview = element("overview");
    this.preview = null; // {id, start, end, speaker}: a turn as the mouse drags it
    this.asked = false;
    const again = () => this.ask();
    this.turns.listen(again);
    this.view.listen(again);
    this.player.listen(again);
    this.palette.listen(again);
    new ResizeObserver(() => this.resize()).observe(this.canvas.parentElement);
    this.resize();
  }

  get wave() { return this.waveform.known ? (innerWidth < 600 ? 64 : 88) : 0; }
  get top() { return RULER + this.wave + (this.errors ? ERRORS + GAP : 0) + GAP; }
  get laneHeight() { return clamp(Math.floor(300 / Math.max(1, this.turns.speakers.length)), 18, 34); }
  laneAt(y) { return Math.floor((y - this.top) / this.laneHeight); }

  resize() {
    const width = this.canvas.clientWidth;
    if (width > 0) this.view.resize(width);
    this.ask();
  }

  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.player.tick();
      if (this.player.playing) {
        if (element("follow").checked) this.view.follow(this.player.time);
        this.ask();
      }
      this.draw();
      this.drawOverview();
      this.drawn?.();
    });
  }

  // A canvas of this height in its own pixels, cleared.
  begin(canvas, height) {
    const ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth;
    if (canvas.style.height !== `${height}px`) canvas.style.height = `${height}px`;
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  draw() {
    const { view, turns, palette } = this;
    const height = this.top + this.laneHeight * turns.speakers.length + GAP;
    const pen = this.begin(this.canvas, height);
    this.drawRuler(pen, height);
    for (const [start, end] of overlaps(turns, view.start, view.end)) {
      pen.fillStyle = palette.overlap;
      pen.fillRect(view.x(start), RULER, Math.max(1, view.x(end) - view.x(start)), height - RULER);
    }
    if (turns.range) {
      pen.fillStyle = palette.range;
      pen.fillRect(view.x(turns.range[0]), RULER, view.x(turns.range[1]) - view.x(turns.range[0]), height - RULER);
    }
    if (this.wave) this.drawWave(pen, RULER, this.wave, view.start, view.perPixel, view.width);
    if (this.errors) this.drawErrors(pen, RULER + this.wave + GAP);
    this.drawTurns(pen);
    const x = view.x(this.player.time);
    pen.fillStyle = palette.ink;
    pen.fillRect(x - 0.75, 0, 1.5, height);
    pen.beginPath();
    pen.moveTo(x - 5, 0);
    pen.lineTo(x + 5, 0);
    pen.lineTo(x, 7);
    pen.fill();
  }

  drawRuler(pen, height) {
    const { view, palette } = this;
    const step = STEPS.find((each) => each / view.perPixel >= 80) ?? STEPS[STEPS.length - 1];
    pen.font = `11px ${palette.font}`;
    pen.textBaseline = "middle";
    for (let time = Math.ceil(view.start / step) * step; time <= view.end; time += step) {
      const x = Math.round(view.x(time)) + 0.5;
      pen.fillStyle = palette.line;
      pen.fillRect(x, RULER - 5, 1, height - RULER + 5);
      pen.fillStyle = palette.quiet;
      const text = clock(time, step < 1000 ? (step < 100 ? 2 : 1) : 0);
      if (x + 4 + pen.measureText(text).width < view.width) pen.fillText(text, x + 4, RULER / 2);
    }
  }

  drawWave(pen, y, height, start, perPixel, width) {
    const { palette } = this;
    const n = Math.ceil(width);
    const levels = this.waveform.columns(start, perPixel, n);
    const who = speakersOfColumns(this.turns, start, perPixel, n);
    const paths = new Map();
    for (let x = 0; x < n; x++) {
      const half = Math.max(0.5, (levels[x] ** 1.5 * height) / 2);
      if (!paths.has(who[x])) paths.set(who[x], new Path2D());
      paths.get(who[x]).rect(x, y + height / 2 - half, 1, 2 * half);
    }
    for (const [speaker, path] of paths) {
      pen.fillStyle = speaker === -1 ? palette.silence : speaker === -2 ? palette.ink : palette.of(speaker);
      pen.fill(path);
    }
  }

  drawErrors(pen, y) {
    const { view, palette, errors } = this;
    pen.fillStyle = palette.line;
    pen.fillRect(0, y + ERRORS - 1, view.width, 1);
    for (const [start, end, kind] of errors.regions) {
      if (end < view.start || start > view.end) continue;
      const width = Math.max(1, view.x(end) - view.x(start));
      pen.fillStyle = palette.errors[kind];
      // Each kind has its height as well, for readers who do not distinguish the colours.
      const high = [ERRORS - 1, (2 * ERRORS) / 3, ERRORS / 3][kind];
      pen.fillRect(view.x(start), y + ERRORS - 1 - high, width, high);
    }
  }

  drawTurns(pen) {
    const { view, turns, palette, laneHeight, top } = this;
    for (let lane = 0; lane < turns.speakers.length; lane++) {
      pen.fillStyle = palette.line;
      pen.fillRect(0, top + lane * laneHeight + laneHeight - 1, view.width, 1);
    }
    const last = new Map(); // the last pixel drawn in each lane: of thousands of turns in one, one is drawn
    for (const turn of turns.within(view.start, view.end)) {
      if (this.preview?.id === turn.id) continue;
      const [left, right] = [view.x(turn.start), view.x(turn.end)];
      if (right < (last.get(turn.speaker) ?? -1) && !turns.selected.has(turn.id)) continue;
      last.set(turn.speaker, Math.ceil(right));
      this.drawTurn(pen, turn, left, right);
    }
    if (this.preview) this.drawTurn(pen, this.preview, view.x(this.preview.start), view.x(this.preview.end));
  }

  drawTurn(pen, turn, left, right) {
    const { turns, palette, laneHeight } = this;
    const y = this.top + turns.lane.get(turn.speaker) * laneHeight + 3;
    const [width, height] = [Math.max(1.5, right - left), laneHeight - 7];
    pen.fillStyle = palette.of(turn.speaker);
    pen.beginPath();
    pen.roundRect(left, y, width, height, Math.min(4, width / 2));
    pen.fill();
    if (turn.confidence !== null && turn.confidence < DOUBTFUL && width > 8) {
      pen.fillStyle = palette.paper;
      pen.beginPath();
      pen.arc(left + 6, y + height / 2, 2.5, 0, 7);
      pen.fill();
    }
    if (!turns.selected.has(turn.id)) return;
    pen.strokeStyle = palette.ink;
    pen.lineWidth = 2;
    pen.stroke();
    pen.fillStyle = palette.ink; // handles
    pen.fillRect(left - 1.5, y, 3, height);
    pen.fillRect(left + width - 1.5, y, 3, height);
  }

  drawOverview() {
    const { view, palette } = this;
    const height = 36;
    const pen = this.begin(this.overview, height);
    const width = this.overview.clientWidth;
    const perPixel = view.duration / width;
    if (this.waveform.known) this.drawWave(pen, 4, height - 8, 0, perPixel, width);
    else {
      speakersOfColumns(this.turns, 0, perPixel, Math.ceil(width)).forEach((speaker, x) => {
        if (speaker === -1) return;
        pen.fillStyle = speaker === -2 ? palette.ink : palette.of(speaker);
        pen.fillRect(x, 10, 1, height - 20);
      });
    }
    const [left, right] = [view.start / perPixel, Math.min(width, view.end / perPixel)];
    pen.fillStyle = palette.veil;
    pen.fillRect(0, 0, left, height);
    pen.fillRect(right, 0, width - right, height);
    pen.strokeStyle = palette.quiet;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.roundRect(left + 1, 1, Math.max(4, right - left - 2), height - 2, 4);
    pen.stroke();
    pen.fillStyle = palette.ink;
    pen.fillRect(this.player.time / perPixel - 0.75, 0, 1.5, height);
  }
}
