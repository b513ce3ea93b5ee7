"""The state of a folder of results, by all of its journals."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from diarize.batch.journal import find_journals, journal_errors, lock_path
from diarize.errors import DiarizeError
from diarize.files.lock import is_locked

STATES = ("done", "edited", "failed", "running", "interrupted", "waiting")
_COLUMNS = "name, source, state, changed, bytes, duration, seconds, error, traceback"


@dataclass(frozen=True)
class Failure:
    """A recording that failed; the traceback is that of an unexpected error."""

    recording: str
    source: str
    error: str
    traceback: str | None


@dataclass(frozen=True)
class Status:
    """The state of a folder.

    Attributes
    ----------
    n_running : int
        Runs that write into the folder now, such as shards.
    states : dict
        Number of recordings by state. "interrupted" are those of a run that ended while it labelled them.
    audio_seconds, work_seconds : float
        Length of the recordings that are done, and wall-clock time of their labelling, added up.
    audio_per_second : float, optional
        Seconds of audio that the running runs label together in a second.
    seconds_left : float, optional
        Time until the last of them ends, by the bytes that are done and left; None before the first is done.
    failures : tuple of Failure
    """

    n_running: int
    states: dict[str, int]
    audio_seconds: float
    work_seconds: float
    audio_per_second: float | None
    seconds_left: float | None
    failures: tuple[Failure, ...]


def read_status(folder: Path) -> Status:
    """The state of a folder. Of a recording that several journals have, the newest entry counts.

    Raises
    ------
    DiarizeError
        If the folder has no journal, or one cannot be read.
    """
    journals = find_journals(folder)
    if not journals:
        raise DiarizeError(f"{folder}: no journal in it; `diarize run` writes one for several recordings")
    merged = sqlite3.connect("", isolation_level=None, uri=True)  # a temporary file, where memory is short
    merged.execute(f"CREATE TABLE recordings ({_COLUMNS}, PRIMARY KEY (name))")
    speeds, left = [], []
    for path in journals:
        runs = is_locked(lock_path(path))
        with journal_errors(path):
            merged.execute("ATTACH ? AS journal", (f"{path.absolute().as_uri()}?mode=rw",))
            merged.execute(
                f"INSERT INTO recordings SELECT {_COLUMNS} FROM journal.recordings WHERE true "
                "ON CONFLICT (name) DO UPDATE SET source = excluded.source, state = excluded.state, "
                "changed = excluded.changed, bytes = excluded.bytes, duration = excluded.duration, "
                "seconds = excluded.seconds, error = excluded.error, traceback = excluded.traceback "
                "WHERE excluded.changed > changed"
            )
            if runs:
                speed, seconds = _pace(merged)
                speeds.append(speed)
                left.append(seconds)
            else:
                merged.execute(
                    "UPDATE recordings SET state = 'interrupted' WHERE state = 'running' AND name IN "
                    "(SELECT name FROM journal.recordings WHERE state = 'running')"
                )
            merged.execute("DETACH journal")
    counts = dict(merged.execute("SELECT state, count(*) FROM recordings GROUP BY state"))
    done = "SELECT total(duration), total(seconds) FROM recordings WHERE state IN ('done', 'edited')"
    audio, work = merged.execute(done).fetchone()
    failed = "SELECT name, source, error, traceback FROM recordings WHERE state = 'failed' ORDER BY name"
    failures = tuple(Failure(*row) for row in merged.execute(failed))
    merged.close()
    known = [seconds for seconds in left if seconds is not None]
    return Status(
        len(speeds),
        {state: counts.get(state, 0) for state in STATES},
        audio,
        work,
        sum(speeds) if speeds else None,
        max(known) if known and len(known) == len(left) else None,
        failures,
    )


def _pace(database: sqlite3.Connection) -> tuple[float, float | None]:
    """Seconds of audio in a second, and seconds left, of the last run in the attached journal."""
    (started,) = database.execute("SELECT max(started) FROM journal.runs").fetchone()
    elapsed = time.time() - started
    audio, done = database.execute(
        "SELECT total(duration), total(bytes) FROM journal.recordings WHERE state = 'done' AND changed > ?",
        (started,),
    ).fetchone()
    waiting = "SELECT total(bytes) FROM journal.recordings WHERE state IN ('waiting', 'running')"
    (left,) = database.execute(waiting).fetchone()
    return audio / elapsed, elapsed * left / done if done else None
