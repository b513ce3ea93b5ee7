"""Worker processes that label recordings, and what happens when one of them dies."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Pipe, wait
from typing import Any

from diarize.batch.jobs import Job
from diarize.batch.labelling import Event, Failed, Labelling, Started
from diarize.batch.worker import Ready, Task
from diarize.errors import DiarizeError

logger = logging.getLogger(__name__)

_PROGRAM = (
    "import sys; n = int(sys.argv[3]); sys.path[:] = sys.argv[4 : 4 + n]; "
    "from diarize.batch.worker import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
"""The modules of a worker are those of this process, whatever the folder and the environment."""


def label_in_processes(
    jobs: Iterator[Job],
    how: Labelling,
    formats: Sequence[str],
    n_processes: int,
    threads: int | None,
    stop: Callable[[], bool],
) -> Generator[Event]:
    """Label jobs in several processes, each of which loads the models once.

    A recording whose worker dies is labelled again at the end, while no other is. If that worker dies as
    well, the recording has failed.

    Parameters
    ----------
    jobs : iterator of Job
    how : Labelling
    formats : sequence of str
        Formats of the results.
    n_processes : int
        A process is started when there is a job for it.
    threads : int, optional
        Threads of all processes together; by default, one for each core.
    stop : callable
        When it gives true, no other job is begun.

    Raises
    ------
    DiarizeError
        If the models cannot be loaded.
    """
    task = make_task(how, formats, n_processes, threads)
    workers: list[Worker] = []
    suspects: deque[Job] = deque()
    events: list[Event] = []
    try:
        while True:
            busy = [worker for worker in workers if worker.job]
            alone = bool(suspects) and not busy
            while not stop() and len(busy) < n_processes:
                job = next(jobs, None)
                if job is None:
                    break
                alone = False
                worker = _idle(workers, task)
                yield Started(job)
                worker.give(job)
                busy.append(worker)
            if alone and not stop():
                job = suspects.popleft()
                worker = _idle(workers, task)
                yield Started(job)
                worker.give(job, is_retry=True)
                busy.append(worker)
            yield from events  # while the workers have something to do
            if not busy:
                return
            ready = wait([worker.output for worker in busy])
            received = [_receive(worker, workers, suspects) for worker in busy if worker.output in ready]
            events = [event for event in received if event]
    finally:
        for worker in workers:
            worker.end()


def make_task(
    how: Labelling,
    formats: Sequence[str],
    n_processes: int,
    threads: int | None,
    max_duration: float | None = None,
    reports: bool = False,
) -> Task:
    """The task of each of several workers, which share the threads."""
    share = max(1, (threads or _default_threads()) // n_processes)
    level = logging.getLogger("diarize").getEffectiveLevel()
    return Task(how, tuple(formats), share, level, max_duration, reports)


class Worker:
    """A worker process and the job that it has."""

    def __init__(self, task: Task) -> None:
        theirs, self.input = Pipe(duplex=False)
        self.output, results = Pipe(duplex=False)
        descriptors = (theirs.fileno(), results.fileno())
        words = [*map(str, descriptors), str(len(sys.path)), *sys.path]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *words],
            env={**os.environ, "OMP_NUM_THREADS": str(task.threads)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            process_group=0,  # Ctrl-C goes to the parent alone
        )
        theirs.close()
        results.close()
        self.job: Job | None = None
        self.is_retry = False
        self._send(task)

    def give(self, job: Job, *, is_retry: bool = False) -> None:
        """Send a job."""
        self.job, self.is_retry = job, is_retry
        self._send(job)

    def end(self) -> int:
        """Kill the process, unless it has ended, and the commands that it runs; gives its exit status."""
        self.input.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.output.close()
        return self.process.wait()

    def _send(self, message: Any) -> None:
        with suppress(OSError):  # it has died, which `_receive` finds
            self.input.send(message)


def _idle(workers: list[Worker], task: Task) -> Worker:
    """A worker without a job, if need be a new one."""
    for worker in workers:
        if worker.job is None:
            return worker
    workers.append(Worker(task))
    return workers[-1]


def _receive(worker: Worker, workers: list[Worker], suspects: deque[Job]) -> Event | None:
    """The event, if any, of a message of a worker with a job, or of its death."""
    job = worker.job
    assert job is not None
    try:
        message = worker.output.recv()
    except (EOFError, OSError):
        workers.remove(worker)
        how = describe_end(worker.end())
        if worker.is_retry:
            return Failed(job, f"{job.name}: the process that labels it {how}, also when nothing else runs")
        logger.warning("%s: the process that labels it %s; it is labelled again later", job.name, how)
        suspects.append(job)
        return None
    if isinstance(message, DiarizeError):
        raise message
    if isinstance(message, Ready):
        return None
    if isinstance(message, tuple):
        log_message(message)
        return None
    worker.job = None
    event: Event = message
    return event


def log_message(message: tuple[str, int, str]) -> None:
    """Log a message that a worker has sent."""
    name, level, text = message
    logging.getLogger(name).log(level, "%s", text)


def describe_end(status: int) -> str:
    """What a process did that ended with a status."""
    if status >= 0:
        return f"ended with status {status}"
    reason = ", perhaps for lack of memory" if -status == signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-status).name}{reason}"


def _default_threads() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
