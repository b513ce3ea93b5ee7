"""Inputs for every reader of files, found by coverage, and a table: docs/reliability.md.

    python tests/fuzz_readers.py [--seconds 120] [--only NAME ...] [--found DIR] [--corpus DIR]

Each reader of `readers.py` and `recording_readers.py` runs in a process of its own, where atheris changes its
seeds so that more of the code of diarize and of Python's own parsers runs. The promise: a result, or one line
of error that names the file, within some seconds and in bounded memory. An input that breaks it is written to
DIR; each place in the code that breaks it is written once. It needs atheris: `pip install atheris`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import logging
import os
import re
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readers import Reader

ROOT = Path(__file__).resolve().parent.parent
SLOW, HANGS = 5, 60
"""Seconds: an input that takes longer is a finding; one that takes longer ends the process."""
MEMORY = 2**31
"""Bytes that an input may need beyond what the libraries need."""
NUMBERS = (
    "1e308",
    "1e-308",
    "nan",
    "-1",
    "0",
    "1e9",
    "9999999999999999999999",
    "\\xff\\xfe",
    "\\x00",
    "\\xed\\xa0\\x80",
)
INSTRUMENTED = ["diarize", "json", "tomllib", "csv", "zipfile", "xml", "html"]
DONE = re.compile(r"^Done (\d+) runs|^#(\d+)\t", re.MULTILINE)


class Formatted(logging.Handler):
    """Makes the text of each message, and prints none."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage()


def place(error: BaseException) -> str:
    """The kind of an exception, and the last line of diarize that it went through."""
    about = str(error).partition(":")[0] if isinstance(error, AssertionError) else type(error).__name__
    if isinstance(error, AssertionError) and error.__context__ is not None:
        error = error.__context__  # the error whose line is not as promised
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if "/diarize/" in frame.filename), frames[-1])
    return f"{about} in {Path(frame.filename).name}, {frame.name}, line {frame.lineno}"


def fuzz(name: str, reader: Reader, options: argparse.Namespace) -> None:
    """Run one reader until the time is over; this ends the process."""
    import atheris
    from readers import check

    logging.getLogger().handlers = [Formatted()]
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    corpus, dictionary = options.corpus / slug(name), folder / "words"
    corpus.mkdir(parents=True, exist_ok=True)
    tokens = set()
    longest = 2048
    for seed in reader.seeds():
        longest = max(longest, len(seed))
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
        tokens |= {
            token
            for token in re.findall(rb"[\w.<>/=:-]{1,40}|[^\w\s]{1,8}|\s+", seed[:4000])
            if len(token) < 60
        }
    words = {"".join(f"\\x{byte:02x}" for byte in token) for token in tokens} | set(NUMBERS)
    dictionary.write_text("".join(f'"{word}"\n' for word in sorted(words)))
    seen: set[str] = set()

    def report(what: str, content: bytes) -> None:
        if what in seen:
            return
        seen.add(what)
        path = options.found / f"{slug(name)}-{hashlib.sha256(content).hexdigest()[:8]}"
        path.write_bytes(content)
        print(f"FOUND {what}: {path}", flush=True)
        if options.trace:
            traceback.print_exc()

    def run(content: bytes) -> None:
        began = time.monotonic()
        try:
            check(reader, content, folder)
        except Exception as error:
            report(place(error), content)
        if time.monotonic() - began > SLOW:
            report(f"more than {SLOW} s", content)

    for seed in reader.seeds():
        run(seed)
    used = int(re.search(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    limits = (
        f"-max_total_time={options.seconds}",
        f"-timeout={HANGS}",
        "-rss_limit_mb=0",
        f"-max_len={2 * longest}",
    )
    prefix = f"-artifact_prefix={options.found / slug(name)}-"
    atheris.Setup([sys.argv[0], *limits, f"-dict={dictionary}", prefix, "-seed=1", str(corpus)], run)
    atheris.Fuzz()


def slug(name: str) -> str:
    """A name as that of a file."""
    return re.sub(r"\W+", "-", name).strip("-").lower()


def row(name: str, reader: Reader, options: argparse.Namespace) -> list[str]:
    """The row of a reader, from a process of its own."""
    before = set(options.found.iterdir())
    with tempfile.TemporaryFile("w+", errors="replace", dir=options.folder) as log:
        if not (process := os.fork()):
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            fuzz(name, reader, options)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        log.seek(0)
        said = log.read()
    shown = said if options.trace or status else "\n".join(re.findall("^FOUND .*", said, re.MULTILINE))
    print(f"{name}: status {status}", shown[-4000:], sep="\n", file=sys.stderr, flush=True)
    counts = [int(one or other) for one, other in DONE.findall(said)]
    n_found = len(set(options.found.iterdir()) - before)
    return [name, str(options.seconds), f"{max(counts, default=0):,}", str(n_found)]


def main() -> None:
    """Fuzz all readers, or the named ones, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=120, metavar="N", help="for each reader")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these readers; default: all")
    parser.add_argument(
        "--found", type=Path, metavar="DIR", help="where findings are written; default: found"
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="inputs that are kept for the next run")
    parser.add_argument("--trace", action="store_true", help="print the traceback of each finding")
    options = parser.parse_args()
    options.found = (options.found or Path("found")).resolve()
    options.found.mkdir(parents=True, exist_ok=True)
    if importlib.util.find_spec("atheris") is None:
        raise SystemExit(
            "fuzz_readers.py: needs atheris, which finds inputs by coverage: pip install atheris"
        )
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from readers import READERS
        from recording_readers import RECORDINGS
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from printing import header, table

    with tempfile.TemporaryDirectory() as folder:
        options.folder = Path(folder)
        options.corpus = (options.corpus or Path(folder, "corpus")).resolve()
        known = READERS | RECORDINGS
        rows = [row(name, known[name], options) for name in options.only or known]
    print(header("1 process a reader", ["atheris"]))
    print(table(("reader", "seconds", "inputs", "findings"), rows), end="")


if __name__ == "__main__":
    main()
