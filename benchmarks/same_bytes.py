"""Whether the same recordings give the same bytes, whatever else differs, as a Markdown table.

    python benchmarks/same_bytes.py AUDIO [AUDIO ...] [--preset default fast strong]

The result of a recording is compared with that of one thread: the JSON document and the embeddings of all
windows, byte for byte. Rows of the command run `diarize run` in a process of its own and compare its files,
the voices included. Some rows change what no setting reaches: the size of the blocks of samples that the
stages read, and the number of windows, outputs or local windows in one call of a network. For rows that
differ, the table has the largest difference of an element of an embedding, and the DER between both results.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from printing import header, table

from diarize import Diarizer
from diarize.audio import SAMPLE_RATE, kept, load_audio, stream_audio
from diarize.config import Config, load_config
from diarize.embedding import campplus, running, separate
from diarize.errors import DiarizeError
from diarize.pipeline.live import LiveDiarizer, LiveEvent
from diarize.scoring.der import score_diarization
from diarize.segments import Turn
from diarize.speech import local

Result = tuple[str, NDArray[np.float32], list[Turn]]
"""The JSON document, the embeddings (n_windows, dim) and the turns of a recording."""

N_CALLS = 4

STREAM = 20.0
"""Seconds of a recording that are heard as a stream."""


def label(diarizer: Diarizer, audio: Path) -> Result:
    """The result of a recording."""
    found = diarizer(audio)
    return found.to_json(), found.embeddings.vectors, found.turns


def differ(one: Sequence[Result], other: Sequence[Result]) -> list[str]:
    """How many results are the same bytes, the largest difference of an embedding, and the largest DER."""
    same = [a[0] == b[0] and a[1].tobytes() == b[1].tobytes() for a, b in zip(one, other, strict=True)]
    if all(same):
        return [f"{len(same)} of {len(same)}", "0", "0"]
    equal_shape = all(a[1].shape == b[1].shape for a, b in zip(one, other, strict=True))
    largest = (
        f"{max(float(abs(a[1] - b[1]).max(initial=0)) for a, b in zip(one, other, strict=True)):.1e}"
        if equal_shape
        else "other windows"
    )
    rates = [score_diarization(a[2], b[2]).der for a, b in zip(one, other, strict=True)]
    return [f"{sum(same)} of {len(same)}", largest, f"{100 * max(rates):.2f} %"]


def run_command(audio: Sequence[Path], preset: str, n_threads: int, *options: str) -> list[bytes]:
    """What `diarize run` writes for recordings: the bytes of the files of each, in order of their names."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(n_threads), "OPENBLAS_NUM_THREADS": str(n_threads)}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "diarize", "run", *map(str, audio), "-o", folder, "--save-voices"]
        command += ["--quiet", "--preset", preset, "--threads", str(n_threads), "--device", "cpu", *options]
        subprocess.run(command, check=True, env=environment)
        return [
            b"".join(file.read_bytes() for file in sorted(Path(folder).glob(f"{name}.*")))
            for name in sorted(path.stem for path in audio)
        ]


@contextmanager
def blocks_of(seconds: float) -> Iterator[None]:
    """Recordings are read in blocks of so many seconds."""

    def stream(*arguments: Any, **options: Any) -> Any:
        return stream_audio(*arguments, **options, block=seconds)

    with patch.object(kept, "stream_audio", stream):
        yield


@contextmanager
def batches(factor: float) -> Iterator[None]:
    """Calls of networks take so many times as many windows or outputs."""
    names = [(running, "_FRAMES_AT_ONCE"), (running, "_POOLED"), (separate, "BATCH_WINDOWS")]
    names += [(campplus, "_BATCH"), (local, "_BATCH")]
    changed = [
        patch.object(module, name, max(1, round(getattr(module, name) * factor))) for module, name in names
    ]
    for each in changed:
        each.start()
    try:
        yield
    finally:
        for each in changed:
            each.stop()


