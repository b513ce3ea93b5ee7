"""The command line as tests call it: in this process, which is fast, or in one of its own."""

import io
import logging
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from diarize.cli.commands import app

REPOSITORY = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "diarize"]


@dataclass(frozen=True)
class Done:
    """What a command has left behind."""

    status: int
    out: str
    err: str


def call(*arguments: object, stderr: Any = None) -> Done:
    """Run a command in this process; what is no exit of the command line is raised, as a bug should be."""
    root, library = logging.getLogger(), logging.getLogger("diarize")
    before = root.handlers, root.level, library.level
    root.handlers = []
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        with redirect_stdout(out), redirect_stderr(stderr or err):
            app([str(argument) for argument in arguments], prog_name="diarize")
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else 0
    finally:
        root.handlers, root.level, library.level = before
    return Done(status, out.getvalue(), err.getvalue())


def terminal_text(*arguments):
    """What a command shows on a terminal as its stderr, without what moves the cursor and gives colours."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        done = call(*arguments, stderr=terminal)
        terminal.write("END")
    assert done.status == 0
    text = b""
    while not text.endswith(b"END"):
        text += os.read(ours, 4096)
    os.close(ours)
    lines = text.decode().removesuffix("END").replace("\x1b[2K", "\n").replace("\r", "")
    return re.sub("\x1b\\[[?0-9;]*[a-zA-Z]", "", lines).strip()


def process(*arguments: object, before: list[str] | None = None, **options: Any) -> Done:
    """Run a command in a process of its own, behind the words of `before` (setpriv, sh -c ...)."""
    command = [*(before or []), *COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), **options)
    return Done(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """One thread, and the library of this repository."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}


def complaint(done: Done) -> str:
    """The one line on stderr of a command that failed by what it was given."""
    assert done.status == 2, done
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("diarize: ")
    return lines[0].removeprefix("diarize: ")


def demo_samples(seconds: float = 8.0) -> np.ndarray:
    """The beginning of the demo recording, 16 kHz."""
    path = REPOSITORY / "egs" / "demo" / "meeting.flac"
    return soundfile.read(path, frames=round(seconds * 16000), dtype="float32")[0]
