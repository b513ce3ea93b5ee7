// The player: an audio element, and the time at which it stops by itself after a turn.

class Player {
  constructor(source, duration) {
    this.audio = new Audio();
    this.audio.preload = "metadata";
    this.duration = duration;
    this.cursor = 0; // the position while there is no audio
    this.stopAt = null;
    this.works = source !== null;
    this.listeners = [];
    if (!this.works) return;
    for (const name of ["play", "pause", "seeked", "ended"]) this.audio.addEventListener(name, () => this.tell());
    this.audio.addEventListener("error", () => {
      this.works = false;
      this.tell();
    });
    this.audio.src = source;
  }

  listen(listener) { this.listeners.push(listener); }
  tell() { for (const listener of this.listeners) listener(); }

  get playing() { return this.works && !this.audio.paused; }
  get time() { return this.works ? 1000 * this.audio.currentTime : this.cursor; }

  seek(time) {
    time = clamp(time, 0, this.duration);
    this.stopAt = null;
    this.cursor = time;
    if (this.works) this.audio.currentTime = time / 1000;
    this.tell();
  }

  // Play a span, then stop; without an end, play on.
  async play(start = null, end = null) {
    if (start !== null) this.seek(start);
    this.stopAt = end;
    if (!this.works) return;
    try {
      await this.audio.play();
    } catch (error) {
      if (error.name !== "AbortError") this.works = this.audio.error === null; // AbortError: paused meanwhile
    }
    this.tell();
  }

  toggle() {
    if (this.playing) this.audio.pause();
    else this.play();
  }

  // To be called for each frame while it plays.
  tick() {
    if (this.stopAt === null || this.time < this.stopAt) return;
    const end = this.stopAt;
    this.audio.pause();
    this.seek(end);
  }
}

// The address of the copy inside the page, of the file beside it, or null.
function findAudio(audio) {
  const text = element("audio-copy").textContent;
  if (!audio) return null;
  if (!text) return audio.address;
  const parts = [];
  const step = 4 * 262144; // base64: four letters are three bytes
  for (let at = 0; at < text.length; at += step) {
    parts.push(bytesOf(text.slice(at, at + step)));
  }
  element("audio-copy").textContent = "";
  return URL.createObjectURL(new Blob(parts, { type: audio.type }));
}
