"""Recordings with their references: audio with annotations beside it, Kaldi data folders, audio/rttm/uem."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from diarize.audio import Samples, recording_id, stream_audio
from diarize.batch.jobs import Job, find_jobs
from diarize.batch.sources import open_source
from diarize.errors import DiarizeError, FormatError
from diarize.files.folders import find_files
from diarize.formats import READABLE
from diarize.formats.kaldi import read_data_folder
from diarize.scoring.der import DiarizationScore, score_diarization
from diarize.scoring.inputs import regions_by_recording, turns_by_recording
from diarize.segments import Segment, Turn

logger = logging.getLogger(__name__)

UEM = ".uem"


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording with its reference, and how results are scored.

    Attributes
    ----------
    job : Job
        Where the audio is.
    turns : list of Turn
        The reference.
    scored : list of Segment, optional
        The time to score; by default, from 0 to the last end in reference and result.
    collar : float
        Seconds left out on each side of every reference boundary.
    skip_overlap : bool
        Whether to leave out overlapping speech of the reference.
    """

    job: Job
    turns: list[Turn]
    scored: list[Segment] | None = None
    collar: float = 0.0
    skip_overlap: bool = False

    @property
    def name(self) -> str:
        """Its id."""
        return self.job.recording

    def blocks(self) -> Iterator[Samples]:
        """The samples from the beginning, mono at 16 kHz, in blocks."""
        with open_source(self.job) as source:
            yield from stream_audio(source)

    def score(self, turns: Sequence[Turn]) -> DiarizationScore:
        """Errors of turns against the reference."""
        return score_diarization(
            self.turns, turns, scored=self.scored, collar=self.collar, skip_overlap=self.skip_overlap
        )

    @cached_property
    def n_speakers(self) -> int:
        """Speakers in the scored time of the reference."""
        return self.score([]).n_reference

    @cached_property
    def seconds(self) -> float:
        """Seconds of scored reference speech; a second with two speakers counts twice."""
        return self.score([]).total


def find_recordings(
    inputs: Iterable[str | Path],
    reference: str | Path | None = None,
    uem: str | Path | None = None,
    *,
    collar: float = 0.0,
    skip_overlap: bool = False,
    allow_pipes: bool = False,
) -> list[Recording]:
    """The recordings of files and folders that have a reference; the log names those that have none.

    A reference is an annotation file in any format, with the id of its recording as its name::

        data/a.wav  data/a.rttm                              beside the audio
        data/audio/a.wav  data/rttm/a.rttm  data/uem/a.uem   in folders of their own
        data/wav.scp  data/segments  data/utt2spk            in a Kaldi data folder

    Parameters
    ----------
    inputs : iterable of path
        Files, folders and Kaldi data folders.
    reference, uem : path, optional
        An annotation or UEM file, or a folder of such files, instead of these places.
    collar, skip_overlap : float, bool
        How results are scored.
    allow_pipes : bool
        Whether to run commands in wav.scp.

    Raises
    ------
    DiarizeError
        If no recording has a reference, or a file is missing or cannot be read.
    """
    paths = [Path(item) for item in inputs]
    if missing := next((path for path in paths if not path.exists()), None):
        raise DiarizeError(f"{missing}: no such file or folder; check the path")
    jobs = find_jobs([_audio(path) for path in paths], allow_pipes=allow_pipes)
    truth = _references(paths, jobs) if reference is None else turns_by_recording(reference)
    regions = _regions(paths, jobs) if uem is None else regions_by_recording(uem)
    found = []
    for job in jobs:
        if job.recording not in truth:
            logger.warning("recording %s has no reference and is left out", job.recording)
        elif regions and job.recording not in regions:
            logger.warning("recording %s is not in the UEM and is left out", job.recording)
        else:
            scored = regions.get(job.recording)
            found.append(Recording(job, truth[job.recording], scored, collar, skip_overlap))
    if not found:
        where = ", ".join(map(str, paths[:3]))
        raise DiarizeError(
            f"{where}: no recording has a reference; put NAME.rttm beside NAME.wav, or give --reference. "
            "Without references, 'diarize stability' says which results to check"
        )
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DiarizeError(f"two recordings are called {twice}; rename one")
    if not any(each.seconds for each in found):
        raise DiarizeError("the references have no speech in the scored time; check their times and the UEM")
    return found


def _audio(path: Path) -> Path:
    """The folder of the audio: audio/ in a folder that has rttm/ as well."""
    return path / "audio" if (path / "audio").is_dir() and (path / "rttm").is_dir() else path


def _references(inputs: Sequence[Path], jobs: Sequence[Job]) -> dict[str, list[Turn]]:
    """The references of recordings, by id, from the places where they may be."""
    found: dict[str, list[Turn]] = {}
    for path in inputs:
        if (path / "wav.scp").is_file():
            found |= _of_data_folder(path)
        elif _audio(path) != path:
            found |= turns_by_recording(path / "rttm")
    beside = _files_beside(jobs, [known.suffix for known in READABLE.values()])
    return found | {name: _of_file(file, name) for name, file in beside.items() if name not in found}


def _of_data_folder(path: Path) -> dict[str, list[Turn]]:
    data = read_data_folder(path, allow_pipes=True)  # nothing is run here
    if not (data.segments and data.utt2spk):
        return {}
    turns: dict[str, list[Turn]] = {name: [] for name in data.wav_scp}
    for utterance, (name, segment) in data.segments.items():
        turns[name].append(Turn(name, segment, data.utt2spk[utterance]))
    return {name: sorted(own) for name, own in turns.items()}


def _of_file(path: Path, name: str) -> list[Turn]:
    """The turns of one recording; a file that has only one recording may call it by another name."""
    turns = turns_by_recording(path)
    if name in turns:
        return turns[name]
    if len(turns) > 1:
        raise FormatError(f"{path}: turns of {len(turns)} recordings, none is {name}; rename the file")
    return [Turn(name, turn.segment, turn.speaker) for own in turns.values() for turn in own]


def _regions(inputs: Sequence[Path], jobs: Sequence[Job]) -> dict[str, list[Segment]]:
    """The scored time of recordings, by id; empty if there are no UEM files."""
    found: dict[str, list[Segment]] = {}
    for path in inputs:
        if _audio(path) != path and (path / "uem").is_dir():
            found |= regions_by_recording(path / "uem")
    for name, file in _files_beside(jobs, [UEM]).items():
        regions = regions_by_recording(file)
        if name not in regions:
            raise FormatError(f"{file}: no region of recording {name}; write its id into the first field")
        found[name] = regions[name]
    return found


def _files_beside(jobs: Sequence[Job], suffixes: Sequence[str]) -> Mapping[str, Path]:
    """For each recording, the file of its name in the folder of its audio; of several, the first suffix's."""
    listed: dict[Path, list[Path]] = {}
    found: dict[str, Path] = {}
    for job in jobs:
        source = Path(job.source)
        if not source.is_file():  # a command, or a file that is reported when it is opened
            continue
        folder = source.parent
        if folder not in listed:
            listed[folder] = find_files(folder, below=False)
        own = [file for file in listed[folder] if recording_id(file) == job.recording and file != source]
        by_suffix = {file.suffix.lower(): file for file in own}
        for suffix in suffixes:
            if (file := by_suffix.get(suffix.lower())) is not None:
                found.setdefault(job.recording, file)
    return found
