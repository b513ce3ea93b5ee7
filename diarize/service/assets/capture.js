// An AudioWorklet that gives what it hears as blocks of 16-bit samples, the mean of all channels.

const SECONDS = 0.1;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(SECONDS * sampleRate));
    this.filled = 0;
  }

  process([channels]) {
    if (!channels.length) return true; // the source has not begun or has ended
    for (let i = 0; i < channels[0].length; i += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      const sample = Math.max(-1, Math.min(1, sum / channels.length));
      this.block[this.filled] = Math.round(sample * 32767);
      this.filled += 1;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block.slice().buffer);
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
