"""Commands that are killed, asked to stop, or meet a full disk, and what they make afterwards, as tables.

    python benchmarks/interruptions.py [--kills 50] [--signals 5] [--failures 10] [--commands NAME ...]

Killed: the process group gets SIGKILL at a random moment, up to three times in a row; then the same command
is given. Its files must be those of a run that was not interrupted, but for times of day and of computing,
and no temporary file may be left. Three of four moments lie after the command has begun to write. These
commands run in children of a process that has loaded the libraries; all others load them themselves.
Signals: the process group gets SIGINT or SIGTERM at a random moment. It must end with 130 or 143, show no
traceback and leave no temporary file.
Failures (Linux, with a C compiler): one write, synchronisation or rename of a file of the output fails with
ENOSPC or EIO. The command must say so and fail, files that are there must be whole, and the same command must
then make the files of the run that was not interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from printing import header, table

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))
from preloaded import fast_python  # noqa: E402

DEMO = ROOT / "egs" / "demo"
TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}(\.[^.]+)?")
TINY = (
    '[features]\nn_mels = 24\n[network]\nfamily = "blstm"\nhidden = 16\n[loss]\nkind = "cross-entropy"\n'
    '[training]\nbatches = "sentences"\nn_steps = 200\nbatch_size = 24\nseconds = [0.2, 0.2]\n'
    "save_every = 10\n"
)
SPENT = re.compile(rb"\d{2}:\d{2}:\d{2}|\d{4}-\d\d-\d\d|[\d.]+ (s|min|h)\b|\"seconds\": [\d.]+")
"""Times of day and of computing in files of text."""
SOON = 0.2
"""Seconds after which a preloaded command is surely in its process group."""


@dataclass(frozen=True)
class Command:
    """A command with a folder for its output, and the files in there that are compared."""

    name: str
    words: Callable[[Path], Sequence[str | Path]]
    files: str = "*"


def commands(data: Path, python: str | Path) -> list[Command]:
    """The commands, on recordings in `data`."""
    diarize = [python, "-m", "diarize"]
    train = [python, ROOT / "recipes" / "train_embedding.py", "--features", data / "features"]
    mini = [
        "env",
        f"PYTHON={python}",
        ROOT / "egs" / "mini" / "run.sh",
        "--system",
        "blstm-pairwise-kl",
        "--steps",
        "20",
    ]
    return [
        Command("run, a file", lambda out: [*diarize, "run", data / "in" / "r0.wav", "-o", out]),
        Command("run, a folder", lambda out: [*diarize, "run", data / "in", "-o", out, "--jobs", "2"]),
        Command("embed", lambda out: [*diarize, "embed", data / "in", "-o", out / "x.parquet"]),
        Command(
            "tune",
            lambda out: [
                *(*diarize, "tune", data / "labelled", "-o", out / "best.toml"),
                *("--preset", "fast", "--budget", "12"),
            ],
        ),
        Command(
            "train_embedding.py",
            lambda out: [*train, "--config", data / "tiny.toml", "--out", out],
            "model/[!M]*",  # the card has the name of the folder
        ),
        Command("egs/mini", lambda out: [*mini, "--exp", out], "*/seed1/**/*.safetensors"),
    ]


def prepare(data: Path) -> None:
    """Write recordings, labelled ones, and packed features."""
    from diarize.training.packed import pack

    samples, rate = soundfile.read(DEMO / "meeting.flac", dtype="int16")
    (data / "in").mkdir()
    for i in range(8):
        soundfile.write(data / "in" / f"r{i}.wav", samples[i * 5 * rate : (i * 5 + 8) * rate], rate)
    shutil.copytree(ROOT / "egs" / "parts", data / "labelled")
    draw = np.random.default_rng(0)
    voices = draw.normal(0, 1.5, (12, 24))
    clips = ((i, i % 12, (voices[i % 12] + draw.normal(-6, 1, (110, 24))).astype("f4")) for i in range(60))
    pack(clips, data / "features")
    (data / "tiny.toml").write_text(TINY)


@contextlib.contextmanager
def started(words: Sequence[str | Path], **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process group of its own, its messages as text."""
    python = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        list(map(str, words)),
        process_group=0,
        cwd=ROOT,
        env={**os.environ, **python, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def end(words: Sequence[str | Path], **variables: str) -> tuple[int, str]:
    """Exit status and messages of a command."""
    with started(words, **variables) as process:
        return (process.communicate()[1], process.returncode)[::-1]


def interrupt(words: Sequence[str | Path], after: float, number: signal.Signals) -> tuple[int, str]:
    """The same of a command that gets a signal after some seconds, unless it has ended."""
    with started(words) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        return (process.communicate()[1], process.returncode)[::-1]


def made(out: Path, command: Command) -> dict[str, bytes]:
    """The files that are compared, by name, without the times in files of text."""
    found = {}
    for path in sorted(out.glob(command.files)):
        if path.is_file() and "journal" not in path.name and path.stem != "checkpoint":  # they hold times
            content = path.read_bytes()
            is_binary = path.suffix in (".safetensors", ".parquet", ".npz")
            found[str(path.relative_to(out))] = content if is_binary else SPENT.sub(b"", content)
    return found


def leftovers(out: Path) -> list[str]:
    """Temporary files in a folder and below."""
    return [str(path) for path in out.rglob(".*") if TEMPORARY.fullmatch(path.name)]


def whole(command: Command, out: Path) -> tuple[dict[str, bytes], tuple[float, float]]:
    """The files of a run without interruption, its seconds up to its first file, and up to its end."""
    began, first = time.monotonic(), 0.0
    with started(command.words(out)) as process:
        while process.poll() is None:
            if not first and any(out.glob("*")):
                first = time.monotonic() - began
            time.sleep(0.02)
        status, said = process.returncode, process.communicate()[1]
    if status:
        raise SystemExit(f"interruptions.py: {command.name}: failed with {status}: {said}")
    files = made(out, command)
    if not files:
        raise SystemExit(f"interruptions.py: {command.name}: no files that could be compared")
    shutil.rmtree(out)
    return files, (first, time.monotonic() - began)


def kill(command: Command, expected: dict[str, bytes], n: int, most: float, folder: Path) -> list[str]:
    """The row of a command that is killed `n` times, up to three times in a row, unless it takes too long."""
    draw, n_killed, n_ended, n_same, n_clean = random.Random(0), 0, 0, 0, 0
    found, (first, last) = whole(command, folder / "whole")
    if found != expected:
        raise SystemExit(f"interruptions.py: {command.name}: two runs made other bytes")
    began = time.monotonic()
    while n_killed < n and time.monotonic() - began < most:
        out = folder / f"killed{n_ended}"
        for _ in range(draw.randint(1, min(3, n - n_killed))):
            moment = (
                draw.uniform(first, last) if draw.random() < 0.75 else draw.uniform(min(SOON, first), first)
            )
            status, _ = interrupt(command.words(out), moment, signal.SIGKILL)
            n_killed += status == -signal.SIGKILL
            if status == 0:
                break
        said = ""
        if status:
            status, said = end(command.words(out))
        is_done = status == 2 and "; give --force" in said  # killed after all was written
        is_same = (status == 0 or is_done) and made(out, command) == expected
        if not is_same:
            print(f"{command.name}: status {status}: {said}", *sorted(made(out, command)), file=sys.stderr)
        if left := leftovers(out):
            print(f"{command.name}: left", *left, file=sys.stderr)
        n_ended, n_same, n_clean = n_ended + 1, n_same + is_same, n_clean + (not left)
        shutil.rmtree(out)
    return [command.name, str(n_killed), str(n_ended), str(n_same), str(n_clean)]


def stop(command: Command, number: signal.Signals, seconds: float, n: int, folder: Path) -> list[str]:
    """The row of a command that gets SIGINT or SIGTERM `n` times."""
    draw, n_right, n_clean, n_stopped = random.Random(number), 0, 0, 0
    for i in range(n):
        out = folder / f"stopped{number}-{i}"
        status, said = interrupt(command.words(out), draw.uniform(0.05, 0.95) * seconds, number)
        if status == 0:
            continue
        n_stopped += 1
        is_right = status in (128 + number, -number) and "Traceback" not in said
        if not is_right:
            print(f"{command.name}, {number.name}: status {status}: {said}", file=sys.stderr)
        n_right += is_right
        n_clean += not leftovers(out)
        shutil.rmtree(out, ignore_errors=True)
    return [command.name, number.name, str(n_stopped), str(n_right), str(n_clean)]


def fail(command: Command, expected: dict[str, bytes], n: int, folder: Path) -> list[str]:
    """The row of a command of which `n` calls that write fail, each in a run of its own."""
    shim, log = folder / "failing_writes.so", folder / "calls"
    if not shim.exists():
        source = Path(__file__).with_name("failing_writes.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True)
    variables = {"LD_PRELOAD": str(shim), "FAIL_LOG": str(log)}
    log.unlink(missing_ok=True)
    out = folder / "counted"
    end(command.words(out), **variables, FAIL_BELOW=str(out))
    n_calls = len(log.read_text().splitlines())
    numbers = sorted(random.Random(0).sample(range(1, n_calls + 1), min(n, n_calls)))
    n_told = n_whole = n_same = 0
    for number in numbers:
        out = folder / f"failed{number}"
        status, said = end(
            command.words(out),
            **(variables | {"FAIL_LOG": "/dev/null"}),
            FAIL_BELOW=str(out),
            FAIL_AT=str(number),
        )
        is_told = status != 0 and said.strip() != "" and "Traceback" not in said
        files = made(out, command)
        is_whole = all(expected.get(name) == content for name, content in files.items() if name in expected)
        again, _ = end(command.words(out)) if status else (0, "")
        is_same = again == 0 and made(out, command) == expected
        if not (is_told and is_whole and is_same):
            call = log.read_text().splitlines()[number - 1]
            print(f"{command.name}, {call}: {status}, then {again}: {said}", file=sys.stderr)
        n_told, n_whole, n_same = n_told + is_told, n_whole + is_whole, n_same + is_same
        shutil.rmtree(out, ignore_errors=True)
    return [command.name, str(n_calls), str(len(numbers)), str(n_told), str(n_whole), str(n_same)]


def main() -> None:
    """Run all commands whole, then in all the ways that are asked for, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="of each command")
    parser.add_argument("--seconds", type=float, default=3600, help="of kills, at most, for each command")
    parser.add_argument("--signals", type=int, default=5, metavar="N", help="of each command and signal")
    parser.add_argument("--failures", type=int, default=10, metavar="N", help="of each command")
    parser.add_argument("--commands", nargs="+", metavar="NAME", help="only these; default: all")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # behind nohup, commands would ignore it
    killed, stopped, failed = [], [], []
    with tempfile.TemporaryDirectory() as name, fast_python() as fast_program:
        folder = Path(name)
        prepare(folder)
        both = (commands(folder, program) for program in (sys.executable, fast_program))
        for command, fast in zip(*both, strict=True):
            if arguments.commands and command.name not in arguments.commands:
                continue
            expected, (_, seconds) = whole(command, folder / "whole")
            if n := arguments.kills:
                killed.append(kill(fast, expected, n, arguments.seconds, folder))
            if n := arguments.signals:
                numbers = (signal.SIGINT, signal.SIGTERM)
                stopped += [stop(command, number, seconds, n, folder) for number in numbers]
            if arguments.failures and command.name != "egs/mini":
                failed.append(fail(command, expected, arguments.failures, folder))
            print(command.name, killed[-1:], stopped[-2:], failed[-1:], file=sys.stderr, flush=True)
    print(header("1 thread, seed 0"))
    print(table(("command", "kills", "ended afterwards", "same bytes", "no temporary file"), killed))
    columns = ("command", "signal", "stopped", "status and no traceback", "no temporary file")
    print(table(columns, stopped, n_text=2))
    columns = ("command", "calls that write", "failed", "told", "files whole", "then the same bytes")
    print(table(columns, failed), end="")


if __name__ == "__main__":
    main()
