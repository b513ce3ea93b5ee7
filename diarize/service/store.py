"""Jobs on disk: a folder for each, and what became of them in the journal of `diarize.batch`.

::

    FOLDER/journal.sqlite
    FOLDER/0123456789abcdef/   the id of a job
        request.json           what was asked, and when
        recording.flac         the upload, until the job is done or failed
        result.json            the result

All paths are made of ids of this module and of constants, never of what a client sends.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from diarize.batch.jobs import Job
from diarize.batch.journal import Entry, open_journal
from diarize.batch.labelling import Labelled
from diarize.batch.shards import WHOLE
from diarize.errors import DiarizeError
from diarize.files.atomic import write_bytes
from diarize.files.folders import make_folder, refuse_outside

State = Literal["waiting", "running", "done", "failed"]
RESULT = "result.json"
MOST_STARTS = 2
"""Times that a job is begun: once again if its process, or the server, dies."""
_REQUEST, _RECORDING = "request.json", "recording"
_ID = re.compile("[0-9a-f]{16}")


@dataclass
class QueuedJob:
    """A job of the service.

    Attributes
    ----------
    id : str
    recording : str
        Id of the recording, from the name of the upload.
    suffix : str
        Suffix of the upload.
    created, changed : float
        When it was made and when its state changed, in seconds since 1970.
    starts : int
        Times that it was begun.
    stage, done, total
        Progress of the stage that runs: seconds of the recording, or windows.
    """

    id: str
    recording: str
    suffix: str
    n_speakers: int | None
    created: float
    changed: float
    state: State = "waiting"
    starts: int = 0
    error: str | None = None
    duration: float | None = None
    seconds: float | None = None
    speakers: int | None = None
    stage: str | None = None
    done: float = 0.0
    total: float | None = None
    killed: str | None = field(default=None, repr=False)
    """Why its process was killed."""


class Store:
    """The folder of a service, locked inside the block.

    Raises
    ------
    DiarizeError
        If the folder cannot be written, another process uses it, or it holds results of `diarize run`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        make_folder(self.folder)
        with ExitStack() as stack:
            self._journal = stack.enter_context(open_journal(self.folder, WHOLE))
            for entry in self._journal.entries():
                if not _ID.fullmatch(entry.values["name"].partition("/")[0]):
                    raise DiarizeError(f"{self.folder}: holds results of diarize run; choose another folder")
            self._journal.begin_run(1)
            self._journal.commit()
            self._close = stack.pop_all().close
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def load(self) -> list[QueuedJob]:
        """The jobs of earlier runs, in their order. One that was running waits again, but not forever."""
        jobs = [job for entry in self._journal.entries() if (job := self._job_of(entry))]
        for job in jobs:
            if job.state == "running" and job.starts >= MOST_STARTS:
                self.fail(job, f"the server has ended {job.starts} times while it labelled this recording")
            elif job.state in ("waiting", "running"):
                self.wait(job)
        known = {job.id for job in jobs}
        for path in self.folder.iterdir():  # uploads that were cut off by the end of the server
            if _ID.fullmatch(path.name) and path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
        return jobs

    def new_folder(self) -> Path:
        """A folder for a new job; its name is the id."""
        folder = self.folder / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        return folder

    def upload_path(self, id: str, suffix: str) -> Path:
        """The path of an upload."""
        return self.folder.absolute() / id / f"{_RECORDING}{suffix}"

    def add(self, job: QueuedJob) -> None:
        """Note a new job, whose recording is there."""
        request = {"suffix": job.suffix, "n_speakers": job.n_speakers, "created": job.created}
        write_bytes(json.dumps(request).encode(), self.folder / job.id / _REQUEST)
        self.wait(job)

    def wait(self, job: QueuedJob) -> None:
        """Note that a job waits, for the first time or again."""
        job.state = "waiting"
        path = self.upload_path(job.id, job.suffix)
        self._journal.wait(self.job_of(job), path.stat().st_size if path.exists() else 0)
        self._journal.commit()

    def start(self, job: QueuedJob) -> None:
        """Note that a job runs."""
        job.starts += 1
        self._journal.start(self.job_of(job))
        self._journal.commit()
        self._settle(job, "running")

    def finish(self, job: QueuedJob, labelled: Labelled) -> None:
        """Write the result of a job, then note it, then remove the recording.

        Raises
        ------
        DiarizeError
            If the result cannot be written.
        """
        path = self.folder / job.id / RESULT
        refuse_outside([path], self.folder)
        write_bytes(labelled.results["json"], path)
        self._journal.finish(self.job_of(job), labelled, "", {})
        self._journal.commit()
        job.duration, job.seconds, job.speakers = labelled.duration, labelled.seconds, labelled.n_speakers
        self._settle(job, "done")

    def fail(self, job: QueuedJob, error: str, traceback: str | None = None) -> None:
        """Note that a job failed, and remove its recording. The error names no path of this machine."""
        job.error = error.replace(str(self.upload_path(job.id, job.suffix)), job.recording + job.suffix)
        self._journal.fail(self.job_of(job), job.error, traceback)
        self._journal.commit()
        self._settle(job, "failed")

    def remove(self, job: QueuedJob) -> None:
        """Remove a job with all its files."""
        self._journal.forget(self.job_of(job).name)
        self._journal.commit()
        shutil.rmtree(self.folder / job.id, ignore_errors=True)

    def job_of(self, job: QueuedJob) -> Job:
        """The job as a worker takes it."""
        source = self.upload_path(job.id, job.suffix)
        return Job(job.recording, str(source), Path(job.id), n_speakers=job.n_speakers)

    def _settle(self, job: QueuedJob, state: State) -> None:
        entry = self._journal.find(self.job_of(job).name)
        job.state, job.changed = state, entry.values["changed"] if entry else job.changed
        if state in ("done", "failed"):
            self.upload_path(job.id, job.suffix).unlink(missing_ok=True)

    def _job_of(self, entry: Entry) -> QueuedJob | None:
        """The job of an entry of the journal; None if its files are gone."""
        values = entry.values
        id, _, recording = values["name"].partition("/")
        try:
            request: dict[str, Any] = json.loads((self.folder / id / _REQUEST).read_bytes())
        except (OSError, ValueError):
            self._journal.forget(values["name"])
            self._journal.commit()
            return None
        fields = {name: values[name] for name in ("state", "changed", "starts", "error", "duration")}
        fields |= {name: values[name] for name in ("seconds", "speakers")}
        return QueuedJob(id, recording, **request, **fields)
