"""How often one speaker stays one and several stay several, by the seconds of speech, as Markdown tables.

    python benchmarks/one_voice.py --data SET [SET ...] [--clusterers NAME ...] [--vary SETTING=VALUE ...]
    python benchmarks/one_voice.py --data SET [SET ...] --enroll

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. The number of speakers is
unknown. With --vary, the table has a row for each combination of the values, to choose settings. With
--enroll, it is the number of people of whom `diarize enroll` warns, in place of that of the clusterers.
"""

from __future__ import annotations

import argparse
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from meetings import combinations, read_sets
from printing import header, table

from diarize.audio import SAMPLE_RATE
from diarize.clustering import CLUSTERERS
from diarize.config import Config, load_config
from diarize.errors import DiarizeError
from diarize.pipeline.enrolment import voices_in
from diarize.tuning import Recording
from diarize.tuning.bench import Bench

LENGTHS = (0, 3, 6, 12, 30, 60, float("inf"))
"""Limits of the classes of recordings, in seconds of detected speech."""


def count_right(bench: Bench, recordings: list[Recording], config: Config, *, enroll: bool) -> list[str]:
    """Recordings of one speaker that stay one, or of several that stay several, by length and in total."""
    cells = []
    seconds = {each.name: bench.hear(each, config.speech).seconds[0] for each in recordings}
    n_found = {
        each.name: n_enrolled(bench, each, config) if enroll else bench.score(each, config).n_hypothesis
        for each in recordings
    }
    for low, high in (*pairwise(LENGTHS), (0, LENGTHS[-1])):
        these = [each for each in recordings if low <= seconds[each.name] < high]
        found = [(n_found[each.name] > 1) == (each.n_speakers > 1) for each in these]
        cells.append(f"{sum(found)} of {len(found)}" if found else "-")
    exact = sum(n_found[each.name] == each.n_speakers for each in recordings)
    return [*cells, f"{exact} of {len(recordings)}"]


def n_enrolled(bench: Bench, recording: Recording, config: Config) -> int:
    """The number of people whom `diarize enroll` hears in a recording."""
    embedder = bench.embedder(config)
    samples = {"waveform": np.concatenate([*recording.blocks()]), "sample_rate": SAMPLE_RATE}
    records: dict[str, Any] = {}
    windows = embedder(samples, config=config, hook=records.__setitem__)
    return len(voices_in(windows, records["hear"], embedder, config))


def main() -> None:
    """Count for each set and clusterer."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--clusterers", nargs="+", default=[*CLUSTERERS], metavar="NAME")
    parser.add_argument("--model", help="embedding model: a folder, or the name of a bundled one")
    parser.add_argument("--vary", nargs="+", default=[], metavar="SETTING=VALUE,VALUE")
    parser.add_argument("--enroll", action="store_true", help="count what diarize enroll hears")
    arguments = parser.parse_args()

    variants = combinations(arguments.vary) if arguments.vary else {"defaults": {}}
    bench = Bench(arguments.model)
    rows = []
    for name, recordings in read_sets(arguments.data, ()).items():
        several = any(each.n_speakers > 1 for each in recordings)
        kind = "stay several" if several else "stay one"
        if arguments.enroll:
            cells = count_right(bench, recordings, load_config(), enroll=True)
            rows.append([name, "enroll", "defaults", kind, *cells])
            continue
        for method, (settings, values) in product(arguments.clusterers, variants.items()):
            config = load_config(overrides={"clustering.method": method, **values})
            rows.append([name, method, settings, kind, *count_right(bench, recordings, config, enroll=False)])
    lengths = [
        f"{low}-{high} s" if high < LENGTHS[-1] else f"{low} s and more" for low, high in pairwise(LENGTHS)
    ]
    print(header(f"Model {bench.description}. Number of speakers unknown; recordings by seconds of speech"))
    print(table(["set", "clusterer", "settings", "", *lengths, "all", "number right"], rows, n_text=4))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"one_voice.py: {error}") from error
