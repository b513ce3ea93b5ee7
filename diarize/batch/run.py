"""Many recordings into a folder of results, with a journal from which an interrupted run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

from diarize.audio.progress import Hook, ignore
from diarize.batch.cluster import label_on_cluster
from diarize.batch.jobs import VOICES, Job, find_jobs, refuse_recording, result_paths
from diarize.batch.journal import open_journal
from diarize.batch.labelling import Failed, Finished, Labelled, Labelling, Started, label_here
from diarize.batch.plan import Plan, plan_job
from diarize.batch.records import Places, Record, State
from diarize.batch.settings_hash import SettingsHash
from diarize.batch.shards import WHOLE, parse_shard
from diarize.batch.sources import source_size
from diarize.batch.workers import label_in_processes
from diarize.config import Config
from diarize.errors import DiarizeError
from diarize.files.atomic import remove_leftovers
from diarize.files.fingerprints import Fingerprint
from diarize.files.folders import make_folder, refuse_outside
from diarize.files.locations import Location, status, write
from diarize.files.remote import RemoteFile, check_writable, is_url
from diarize.formats import find_format


class Run:
    """One run over many recordings: locked and planned on entry; `label` does what is to be done.

    Attributes
    ----------
    n_jobs : int
        Number of recordings.
    planned : list of Record
        The recordings that are not labelled: skipped, kept or refused.
    todo : list of Job
        The others: largest files first, and at the very end those at which an earlier run was interrupted.
    sizes : dict
        Bytes of the recordings in `todo`, by name.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        how: Labelling,
        places: Places,
        n_processes: int = 1,
        scheduler: str | None = None,
    ) -> None:
        self._jobs, self._how, self._places = list(jobs), how, places
        self._n_processes, self._scheduler = n_processes, scheduler
        self.n_jobs = len(self._jobs)
        self.planned: list[Record] = []
        self.todo: list[Job] = []
        self.sizes: dict[str, int] = {}

    def __enter__(self) -> Self:
        places = self._places
        for folder in {places.folder, places.journal_folder}:
            if isinstance(folder, Path):
                make_folder(folder)
        with ExitStack() as stack:
            self._journal = stack.enter_context(open_journal(places.journal_folder, places.shard))
            self._settings = SettingsHash(self._how, self._places.formats)
            self._plan()
            self._close = stack.pop_all().close
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def label(
        self,
        *,
        threads: int | None = None,
        stop: Callable[[], bool] = lambda: False,
        hook: Hook = ignore,
        on_start: Callable[[Job], None] = lambda job: None,
    ) -> Iterator[Record]:
        """Label the recordings in `todo`, and give a record of each as it is done."""
        how, formats = self._how, self._places.formats
        jobs = (job for job in self.todo if not stop())
        if self._scheduler is not None:
            events = label_on_cluster(jobs, how, formats, self._scheduler, threads, stop)
        elif self._n_processes == 1:
            events = label_here(jobs, how, formats, threads, hook)
        else:
            events = label_in_processes(jobs, how, formats, self._n_processes, threads, stop)
        with closing(events):
            for event in events:
                match event:
                    case Started(job):
                        self._journal.start(job)
                        self._journal.commit()
                        on_start(job)
                    case Finished(job, labelled):
                        yield self.finish(job, labelled)
                    case Failed(job, error, traceback):
                        yield self._fail(job, error, traceback)
        self._journal.commit()

    def finish(self, job: Job, labelled: Labelled) -> Record:
        """Write the results of a recording, and note them in the journal."""
        paths = self._paths(job)
        contents = [labelled.results[name] for name in self._places.formats]
        digests = [(len(content), sha256(content).hexdigest()) for content in contents]

        def results(times: Sequence[int]) -> dict[str, Fingerprint]:
            found = zip(paths, digests, times, strict=True)
            return {path.name: Fingerprint(size, time, digest) for path, (size, digest), time in found}

        if record := self._leave(job, self._plan_job(job)):  # a file that was edited or written meanwhile
            return record
        # In the journal first: whatever part of the files a killed run leaves is then known to be its own.
        self._journal.finish(job, labelled, self._settings.of(job), results([0] * len(paths)))
        self._journal.commit()
        try:
            self._refuse_outside(paths)
            refuse_recording(job, paths)
            for path, content in zip(paths, contents, strict=True):
                write(content, path)
        except DiarizeError as error:
            return self._fail(job, str(error))
        self._journal.settle(job, results([status(path)[1] for path in paths]))
        return self._record(job, "labelled", labelled=labelled)

    def _plan(self) -> None:
        """Decide what is to be done with each recording."""
        interrupted = set()
        folder = self._places.folder
        if isinstance(folder, RemoteFile):
            with suppress(FileNotFoundError):  # a new folder
                folder.find()  # one question for all results
        self._journal.begin_run(self._n_processes)
        for job in self._jobs:
            entry, plan = self._journal.find(job.name), self._plan_job(job)
            if plan.action in ("label", "refuse"):
                self.sizes[job.name] = source_size(job.source)
                self._journal.wait(job, self.sizes[job.name])
            if plan.action == "label":
                self.todo.append(job)
                if entry is not None and entry.is_interrupted:
                    interrupted.add(job.name)
            else:
                self.planned.append(self._leave(job, plan) or self._record(job, "skipped"))
        self._journal.commit()
        if isinstance(folder, RemoteFile):
            folder.forget()
        remove_leftovers(path for job in self.todo for path in self._paths(job) if isinstance(path, Path))
        self.todo.sort(key=lambda job: (job.name in interrupted, -self.sizes[job.name]))

    def _plan_job(self, job: Job) -> Plan:
        """What is to be done with a recording now."""
        if self._places.force:
            return Plan("label")
        return plan_job(job, self._paths(job), self._journal.find(job.name), self._settings.of(job))

    def _leave(self, job: Job, plan: Plan) -> Record | None:
        """The record of a recording whose results must not be overwritten; None for others."""
        if plan.action == "keep":
            self._journal.keep(job)
            note = f"{plan.path}: edited after it was written, so it is kept; --force overwrites it"
            return self._record(job, "kept", note)
        if plan.action == "refuse":
            return self._fail(job, f"{plan.path}: exists; give --force to overwrite it")
        return None

    def _fail(self, job: Job, error: str, traceback: str | None = None) -> Record:
        self._journal.fail(job, error, traceback)
        return self._record(job, "failed", error)

    def _record(
        self, job: Job, state: State, message: str | None = None, labelled: Labelled | None = None
    ) -> Record:
        paths = tuple(self._paths(job))
        if labelled is None:
            return Record(job.name, job.source, state, paths, message=message)
        found = (labelled.duration, labelled.seconds, labelled.n_speakers)
        return Record(job.name, job.source, state, paths, *found)

    def _refuse_outside(self, paths: Sequence[Location]) -> None:
        if isinstance(self._places.folder, Path):
            refuse_outside([path for path in paths if isinstance(path, Path)], self._places.folder)

    def _paths(self, job: Job) -> list[Location]:
        return result_paths(job, self._places.folder, self._places.formats)


