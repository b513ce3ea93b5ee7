"""A worker process: labels the recordings that arrive on a pipe. `workers.py` starts it.

It receives a `Task`, then jobs. It sends `Ready` or, if the models cannot be loaded, a `DiarizeError`; then
one event for each job, messages of the log and, if the task asks for it, the progress of jobs.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from diarize.audio.progress import Progress, ignore
from diarize.batch.jobs import Job
from diarize.batch.labelling import Labelling, try_job
from diarize.errors import AudioError, DiarizeError

_PAUSE = 0.2
"""Seconds between two messages of progress."""


@dataclass(frozen=True)
class Task:
    """What a worker does with each job."""

    how: Labelling
    formats: tuple[str, ...]
    threads: int
    log_level: int
    max_duration: float | None = None
    """Seconds of the longest recording that is labelled."""
    reports: bool = False
    """Whether to send `Progressed`."""


@dataclass(frozen=True)
class Ready:
    """The models are loaded."""


@dataclass(frozen=True)
class Progressed:
    """How much of a stage of the job is done: seconds of the recording, or windows."""

    stage: str
    done: float
    total: float | None


class Watch:
    """The hook of one job: sends its progress, and ends it if the recording is too long."""

    def __init__(self, task: Task, output: Connection, lock: Lock) -> None:
        self._task, self._output, self._lock = task, output, lock
        self._stage, self._sent = "", 0.0

    def __call__(self, stage: str, record: object) -> None:
        """Take what a stage reports.

        Raises
        ------
        AudioError
            If the recording is too long.
        """
        if not isinstance(record, Progress):
            return
        longest = self._task.max_duration
        if longest is not None and stage == "hear" and record.done > longest:
            raise AudioError(f"the recording is longer than {longest:g} s; cut it into parts")
        now = time.monotonic()
        if stage != self._stage or now - self._sent > _PAUSE:
            self._stage, self._sent = stage, now
            with self._lock:
                self._output.send(Progressed(stage, *record))


class LogSender(logging.Handler):
    """Sends messages of the log to the parent process."""

    def __init__(self, output: Connection, lock: Lock) -> None:
        super().__init__()
        self._output, self._lock = output, lock

    def emit(self, record: logging.LogRecord) -> None:
        """Send a message with its logger's name and its level."""
        with self._lock:
            self._output.send((record.name, record.levelno, record.getMessage()))


def main(input_descriptor: int, output_descriptor: int) -> None:
    """Work until the pipe is closed, which also happens when the parent process ends."""
    # The parent decides when to stop; a terminal or a scheduler signals all processes.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for descriptor in (input_descriptor, output_descriptor):
        os.set_inheritable(descriptor, False)
    queue: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(Connection(input_descriptor, writable=False), queue), daemon=True).start()
    output, lock = Connection(output_descriptor, readable=False), Lock()
    task: Task = queue.get()
    logging.basicConfig(level=logging.WARNING, handlers=[LogSender(output, lock)], force=True)
    logging.getLogger("diarize").setLevel(task.log_level)
    try:
        diarizer = task.how.make_diarizer(task.threads)
    except DiarizeError as error:
        output.send(error)
        return
    with lock:
        output.send(Ready())
    while True:
        job: Job = queue.get()
        hook = Watch(task, output, lock) if task.reports else ignore
        event = try_job(diarizer, job, task.how, task.formats, hook)
        with lock:
            output.send(event)


def _receive(messages: Connection, queue: SimpleQueue[Any]) -> None:
    """Pass messages on. At the end of the parent, end this process and the commands that it runs."""
    try:
        while True:
            queue.put(messages.recv())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
