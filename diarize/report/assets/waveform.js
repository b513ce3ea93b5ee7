// The waveform: peaks at several levels of zoom, each the largest of two peaks of the level below.

class Waveform {
  constructor(peaks) {
    this.levels = [];
    if (!peaks) return;
    let levels = bytesOf(peaks.levels);
    for (let step = peaks.step; ; step *= 2) {
      this.levels.push({ step, peaks: levels });
      if (levels.length < 512) break;
      const half = new Uint8Array((levels.length + 1) >> 1);
      for (let i = 0; i < half.length; i++) half[i] = Math.max(levels[2 * i], levels[2 * i + 1] ?? 0);
      levels = half;
    }
  }

  get known() { return this.levels.length > 0; }

  // The largest level from 0 to 1 of each column; two numbers give the time: that of column 0, and of a column.
  columns(start, perColumn, n) {
    const found = new Float32Array(n);
    const fits = this.levels.filter(({ step }) => step <= perColumn);
    const { step, peaks } = fits[fits.length - 1] ?? this.levels[0];
    for (let column = 0; column < n; column++) {
      const first = Math.max(0, Math.floor((start + column * perColumn) / step));
      const last = Math.max(first + 1, Math.floor((start + (column + 1) * perColumn) / step));
      for (let i = first; i < last && i < peaks.length; i++) found[column] = Math.max(found[column], peaks[i]);
      found[column] /= 255;
    }
    return found;
  }
}

// Who speaks in each column: the id of the one speaker, -1 for nobody, -2 for several.
function speakersOfColumns(turns, start, perColumn, n) {
  const found = new Int32Array(n).fill(-1);
  for (const turn of turns.within(start, start + n * perColumn)) {
    const first = clamp(Math.floor((turn.start - start) / perColumn), 0, n - 1);
    const last = clamp(Math.ceil((turn.end - start) / perColumn), first + 1, n);
    for (let i = first; i < last; i++) found[i] = found[i] === -1 || found[i] === turn.speaker ? turn.speaker : -2;
  }
  return found;
}

// The spans in which several speakers speak, within a span.
function overlaps(turns, start, end) {
  const found = [];
  let until = 0;
  for (const turn of turns.within(start, end)) {
    if (turn.start < until) found.push([turn.start, Math.min(turn.end, until)]);
    until = Math.max(until, turn.end);
  }
  return found;
}
