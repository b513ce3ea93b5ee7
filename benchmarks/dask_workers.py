"""Many short recordings labelled by two processes and by a local Dask cluster of two workers, as a table.

    python benchmarks/dask_workers.py [--recordings 100] [--kills 3]

Recordings are cuts of the demo recording, 3 to 6 s long. In the last row, a worker is killed (SIGKILL) each
time a random number of results is there; Dask starts another one. Results are compared byte for byte. "begun
again" counts recordings that the journal knows to have been begun more than once.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from many_files import begun, count, results, write_recordings
from printing import header, table

POLL = 0.02


def run(command: Sequence[str], out: Path, cluster: object = None, kills: Sequence[int] = ()) -> float:
    """Run the command, and kill a worker at each of these numbers of results; gives wall seconds."""
    started, left = time.perf_counter(), list(kills)
    process = subprocess.Popen([*command, "-o", str(out)], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if left and count(out) >= left[0]:
            victim = random.Random(left.pop(0)).choice(sorted(cluster.workers))  # type: ignore[attr-defined]
            os.kill(cluster.workers[victim].pid, signal.SIGKILL)  # type: ignore[attr-defined]
        time.sleep(POLL)
    if process.returncode:
        raise SystemExit(f"dask_workers.py: failed with {process.returncode}, see above")
    return time.perf_counter() - started


def main() -> None:
    """Make the recordings, run the rows, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=100, metavar="N")
    parser.add_argument("--kills", type=int, default=3, metavar="N")
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    arguments = parser.parse_args()
    from distributed import LocalCluster

    print(header("2 processes, 2 workers"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        seconds = write_recordings(folder / "in", arguments.recordings, 0)
        command = [sys.executable, "-m", "diarize", "run", str(folder / "in"), "-q"]
        command += ["--model", arguments.model] if arguments.model else []
        rows = []

        def add(title: str, words: Sequence[str], cluster: object = None, kills: Sequence[int] = ()) -> None:
            out = folder / title
            wall = run([*command, *words], out, cluster, kills)
            done, again = begun(out)
            same = "yes" if results(out) == results(folder / "--jobs 2") else "no"
            rows.append((title, str(len(kills)), f"{wall:.1f}", str(done), str(again), same))

        add("--jobs 2", ["--jobs", "2"])
        options = {"dashboard_address": None, "local_directory": str(folder / "work"), "memory_limit": 0}
        with LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
            words = ["--scheduler", cluster.scheduler_address]
            add("Dask, first run", words)
            add("Dask, models loaded", words)
            numbers = range(1, arguments.recordings - 1)
            kills = sorted(random.Random(0).sample(numbers, arguments.kills))
            add("Dask, workers killed", words, cluster, kills)
    print(f"{arguments.recordings} recordings, {seconds:.0f} s of audio.\n")
    print(table(("run", "kills", "wall s", "done", "begun again", "same bytes"), rows), end="")


if __name__ == "__main__":
    main()
