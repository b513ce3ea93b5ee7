"""Overlap found and DER by the threshold of ``speech.overlap``, with both detectors, as a Markdown table.

    python benchmarks/choose_overlap_threshold.py --data SET [SET ...] [--config FILE] [--thresholds P ...]

A SET holds audio/, rttm/ and uem/, each with one file for each recording; held-out recordings are left out.
Missed and false speech are in per cent of the reference's speech; precision and recall of overlap count the
time in which two or more speakers talk. All sets have the same weight in the means.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from choose_speech_settings import BINS_PER_SECOND, mark
from meetings import HELD_OUT, read_sets
from numpy.typing import NDArray
from printing import header, percent, table

from diarize.config import Config, load_config
from diarize.errors import DiarizeError
from diarize.scoring.der import pool
from diarize.segments import Segment, Turn
from diarize.tuning import Recording
from diarize.tuning.bench import Bench, known

DETECTORS = ("silero", "activity")
THRESHOLDS = (1.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def count_voices(turns: Sequence[Turn], n_bins: int) -> NDArray[np.int64]:
    """The number of speakers in every millisecond (n_bins,)."""
    speakers = {turn.speaker for turn in turns}
    own = [mark((turn.segment for turn in turns if turn.speaker == name), n_bins) for name in speakers]
    return np.sum([np.zeros(n_bins, bool), *own], axis=0)


def times(recording: Recording, speech: Iterable[Segment], overlap: Iterable[Segment]) -> NDArray[np.float64]:
    """Missed, false and reference speech, then overlap that is right, found and in the reference: seconds."""
    n_bins = round(max(segment.end for segment in recording.scored) * BINS_PER_SECOND) + 1
    scored = mark(recording.scored, n_bins)
    voices = count_voices(recording.turns, n_bins)
    heard, several = mark(speech, n_bins)[scored], mark(overlap, n_bins)[scored]
    speaks, overlaps = voices[scored] > 0, voices[scored] > 1
    masks = (speaks & ~heard, heard & ~speaks, speaks, overlaps & several, several, overlaps)
    return np.array([mask.sum() for mask in masks]) / BINS_PER_SECOND


def share(part: float, whole: float) -> str:
    """A share in per cent; a dash if the whole is 0."""
    return f"{100 * part / whole:.0f}" if whole else "-"


def measure(bench: Bench, sets: dict[str, list[Recording]], config: Config) -> list[str]:
    """The cells of a config: mean DER with the number of speakers unknown and known, then for each set."""
    unknown, told, cells = [], [], []
    for recordings in sets.values():
        scores = [bench.score(each, config) for each in recordings]
        pooled = pool(scores)
        unknown.append(pooled.der)
        told.append(pool([bench.score(each, known(config, each.n_speakers)) for each in recordings]).der)
        found = [bench.hear(each, config.speech) for each in recordings]
        missed, false, speech, right, said, truth = np.sum(
            [
                times(each, heard.segments, heard.overlap)
                for each, heard in zip(recordings, found, strict=True)
            ],
            axis=0,
        )
        cells += [
            f"{100 * missed / speech:.1f} + {100 * false / speech:.1f}",
            f"{share(right, said)} / {share(right, truth)}",
            percent(pooled.der),
        ]
    return [percent(float(np.mean(unknown))), percent(float(np.mean(told))), *cells]


def main() -> None:
    """Measure each detector at each threshold; 1 disables overlap."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--config", type=Path, help="TOML file of settings that override the defaults")
    parser.add_argument("--activity", help="model folder of the network, instead of the bundled one")
    parser.add_argument("--thresholds", nargs="+", type=float, default=THRESHOLDS, metavar="P")
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=DETECTORS)
    parser.add_argument("--model", help="embedding model: a folder, or the name of a bundled one")
    parser.add_argument(
        "--held-out",
        nargs="*",
        default=HELD_OUT,
        metavar="ID",
        help="leave out recordings whose ids begin with one of these",
    )
    arguments = parser.parse_args()

    sets = read_sets(arguments.data, arguments.held_out)
    bench = Bench(arguments.model)
    base = load_config(arguments.config)
    rows = []
    for detector, threshold in itertools.product(arguments.detectors, arguments.thresholds):
        speech = base.speech.model_copy(
            update={"detector": detector, "overlap": threshold, "model": arguments.activity}
        )
        cells = measure(bench, sets, base.model_copy(update={"speech": speech}))
        rows.append([detector, f"{threshold:g}", *cells])
    columns = ["detector", "overlap", "DER unknown", "DER known"]
    for name, recordings in sets.items():
        columns += [f"{name} ({len(recordings)}): miss + false", "overlap precision / recall", "DER"]
    print(header(f"Embeddings: {bench.description}. Collar 0, overlap scored, time of the UEM, in %"))
    print(table(columns, rows))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"choose_overlap_threshold.py: {error}") from error
