#!/usr/bin/env python3
"""Cut the recording of the demo in two at a pause, as two recordings of the same four people."""

from __future__ import annotations

from pathlib import Path

import soundfile

from diarize.formats import read_rttm, write_rttm
from diarize.segments import Segment, Turn

HERE = Path(__file__).parent
DEMO = HERE.parent / "demo"
PAUSE = 32.35
"""Seconds; nobody speaks there."""


def main() -> None:
    """Write two recordings with their references."""
    samples, rate = soundfile.read(DEMO / "meeting.flac", dtype="int16")
    turns = read_rttm(DEMO / "meeting.rttm")
    cut = round(PAUSE * rate)
    for name, part, shift in (("first", samples[:cut], 0.0), ("second", samples[cut:], PAUSE)):
        kept = [
            Turn(name, Segment(turn.segment.start - shift, turn.segment.end - shift), turn.speaker)
            for turn in turns
            if shift <= turn.segment.start < shift + len(part) / rate
        ]
        soundfile.write(HERE / f"{name}.flac", part, rate)
        write_rttm(kept, HERE / f"{name}.rttm")


if __name__ == "__main__":
    main()
