"""Augmentation of samples and of log-mel frames: noise, rooms, telephone, codecs, speed, masks.

Every function takes its random generator and returns a new array; only `change_speed` changes the length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Literal

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from scipy.signal import butter, fftconvolve, sosfilt

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import Frames


def change_speed(samples: Samples, factor: float) -> Samples:
    """Samples played `factor` times as fast, pitch included, like another speaker: (n_samples / factor,).

    References
    ----------
    Ko et al., "Audio augmentation for speech recognition", Interspeech 2015.
    """
    return soxr.resample(samples, SAMPLE_RATE * factor, SAMPLE_RATE).astype(np.float32)


def add_noise(samples: Samples, noise: Samples, decibel: float, random: Generator) -> Samples:
    """Samples plus noise from a random start (repeated if it is short), `decibel` below their level."""
    start = random.integers(len(noise))
    piece = np.resize(np.roll(noise, -start), len(samples))
    power, noise_power = np.mean(samples**2), np.mean(piece**2)
    if noise_power == 0:
        return samples
    return (samples + piece * np.sqrt(power / noise_power * 10 ** (-decibel / 10))).astype(np.float32)


def reverberate(samples: Samples, response: Samples) -> Samples:
    """Samples in a room of the given impulse response; time of the direct sound and level do not change."""
    direct = int(np.abs(response).argmax())
    wet = fftconvolve(samples, response)[direct : direct + len(samples)]
    level = np.sqrt(np.mean(samples**2) / max(float(np.mean(wet**2)), 1e-12))
    return (wet * level).astype(np.float32)


def telephone(samples: Samples) -> Samples:
    """Samples over a telephone: 300 to 3400 Hz, and mu-law of 8 bits (ITU-T G.711)."""
    narrow = sosfilt(_bandpass(300, 3400), samples)
    peak = max(float(np.abs(narrow).max()), 1e-9)
    companded = np.sign(narrow) * np.log1p(255 * np.abs(narrow) / peak) / np.log1p(255)
    quantised = np.round(companded * 127) / 127
    expanded = np.sign(quantised) * np.expm1(np.abs(quantised) * np.log1p(255)) / 255 * peak
    return expanded.astype(np.float32)


def compress(samples: Samples, codec: Literal["opus", "mp3", "gsm"], random: Generator) -> Samples:
    """Samples through a lossy codec at a low rate: Opus 7 to 27, MP3 32 to 48, GSM 06.10 13 kbit/s.

    GSM is limited to the band of a telephone, up to 4 kHz.
    """
    format, subtype, rate = _CODECS[codec]
    # libsndfile's scale: 0 is the best, 1 the smallest file; beyond 0.85 its MP3 loses the start time.
    level = {"opus": random.uniform(0.9, 0.99), "mp3": random.uniform(0.75, 0.85), "gsm": None}[codec]
    peak = max(float(np.abs(samples).max()), 1e-9)
    file = BytesIO()
    heard = soxr.resample(samples / peak * 0.9, SAMPLE_RATE, rate)
    soundfile.write(file, heard, rate, format=format, subtype=subtype, compression_level=level)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    # Codecs return whole blocks, and resampling rounds the length.
    decoded = soxr.resample(decoded, rate, SAMPLE_RATE)[: len(samples)]
    return (np.pad(decoded, (0, len(samples) - len(decoded))) * peak / 0.9).astype(np.float32)


_CODECS = {
    "opus": ("OGG", "OPUS", SAMPLE_RATE),
    "mp3": ("MP3", "MPEG_LAYER_III", SAMPLE_RATE),
    "gsm": ("WAV", "GSM610", 8000),
}


def limit_band(samples: Samples, random: Generator) -> Samples:
    """Samples without the lowest (50 to 300 Hz) and the highest (2.5 to 7 kHz) frequencies."""
    return sosfilt(_bandpass(random.uniform(50, 300), random.uniform(2500, 7000)), samples).astype(np.float32)


def clip(samples: Samples, random: Generator) -> Samples:
    """Samples clipped at a random level between a quarter and three quarters of their peak."""
    peak = np.abs(samples).max() * random.uniform(0.25, 0.75)
    return np.clip(samples, -peak, peak)


def set_level(samples: Samples, decibel: float) -> Samples:
    """Samples scaled to a level of `decibel` relative to full scale."""
    level = max(float(np.sqrt(np.mean(samples**2))), 1e-6)
    return (samples * (10 ** (decibel / 20) / level)).astype(np.float32)


def coloured_noise(n_samples: int, random: Generator) -> Samples:
    """Gaussian noise (n_samples,) whose power falls with frequency ** 0 to frequency ** 2."""
    spectrum = np.fft.rfft(random.standard_normal(n_samples))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** random.uniform(0, 1)
    return np.fft.irfft(spectrum, n_samples).astype(np.float32)


def _bandpass(low: float, high: float) -> np.ndarray:
    return butter(4, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos")


class Augmenter:
    """A random chain over samples: room, background, channel, level.

    Parameters
    ----------
    noises, rooms, voices : sequences of samples
        Backgrounds; impulse responses; clips to mix babble from. An empty sequence is never drawn from.
    """

    def __init__(
        self, noises: Sequence[Samples], rooms: Sequence[Samples], voices: Sequence[Samples]
    ) -> None:
        self.noises, self.rooms, self.voices = noises, rooms, voices

    def __call__(self, samples: Samples, random: Generator) -> Samples:
        """Samples (n_samples,) through the chain, at -40 to -15 dB of full scale."""
        if self.rooms and random.random() < 0.45:
            samples = reverberate(samples, self.rooms[int(random.integers(len(self.rooms)))])
        kinds: list[Callable[[], Samples]] = [partial(coloured_noise, 5 * SAMPLE_RATE, random)]
        if self.noises:
            kinds += 2 * [lambda: self.noises[int(random.integers(len(self.noises)))]]
        if self.voices:
            kinds += [lambda: self._babble(random)]
        if random.random() < 0.75:
            noise = kinds[random.integers(len(kinds))]()
            samples = add_noise(samples, noise, random.uniform(3, 30), random)
        channels: list[tuple[float, Callable[[], Samples]]] = [
            (0.5, lambda: samples),
            (0.12, lambda: telephone(samples)),
            (0.06, lambda: compress(samples, "gsm", random)),
            (0.08, lambda: compress(samples, "opus", random)),
            (0.06, lambda: compress(samples, "mp3", random)),
            (0.13, lambda: limit_band(samples, random)),
            (0.05, lambda: clip(samples, random)),
        ]
        _, channel = channels[random.choice(len(channels), p=[share for share, _ in channels])]
        samples = channel()
        return set_level(samples, random.uniform(-40, -15))

    def _babble(self, random: Generator) -> Samples:
        n_voices = int(random.integers(3, 7))
        chosen = [self.voices[int(random.integers(len(self.voices)))] for _ in range(n_voices)]
        return np.sum([np.resize(set_level(voice, -20), 6 * SAMPLE_RATE) for voice in chosen], axis=0)


def tilt(mel: Frames, random: Generator) -> Frames:
    """Log-mel frames (n_frames, n_mels) as by another microphone: a random slope, a bend and a gain.

    Slope, bend and gain add up to 2 nepers of power each, at the ends of the band.
    """
    x = np.linspace(-1, 1, mel.shape[1], dtype=np.float32)
    slope, bend, gain = random.normal(0, [0.7, 0.5, 0.7]).clip(-2, 2).astype(np.float32)
    return mel + slope * x + bend * (2 * x**2 - 1) + gain


def mask(mel: Frames, random: Generator, *, max_frames: int = 25, max_mels: int = 8) -> Frames:
    """Log-mel frames (n_frames, n_mels) with one random span of time and one of frequency at their mean.

    References
    ----------
    Park et al., "SpecAugment", Interspeech 2019, without its time warping.
    """
    mel = mel.copy()
    mean = mel.mean()
    for axis, longest in ((0, max_frames), (1, max_mels)):
        length = int(random.integers(longest + 1))
        start = int(random.integers(max(1, mel.shape[axis] - length + 1)))
        np.moveaxis(mel, axis, 0)[start : start + length] = mean
    return mel
