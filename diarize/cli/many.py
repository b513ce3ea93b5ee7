"""What `diarize run` shows and does while it labels many recordings into a folder."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from diarize.batch.records import Record
from diarize.batch.run import Run
from diarize.cli import console

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from diarize.batch.jobs import Job

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopNow(BaseException):
    """A second signal came."""


class Stopping:
    """Whether a signal asks the run to stop. A second one raises `StopNow`, further ones do nothing."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        """Whether to begin no other recording."""
        return self.signal is not None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Handle signals inside the block, except those that are ignored, as behind nohup."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        try:
            for number, handler in before.items():
                if handler is not signal.SIG_IGN:
                    signal.signal(number, self._handle)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.signal is None:
            self.signal = number
            # print cannot be called here, because the signal may have interrupted it.
            os.write(2, b"diarize: stopping when the running recordings are done; again stops at once\n")
            return
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise StopNow


class RecordingsBar(console.ProgressBar):
    """A bar of all recordings of a run; as a hook, it shows the stage of the recording that is labelled."""

    def __init__(self, run: Run, quiet: bool) -> None:
        super().__init__(quiet)
        self._sizes = run.sizes
        self._total = sum(run.sizes[job.name] for job in run.todo)
        self._n, self._n_done, self._done = len(run.todo), 0, 0
        self._audio, self._started = 0.0, time.monotonic()
        self._what = ""

    def columns(self) -> Sequence[ProgressColumn]:
        """The bar; the number of recordings, the speed, the time left, and what is being done."""
        from rich.progress import BarColumn, TextColumn

        return [BarColumn(), TextColumn("{task.description}", markup=False)]

    def __enter__(self) -> RecordingsBar:
        super().__enter__()
        self._show()
        return self

    def __call__(self, stage: str, record: object) -> None:
        """Show the stage, as a hook of the pipeline."""
        name = self._what.partition(": ")[0]
        self._show(f"{name}: {console.STAGES[stage]}")

    def start(self, job: Job) -> None:
        """Show that a recording is being labelled."""
        self._show(job.name)

    def advance(self, record: Record) -> None:
        """Show that a recording is done."""
        self._n_done += 1
        self._done += self._sizes[record.recording]
        self._audio += record.duration or 0.0
        self._show()

    def _show(self, what: str | None = None) -> None:
        if self.progress is None or self.task is None:
            return
        self._what = self._what if what is None else what
        elapsed = time.monotonic() - self._started
        words = [f"{self._n_done}/{self._n}"]
        if self._audio:
            words.append(f"{self._audio / elapsed:.1f} s of audio a second")
        if self._done:
            words.append(f"{console.clock(elapsed * (self._total - self._done) / self._done)[:-3]} left")
        self.progress.update(
            self.task,
            description="  ".join([*words, self._what]),
            completed=self._done,
            total=self._total or None,
        )


def label_many(run: Run, threads: int | None, quiet: bool) -> None:
    """Label the recordings of a run, show how it goes, and exit with the status.

    Raises
    ------
    typer.Exit
        With status 2 if a recording failed, and with 128 plus its number after a signal.
    """
    stopping = Stopping()
    states: Counter[str] = Counter()
    audio, started = 0.0, time.monotonic()
    n_jobs = left = run.n_jobs
    try:
        with stopping.watching(), run:
            for record in run.planned:
                states[record.state] += 1
                _report(record, quiet, is_bar=False)
            if states["skipped"] and not quiet:
                done = f"skipped {states['skipped']} of {n_jobs} recordings"
                console.say(f"{done}: done before, with the same input, model and settings\n")
            left = len(run.todo)
            with RecordingsBar(run, quiet) as bar:
                for record in run.label(threads=threads, stop=stopping, hook=bar, on_start=bar.start):
                    states[record.state] += 1
                    audio += record.duration or 0.0
                    left -= 1
                    bar.advance(record)
                    _report(record, quiet, is_bar=bar.shown)
    except StopNow:
        pass
    if not quiet:
        elapsed = time.monotonic() - started
        console.say(_summary(states, audio, elapsed))
    if states["failed"]:
        console.complain(f"{states['failed']} of {n_jobs} recordings failed, see above")
    if stopping.signal is not None:
        console.complain(f"stopped; {left} of {n_jobs} recordings are left: the same command goes on")
        raise typer.Exit(128 + stopping.signal)
    if states["failed"]:
        raise typer.Exit(2)


def _report(record: Record, quiet: bool, is_bar: bool) -> None:
    """One line for a recording; none if it was skipped, and only for problems if a bar is shown."""
    if record.state == "failed":
        console.complain(record.message or "")
    elif record.state == "kept" and not quiet:
        print(record.message, file=sys.stderr)
    elif record.state == "labelled" and not quiet and not is_bar:
        duration, seconds = record.duration or 0.0, record.seconds or 0.0
        n = record.n_speakers
        speakers = "1 speaker" if n == 1 else f"{n} speakers"
        console.say(f"{record.recording}: {speakers}, {duration:.1f} s of audio in {seconds:.2f} s\n")


def _summary(states: Counter[str], audio: float, elapsed: float) -> str:
    counts = [f"labelled {states['labelled']}", f"skipped {states['skipped']}"]
    counts += [f"kept {states['kept']}"] * bool(states["kept"]) + [f"failed {states['failed']}"]
    pace = f": {audio:.0f} s of audio in {elapsed:.0f} s, {audio / elapsed:.1f} s a second" if audio else ""
    return f"{', '.join(counts)}{pace}\n"
