"""What is to be done with each recording, by its journal entry and the results that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from diarize.batch.jobs import Job
from diarize.batch.journal import Entry
from diarize.batch.sources import is_same_source
from diarize.files.fingerprints import is_same
from diarize.files.locations import Location, exists


class Plan(NamedTuple):
    """What is to be done with a recording, and the file that is the reason, if it is one."""

    action: Literal["label", "skip", "keep", "refuse"]
    """Label it; skip it, as it is done; keep an edited result; refuse to overwrite a foreign file."""
    path: Location | None = None


def plan_job(job: Job, paths: Sequence[Location], entry: Entry | None, settings: str) -> Plan:
    """What is to be done with a recording if nothing is forced.

    Parameters
    ----------
    job : Job
    paths : sequence of Path or RemoteFile
        The files of its results.
    entry : Entry, optional
        Its entry in the journal.
    settings : str
        The hash of settings and models.
    """
    results, previous = ({}, {}) if entry is None else (entry.results, entry.previous)
    existing = [path for path in paths if exists(path)]
    current = {path for path in existing if path.name in results and is_same(path, results[path.name])}
    for path in existing:
        if path.name not in results and path.name not in previous:
            return Plan("refuse", path)
        if path not in current and not (path.name in previous and is_same(path, previous[path.name])):
            return Plan("keep", path)
    if entry is None or entry.input is None or entry.values["settings"] != settings:
        return Plan("label")
    is_done = entry.state in ("done", "edited") and current == set(paths)
    return Plan("skip" if is_done and is_same_source(job.source, entry.input) else "label")
