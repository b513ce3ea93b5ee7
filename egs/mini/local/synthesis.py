"""Synthetic voices: pulses and noise through the resonances of a vocal tract, which differ between voices.

References
----------
G. Fant: Acoustic Theory of Speech Production. Mouton, 1960.
D. H. Klatt: Software for a cascade/parallel formant synthesizer. JASA, 1980.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, sosfilt

RATE = 16000
# First three formants of a man's vowels in Hz: as in heed, head, had, hard, hoard, who'd, heard.
VOWELS = np.array(
    [
        *[(270, 2290, 3010), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440)],
        *[(570, 840, 2410), (300, 870, 2240), (490, 1350, 1690)],
    ]
)
BANDWIDTHS = np.array([70, 90, 130, 200, 250])  # Hz


@dataclass(frozen=True)
class Voice:
    """The properties of a speaker's voice.

    Parameters
    ----------
    pitch : float
    Fundamental frequency in Hz.
    formants : array (5,)
        Factors of the resonances: the length of the vocal tract and its shape.
    tilt : float
        The pole of the low-pass, 0 to 1; larger values remove more of the high frequencies.
    breath : float
        Noise, relative to the pulses.
    pace : float
        Seconds per vowel.
    """

    pitch: float
    formants: NDArray[np.float64]
    tilt: float
    breath: float
    pace: float


def make_voice(name: str, female: bool) -> Voice:
    """The voice for a name; the same name always gives the same voice."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    length = random.uniform(1.08, 1.25) if female else random.uniform(0.9, 1.05)
    return Voice(
        pitch=random.uniform(165, 260) if female else random.uniform(80, 150),
        formants=length * random.uniform(0.88, 1.12, 5),
        tilt=random.uniform(0.3, 0.97),
        breath=10 ** random.uniform(-2.5, -0.7),
        pace=random.uniform(0.12, 0.2),
    )


def say(voice: Voice, sentence: str, seconds: float = 2.5) -> NDArray[np.float32]:
    """Samples (n,) at 16 kHz, peak 0.3: vowels, with hisses between some; `sentence` decides the order."""
    random = np.random.default_rng(zlib.crc32(sentence.encode()))
    n_samples = round(seconds * RATE)
    time = np.arange(n_samples) / RATE
    melody = voice.pitch * (
        1.1 - 0.2 * time / seconds + 0.05 * np.sin(2 * np.pi * random.uniform(2, 4) * time)
    )
    phase = np.cumsum(melody) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    noise = random.standard_normal(n_samples)
    source = lfilter([1], [1, -voice.tilt], pulses) + voice.breath * noise
    spoken = np.zeros(n_samples)
    state = np.zeros((5, 2))
    start = 0
    while start < n_samples:
        stop = min(n_samples, start + round(voice.pace * random.uniform(0.7, 1.5) * RATE))
        resonances = np.array([*VOWELS[random.integers(len(VOWELS))], 3500, 4500]) * voice.formants
        spoken[start:stop], state = sosfilt(_resonators(resonances), source[start:stop], zi=state)
        if random.random() < 0.25:
            spoken[start:stop] = 0.05 * np.diff(noise[start:stop], prepend=0.0)
        start = stop
    loudness = 0.6 + 0.4 * np.sin(2 * np.pi * time / (2 * voice.pace)) ** 2
    spoken *= loudness * np.minimum(1, np.minimum(time, seconds - time) / 0.05)
    return (0.3 * spoken / np.abs(spoken).max()).astype(np.float32)


def _resonators(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Klatt's digital resonators (5, 6), gain 1 at 0 Hz, as second-order sections."""
    radius = np.exp(-np.pi * BANDWIDTHS / RATE)
    a1 = -2 * radius * np.cos(2 * np.pi * frequencies / RATE)
    a2 = radius**2
    zeros = np.zeros_like(a1)
    return np.stack([1 + a1 + a2, zeros, zeros, np.ones_like(a1), a1, a2], axis=1)
