"""What a Dask worker does with a recording. `cluster.py` hands recordings out.

The scheduler unpickles this function, too, so its module imports no network and no decoder.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from diarize.batch.jobs import Job
from diarize.batch.labelling import Failed, Finished, try_job
from diarize.batch.settings_hash import installed
from diarize.batch.worker import Task
from diarize.errors import DiarizeError

if TYPE_CHECKING:
    from diarize.pipeline.diarizer import Diarizer

TOPIC = "diarize"
"""Dask's topic of the messages that workers send while they label."""


@dataclass(frozen=True)
class ClusterTask:
    """What a worker does with each recording of a run. Two are equal if one diarizer can do both.

    Attributes
    ----------
    run : str
        The run's own id, which is in its messages.
    task : Task
    installed : dict
        Versions and files of models of the machine that hands out the recordings.
    hash : str
        Of settings, models and threads.
    """

    run: str = field(compare=False)
    task: Task = field(compare=False)
    installed: dict[str, list[str]] = field(compare=False)
    hash: str


def label_on_worker(task: ClusterTask, number: int, job: Job, is_file: bool) -> Finished | Failed:
    """Label a recording. Says first that it begins, with its `number`, and passes messages of the log on.

    Raises
    ------
    DiarizeError
        If this machine has another version or another model, or the models cannot be loaded.
    """
    from distributed import get_worker

    worker = get_worker()

    def send(**message: object) -> None:
        worker.log_event(TOPIC, {"run": task.run, **message})

    send(started=number)
    if is_file and not os.path.exists(job.source):  # noqa: PTH110, which gives False for a name too long
        where = f"not on {socket.gethostname()}, where worker {worker.address} runs"
        remedy = "put recordings on a file system that all machines share"
        return Failed(job, f"{job.source}: {where}; {remedy}")
    with _LOG.passed_on(task.task.log_level, send):
        try:
            diarizer = _find_diarizer(task)
        except DiarizeError as error:
            raise DiarizeError(f"worker {worker.address} on {socket.gethostname()}: {error}") from error
        return try_job(diarizer, job, task.task.how, task.task.formats)


_LOCK = Lock()


def _find_diarizer(task: ClusterTask) -> Diarizer:
    """The diarizer of this process. It is loaded once, and again for other settings or models."""
    with _LOCK:
        return _load(task)


@lru_cache(maxsize=1)
def _load(task: ClusterTask) -> Diarizer:
    here, there = installed(task.task.how), task.installed
    if here["versions"] != there["versions"]:
        one, other = (" and silero-vad ".join(each["versions"]) for each in (here, there))
        raise DiarizeError(f"has diarize {one}, not {other}; install the same versions on all machines")
    diarizer = task.task.how.make_diarizer(task.task.threads)
    if here["files"] != there["files"]:
        raise DiarizeError("has other files of the models; copy the same models to all machines")
    return diarizer


class _Log(logging.Handler):
    """Passes messages of the log on to the run of the recording that is labelled."""

    def __init__(self) -> None:
        super().__init__()
        self._senders: list[Any] = []

    @contextmanager
    def passed_on(self, level: int, send: Any) -> Iterator[None]:
        """Pass messages of this level and above on inside the block."""
        log = logging.getLogger("diarize")
        self._senders.append(send)
        log.addHandler(self)  # which adds it once
        log.setLevel(level)
        try:
            yield
        finally:
            self._senders.remove(send)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a message once, with its logger's name and its level. With several threads, by any of them."""
        for send in self._senders[-1:]:
            send(log=[record.name, record.levelno, record.getMessage()])


_LOG = _Log()
