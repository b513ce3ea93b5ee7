// The embeddings in the plane, in the colours of who speaks in their windows now; a click plays the window.

class EmbeddingMap {
  constructor(page, points) {
    Object.assign(this, page); // turns, view, player, palette
    this.points = points;
    if (!points.length) return;
    element("map-card").hidden = false;
    this.canvas = element("map");
    this.canvas.addEventListener("click", (event) => this.click(event));
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
      const now = player.playing && point[2] <= player.time && player.time < point[3];
      if (!now && !chosen.some((turn) => turn.start <= middle && middle < turn.end)) continue;
      pen.strokeStyle = palette.ink;
      pen.lineWidth = now ? 2.5 : 1.5;
      pen.stroke();
    }
  }

  click(event) {
    const box = this.canvas.getBoundingClientRect();
    const [left, top] = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [null, 20 ** 2];
    for (const point of this.points) {
      const [x, y] = this.place(point);
      const distance = (x - left) ** 2 + (y - top) ** 2;
      if (distance < least) [best, least] = [point, distance];
    }
    if (!best) return;
    const [, , start, end] = best;
    const speaker = this.speaker(best);
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
