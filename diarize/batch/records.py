"""What became of a recording, and where results go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diarize.batch.shards import WHOLE, Shard
from diarize.errors import ConfigError
from diarize.files.locations import Location

State = Literal["labelled", "skipped", "kept", "failed"]


@dataclass(frozen=True)
class Record:
    """What became of one recording.

    Attributes
    ----------
    recording : str
        Its id, with the subfolder of its results.
    source : str
        Its file.
    state : str
        "labelled"; "skipped", because it was done before; "kept", because its result was edited; or "failed".
    paths : tuple of Path or RemoteFile
        The files of its results; text of them is the path or the URL.
    duration : float, optional
        Seconds of audio, if it was labelled.
    seconds : float, optional
        Wall-clock seconds of the labelling.
    n_speakers : int, optional
        Number of speakers found.
    message : str, optional
        Why it failed or was kept.
    """

    recording: str
    source: str
    state: State
    paths: tuple[Location, ...]
    duration: float | None = None
    seconds: float | None = None
    n_speakers: int | None = None
    message: str | None = None


@dataclass(frozen=True)
class Places:
    """Where results go: into a folder, in some formats, by runs that share the recordings.

    The journal is in the same folder or, as it must be for a folder at a URL, in another one.
    """

    folder: Location
    formats: tuple[str, ...] = ("rttm", "json")
    shard: Shard = WHOLE
    force: bool = False
    journal: Path | None = None

    @property
    def journal_folder(self) -> Path:
        """The folder of the journal.

        Raises
        ------
        ConfigError
            If results go to a URL and no folder is named.
        """
        if self.journal is not None:
            return self.journal
        if isinstance(self.folder, Path):
            return self.folder
        raise ConfigError(f"{self.folder}: the journal needs a folder on disk; give one with --journal")
