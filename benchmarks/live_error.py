"""DER of a stream beside that of the whole recording, as a Markdown table.

    python benchmarks/live_error.py --data SET [SET ...] [--latency 1 2 5]

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. The turns of a stream are
those after all corrections. "corrected" is the duration of what was corrected, in % of that of all turns;
"CPU" is seconds of one core for a second of audio.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from meetings import read_sets
from printing import header, percent, table

from diarize.audio import SAMPLE_RATE
from diarize.config import load_config
from diarize.errors import DiarizeError
from diarize.pipeline.live import LiveDiarizer
from diarize.scoring.der import pool
from diarize.tuning.bench import Bench


def main() -> None:
    """Label the recordings as a whole and as streams, score both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--latency", nargs="+", type=float, default=[2.0], help="seconds (default: 2)")
    parser.add_argument("--model", help="embedding model: a folder, or the name of a bundled one")
    arguments = parser.parse_args()

    sets, bench, config = read_sets(arguments.data, ()), Bench(arguments.model), load_config()
    rows = [["whole recording"]]
    for recordings in sets.values():
        rows[0].append(percent(pool([bench.score(recording, config) for recording in recordings]).der))
    rows[0] += ["-", "-"]
    for latency in arguments.latency:
        row, corrected, everything, cpu, seconds = [f"stream, latency {latency:g} s"], 0.0, 0.0, 0.0, 0.0
        for recordings in sets.values():
            scores = []
            for recording in recordings:
                live = LiveDiarizer(arguments.model, latency=latency, recording=recording.name, threads=1)
                samples = np.concatenate(list(recording.blocks()))
                started = time.process_time()
                events = [*live.push(samples), *live.finish()]
                cpu += time.process_time() - started
                seconds += len(samples) / SAMPLE_RATE
                corrected += sum(each.segment.duration for each in events if each.kind == "correct")
                everything += sum(turn.segment.duration for turn in live.turns)
                scores.append(recording.score(live.turns))
            row.append(percent(pool(scores).der))
        rows.append([*row, percent(corrected / everything), f"{cpu / seconds:.3f}"])
    columns = ["", *(f"{name} ({len(each)})" for name, each in sets.items()), "corrected", "CPU"]
    print(header(f"DER in %, number of speakers unknown; embeddings: {bench.description}"))
    print(table(columns, rows))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"live_error.py: {error}") from error
