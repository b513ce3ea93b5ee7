"""Results of `diarize run` on disk, with the voices of their speakers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from diarize.audio import AUDIO_SUFFIXES, recording_id, recordings_by_id
from diarize.batch.jobs import voices_name
from diarize.config import Config
from diarize.embedding.embedder import Embedder
from diarize.embedding.voices import voices_of
from diarize.errors import DiarizeError, FormatError
from diarize.files.folders import find_files
from diarize.files.text import Place, open_text
from diarize.formats import read_turns
from diarize.formats.json_format import format_json, is_diarization
from diarize.formats.json_text import list_of, load_json, name_of, object_of
from diarize.pipeline.enrolment import embed_speakers
from diarize.segments import Turn
from diarize.speakers.voice_table import VoiceTable

JSON = ".json"

logger = logging.getLogger(__name__)


class ResultVoices(NamedTuple):
    """The turns of one recording, in a file, and the voices of its speakers."""

    path: Path
    folder: Path
    """Folder of the file inside the folder that was searched."""
    recording: str
    turns: list[Turn]
    voices: VoiceTable

    @property
    def speakers(self) -> list[str]:
        """The speakers in order of first appearance."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))


def find_results(inputs: Iterable[Path]) -> list[tuple[Path, Path]]:
    """The files of results, and the folder of each inside the input: files, and JSON files in folders.

    Raises
    ------
    FormatError
        If a folder holds no JSON files.
    """
    found: list[tuple[Path, Path]] = []
    for path in inputs:
        if not path.is_dir():
            found.append((path, Path()))
            continue
        files = [file for file in find_files(path) if file.suffix.lower() == JSON]
        if not files:
            raise FormatError(f"{path}: no JSON results in it; `diarize run -o {path}` writes them")
        found += [(file, file.parent.relative_to(path)) for file in files]
    return found


def holds_results(path: Path) -> bool:
    """Whether a path is a JSON file, or a folder that holds some and no recordings."""
    if not path.is_dir():
        return path.suffix.lower() == JSON
    suffixes = {file.suffix.lower() for file in find_files(path)}
    return JSON in suffixes and not suffixes & set(AUDIO_SUFFIXES)


class ResultReader:
    """Reads results with the voices of their speakers: those beside a result, otherwise from its recording.

    Parameters
    ----------
    embedder : Embedder
    config : Config
    audio : Path, optional
        Folder of the recordings.
    """

    def __init__(self, embedder: Embedder, config: Config, audio: Path | None = None) -> None:
        self.embedder, self.config = embedder, config
        self.recordings = {} if audio is None else recordings_by_id(audio)

    def __call__(self, path: Path, folder: Path = Path()) -> ResultVoices:
        """The result in a file.

        Raises
        ------
        FormatError
            If the file cannot be read, or has turns of several recordings.
        DiarizeError
            If the voices are not beside it, and there is no recording of this name, or more than one.
        ModelError
            If another model made the voices.
        """
        turns = read_turns(path)
        recordings = list(dict.fromkeys(turn.recording for turn in turns)) or [recording_id(path)]
        if len(recordings) > 1:
            raise FormatError(f"{path}: turns of {len(recordings)} recordings; give a file for each")
        table = path.with_name(voices_name(path))
        if table.exists():
            voices = VoiceTable.load(table)
            voices.check_model(self.embedder.made_by, table)
        else:
            voices = self._embed(path, recordings[0], turns)
        for speaker in {turn.speaker for turn in turns} - set(voices.names):
            logger.warning("%s: no voice of %s, who is compared with nobody", path, speaker)
        return ResultVoices(path, folder, recordings[0], turns, voices)

    def _embed(self, path: Path, recording: str, turns: list[Turn]) -> VoiceTable:
        found = self.recordings.get(recording, [])
        if not self.recordings:
            raise DiarizeError(
                f"{path}: no {voices_name(path)} beside it; run with --save-voices, or give --audio DIR"
            )
        if len(found) != 1:
            raise DiarizeError(f"{path}: {len(found)} recordings are called {recording}; one is needed")
        windows = embed_speakers(str(found[0]), turns, self.embedder, self.config)
        return voices_of(windows, self.embedder.made_by, recording)


def rename_turns(turns: Iterable[Turn], names: Mapping[str, str]) -> list[Turn]:
    """The turns, sorted, with other names of speakers; speakers without another name keep theirs."""
    return sorted(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in turns)


def rename_document(path: Path, names: Mapping[str, str]) -> str | None:
    """The text of a JSON result with other names of speakers; None if the file is no such result."""
    if path.suffix.lower() != JSON:
        return None
    text = open_text(path)
    document = load_json(text)
    if not is_diarization(document):
        return None
    renamed: dict[str, Any] = dict(document)
    for key in ("speakers", "turns", "exclusive", "doubtful"):
        if key in renamed:
            items = [
                object_of(text.place(f"{key}[{number}]"), value)
                for number, value in enumerate(list_of(text.place(""), document, key))
            ]
            renamed[key] = [_rename_item(text.place(key), item, names) for item in items]
    return format_json(renamed)


def _rename_item(place: Place, item: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A speaker or a turn of a result with other names."""
    roles = ("speaker", "alternative") if "alternative" in item else ("speaker",)
    speakers = {role: name_of(place, item, role) for role in roles}
    return item | {role: names.get(speaker, speaker) for role, speaker in speakers.items()}
