"""Synthetic sounds other than speech, such as occur at a desk and in a meeting.

Every function takes its random generator and gives samples (n_samples,) at 16 kHz with a peak of 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from scipy.signal import butter, sosfilt

from diarize.audio import SAMPLE_RATE, Samples


def knock(random: Generator) -> Samples:
    """A struck object: a few decaying resonances, or a click if they decay at once."""
    time = _times(random.uniform(0.05, 0.5))
    decay = 10 ** random.uniform(-2.7, -0.9)  # seconds
    parts = [
        random.uniform(0.2, 1) * np.sin(2 * np.pi * frequency * time + random.uniform(0, 2 * np.pi))
        for frequency in 10 ** random.uniform(1.8, 3.7, random.integers(1, 6))  # Hz
    ]
    struck = np.sum(parts, axis=0) + random.uniform(0, 1) * random.standard_normal(len(time))
    return _to_peak(struck * np.exp(-time / decay))


def typing(random: Generator) -> Samples:
    """A series of equal knocks of different loudness: keys, a pen, steps."""
    key = knock(random)[: SAMPLE_RATE // 10]
    train = np.zeros(round(random.uniform(0.5, 4) * SAMPLE_RATE), dtype=np.float32)
    rate = random.uniform(2, 9)  # knocks per second
    for start in np.cumsum(random.exponential(SAMPLE_RATE / rate, 40)).astype(int):
        part = train[start : start + len(key)]
        part += key[: len(part)] * random.uniform(0.2, 1)
    return _to_peak(train)


def breath(random: Generator) -> Samples:
    """A breath, a sigh or a puff on the microphone: noise in a band, with a rise and a decay."""
    time = _times(random.uniform(0.15, 1.2))
    low = random.uniform(40, 800)
    noise = _band_noise(len(time), low, random.uniform(2 * low, 7000), random)
    swell = np.sin(np.pi * (time / time[-1]) ** random.uniform(0.4, 2)) ** random.uniform(1, 3)
    return _to_peak(noise * swell)


def rustle(random: Generator) -> Samples:
    """Paper, cloth or a hand on the table: noise whose loudness changes abruptly many times a second."""
    n_samples = round(random.uniform(0.3, 3) * SAMPLE_RATE)
    low = random.uniform(100, 2000)
    noise = _band_noise(n_samples, low, random.uniform(2 * low, 7500), random)
    n_steps = max(4, round(n_samples / SAMPLE_RATE * random.uniform(5, 60)))
    loudness = random.lognormal(0, 1.2, n_steps)
    return _to_peak(noise * np.interp(np.linspace(0, n_steps - 1, n_samples), np.arange(n_steps), loudness))


def tone(random: Generator) -> Samples:
    """A beep, a ring or a hum: a harmonic tone, steady or gliding, perhaps in pulses."""
    time = _times(random.uniform(0.1, 3))
    pitch = 10 ** random.uniform(1.7, 3.4) * (
        1 + random.choice([0, 0.02, 0.3]) * random.standard_normal() * time
    )
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    sound = np.sum(
        [random.uniform(0, 1) / k * np.sin(k * phase) for k in range(1, random.integers(2, 9))], axis=0
    )
    if random.random() < 0.4:
        sound = sound * (np.sin(2 * np.pi * random.uniform(1, 20) * time) > 0)
    return _to_peak(sound * np.minimum(1, np.minimum(time, time[::-1]) / 0.01))


def laugh(random: Generator) -> Samples:
    """Four to twelve partly voiced puffs of breath, about five a second."""
    time = _times(random.uniform(0.08, 0.2))
    n_puffs, period = int(random.integers(4, 13)), random.uniform(0.16, 0.26)
    pitch, voiced = random.uniform(120, 600), random.uniform(0, 1) * (random.random() < 0.7)
    formants = [
        butter(2, [frequency * 0.85, frequency * 1.15], "bandpass", fs=SAMPLE_RATE, output="sos")
        for frequency in random.uniform([500, 1200, 2400], [1100, 2200, 3600])
    ]
    laughter = np.zeros(round((n_puffs + 1) * period * SAMPLE_RATE), dtype=np.float32)
    for puff in range(n_puffs):
        glide = pitch * (1 + 0.1 * random.standard_normal()) * (1 - 0.5 * time)
        source = voiced * 6 * np.maximum(0, np.sin(2 * np.pi * np.cumsum(glide) / SAMPLE_RATE)) ** 8
        source = source + random.standard_normal(len(time))
        shaped = np.sum([sosfilt(formant, source) for formant in formants], axis=0)
        shaped *= np.sin(np.pi * time / time[-1]) * random.uniform(0.4, 1) * (1 - 0.5 * puff / n_puffs)
        start = round((puff + 0.1 * random.uniform(-1, 1) + 0.2) * period * SAMPLE_RATE)
        part = laughter[start : start + len(time)]
        part += shaped[: len(part)]
    return _to_peak(laughter)


SOUNDS: tuple[Callable[[Generator], Samples], ...] = (knock, typing, breath, rustle, tone, laugh)


def _times(seconds: float) -> np.ndarray:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _band_noise(n_samples: int, low: float, high: float, random: Generator) -> np.ndarray:
    band = butter(2, [low, min(high, 7900)], "bandpass", fs=SAMPLE_RATE, output="sos")
    return sosfilt(band, random.standard_normal(n_samples))


def _to_peak(samples: np.ndarray) -> Samples:
    return (samples / max(float(np.abs(samples).max()), 1e-9)).astype(np.float32)
