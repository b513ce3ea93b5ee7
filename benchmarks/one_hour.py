"""Time and memory for an hour of audio, and start-up time, each row in a new process, as Markdown tables.

    python benchmarks/one_hour.py [--model M] [--threads 1 2] [--peer resemblyzer]

The hour is the demo recording repeated, each time a little louder or quieter and with other faint noise.
Seconds and peak memory of a row are those of its whole process, including the start. Decoding is part of the
stages that read the file. The peer's row has the same windows of the same speech and the same clustering;
only the embeddings differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# No torch here: a child's peak memory is at least the memory of its parent when it was started.
import numpy as np
import soundfile
from printing import header, table

from diarize.errors import DiarizeError

DEMO = Path(__file__).resolve().parent.parent / "egs" / "demo" / "meeting.flac"
STAGES = ("hear", "embed", "label", "resegment", "turns")
START_SECONDS = 10
SEED = 0


@dataclass(frozen=True)
class Usage:
    """Wall and CPU seconds of a process, its peak memory in MiB, and its output."""

    wall: float
    cpu: float
    peak: float
    output: str


def run(command: Sequence[str], threads: int) -> Usage:
    """Run Python with these arguments in a new process."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen([sys.executable, *command], stdout=output, env=environment)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"one_hour.py: failed, see above: {' '.join(command)}")
        output.seek(0)
        unit = 2**20 if sys.platform == "darwin" else 2**10  # units of ru_maxrss in a MiB
        return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / unit, output.read())


def write_audio(path: Path, seconds: float) -> None:
    """The demo recording repeated to this length, 16-bit: up to 3 dB louder or quieter, noise at -70 dB."""
    demo, rate = soundfile.read(DEMO, dtype="float32")
    random = np.random.default_rng(SEED)
    left = round(seconds * rate)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        while left > 0:
            piece = demo[:left] * np.float32(10 ** (random.uniform(-3, 3) / 20))
            noise = random.standard_normal(len(piece), np.float32) * np.float32(10 ** (-70 / 20))
            file.write((piece + noise).clip(-1, 1))
            left -= len(piece)


def measure(audio: Path, model: str | None, threads: int, preset: str) -> dict[str, float]:
    """Wall seconds of each stage of the pipeline."""
    from diarize.config import load_config
    from diarize.pipeline.diarizer import Diarizer

    config = load_config(preset=preset)
    diarization = Diarizer(model, config=config, device="cpu", threads=threads)(audio)
    return {**diarization.seconds, "windows": len(diarization.embeddings.start)}


def measure_start(folder: Path, model: str | None) -> str:
    """The table of start-up times."""
    audio = folder / "start.wav"
    write_audio(audio, START_SECONDS)
    chosen = ["--model", model] if model else []
    commands = {
        "`python -c pass`": ["-c", "pass"],
        "`diarize --help`": ["-m", "diarize.cli.commands", "--help"],
        "`import diarize`": ["-c", "import diarize"],
        f"`diarize run` on {START_SECONDS} s": [
            *("-m", "diarize.cli.commands", "run", str(audio), "-o", str(folder / "out"), "--force", *chosen),
        ],
    }
    rows = []
    for name, command in commands.items():
        run(command, 1)  # afterwards, the files are in the system's cache
        used = run(command, 1)
        rows.append((name, f"{used.cpu:.2f}", f"{used.wall:.2f}"))
    return table(("start, second time", "CPU s", "wall s"), rows)


def measure_stages(
    folder: Path, minutes: float, model: str | None, threads: Sequence[int], peer: bool, preset: str
) -> str:
    """The table of the stages, and the ratios of the peer to ours with the same number of threads."""
    audio, duration = folder / "hour.wav", 60 * minutes
    write_audio(audio, duration)
    rows, ratios = [], []
    for n in threads:
        compared = []  # seconds of the embedding stage, wall, CPU, peak memory
        for system in ("ours", "resemblyzer") if peer else ("ours",):
            command = [__file__, "--measure", system, "--audio", str(audio), "--threads", str(n)]
            command += ["--preset", preset]
            used = run([*command, *(["--model", model] if model else [])], n)
            seconds = json.loads(used.output)
            factors = [seconds[stage] / duration for stage in STAGES] + [used.wall / duration]
            whole = (f"{used.wall:.1f}", f"{used.cpu:.1f}", f"{used.peak:.0f}")
            rows.append((system, str(n), *(f"{factor:.5f}" for factor in factors), *whole))
            compared.append(np.array([seconds["embed"], used.wall, used.cpu, used.peak]))
        if peer:
            ours, others = compared
            ratios.append((str(n), *(f"{ratio:.2f}" for ratio in others / ours)))
    columns = ("embeddings", "threads", *STAGES, "whole process", "wall s", "CPU s", "peak MiB")
    text = (
        f"Real-time factors (wall seconds for a second of audio) of the stages and of the whole process; "
        f"{minutes:g} minutes, {seconds['windows']} windows.\n\n{table(columns, rows)}"
    )
    if ratios:
        columns = ("resemblyzer / ours, threads", "embed", "wall", "CPU", "peak memory")
        text += f"\n{table(columns, ratios)}"
    return text


def main() -> None:
    """Make the audio, start a process for each row, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--preset", default="default", help="settings by name (default: %(default)s)")
    parser.add_argument("--peer", choices=["resemblyzer"])
    parser.add_argument("--minutes", type=float, default=60, help="minutes of audio")
    # Used when this script starts itself for a row.
    parser.add_argument("--measure", choices=["ours", "resemblyzer"], help=argparse.SUPPRESS)
    parser.add_argument("--audio", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    if arguments.measure:
        (n_threads,) = arguments.threads
        model = arguments.model if arguments.measure == "ours" else arguments.measure
        print(json.dumps(measure(arguments.audio, model, n_threads, arguments.preset)))
        return
    packages = ("resemblyzer",) if arguments.peer else ()
    print(header(f"CPU only, seed {SEED}, threads {' '.join(map(str, arguments.threads))}", packages))
    with tempfile.TemporaryDirectory() as folder:
        options = (
            arguments.minutes,
            arguments.model,
            arguments.threads,
            bool(arguments.peer),
            arguments.preset,
        )
        print(measure_stages(Path(folder), *options))
        print(measure_start(Path(folder), arguments.model), end="")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"one_hour.py: {error}") from error
