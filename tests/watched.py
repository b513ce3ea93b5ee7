"""A command watched: what it leaves in an empty home and in the folder for temporary files, what it opens."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
_ALLOWED = re.compile(r"/dev/(null|tty|shm/sem\.\S+)")  # a semaphore lives in memory and is removed at once
_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)")
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Watched:
    """What a command did beside its output.

    Attributes
    ----------
    left : list of str
        Files and folders in its home and in its folder for temporary files, once it has ended.
    written : list of str or None
        Files that it opened for writing outside the folders it was given; None where nothing can trace it.
    sockets : list of str or None
        Its calls that open a socket, also for the lookup of a name.
    """

    out: str
    left: list[str]
    written: list[str] | None
    sockets: list[str] | None


def watch(folder: Path, *command: object) -> Watched:
    """Run a command without network interfaces in `folder`/out, with an empty home beside it.

    No `CI` is set: packages that send what they see are silent where it is. Skips the test where no network
    namespace can be made.
    """
    home, temporary, out = (folder / name for name in ("home", "temporary", "out"))
    for place in (home, temporary, out):
        place.mkdir(parents=True, exist_ok=True)
    trace = folder / "trace"
    words = [*_namespace(), *_tracer(trace), *map(str, command)]
    dropped = ("XDG_", "MPL", "ORT_", "NUMBA_", "TORCH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    environment |= {
        "HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    environment.pop("CI", None)
    done = subprocess.run(words, cwd=out, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    left = sorted(str(path) for place in (home, temporary) for path in place.rglob("*"))
    if not trace.exists():
        return Watched(done.stdout, left, None, None)
    calls = [
        match.groups()
        for line in trace.read_text(errors="replace").splitlines()
        if (match := _CALL.match(line))
    ]
    written = [
        arguments
        for name, arguments in calls
        if (name.startswith(("mkdir", "rename", "link", "symlink", "mknod")) or _WRITES.search(arguments))
        and " = -1 " not in arguments
        and str(folder) not in arguments
        and not _ALLOWED.search(arguments)
    ]
    sockets = [f"{name}({arguments}" for name, arguments in calls if name in ("socket", "connect", "sendto")]
    return Watched(done.stdout, left, written, sockets)


@cache
def _namespace() -> list[str]:
    """The words that run a command in a network namespace without interfaces."""
    for words in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        if shutil.which("unshare") and not subprocess.run([*words, "true"], capture_output=True).returncode:
            return words
    pytest.skip("no network namespace can be made here (unshare -n)")


def _tracer(file: Path) -> list[str]:
    """The words that write a command's calls into a file; none where strace is absent or not allowed."""
    calls = (
        "socket connect sendto open openat creat mkdir mkdirat rename renameat renameat2 link linkat symlink"
    )
    words = [
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        str(file),
        "-e",
        f"trace={calls.replace(' ', ',')}",
    ]
    if not shutil.which("strace") or subprocess.run([*words, "true"], capture_output=True).returncode:
        return []
    file.unlink()
    return words
