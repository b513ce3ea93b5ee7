"""Recordings labelled by the workers of a Dask cluster, and what happens when one of them dies.

This process alone writes the journal and the results. Workers read recordings and models themselves, by the
same paths.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from diarize.batch.cluster_worker import TOPIC, ClusterTask, label_on_worker
from diarize.batch.jobs import Job
from diarize.batch.labelling import Event, Failed, Finished, Labelling, Started
from diarize.batch.settings_hash import SettingsHash, installed
from diarize.batch.workers import log_message, make_task
from diarize.errors import ConfigError, DiarizeError
from diarize.formats.kaldi import is_command

_POLL = 2.0
"""Seconds after which the number of workers is looked up."""

logger = logging.getLogger(__name__)


def label_on_cluster(
    jobs: Iterator[Job],
    how: Labelling,
    formats: Sequence[str],
    scheduler: str,
    threads: int | None,
    stop: Callable[[], bool],
) -> Generator[Event]:
    """Label jobs on a Dask cluster, whose worker processes load the models once.

    Twice as many recordings are handed out as workers have threads, so that none waits for this process and
    an adaptive cluster sees that there is more to do. A recording whose worker dies goes to another worker.
    If several die with it (`distributed.scheduler.allowed-failures`), it is labelled again at the end, while
    no other is, and has then failed if they die again.

    Parameters
    ----------
    jobs : iterator of Job
    how : Labelling
    formats : sequence of str
        Formats of the results.
    scheduler : str
        Address of the scheduler, such as "tcp://10.0.0.1:8786", or its file, whose suffix is .json.
    threads : int, optional
        Threads for each recording; by default one.
    stop : callable
        When it gives true, no other recording is begun, and what has been handed out is taken back.

    Raises
    ------
    ConfigError
        If dask.distributed is not installed.
    DiarizeError
        If no scheduler answers, it is lost, or a worker has another version or no models.
    """
    client = _connect(scheduler)
    try:
        yield from _Cluster(client, scheduler, _make_task(how, formats, threads)).label(jobs, stop)
    finally:
        client.close()  # which drops what is handed out


class _Cluster:
    """A cluster that labels the recordings of a run."""

    def __init__(self, client: Any, scheduler: str, task: ClusterTask) -> None:
        self._client, self._scheduler, self._task = client, scheduler, task
        self._messages: SimpleQueue[Any] = SimpleQueue()
        self._futures: dict[int, Any] = {}
        self._jobs: dict[int, Job] = {}
        self._started: set[int] = set()
        self._retried: set[int] = set()
        self._suspects: deque[Job] = deque()
        self._n_given = 0
        client.subscribe_topic(TOPIC, lambda event: self._messages.put(event[1]))

    def label(self, jobs: Iterator[Job], stop: Callable[[], bool]) -> Generator[Event]:
        """Hand the jobs out, and give what happens to them."""
        room, looked = self._count_room(), time.monotonic()
        while True:
            if time.monotonic() - looked > _POLL:
                room, looked = self._count_room(), time.monotonic()
            while not stop() and len(self._futures) < room and (job := next(jobs, None)):
                self._give(job)
            if not self._futures and self._suspects and not stop():
                self._give(self._suspects.popleft(), is_retry=True)
            if stop():
                self._take_back()
            if not self._futures:
                return
            try:
                message = self._messages.get(timeout=_POLL)
            except Empty:
                continue
            event = self._note(message) if isinstance(message, dict) else self._receive(message)
            if event:
                yield event

    def _count_room(self) -> int:
        """How many recordings to hand out."""
        try:
            n_threads = sum(self._client.nthreads().values())
        except (OSError, RuntimeError, ValueError) as error:  # closed, or no longer there
            raise self._lost() from error
        if not n_threads:
            logger.warning("%s: the scheduler has no worker; waiting for one", self._scheduler)
        return max(1, 2 * n_threads)

    def _give(self, job: Job, *, is_retry: bool = False) -> None:
        """Hand a job out."""
        number = self._n_given
        self._n_given += 1
        there = job if is_command(job.source) else replace(job, source=str(Path(job.source).absolute()))
        is_file = there is not job and Path(there.source).is_file()
        key = (f"diarize-{self._task.run}", number)
        future = self._client.submit(label_on_worker, self._task, number, there, is_file, key=key)
        self._jobs[number], self._futures[number] = job, future
        if is_retry:
            self._retried.add(number)
        future.add_done_callback(lambda _: self._messages.put(number))

    def _take_back(self) -> None:
        """Cancel what no worker has begun."""
        for number in self._futures.keys() - self._started:
            self._client.cancel([self._futures.pop(number)])

    def _note(self, message: dict[str, Any]) -> Event | None:
        """What a message of a worker means, if it is about this run."""
        if message["run"] != self._task.run:
            return None
        if log := message.get("log"):
            log_message(log)
            return None
        number = message["started"]
        if number not in self._futures:  # taken back
            return None
        job = self._jobs[number]
        if number in self._started:
            logger.warning("%s: the worker that labels it is gone; it is labelled again", job.name)
        self._started.add(number)
        return Started(job)

    def _receive(self, number: int) -> Event | None:
        """The event of a job that is done."""
        from distributed.scheduler import KilledWorker

        future = self._futures.pop(number, None)
        if future is None:  # taken back
            return None
        job = self._jobs.pop(number)
        if future.cancelled():
            raise self._lost()
        try:
            event: Finished | Failed = future.result()
        except KilledWorker as error:
            return self._suspect(number, job, error.allowed_failures + 1)
        except DiarizeError:
            raise
        except Exception as error:
            what = f"a worker or the scheduler cannot do it ({type(error).__name__}: {error})"
            raise DiarizeError(
                f"{self._scheduler}: {what}; install the same diarize on all machines"
            ) from error
        return replace(event, job=job)

    def _suspect(self, number: int, job: Job, n_died: int) -> Event | None:
        """What becomes of a job with which several workers died."""
        died = f"{job.name}: {n_died} workers died while they labelled it, perhaps for lack of memory"
        if number in self._retried:
            return Failed(job, f"{died}, also when nothing else runs")
        logger.warning("%s; it is labelled again later", died)
        self._suspects.append(job)
        return None

    def _lost(self) -> DiarizeError:
        return DiarizeError(
            f"{self._scheduler}: the scheduler is lost; start it, and the same command goes on"
        )


def _connect(scheduler: str) -> Any:
    """A client of the scheduler, which listens on no port."""
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        remedy = "pip install 'diarize-toolkit[cluster]'"
        raise ConfigError(f"--scheduler needs Dask; {error.name} is not installed: {remedy}") from error
    where = "scheduler_file" if scheduler.endswith(".json") else "address"
    if where == "scheduler_file" and not Path(scheduler).is_file():
        raise DiarizeError(f"{scheduler}: no such file; `dask scheduler --scheduler-file` writes it")
    try:
        return Client(**{where: scheduler}, set_as_default=False)
    except TypeError as error:
        if "TLS" not in str(error):
            raise
        remedy = "name them in Dask's configuration, distributed.comm.tls"
        raise ConfigError(f"{scheduler}: there are no certificates to reach it; {remedy}") from error
    except (OSError, ValueError) as error:
        said = f"no Dask scheduler answers ({error})"
        raise DiarizeError(f"{scheduler}: {said}; start `dask scheduler` and name its address") from error


def _make_task(how: Labelling, formats: Sequence[str], threads: int | None) -> ClusterTask:
    """The task of all recordings, with paths that hold wherever a worker runs."""
    task = make_task(_absolute(how), formats, 1, threads or 1)
    hashes = SettingsHash(how, formats).common
    digest = sha256(f"{hashes} {task.how.model} {how.device} {task.threads}".encode()).hexdigest()
    return ClusterTask(secrets.token_hex(8), task, installed(how), digest)


def _absolute(how: Labelling) -> Labelling:
    """The same with absolute paths where models and other files are named by paths."""
    config = how.config
    options = dict(config.clustering.options)
    if isinstance(network := options.get("network"), str):
        options["network"] = _absolute_model(network)
    changed = {
        "embedding": config.embedding.model_copy(update={"model": _absolute_model(config.embedding.model)}),
        "speech": config.speech.model_copy(update={"model": _absolute_model(config.speech.model)}),
        "clustering": config.clustering.model_copy(update={"options": options}),
    }
    return replace(
        how,
        config=config.model_copy(update=changed),
        model=None if how.model is None else _absolute_model(str(how.model)),
        speech=how.speech and how.speech.absolute(),
        known=how.known and how.known.absolute(),
    )


def _absolute_model(model: str | None) -> str | None:
    """An absolute path for the path of a model; names stay as they are."""
    if model is None or Path(model).exists():
        return model and str(Path(model).absolute())
    return "+".join(str(Path(each).absolute()) if Path(each).exists() else each for each in model.split("+"))
