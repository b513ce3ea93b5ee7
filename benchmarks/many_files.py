"""Many short recordings, labelled once without interruption and once with runs that are killed, as a table.

    python benchmarks/many_files.py [--recordings 1000] [--kills 10] [--jobs 2]

Recordings are cuts of the demo recording, 3 to 6 s long. In the second row, the process group of the run is
killed (SIGKILL) when a random number of results is there, and the same command is given again. Results are
compared byte for byte. The last row is the command once more, which has nothing to do. "begun again" counts
recordings that were begun more than once; a kill may cost two for each process.

The second table has what the journal costs for each of `--rows` recordings whose results are made up.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
from printing import header, table

DEMO = Path(__file__).resolve().parent.parent / "egs" / "demo" / "meeting.flac"
POLL = 0.05


@dataclass(frozen=True)
class Outcome:
    """Wall seconds of a run, peak memory of its largest process in MiB, and whether it was killed."""

    wall: float
    peak: float
    killed: bool


def write_recordings(folder: Path, number: int, seed: int) -> float:
    """Write cuts of the demo recording; gives their length in seconds."""
    samples, rate = soundfile.read(DEMO, dtype="int16")
    draw, total = random.Random(seed), 0
    for i in range(number):
        length = int(draw.uniform(3, 6) * rate)
        first = draw.randrange(len(samples) - length)
        soundfile.write(folder / f"r{i:05d}.wav", samples[first : first + length], rate)
        total += length
    return total / rate


def run(command: Sequence[str], out: Path, kill_at: int | None) -> Outcome:
    """Run the command; kill its process group when there are so many results."""
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen(command, process_group=0, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, memory(process.pid))
        if kill_at is not None and count(out) >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(POLL)
    killed = process.returncode == -signal.SIGKILL
    if process.returncode and not killed:
        raise SystemExit(f"many_files.py: failed with {process.returncode}, see above")
    return Outcome(time.perf_counter() - started, peak, killed)


def count(out: Path) -> int:
    """The number of recordings with results."""
    return sum(1 for _ in out.glob("*.json"))


def memory(pid: int) -> float:
    """Resident memory in MiB of the largest process among a process and its children; 0 without /proc."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return max(_resident(each) for each in (pid, *map(int, text.split())))
    except OSError:
        return 0.0


def _resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def results(out: Path) -> dict[str, bytes]:
    """The files of a folder that are not of the journal."""
    return {path.name: path.read_bytes() for path in out.iterdir() if "journal" not in path.name}


def begun(out: Path) -> tuple[int, int]:
    """How many recordings are done, and how often one was begun beyond the first time."""
    with sqlite3.connect(out / "journal.sqlite") as journal:
        done = journal.execute("SELECT count(*) FROM recordings WHERE state = 'done'").fetchone()[0]
        return done, journal.execute("SELECT sum(starts) - count(*) FROM recordings").fetchone()[0]


def measure_journal(folder: Path, n: int) -> str:
    """The table of the journal's costs, with made-up results of the sizes of real ones."""
    from diarize.batch.jobs import Job, find_jobs
    from diarize.batch.journal import journal_path
    from diarize.batch.labelling import Labelled, Labelling
    from diarize.batch.records import Places
    from diarize.batch.run import Run
    from diarize.batch.shards import WHOLE
    from diarize.batch.sources import fingerprint_source
    from diarize.batch.status import read_status

    jobs = [Job(f"r{i:07d}", str(DEMO)) for i in range(n)]
    contents = {"rttm": b"SPEAKER\n" * 100, "json": b"{}\n" * 1000}
    labelled = Labelled(contents, fingerprint_source(str(DEMO)), 60.0, 1.0, 4)
    times = [time.perf_counter()]
    with Run(jobs, Labelling(), Places(folder)) as run:
        times.append(time.perf_counter())
        for job in jobs:
            run.finish(job, labelled)
        times.append(time.perf_counter())
    with Run(jobs, Labelling(), Places(folder)):
        times.append(time.perf_counter())
    read_status(folder)
    times.append(time.perf_counter())
    what = ("plan, new", "write two files, note them", "plan, all done", "`diarize status`")
    costs = [1000 * (end - start) / n for start, end in itertools.pairwise(times)]
    rows = [(name, f"{cost:.2f} ms") for name, cost in zip(what, costs, strict=True)]
    (folder / "wav.scp").write_text("".join(f"r{i:07d} /archive/2026/r{i:07d}.wav\n" for i in range(n)))
    tracemalloc.start()
    found = find_jobs([folder])
    used, size = tracemalloc.get_traced_memory()[0], journal_path(folder, WHOLE).stat().st_size
    rows += [("memory of the list", f"{used / len(found):.0f} bytes")]
    rows += [("size of the journal", f"{size / n:.0f} bytes")]
    return table((f"for each of {n} recordings", "cost"), rows)


def main() -> None:
    """Make the recordings, run the three rows, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=1000, metavar="N")
    parser.add_argument("--kills", type=int, default=10, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--rows", type=int, default=2000, metavar="N", help="recordings in the second table")
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    n, draw = arguments.recordings, random.Random(arguments.seed)
    print(header(f"{arguments.jobs} processes, seed {arguments.seed}"))
    with tempfile.TemporaryDirectory() as name:
        folder, whole, killed = (Path(name) / each for each in ("in", "whole", "killed"))
        folder.mkdir()
        seconds = write_recordings(folder, n, arguments.seed)
        words = [sys.executable, "-m", "diarize", "run", str(folder), "--jobs", str(arguments.jobs), "-q"]
        words += ["--model", arguments.model] if arguments.model else []
        rows = []

        def add(title: str, out: Path, kill_at: Sequence[int] = ()) -> None:
            runs = [run([*words, "-o", str(out)], out, number) for number in (*kill_at, None)]
            done, again = begun(out)
            rows.append(
                (
                    title,
                    str(sum(each.killed for each in runs)),
                    f"{sum(each.wall for each in runs):.1f}",
                    f"{max(each.peak for each in runs):.0f}",
                    str(done),
                    str(again),
                    "yes" if results(out) == results(whole) else "no",
                )
            )

        add("not interrupted", whole)
        add("killed", killed, sorted(draw.sample(range(1, n), arguments.kills)))
        add("nothing to do", killed)
    columns = ("run", "kills", "wall s", "peak MiB of a process", "done", "begun again", "same bytes")
    print(f"{n} recordings, {seconds:.0f} s of audio.\n")
    print(table(columns, rows))
    with tempfile.TemporaryDirectory() as name:
        print(measure_journal(Path(name), arguments.rows), end="")


if __name__ == "__main__":
    main()
