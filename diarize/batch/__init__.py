"""Many recordings.

- ``run``: labels many recordings into a folder; this package exports `label_recordings`
- ``plan``: what is to be done with each recording
- ``labelling``: one recording to its results as text
- ``workers``, ``worker``: processes that label recordings
- ``cluster``, ``cluster_worker``: the workers of a Dask cluster
- ``journal``: what became of each recording, in an SQLite file
- ``status``: the state of a folder, by its journals
- ``shards``: parts of the recordings for runs of their own
- ``settings_hash``: whether settings and models are those of an earlier run
- ``sources``: the sound of a recording, and whether it is that of an earlier run
- ``records``: what became of a recording, and where results go
- ``jobs``: files, folders and Kaldi data folders as a list of jobs
- ``result_voices``: results on disk, with the voices of their speakers
- ``voices``: the same people in many recordings
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diarize.batch.records import Record as Record
    from diarize.batch.run import label_recordings as label_recordings

__all__ = ["Record", "label_recordings"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'diarize.batch' has no attribute {name!r}")
    from diarize.batch import run

    return getattr(run, name)
