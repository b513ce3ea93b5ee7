// The embeddings in the plane, in the colours of who speaks in their windows now. A click plays the window; with the
// focus on the map, the arrow keys go from point to point.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class EmbeddingMap {
  constructor(page, points) {
    Object.assign(this, page); // turns, view, player, palette
    this.points = points;
    this.at = null; // the point that was heard last
    if (!points.length) return;
    element("map-card").hidden = false;
    this.canvas = element("map");
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    const again = () => requestAnimationFrame(() => this.draw());
    this.turns.listen(again);
    this.palette.listen(again);
    this.player.listen(again);
    new ResizeObserver(again).observe(this.canvas);
    again();
  }

  get size() { return [this.canvas.clientWidth, this.canvas.clientHeight]; }
  place([x, y]) {
    const [width, height] = this.size;
    const scale = Math.min(width, height) - 24;
    return [width / 2 + (x - 0.5) * scale * Math.min(width / height, 1.5), height / 2 - (y - 0.5) * scale];
  }

  // The speaker who has most of a window.
  speaker([, , start, end]) {
    let [best, most] = [null, 0];
    for (const turn of this.turns.within(start, end)) {
      const common = Math.min(end, turn.end) - Math.max(start, turn.start);
      if (common > most) [best, most] = [turn.speaker, common];
    }
    return best;
  }

  draw() {
    const { canvas, palette, turns, player } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = this.size;
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const many = this.points.length > 500;
    const chosen = turns.chosen();
    for (const point of this.points) {
      const [x, y] = this.place(point);
      const speaker = this.speaker(point);
      pen.fillStyle = speaker === null ? palette.silence : palette.of(speaker);
      pen.beginPath();
      mark(pen, speaker === null ? 0 : Math.floor(palette.number(speaker) / palette.colours.length), x, y, many ? 3 : 4.5);
      pen.fill();
      const middle = (point[2] + point[3]) / 2;
      const now = point === this.at || (player.playing && point[2] <= player.time && player.time < point[3]);
      if (!now && !chosen.some((turn) => turn.start <= middle && middle < turn.end)) continue;
      pen.strokeStyle = palette.ink;
      pen.lineWidth = now ? 2.5 : 1.5;
      pen.stroke();
    }
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    const distance = ([x, y]) => Math.hypot(x - left, y - top);
    const best = this.nearest(distance);
    if (best && distance(this.place(best)) < 20) this.hear(best);
  }

  // To the nearest point in the direction of the arrow; the first time, from the middle.
  press(event) {
    const step = ARROWS[event.key];
    if (!step || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // elsewhere on the page, the arrows go to other turns
    const [left, top] = this.at ? this.place(this.at) : this.size.map((length) => length / 2);
    const best = this.nearest(([x, y]) => {
      const ahead = (x - left) * step[0] + (y - top) * step[1];
      const aside = Math.abs((x - left) * step[1]) + Math.abs((y - top) * step[0]);
      return this.at && ahead <= 0 ? Infinity : Math.hypot(ahead, 2 * aside);
    });
    if (best) this.hear(best);
  }

  // The point with the least distance, a function of the point's place; null if none is finite.
  nearest(distance) {
    let [best, least] = [null, Infinity];
    for (const point of this.points) {
      const far = distance(this.place(point));
      if (far < least) [best, least] = [point, far];
    }
    return best;
  }

  hear(point) {
    this.at = point;
    const [, , start, end] = point;
    const speaker = this.speaker(point);
    this.turns.select(this.turns.within(start, end).filter((turn) => turn.speaker === speaker).map((turn) => turn.id));
    this.view.reveal(start, end);
    this.player.play(start, end);
  }
}

// A circle; once the colours repeat, a square, then a triangle.
function mark(pen, kind, x, y, size) {
  if (kind % 3 === 0) pen.arc(x, y, size, 0, 7);
  else if (kind % 3 === 1) pen.rect(x - size, y - size, 2 * size, 2 * size);
  else {
    pen.moveTo(x, y - size);
    pen.lineTo(x + size, y + size);
    pen.lineTo(x - size, y + size);
    pen.closePath();
  }
}