def events(audio: Path, config: Config, n_samples: int) -> list[LiveEvent]:
    """The events of a stream that is pushed in blocks of so many samples."""
    live = LiveDiarizer(config=config, device="cpu", threads=1)
    samples = load_audio(audio)[: round(STREAM * SAMPLE_RATE)]
    found = [live.push(samples[start : start + n_samples]) for start in range(0, len(samples), n_samples)]
    return [event for some in [*found, live.finish()] for event in some]


def in_process(audio: Sequence[Path], config: Config) -> Iterator[tuple[str, list[Result]]]:
    """Results by what differs from the first: one thread."""

    def fresh(n_threads: int = 1) -> list[Result]:
        diarizer = Diarizer(config=config, device="cpu", threads=n_threads)
        return [label(diarizer, path) for path in audio]

    yield "one thread", fresh()
    for n_threads in (2, 8):
        yield f"{n_threads} threads", fresh(n_threads)
    diarizer = Diarizer(config=config, device="cpu", threads=2)
    yield "one Diarizer, recordings in reverse", [label(diarizer, path) for path in reversed(audio)][::-1]
    jobs = [audio[i % len(audio)] for i in range(max(N_CALLS, len(audio)))]
    with ThreadPoolExecutor(N_CALLS) as executor:
        together = list(executor.map(lambda path: label(diarizer, path), jobs))
    yield f"one Diarizer, {N_CALLS} calls at once", together
    changes: list[tuple[str, Callable[[], Any]]] = [
        (f"blocks of {seconds:g} s", lambda seconds=seconds: blocks_of(seconds))
        for seconds in (0.1, 7.3, 600)
    ]
    changes += [
        (f"batches {factor:g} times as large", lambda factor=factor: batches(factor)) for factor in (0.25, 4)
    ]
    for name, change in changes:
        with change():
            yield name, fresh()


def commands(audio: Sequence[Path], preset: str) -> Iterator[list[str]]:
    """Rows of the command, each beside the files of the first run."""
    first = run_command(audio, preset, 1)
    for name, n_threads, order, options in (
        ("the command again", 1, audio, ()),
        ("the command, 2 threads", 2, audio, ()),
        ("the command, 8 threads", 8, audio, ()),
        ("the command, 2 processes, in reverse", 2, audio[::-1], ("--jobs", "2")),
    ):
        again = run_command(order, preset, n_threads, *options)
        same = sum(a == b for a, b in zip(first, again, strict=True))
        yield [name, f"{same} of {len(first)}", "-", "-"]


def stages(audio: Sequence[Path], config: Config) -> Iterator[list[str]]:
    """Rows of the library, each beside the results of the first."""
    expected: list[Result] = []
    for name, found in in_process(audio, config):
        if expected:
            yield [name, *differ([expected[i % len(audio)] for i in range(len(found))], found)]
        else:
            expected = found


def streams(audio: Sequence[Path], config: Config) -> Iterator[list[str]]:
    """The row of streams, unless the detector cannot hear one."""
    if config.speech.detector != "local":
        found = [[events(path, config, n) for path in audio] for n in (SAMPLE_RATE // 10, 4321, 10**9)]
        same = sum(a == b == c for a, b, c in zip(*found, strict=True))
        yield [
            f"a stream of {STREAM:g} s in blocks of 0.1, 0.27 s, whole",
            f"{same} of {len(audio)}",
            "-",
            "-",
        ]


def main() -> None:
    """Label the recordings again and again, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("audio", nargs="+", type=Path, metavar="AUDIO")
    parser.add_argument("--preset", nargs="+", default=["default"], metavar="NAME")
    arguments = parser.parse_args()
    audio = sorted(arguments.audio, key=lambda path: path.stem)
    seconds = sum(len(load_audio(path)) for path in audio) / SAMPLE_RATE
    print(header(f"{len(audio)} recordings, {seconds:.0f} s"))
    print(
        table(["preset", "what differs", "the same bytes", "embeddings", "DER between"], [], n_text=2), end=""
    )
    for preset in arguments.preset:
        config = load_config(preset=preset)
        for row in chain(commands(audio, preset), stages(audio, config), streams(audio, config)):
            print(f"| {preset} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"same_bytes.py: {error}") from error
