"""What labelling costs, as Markdown tables: by length, preset, clusterer, and beside other toolkits.

    python benchmarks/costs.py [--minutes 6 60 480 1440] [--threads 2] [--peers senko resemblyzer]

Every row is a process of its own, with its start, its libraries and its peak memory. The audio is that of
``one_hour.py``, the windows are those of ``clusterer_growth.py``. An exponent is that of the growth from the
row before, of the time, and of the memory above that of the shortest recording.

senko is run by ``run_senko.py`` on the audio of --compared minutes, Resemblyzer's network by ``one_hour.py``;
both must be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import one_hour
from printing import exponent, header, table

from diarize.clustering import CLUSTERERS
from diarize.errors import DiarizeError

HERE = Path(__file__).resolve().parent
SIZES = (1000, 10_000, 100_000)
TEXTBOOK = 2000
SEED = 1


def label(
    audio: Path, preset: str, threads: int, system: str = "ours"
) -> tuple[one_hour.Usage, dict[str, float]]:
    """A run of the pipeline in a new process, and the seconds of its stages."""
    command = [str(HERE / "one_hour.py"), "--measure", system, "--audio", str(audio)]
    used = one_hour.run([*command, "--threads", str(threads), "--preset", preset], threads)
    return used, json.loads(used.output)


def by_length(folder: Path, minutes: Sequence[float], threads: int) -> Iterator[Sequence[str]]:
    """A row for each length and preset."""
    for preset in ("default", "fast"):
        rows: list[tuple[float, one_hour.Usage]] = []
        for length in sorted(minutes):
            audio = folder / "audio.wav"
            one_hour.write_audio(audio, 60 * length)
            used, seconds = label(audio, preset, threads)
            time = memory = "-"
            if rows:
                shortest, (last, before) = rows[0][1], rows[-1]
                time = exponent(before.wall, used.wall, length / last)
                memory = exponent(before.peak - shortest.peak, used.peak - shortest.peak, length / last)
            rows.append((length, used))
            stages = (f"{seconds[stage]:.1f}" for stage in ("hear", "embed", "label"))
            whole = (f"{used.wall:.1f}", f"{used.cpu:.1f}", f"{used.peak:.0f}")
            yield (preset, f"{length:g} min", *stages, *whole, time, memory)


def by_clusterer(clusterers: Sequence[str]) -> Iterator[Sequence[str]]:
    """A row for each clusterer and task, with the CPU seconds for each number of windows."""
    # Later than the other processes, whose peak memory is at least that of this one when they start.
    from clusterer_growth import TASKS, measure

    arguments = Namespace(table=None, seed=SEED, compare=0)
    for method in clusterers:
        for task in TASKS:
            found = []
            for n in SIZES:
                with get_context("fork").Pool(1) as pool:
                    found.append(pool.apply(measure, ((method, task, n, arguments),)))
            seconds = (f"{row['seconds']:.1f}" for row in found)
            grown = exponent(found[0]["seconds"], found[-1]["seconds"], SIZES[-1] / SIZES[0])
            yield (method, task, *seconds, f"{found[-1]['peak'] / 1e9:.2f}", grown)


def beside_peers(
    folder: Path, minutes: Sequence[float], threads: int, peers: Sequence[str]
) -> Iterator[Sequence[str]]:
    """A row for each length and toolkit: wall seconds, CPU seconds, MiB, and how many times ours they are."""
    for length in minutes:
        audio = folder / "set" / "audio" / "audio.wav"
        audio.parent.mkdir(parents=True, exist_ok=True)
        one_hour.write_audio(audio, 60 * length)
        ours, _ = label(audio, "default", threads)
        runs = {"diarize, default": ours}
        if "senko" in peers:
            out = folder / "senko"
            command = [str(HERE / "run_senko.py"), "--data", str(folder / "set"), "--out", str(out)]
            runs["senko"] = one_hour.run([*command, "--threads", str(threads)], threads)
            shutil.rmtree(out)
        if "resemblyzer" in peers:
            runs["Resemblyzer, agglomerative"], _ = label(audio, "default", threads, "resemblyzer")
        for name, used in runs.items():
            whole = (f"{used.wall:.1f}", f"{used.cpu:.1f}", f"{used.peak:.0f}")
            yield (
                name,
                f"{length:g} min",
                *whole,
                f"{used.wall / ours.wall:.1f}",
                f"{used.cpu / ours.cpu:.1f}",
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="*", default=[6, 60, 480, 1440])
    parser.add_argument("--compared", type=float, nargs="*", default=[10, 60], metavar="MINUTES")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers", nargs="*", choices=["senko", "resemblyzer"], default=[])
    parser.add_argument("--clusterers", nargs="*", choices=list(CLUSTERERS), default=list(CLUSTERERS))
    arguments = parser.parse_args()
    threads = arguments.threads

    print(header(f"CPU only, {threads} threads of {os.cpu_count()}; one thread for clusterers"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if arguments.minutes:
            columns = ("preset", "audio", "hear s", "embed s", "label s", "wall s", "CPU s", "peak MiB")
            rows = list(by_length(folder, arguments.minutes, threads))
            print(table((*columns, "time, exponent", "memory, exponent"), rows, 2), flush=True)
            print(one_hour.measure_start(folder, None), flush=True)
        if arguments.peers:
            whole = ("wall s", "CPU s", "peak MiB", "times our wall", "times our CPU")
            rows = list(beside_peers(folder, arguments.compared, threads, arguments.peers))
            print(table(("toolkit", "audio", *whole), rows, 2), flush=True)
    if arguments.clusterers:
        sizes = (f"{n:,} windows, CPU s" for n in SIZES)
        rows = list(by_clusterer(arguments.clusterers))
        print(table(("clusterer", "task", *sizes, "peak GB", "exponent"), rows, 2), flush=True)
        from clusterer_growth import textbook

        print(textbook(TEXTBOOK, SEED), end="")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"costs.py: {error}") from error
