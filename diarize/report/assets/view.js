// The part of the recording that is shown: its start, and the milliseconds of one pixel.

const CLOSEST = 2; // ms a pixel

class View {
  constructor(duration) {
    this.duration = Math.max(duration, 1);
    this.start = 0;
    this.width = 1; // pixels
    this.perPixel = this.duration;
    this.listeners = [];
  }

  listen(listener) { this.listeners.push(listener); }
  set(start, perPixel = this.perPixel) {
    this.perPixel = clamp(perPixel, Math.min(CLOSEST, this.duration / this.width), this.duration / this.width);
    this.start = clamp(start, 0, this.duration - this.span);
    for (const listener of this.listeners) listener();
  }

  get span() { return this.perPixel * this.width; }
  get end() { return this.start + this.span; }
  x(time) { return (time - this.start) / this.perPixel; }
  time(x) { return this.start + x * this.perPixel; }

  // The span stays when the window changes its size.
  resize(width) {
    const span = this.width > 1 ? this.span : this.duration;
    this.width = width;
    this.set(this.start, span / width);
  }

  zoom(factor, around = this.start + this.span / 2) {
    const x = this.x(around);
    const perPixel = clamp(this.perPixel / factor, Math.min(CLOSEST, this.duration / this.width), this.duration / this.width);
    this.set(around - x * perPixel, perPixel);
  }
  zoomTo(start, end) {
    const span = Math.max(end - start, 1);
    this.set(start - 0.2 * span, (1.4 * span) / this.width);
  }
  all() { this.set(0, this.duration / this.width); }
  pan(time) { this.set(this.start + time); }

  // Move, if a span is not in view, so that its start is.
  reveal(start, end = start) {
    if (start >= this.start && Math.min(end, start + this.span) <= this.end) return;
    this.set(start - 0.1 * this.span);
  }
  // Turn the page when the player leaves it.
  follow(time) {
    if (time < this.start || time > this.start + 0.97 * this.span) this.set(time - 0.1 * this.span);
  }
}
