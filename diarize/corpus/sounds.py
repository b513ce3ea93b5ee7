"""What is wrong with recordings one by one: their length, rate, level and band."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from diarize.audio import SAMPLE_RATE
from diarize.corpus.facts import Facts
from diarize.corpus.findings import Finding
from diarize.corpus.layout import Recording

EMPTY, SHORT, LONG = 0.1, 1.0, 1800.0
"""Seconds: a shorter recording has no features; is hardly a voice; a longer one takes much memory."""
SILENT, QUIET = -90.0, -55.0
"""dB of full scale of the loud frames: below one step of 16 bits there is no sound, then hardly any."""
LEVEL = 20.0
"""dB from the median level of the corpus."""
CLIPPED = 0.002
"""Share of samples at full scale or on a flat top."""
OFFSET = 0.01
"""Mean of the samples, of full scale."""
NARROW = -50.0
"""dB above 4 kHz: s and f of speech reach -20 dB, a telephone band stays below -60 dB."""


def check_sounds(recordings: Sequence[Recording], facts: Sequence[Facts], kind: str) -> Iterator[Finding]:
    """The findings of each recording alone; `kind` is that of the corpus."""
    levels = [each.sound.level for each in facts if each.sound is not None and each.sound.level > QUIET]
    usual = float(np.median(levels)) if levels else 0.0
    for recording, known in zip(recordings, facts, strict=True):
        path = recording.path
        if known.error:
            yield Finding("unreadable", path, known.error)
            continue
        for message in known.warnings:
            yield Finding("partial", path, message)
        seconds = f"{known.seconds:.2f} s"
        if known.seconds < EMPTY:
            yield Finding("empty", path, seconds, score=-known.seconds)
        elif known.seconds < SHORT:
            yield Finding("short", path, seconds, score=-known.seconds)
        elif known.seconds > LONG and kind == "speakers":
            yield Finding("long", path, f"{known.seconds / 60:.0f} min", score=known.seconds)
        if known.rate < SAMPLE_RATE:
            yield Finding("low-rate", path, f"{known.rate} Hz", score=-known.rate)
        if known.sound is not None:
            yield from _of_samples(path, known, usual)


def _of_samples(path: str, known: Facts, usual: float) -> Iterator[Finding]:
    sound = known.sound
    assert sound is not None
    if sound.level < SILENT:
        yield Finding("silent", path)
        return
    level = f"{sound.level:.0f} dB of full scale"
    if sound.level < QUIET:
        yield Finding("quiet", path, level, score=-sound.level)
    elif abs(sound.level - usual) > LEVEL:
        yield Finding("level", path, f"{level}, the median is {usual:.0f} dB", score=abs(sound.level - usual))
    if sound.clipped > CLIPPED:
        yield Finding("clipped", path, f"{100 * sound.clipped:.1f} % of the samples", score=sound.clipped)
    if abs(sound.offset) > OFFSET:
        yield Finding(
            "offset", path, f"the mean is {100 * sound.offset:.1f} % of full scale", score=abs(sound.offset)
        )
    if known.rate >= SAMPLE_RATE and sound.above_4_khz < NARROW:
        yield Finding(
            "narrow-band", path, f"{sound.above_4_khz:.0f} dB above 4 kHz", score=-sound.above_4_khz
        )
