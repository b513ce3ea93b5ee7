"""Memory, handles, threads and speed of one process that labels many recordings and hours of a stream.

    python benchmarks/soak.py [--recordings 2000] [--hours 24]

One `Diarizer` labels cuts of the demo recording, 3 to 6 s long. One `LiveDiarizer` gets the demo recording
again and again, in blocks of half a second. A row of a table is a tenth of the work: memory (resident), open
files and threads at its end, and how many times as fast as the sound lasts it was.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from printing import header, table

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.live import LiveDiarizer

DEMO = Path(__file__).resolve().parent.parent / "egs" / "demo" / "meeting.flac"
BLOCK = SAMPLE_RATE // 2
COLUMNS = ("part", "sound, min", "memory, MiB", "open files", "threads", "times as fast as sound")


def state() -> list[str]:
    """Memory in MiB, open files and threads of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    size = pages * resource.getpagesize() / 2**20
    return [
        f"{size:.0f}",
        *(str(sum(1 for _ in Path("/proc/self", name).iterdir())) for name in ("fd", "task")),
    ]


def rows(work: Iterable[float], items: int) -> Iterator[list[str]]:
    """A row for each tenth of so many items; `work` yields the seconds of sound of each when it is done."""
    done, began = 0.0, time.perf_counter()
    for number, seconds in enumerate(work, start=1):
        done += seconds
        if number % (items // 10) == 0:
            speed = done / (time.perf_counter() - began)
            yield [str(number // (items // 10)), f"{done / 60:.1f}", *state(), f"{speed:.0f}"]
            done, began = 0.0, time.perf_counter()


def recordings(number: int) -> Iterator[float]:
    """Label cuts of the demo recording."""
    samples, draw, diarizer = load_audio(DEMO), random.Random(0), Diarizer(threads=1)
    for index in range(number):
        n = int(draw.uniform(3, 6) * SAMPLE_RATE)
        first = draw.randrange(len(samples) - n)
        diarizer(samples[first : first + n], rate=SAMPLE_RATE, recording=f"r{index}")
        yield n / SAMPLE_RATE


def stream(blocks: int) -> Iterator[float]:
    """Label the demo recording again and again as one stream."""
    samples, live = load_audio(DEMO), LiveDiarizer(threads=1)
    starts = itertools.cycle(range(0, len(samples) - BLOCK + 1, BLOCK))
    for start in itertools.islice(starts, blocks):
        live.push(samples[start : start + BLOCK])
        yield BLOCK / SAMPLE_RATE
    live.finish()


def main() -> None:
    """Do the work, and print a table for each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=2000, metavar="N", help="0: none")
    parser.add_argument("--hours", type=float, default=24, metavar="H", help="of the stream; 0: none")
    options = parser.parse_args()
    print(header("1 thread"))
    blocks = round(options.hours * 3600 * SAMPLE_RATE / BLOCK)
    for work, items in ((recordings, options.recordings), (stream, blocks)):
        if items:
            print(f"{work.__name__}: {items} {'recordings' if work is recordings else 'blocks'}\n")
            print(table(COLUMNS, rows(work(items), items)))


if __name__ == "__main__":
    main()
