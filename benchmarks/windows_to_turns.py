"""Time from speech to windows, and from their labels to turns, as a Markdown table.

    python benchmarks/windows_to_turns.py [--windows 1000 10000 100000]

Speech of 15.75 s every 20 s, with random labels of eight speakers; no audio is read.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from printing import header, table

from diarize.pipeline.turns import label_turns, smooth_labels
from diarize.segments import (
    Segment,
    close_pauses,
    crop,
    drop_short_turns,
    exclusive_turns,
    speech_of,
)
from diarize.speech.windows import sliding_windows

SEED = 0
WINDOWS_A_SEGMENT = 20


def measure(n_windows: int) -> tuple[int, int, float]:
    """The numbers of windows and turns, and the seconds needed."""
    started = time.perf_counter()
    speech = [Segment(i * 20.0, i * 20.0 + 15.75) for i in range(n_windows // WINDOWS_A_SEGMENT)]
    windows = sliding_windows(speech)
    labels = np.random.default_rng(SEED).integers(0, 8, len(windows))
    labels = smooth_labels(labels, windows, 3)
    turns = label_turns(windows, labels, speech, "meeting")
    turns += label_turns(windows, np.roll(labels, 1), speech, "meeting")
    kept = drop_short_turns(close_pauses(turns, 0.3), 0.8)
    speech_of(crop(exclusive_turns(kept), speech))
    return len(windows), len(kept), time.perf_counter() - started


def main() -> None:
    """Measure each number of windows and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", nargs="+", type=int, default=[1000, 10_000, 100_000], metavar="N")
    arguments = parser.parse_args()
    rows = []
    for n in arguments.windows:
        n_windows, n_turns, seconds = measure(n)
        rows.append((str(n_windows), str(n_turns), f"{seconds:.2f}", f"{1e6 * seconds / n_windows:.1f}"))
    print(header(f"seed {SEED}", ()))
    print(table(("windows", "turns", "seconds", "microseconds per window"), rows), end="")


if __name__ == "__main__":
    main()
