"""The jobs of a service: they wait, run in worker processes, and are removed after a time.

Everything happens in the thread of the event loop but the labelling, which is in processes of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Self

from diarize.batch.labelling import Failed, Finished
from diarize.batch.worker import Progressed, Ready, Task
from diarize.batch.workers import Worker, describe_end, log_message
from diarize.errors import DiarizeError
from diarize.service.limits import Limits
from diarize.service.store import MOST_STARTS, QueuedJob, Store

logger = logging.getLogger(__name__)

_BEAT = 15.0
"""Seconds after which somebody who waits for news hears that there are none."""
_SWEEP = 60.0
"""Seconds between two searches for jobs that are too old."""
_AGAIN = 5.0
"""Seconds until a worker that could not load its models is started again."""


class JobQueue:
    """The jobs of a service, by their ids. Inside the block, they are labelled.

    Parameters
    ----------
    store : Store
        Opened.
    task : Task
        What the workers do.
    limits : Limits
    n_processes : int
        Workers; with 0, jobs only wait.

    Raises
    ------
    DiarizeError
        If the models cannot be loaded or, on leaving the block, the journal could not be written.
    """

    def __init__(self, store: Store, task: Task, limits: Limits, n_processes: int) -> None:
        self.store, self.limits = store, limits
        self.jobs: dict[str, QueuedJob] = {}
        self.n_uploads = 0
        self.stopping, self._stopped = False, 0.0
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        """Called if jobs can no longer be kept, such as with a full disk; leaving the block raises why."""
        self._task, self._n_processes = task, n_processes
        self._queue: asyncio.Queue[QueuedJob | None] = asyncio.Queue()
        self._news: dict[str, asyncio.Event] = {}
        self._workers: dict[str, Worker] = {}  # by the job that each has
        self._lanes: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for job in self.store.load():
            self._add(job)
        workers = [Worker(self._task) for _ in range(self._n_processes)]
        try:
            for worker in workers:  # they load at the same time
                await _until_ready(worker)
        except BaseException:
            for worker in workers:
                worker.end()
            raise
        self._lanes = [asyncio.create_task(self._work(worker)) for worker in workers]
        self._sweeper = asyncio.create_task(self._sweep())
        for task in (*self._lanes, self._sweeper):
            task.add_done_callback(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()
        for _lane in self._lanes:
            self._queue.put_nowait(None)  # wakes those that wait for a job
        if self._lanes:
            left = self._stopped + self.limits.grace - time.monotonic()
            await asyncio.wait(self._lanes, timeout=max(0.0, left))
        for task in (*self._lanes, self._sweeper):
            task.cancel()
        await asyncio.gather(*self._lanes, self._sweeper, return_exceptions=True)
        for job in self.jobs.values():
            if job.state == "running":
                self.store.wait(job)
        if self.failure is not None:
            raise self.failure

    def stop(self) -> None:
        """Begin nothing more, and end what waits for news."""
        if not self.stopping:
            self.stopping, self._stopped = True, time.monotonic()
        for event in self._news.values():
            event.set()

    @property
    def waiting(self) -> list[QueuedJob]:
        """The jobs that wait, in their order."""
        return [job for job in self.jobs.values() if job.state == "waiting"]

    def add(self, job: QueuedJob) -> None:
        """Queue a job, whose recording is in its folder."""
        self.store.add(job)
        self._add(job)

    def remove(self, job: QueuedJob) -> None:
        """Remove a job; if it runs, its process is killed."""
        del self.jobs[job.id]
        self.store.remove(job)
        if worker := self._workers.get(job.id):
            worker.process.kill()
        self._tell(job)
        del self._news[job.id]

    def remove_old(self, now: float) -> None:
        """Remove the jobs that ended long enough before a time (in seconds since 1970)."""
        for job in list(self.jobs.values()):
            if job.state in ("done", "failed") and job.changed + self.limits.keep < now:
                self.remove(job)

    async def follow(self, job: QueuedJob) -> AsyncIterator[bool]:
        """True now and at each news of a job until it has ended or is removed; False while there are none."""
        seen: asyncio.Event | None = None
        while job.id in self.jobs and not self.stopping:
            event = self._news[job.id]
            # Before the caller goes on: while it sends, the job may end, of which it must hear as well.
            is_new, has_ended = event is not seen, job.state in ("done", "failed")
            yield is_new
            if has_ended:
                return
            seen = event
            with suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), _BEAT)

    def _add(self, job: QueuedJob) -> None:
        self.jobs[job.id] = job
        self._news[job.id] = asyncio.Event()
        if job.state == "waiting":
            self._queue.put_nowait(job)

    def _tell(self, job: QueuedJob) -> None:
        """Wake everybody who follows a job."""
        self._news[job.id].set()
        self._news[job.id] = asyncio.Event()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = self.failure or error
            self.on_failure()

    async def _sweep(self) -> None:
        while True:
            self.remove_old(time.time())
            await asyncio.sleep(_SWEEP)

    async def _work(self, worker: Worker | None) -> None:
        """Label one job after the other; a worker that has died or was killed is replaced."""
        try:
            while True:
                worker = worker or await self._start()
                job = await self._queue.get()
                if self.stopping or job is None:
                    return
                if job.id in self.jobs and not await self._label(worker, job):
                    worker = None
        finally:
            if worker is not None:
                worker.end()

    async def _start(self) -> Worker:
        while True:
            worker = Worker(self._task)
            try:
                await _until_ready(worker)
                return worker
            except DiarizeError as error:
                worker.end()
                logger.error("%s", error)  # the models were there before
                await asyncio.sleep(_AGAIN)
            except BaseException:
                worker.end()
                raise

    async def _label(self, worker: Worker, job: QueuedJob) -> bool:
        """Label a job. False if the worker has died."""
        self.store.start(job)
        self._tell(job)
        self._workers[job.id] = worker
        limit = asyncio.get_running_loop().call_later(self.limits.max_seconds, self._kill, job)
        try:
            worker.give(self.store.job_of(job))
            while True:
                message = await _receive(worker)
                if job.id not in self.jobs:  # it was removed and its process killed
                    worker.end()
                    return False
                match message:
                    case None:
                        self._died(job, describe_end(worker.end()))
                    case Progressed(stage, done, total):
                        job.stage, job.done, job.total = stage, done, total
                    case Finished(_, labelled):
                        self._finish(job, labelled)
                    case Failed(_, error, traceback):
                        self.store.fail(job, error, traceback)
                self._tell(job)
                if job.state != "running":
                    return message is not None
        finally:
            limit.cancel()
            del self._workers[job.id]

    def _kill(self, job: QueuedJob) -> None:
        """End a job that takes too long."""
        job.killed = f"took longer than {self.limits.max_seconds:g} s; cut the recording into parts"
        self._workers[job.id].process.kill()

    def _died(self, job: QueuedJob, how: str) -> None:
        """What becomes of a job whose process has ended."""
        if job.killed is None and job.starts < MOST_STARTS:
            logger.warning("%s: the process that labels it %s; it is labelled again", job.recording, how)
            self.store.wait(job)
            self._queue.put_nowait(job)
        else:
            why = job.killed or f"the process that labels it {how}, for the second time"
            self.store.fail(job, f"{job.recording}: {why}")

    def _finish(self, job: QueuedJob, labelled: Any) -> None:
        try:
            self.store.finish(job, labelled)
        except DiarizeError as error:  # the disk is full
            logger.error("%s", error)
            self.store.fail(job, "the result cannot be written; the disk of the server is full")


async def _until_ready(worker: Worker) -> None:
    """Wait until a worker has loaded its models.

    Raises
    ------
    DiarizeError
        If it cannot.
    """
    while not isinstance(message := await _receive(worker), Ready):
        if message is None:
            raise DiarizeError(f"a process that labels recordings {describe_end(worker.end())} at its start")


async def _receive(worker: Worker) -> Any:
    """The next message of a worker that is not for the log; None if it has died.

    Raises
    ------
    DiarizeError
        If the models cannot be loaded.
    """
    loop, descriptor = asyncio.get_running_loop(), worker.output.fileno()
    while True:
        if not worker.output.poll():
            ready = asyncio.Event()
            loop.add_reader(descriptor, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(descriptor)
        message = None
        with suppress(EOFError, OSError):
            message = worker.output.recv()
        if isinstance(message, DiarizeError):
            raise message
        if not isinstance(message, tuple):
            return message
        log_message(message)
