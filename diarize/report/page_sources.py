"""What the pages of recordings are made of: a result each, its audio, its reference, its embeddings."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from diarize.audio import recording_id, recordings_by_id, stream_audio
from diarize.audio.compressed import COMPRESSED_TYPE, compress_audio
from diarize.embedding.table import Embeddings
from diarize.errors import DiarizeError
from diarize.report.recording_data import (
    Reference,
    describe_errors,
    describe_peaks,
    describe_points,
    describe_result,
    load_peaks,
)
from diarize.report.recording_page import format_recording_page
from diarize.report.results import Result, find_results, read_results
from diarize.speech.detect import warn_beyond

logger = logging.getLogger(__name__)

PLAYED = {
    ".wav": "audio/wav", ".wave": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg", ".oga": "audio/ogg", ".opus": "audio/ogg", ".m4a": "audio/mp4", ".m4b": "audio/mp4",
    ".mp4": "video/mp4", ".aac": "audio/aac", ".webm": "video/webm",
}  # fmt: skip
"""Suffixes of files that browsers play, and their media types."""


@dataclass(frozen=True, eq=False)
class PageSource:
    """What the page of one recording is made of.

    Attributes
    ----------
    path : Path
        The file of the result.
    recording : str
    audio : Path, optional
    reference : Reference, optional
    embeddings : Embeddings, optional
        Of this recording or of several.
    """

    path: Path
    recording: str
    audio: Path | None = None
    reference: Reference | None = None
    embeddings: Embeddings | None = None

    def read(self) -> Result:
        """The result, as the file holds it now.

        Raises
        ------
        DiarizeError
            If the file cannot be read or holds this recording no more.
        """
        for result in read_results(self.path):
            if result.recording == self.recording:
                return result
        raise DiarizeError(f"{self.path}: recording {self.recording} is no longer in it")

    @cached_property
    def _constant(self) -> dict[str, Any]:
        """The data that do not depend on the result, which take the longest."""
        data: dict[str, Any] = {}
        if self.audio is not None:
            data["peaks"] = describe_peaks(load_peaks(self.audio))
        if self.embeddings is not None:
            data["points"] = describe_points(self.embeddings, self.recording)
        return data

    def describe(self, result: Result) -> dict[str, Any]:
        """The data of the page, without the address of the audio. Errors are those of `stream_audio`."""
        data = {**describe_result(result), **self._constant}
        if self.audio is not None:
            warn_beyond(
                str(self.audio), (turn.segment for turn in result.turns), data["peaks"]["duration"] / 1000
            )
            data["duration"] = max(data["duration"], data["peaks"]["duration"])
        if self.reference is not None:
            data["errors"] = describe_errors(self.reference, result.turns)
        return data

    def compress(self) -> bytes:
        """A compressed copy of the audio, which there must be; of the type `COMPRESSED_TYPE`."""
        assert self.audio is not None
        return compress_audio(stream_audio(self.audio))

    def format(self, page: Path, *, embed_audio: bool = False) -> str:
        """The HTML of the page, to be written to `page`. Errors are those of `read` and `describe`."""
        data = self.describe(self.read())
        if self.audio is None:
            return format_recording_page(data)
        if embed_audio:
            data["audio"] = {"type": COMPRESSED_TYPE}
            return format_recording_page(data, embedded=self.compress())
        if self.audio.suffix.lower() not in PLAYED:
            suffix = self.audio.suffix
            logger.warning("%s: browsers do not play %s; give --embed-audio", self.audio, suffix)
        beside = os.path.relpath(self.audio.resolve(), page.parent.resolve())
        data["audio"] = {"address": quote(beside.replace(os.sep, "/"))}
        return format_recording_page(data)


def find_sources(
    inputs: Iterable[str | Path],
    *,
    audio: Path | None = None,
    reference: Path | None = None,
    uem: Path | None = None,
    collar: float = 0.0,
    embeddings: Path | None = None,
) -> list[PageSource]:
    """The sources of the pages of all recordings in files and folders of results.

    Parameters
    ----------
    inputs : iterable of path
        See `diarize.report.results.find_results`.
    audio : path, optional
        The recording, or a folder of recordings; they are found by their ids, in subfolders as well. If there
        is none for a result, a warning follows.
    reference : path, optional
        An annotation file or a folder of such files. If there is none for a result, a warning follows.
    uem : path, optional
        The regions to score.
    collar : float
        Seconds left out on each side of every reference boundary.
    embeddings : path, optional
        A table of embeddings of windows.

    Raises
    ------
    DiarizeError
        If a file cannot be read, or one recording is given for several results.
    """
    results = [result for path in find_results(inputs) for result in read_results(path)]
    table = None if embeddings is None else Embeddings.load(embeddings)
    references = {} if reference is None else _references(reference, uem, collar)
    recordings = None if audio is None else _Recordings(audio, len(results))
    sources = []
    for result in results:
        if reference is not None and result.recording not in references:
            logger.warning(
                "%s: recording %s has no reference; its page shows no errors", reference, result.recording
            )
        sources.append(
            PageSource(
                result.path,
                result.recording,
                None if recordings is None else recordings.find(result),
                references.get(result.recording),
                table,
            )
        )
    return sources


class _Recordings:
    """The recordings of a path, by id."""

    def __init__(self, path: Path, n_results: int) -> None:
        self.path = path
        self.is_folder = os.path.isdir(path)  # noqa: PTH112, for a name that is too long
        if not self.is_folder and n_results > 1:
            raise DiarizeError(
                f"{path}: one recording, but {n_results} results; give the folder of recordings"
            )
        if not os.path.exists(path):  # noqa: PTH110, for a name that is too long
            raise DiarizeError(f"{path}: no such file or folder; check the path")
        self.files = recordings_by_id(path) if self.is_folder else {}

    def find(self, result: Result) -> Path | None:
        """The recording of a result. Of several of one name, that in the subfolder of the result's name."""
        if not self.is_folder:
            return self.path
        files = self.files.get(recording_id(f"{result.recording}.x"), [])
        if len(files) > 1:
            files = [file for file in files if _ends_alike(result.path, file, self.path)]
        if len(files) != 1:
            logger.warning("%s: no audio for recording %s in it", self.path, result.recording)
            return None
        return files[0]


def _ends_alike(result: Path, file: Path, folder: Path) -> bool:
    """Whether a result lies in the same subfolders as a recording below `folder`."""
    parts = file.parent.relative_to(folder).parts
    return not parts or result.resolve().parent.parts[-len(parts) :] == parts


def _references(path: Path, uem: Path | None, collar: float) -> dict[str, Reference]:
    from diarize.scoring.inputs import regions_by_recording, turns_by_recording

    regions = None if uem is None else regions_by_recording(uem)
    return {
        name: Reference(turns, None if regions is None else regions.get(name, []), collar)
        for name, turns in turns_by_recording(path).items()
        if regions is None or name in regions
    }
