"""The journal of a folder of results: what became of each recording, in an SQLite file.

Only the process that holds the journal's lock writes. Each state is committed before the work that follows
it, so a process that is killed loses what it was working on and nothing else.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diarize.batch.jobs import Job
from diarize.batch.labelling import Labelled
from diarize.batch.shards import Shard
from diarize.errors import DiarizeError
from diarize.files.fingerprints import Fingerprint, from_json, to_json
from diarize.files.folders import refuse_outside
from diarize.files.lock import is_locked, locked

VERSION = 1
_NAME = re.compile(r"\.?journal(?:-(\d+)-of-(\d+))?\.(?:sqlite|lock)")
_SCHEMA = """
CREATE TABLE recordings (
    name TEXT PRIMARY KEY,      -- id, with the folder of its results
    source TEXT NOT NULL,       -- file or command
    bytes INTEGER NOT NULL,     -- size of the file
    state TEXT NOT NULL,        -- waiting, running, done, edited, failed
    changed REAL NOT NULL,      -- when the state changed, in seconds since 1970
    starts INTEGER NOT NULL DEFAULT 0,
    duration REAL,              -- seconds of audio
    seconds REAL,               -- seconds of work
    speakers INTEGER,
    error TEXT,
    traceback TEXT,             -- of an unexpected error
    settings TEXT,              -- hash of settings and models
    input TEXT,                 -- fingerprint of the recording, JSON
    results TEXT,               -- fingerprints of the results by file name, JSON
    previous TEXT               -- those of older results, while the new ones are being written
);
CREATE TABLE runs (started REAL, seen REAL, processes INTEGER, process INTEGER, host TEXT);
"""
_COLUMNS = (
    *("name", "source", "bytes", "state", "changed", "starts", "duration", "seconds", "speakers"),
    *("error", "traceback", "settings", "input", "results", "previous"),
)


@dataclass(frozen=True)
class Entry:
    """What a journal knows of a recording."""

    values: dict[str, Any]

    @property
    def state(self) -> str:
        """waiting, running, done, edited or failed."""
        return str(self.values["state"])

    @property
    def is_interrupted(self) -> bool:
        """Whether a run ended after the recording had been started and before it was done or failed."""
        return self.state in ("waiting", "running") and self.values["starts"] > 0

    @property
    def input(self) -> Fingerprint | None:
        """The recording that was labelled."""
        return from_json(self.values["input"]).get("input")

    @property
    def results(self) -> dict[str, Fingerprint]:
        """The results that were written, by the names of their files."""
        return from_json(self.values["results"])

    @property
    def previous(self) -> dict[str, Fingerprint]:
        """Older results, if it is not certain that the new ones have replaced them."""
        return from_json(self.values["previous"])


class Journal:
    """An open journal; see `open_journal`.

    Nothing is on disk before `commit`.
    """

    def __init__(self, path: Path, older: list[sqlite3.Connection]) -> None:
        self.path = path
        self._database = _connect(path)
        self._older = older
        self._run: int | None = None

    def close(self) -> None:
        """Close the file; what was not committed is dropped."""
        self._database.close()

    def find(self, name: str) -> Entry | None:
        """What is known of a recording. What another journal knows better is copied into this one."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM recordings WHERE name = ?"
        rows = [each.execute(query, (name,)).fetchone() for each in (self._database, *self._older)]
        found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows if row]
        if not found:
            return None
        newest = max(found, key=lambda values: values["changed"])  # of equals, the own one
        if not rows[0] or newest is not found[0]:
            marks = ", ".join("?" for _ in _COLUMNS)
            self._write(f"INSERT OR REPLACE INTO recordings VALUES ({marks})", tuple(newest.values()))
        return Entry(newest)

    def entries(self) -> list[Entry]:
        """What is known of all recordings, in the order in which they were first noted."""
        with journal_errors(self.path):
            rows = self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM recordings ORDER BY rowid")
            return [Entry(dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def forget(self, name: str) -> None:
        """Remove a recording."""
        self._write("DELETE FROM recordings WHERE name = ?", (name,))

    def begin_run(self, n_processes: int) -> None:
        """Note that a run begins."""
        now = time.time()
        values = (now, now, n_processes, os.getpid(), socket.gethostname())
        self._run = self._write("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", values).lastrowid

    def keep(self, job: Job) -> None:
        """Note that the results of a recording were edited."""
        self._set(job, "edited")

    def wait(self, job: Job, n_bytes: int) -> None:
        """Note that a recording is to be labelled."""
        self._write(
            "INSERT INTO recordings (name, source, bytes, state, changed) VALUES (?, ?, ?, 'waiting', ?) "
            "ON CONFLICT (name) DO UPDATE SET source = excluded.source, bytes = excluded.bytes, "
            "state = 'waiting', changed = excluded.changed, error = NULL, traceback = NULL",
            (job.name, job.source, n_bytes, time.time()),
        )

    def start(self, job: Job) -> None:
        """Note that a recording is being labelled."""
        self._set(job, "running")
        self._write("UPDATE recordings SET starts = starts + 1 WHERE name = ?", (job.name,))

    def finish(self, job: Job, labelled: Labelled, settings: str, results: dict[str, Fingerprint]) -> None:
        """Note the results of a recording, which are written once this is committed."""
        entry = self.find(job.name)
        source = {} if labelled.source is None else {"input": labelled.source}
        self._set(
            job,
            "done",
            duration=labelled.duration,
            seconds=labelled.seconds,
            speakers=labelled.n_speakers,
            settings=settings,
            input=to_json(source),
            results=to_json(results),
            previous=None if entry is None else entry.values["results"],
        )

    def settle(self, job: Job, results: dict[str, Fingerprint]) -> None:
        """Note that the results have been written."""
        self._set(job, "done", results=to_json(results), previous=None)

    def fail(self, job: Job, error: str, traceback: str | None = None) -> None:
        """Note that a recording failed."""
        self._set(job, "failed", error=error, traceback=traceback)

    def commit(self) -> None:
        """Write everything that was noted."""
        with journal_errors(self.path):
            if self._database.in_transaction:
                self._database.execute("UPDATE runs SET seen = ? WHERE rowid = ?", (time.time(), self._run))
                self._database.execute("COMMIT")

    def _set(self, job: Job, state: str, **values: object) -> None:
        values = {"state": state, "changed": time.time(), **values}
        columns = ", ".join(f"{name} = ?" for name in values)
        self._write(f"UPDATE recordings SET {columns} WHERE name = ?", (*values.values(), job.name))

    def _write(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        with journal_errors(self.path):
            if not self._database.in_transaction:
                self._database.execute("BEGIN IMMEDIATE")
            return self._database.execute(statement, values)


@contextmanager
def open_journal(folder: Path, shard: Shard) -> Iterator[Journal]:
    """The journal of a shard's run, locked inside the block. Other journals of the folder are read as well.

    Raises
    ------
    DiarizeError
        If another run writes the results of the same recordings, or a journal cannot be read or written.
    """
    path = journal_path(folder, shard)
    refuse_outside([path], folder)
    with ExitStack() as stack:
        stack.enter_context(locked(lock_path(path)))
        for lock, other in _find(folder, ".journal*.lock").items():
            if lock != lock_path(path) and other.overlaps(shard) and is_locked(lock):
                running = "a run" if other.total == 1 else f"a run of shard {other}"
                raise DiarizeError(f"{folder}: {running} writes into this folder; wait until it ends")
        older = []
        for journal, other in find_journals(folder).items():
            if journal != path and other.overlaps(shard):
                older.append(_connect(journal))
                stack.callback(older[-1].close)
        opened = Journal(path, older)
        stack.callback(opened.close)
        yield opened


def journal_path(folder: Path, shard: Shard) -> Path:
    """The path of a journal; each shard has one of its own."""
    part = "" if shard.total == 1 else f"-{shard.number}-of-{shard.total}"
    return folder / f"journal{part}.sqlite"


def lock_path(journal: Path) -> Path:
    """The path of a journal's lock."""
    return journal.with_name(f".{journal.stem}.lock")


def find_journals(folder: Path) -> dict[Path, Shard]:
    """The journals in a folder and their shards."""
    return _find(folder, "journal*.sqlite")


def _find(folder: Path, pattern: str) -> dict[Path, Shard]:
    names = {path: _NAME.fullmatch(path.name) for path in sorted(folder.glob(pattern))}
    return {path: Shard(int(name[1] or 1), int(name[2] or 1)) for path, name in names.items() if name}


def _connect(path: Path) -> sqlite3.Connection:
    """The opened file; a new one gets its tables."""
    with journal_errors(path):
        database = sqlite3.connect(path, timeout=60, isolation_level=None)
        database.execute("PRAGMA synchronous = NORMAL")  # half the time of FULL; safe from kills either way
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not database.execute("SELECT * FROM sqlite_schema").fetchone():
            database.executescript(f"BEGIN; {_SCHEMA}; PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise DiarizeError(f"{path}: not a journal of this version of diarize; move it away")
        return database


@contextmanager
def journal_errors(path: Path) -> Iterator[None]:
    """Errors of SQLite inside the block as one line that names the journal."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DiarizeError(f"{path}: cannot be used ({error}); free space, or move the file away") from error