def label_recordings(
    inputs: Iterable[str | Path],
    folder: str | Path,
    *,
    formats: Sequence[str] = ("rttm", "json"),
    jobs: int = 1,
    scheduler: str | None = None,
    shard: str | None = None,
    journal: str | Path | None = None,
    force: bool = False,
    model: str | Path | None = None,
    config: Config | None = None,
    device: str = "auto",
    threads: int | None = None,
    channel: int | None = None,
    channels: str | None = None,
    channel_names: Sequence[str] | None = None,
    track: int | None = None,
    speech: str | Path | None = None,
    known: str | Path | None = None,
    save_voices: bool = False,
    allow_pipes: bool = False,
) -> Iterator[Record]:
    """Label many recordings into a folder, as `diarize run` does; gives a record of each as it is done.

    A recording that fails has a record with its error, and the others go on. Called again after an
    interruption, it skips what is done. Nothing is done before the first record is asked for. Closing the
    iterator ends the run at once.

    Parameters
    ----------
    inputs : iterable of paths and URLs
        Recordings, folders of recordings, and Kaldi data folders.
    folder : path or URL
        Folder for the results and the journal.
    formats : sequence of str
        Formats of the results.
    jobs : int
        Worker processes; with 1, this process labels the recordings itself.
    scheduler : str, optional
        Address of a Dask scheduler, or its file; its workers label the recordings, and `jobs` is not used.
    shard : str, optional
        Such as "2/8": label only the second of eight parts.
    journal : path, optional
        Folder for the journal, if it is not that of the results; required if they go to a URL.
    force : bool
        Label everything again, and overwrite existing results.
    model, config, device, threads
        As for `Diarizer`. The threads are divided between the processes; on a cluster, each recording has
        that number, by default 1.
    channel, channels, channel_names, track
        As for the call of a `Diarizer`.
    speech : path, optional
        Known speech: a file, or a folder with a file for each recording.
    known : path, optional
        Table of known voices: speakers who are these people get their names.
    save_voices : bool
        Also write RECORDING.voices.parquet, an embedding of each speaker. It is biometric data.
    allow_pipes : bool
        Run commands in wav.scp of a Kaldi data folder.

    Yields
    ------
    Record

    Raises
    ------
    DiarizeError
        If an argument is wrong, the models cannot be loaded, or another run writes into the folder.

    Examples
    --------
    >>> for record in label_recordings(["egs/demo"], "out/doctest", force=True):
    ...     print(record.recording, record.state, record.n_speakers)
    meeting labelled 4
    """
    for name in formats:
        find_format("", name)
    given = WHOLE if shard is None else parse_shard(shard)
    found = given.take(find_jobs(inputs, allow_pipes=allow_pipes, speech=speech, urls=True))
    speech, known = (None if path is None else Path(path) for path in (speech, known))
    channel_options = (channel, channels, channel_names, track)
    how = Labelling(config or Config(), model, device, *channel_options, speech=speech, known=known)
    files = dict.fromkeys([*formats, *([VOICES] if save_voices else [])])
    place = check_writable(folder) if isinstance(folder, str) and is_url(folder) else Path(folder)
    places = Places(place, tuple(files), given, force, None if journal is None else Path(journal))
    return _records(Run(found, how, places, jobs, scheduler), threads)


def _records(run: Run, threads: int | None) -> Iterator[Record]:
    with run:
        yield from run.planned
        yield from run.label(threads=threads)
