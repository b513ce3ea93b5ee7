"""Missed and false speech over a grid of the settings of ``speech``, as a Markdown table.

    python benchmarks/choose_speech_settings.py --data DIR [--data DIR ...] [--skip ID ...]

DIR holds audio/, rttm/ and uem/, each with one file for each recording. Reference speech is the union of the
turns; both errors are in per cent of its duration, within the UEM. All DIRs have the same weight.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from printing import header

from diarize.audio import find_audio, recording_id, stream_audio
from diarize.config import SpeechConfig
from diarize.formats import read_rttm, read_uem
from diarize.segments import Segment
from diarize.speech.detect import any_probabilities
from diarize.speech.hysteresis import Hysteresis

GRID = {
    "threshold": (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "release": (0.05, 0.15, 0.25),
    "padding": (0.0, 0.03, 0.05, 0.1, 0.15, 0.2),
    "min_silence": (0.1, 0.3, 0.5, 0.7, 1.0),
    "min_speech": (0.0, 0.1, 0.25),
}
SILERO_DEFAULTS = SpeechConfig(
    detector="silero", threshold=0.5, release=0.15, padding=0.03, min_silence=0.1, min_speech=0.25
)
N_ROWS = 15
BINS_PER_SECOND = 1000

Bins = NDArray[np.bool_]


def mark(segments: Iterable[Segment], n_bins: int) -> Bins:
    """Mask of the milliseconds that the segments cover, ``(n_bins,)``."""
    marked = np.zeros(n_bins, bool)
    for segment in segments:
        marked[round(segment.start * BINS_PER_SECOND) : round(segment.end * BINS_PER_SECOND)] = True
    return marked


class Recording:
    """Probabilities of a recording, with its reference speech and scored time in milliseconds."""

    def __init__(self, audio: Path, detector: str, model: Path | None) -> None:
        self.name = recording_id(audio)
        folder = audio.parent.parent
        config = SpeechConfig(detector=detector, model=model and str(model))
        self.probabilities, self.frame_length, self.n_seconds = any_probabilities(stream_audio(audio), config)
        self.n_bins = round(self.n_seconds * BINS_PER_SECOND)
        self.scored = mark(read_uem(folder / "uem" / f"{self.name}.uem")[self.name], self.n_bins)
        turns = read_rttm(folder / "rttm" / f"{self.name}.rttm")
        self.speech = mark((turn.segment for turn in turns), self.n_bins) & self.scored

    def errors(self, config: SpeechConfig) -> NDArray[np.float64]:
        """Missed, false and reference speech in seconds, ``(3,)``."""
        found = Hysteresis.of(config).segments(self.probabilities, self.frame_length, self.n_seconds)
        heard = mark(found, self.n_bins) & self.scored
        counts = [(self.speech & ~heard).sum(), (heard & ~self.speech).sum(), self.speech.sum()]
        return np.array(counts) / BINS_PER_SECOND


def settings(detector: str) -> Iterator[SpeechConfig]:
    """Every combination of the grid whose release stays below its threshold."""
    for values in itertools.product(*GRID.values()):
        chosen = dict(zip(GRID, values, strict=True))
        if chosen["release"] < chosen["threshold"]:
            yield SpeechConfig(detector=detector, **chosen)


def row(config: SpeechConfig, folders: list[list[Recording]], note: str) -> tuple[float, str]:
    """The mean over the folders of the sum of both errors in per cent, and the line of the table."""
    cells, sums = [], []
    for recordings in folders:
        missed, false, speech = np.sum([recording.errors(config) for recording in recordings], axis=0)
        cells.append(f"{100 * missed / speech:.1f} + {100 * false / speech:.1f}")
        sums.append(100 * (missed + false) / speech)
    shown = {name: getattr(config, name) for name in GRID} | {"threshold": config.onset}
    values = [f"{value:g}" for value in shown.values()]
    mean = float(np.mean(sums))
    return mean, f"| {' | '.join([*values, *cells])} | {mean:.2f} | {note} |"


def main() -> None:
    """Measure the grid and print its best rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="DIR")
    parser.add_argument("--skip", nargs="+", default=[], metavar="ID", help="recordings kept for testing")
    parser.add_argument("--detector", choices=["silero", "activity", "energy"], default="silero")
    parser.add_argument("--model", type=Path, help="model folder of the detector activity")
    options = parser.parse_args()

    paths = [find_audio(folder / "audio") for folder in options.data]
    if unknown := set(options.skip) - {recording_id(path) for folder in paths for path in folder}:
        parser.error(f"no such recordings: {' '.join(sorted(unknown))}")
    folders = [
        [
            Recording(path, options.detector, options.model)
            for path in folder
            if recording_id(path) not in options.skip
        ]
        for folder in paths
    ]

    rows = sorted(row(config, folders, "") for config in settings(options.detector))[:N_ROWS]
    rows.append(row(SpeechConfig(detector=options.detector), folders, "the defaults"))
    rows.append(row(SILERO_DEFAULTS, folders, "Silero's defaults"))

    parts = []
    for folder, recordings in zip(options.data, folders, strict=True):
        seconds = sum(recording.speech.sum() for recording in recordings) / BINS_PER_SECOND
        parts.append(f"{folder.name} ({len(recordings)} recordings, {seconds:.0f} s of speech)")
    print(header(f"Missed + false alarm in % of each folder's speech: {', '.join(parts)}"))
    print(f"| {' | '.join([*GRID, *(folder.name for folder in options.data)])} | mean of sums | |")
    print("|" + "---:|" * (len(GRID) + len(folders) + 1) + "---|")
    print("\n".join(line for _, line in rows))


if __name__ == "__main__":
    main()
