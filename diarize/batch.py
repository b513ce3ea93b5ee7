"""Many recordings: what a command line names becomes a list of jobs, and given speech finds its recording."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from diarize.audio import find_audio, recording_id
from diarize.errors import DiarizeError, FormatError
from diarize.formats.kaldi import is_command, read_data_folder, run_command
from diarize.formats.lab import read_lab
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem
from diarize.segments import Segment, speech_of


@dataclass(frozen=True)
class Job:
    """One recording to work on.

    Attributes
    ----------
    recording : str
        Its id, without blanks.
    source : str
        A file, or a command that ends in a pipe and writes audio.
    folder : Path
        Where its output belongs, below the output folder: a searched folder's subfolders are kept.
    n_speakers : int, optional
        From a Kaldi data folder's reco2num_spk.
    speech : list of Segment, optional
        From a Kaldi data folder's segments.
    """

    recording: str
    source: str
    folder: Path = field(default=Path())
    n_speakers: int | None = None
    speech: list[Segment] | None = None


def find_jobs(inputs: Iterable[str | Path], *, allow_pipes: bool = False) -> list[Job]:
    """Jobs for files, for folders (searched for audio, subfolders too) and for Kaldi data folders.

    A file that does not exist is still a job: opening it tells what is wrong, and the others go on.

    Raises
    ------
    AudioError
        When a folder holds no audio.
    FormatError
        When a Kaldi data folder is malformed, or holds commands that were not allowed.
    DiarizeError
        When the output of two jobs would have the same name.
    """
    jobs: list[Job] = []
    for item in inputs:
        path = Path(item)
        if (path / "wav.scp").is_file():
            jobs += _kaldi_jobs(path, allow_pipes)
        elif path.is_dir():
            jobs += [
                Job(recording_id(file), str(file), file.parent.relative_to(path)) for file in find_audio(path)
            ]
        else:
            jobs.append(Job(recording_id(path), str(item)))
    taken: dict[Path, str] = {}
    for job in jobs:
        other = taken.setdefault(job.folder / job.recording, job.source)
        if other != job.source:
            raise DiarizeError(
                f"{job.source} and {other} would both be written as {job.folder / job.recording}; "
                "rename one or run them apart"
            )
    return jobs


@contextmanager
def open_source(job: Job) -> Iterator[str]:
    """The path of a job's audio; what a command writes lies in a temporary file as long as it is open."""
    if not is_command(job.source):
        yield job.source
        return
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        file.write(run_command(job.source))
        file.flush()
        yield file.name


def read_speech(path: str | Path, recording: str) -> list[Segment]:
    """Where a recording has speech, from an RTTM, UEM or lab file, or from a folder of such files by id.

    Raises
    ------
    FormatError
        When there is none for this recording, or the file is malformed.
    """
    path = Path(path)
    if path.is_dir():
        files = [path / f"{recording}{suffix}" for suffix in (".rttm", ".uem", ".lab")]
        found = [file for file in files if file.is_file()]
        if not found:
            raise FormatError(f"{path}: no {recording}.rttm, .uem or .lab in it")
        path = found[0]
    suffix = path.suffix.lower()
    if suffix == ".lab":
        return read_lab(path)
    if suffix == ".rttm":
        segments = speech_of(turn for turn in read_rttm(path) if turn.recording == recording)
    elif suffix == ".uem":
        segments = read_uem(path).get(recording, [])
    else:
        raise FormatError(f"{path}: speech is read from .rttm, .uem and .lab")
    if not segments:
        raise FormatError(f"{path}: no speech of recording {recording} in it")
    return segments


def _kaldi_jobs(path: Path, allow_pipes: bool) -> list[Job]:
    data = read_data_folder(path, allow_pipes)
    speech: dict[str, list[Segment]] = {}
    for recording, segment in sorted(data.segments.values()):
        speech.setdefault(recording, []).append(segment)
    return [
        Job(recording, source, Path(), data.reco2num_spk.get(recording), speech.get(recording))
        for recording, source in data.wav_scp.items()
    ]
