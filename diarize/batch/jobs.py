"""Jobs for the recordings that a command line names, and the known speech of each."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

from diarize.audio import AUDIO_SUFFIXES, find_audio, recording_id
from diarize.errors import AudioError, DiarizeError, FormatError
from diarize.files.folders import check_file_name
from diarize.files.locations import Location
from diarize.files.remote import RemoteFile, is_url
from diarize.formats import FORMATS, read_lab, read_rttm_speech, read_uem
from diarize.formats.kaldi import read_data_folder
from diarize.segments import Segment, join_segments, normal_name

VOICES, VOICES_SUFFIX = "voices", ".voices.parquet"
"""A result beside the formats of turns: an embedding of each speaker."""

SPEECH_SUFFIXES = (".rttm", ".uem", ".lab")
"""Suffixes of the files that hold known speech."""


@dataclass(frozen=True)
class Job:
    """One recording to work on.

    Attributes
    ----------
    recording : str
        Its id, without blanks.
    source : str
        A file, the URL of one, or a command that ends in a pipe and writes audio.
    folder : Path
        Folder of its results inside the output folder; the subfolders of a searched folder are kept.
    n_speakers : int, optional
        From reco2num_spk of a Kaldi data folder; a recording too short for that number has fewer.
    speech : list of Segment, optional
        From segments of a Kaldi data folder; with that file, a recording without segments has no speech.
    """

    recording: str
    source: str
    folder: Path = field(default=Path())
    n_speakers: int | None = None
    speech: list[Segment] | None = None

    @property
    def name(self) -> str:
        """The id with the folder of its results, which no other job has."""
        return (self.folder / self.recording).as_posix()


def voices_name(result: Location) -> str:
    """The name of the table of the voices in a result: call.voices.parquet beside call.json."""
    return f"{result.stem}{VOICES_SUFFIX}"


def result_paths(job: Job, folder: Location, formats: Iterable[str]) -> list[Location]:
    """The files in a folder for the results of a recording, one for each format or `VOICES`."""
    suffixes = (VOICES_SUFFIX if name == VOICES else FORMATS[name].suffix for name in formats)
    return [folder / job.folder / f"{job.recording}{suffix}" for suffix in suffixes]


def refuse_recording(job: Job, paths: Sequence[Location]) -> None:
    """Check that no result would be written over the recording itself.

    Raises
    ------
    DiarizeError
        If one would.
    """
    for path in paths:
        if isinstance(path, RemoteFile):
            is_recording = path.url == job.source
        else:
            is_recording = os.path.exists(job.source) and path.exists() and path.samefile(job.source)  # noqa: PTH110, a command
        if is_recording:
            raise DiarizeError(f"{path}: this is the recording itself; name another output")


def find_jobs(
    inputs: Iterable[str | Path],
    *,
    allow_pipes: bool = False,
    speech: str | Path | None = None,
    urls: bool = False,
) -> list[Job]:
    """The jobs for files, for folders (searched for audio, with subfolders) and for Kaldi data folders.

    With `urls`, files and folders may be at URLs. A file that does not exist is still a job: it fails when it
    is opened, and the others are processed. A file that is named twice, or by two paths, is one job. `speech`
    is checked with `check_speech`.

    Raises
    ------
    AudioError
        If a folder holds no audio.
    FormatError
        If a Kaldi data folder is malformed, or holds commands and `allow_pipes` is false.
    DiarizeError
        If the results of two jobs have the same name, or an id cannot name a file.
    """
    jobs: list[Job] = []
    for item in inputs:
        if not str(item):
            raise DiarizeError("a recording's name is empty; name files or folders")
        if is_url(str(item)):
            if not urls:
                raise DiarizeError(f"{item}: only `diarize run` reads URLs; copy it to a folder")
            jobs += _remote_jobs(RemoteFile(str(item)))
            continue
        path = Path(item)
        # os.path returns False where pathlib raises: a name too long, a folder without permission.
        if os.path.isfile(path / "wav.scp"):  # noqa: PTH113
            jobs += _kaldi_jobs(path, allow_pipes)
        elif os.path.isdir(path):  # noqa: PTH112
            jobs += [
                Job(recording_id(file), str(file), file.parent.relative_to(path)) for file in find_audio(path)
            ]
        else:
            jobs.append(Job(recording_id(path), str(item)))
    taken: dict[Path, Job] = {}
    for job in jobs:
        if "\0" in job.source or "\0" in job.recording:
            raise DiarizeError(f"{job.source!r}: a file name cannot hold a NUL; check the name")
        check_file_name(job.recording)
        other = taken.setdefault(job.folder / job.recording, job)
        if other.source != job.source and not _same_file(other.source, job.source):
            raise DiarizeError(
                f"{job.source} and {other.source} would both be written as {job.folder / job.recording}; "
                "rename one or run them apart"
            )
    if speech is not None:
        check_speech(speech, len(taken))
    return list(taken.values())


def check_speech(path: str | Path, n_recordings: int) -> None:
    """Check, before any work, that `read_speech` can use a path.

    Raises
    ------
    FormatError
        If there is no such file, its suffix is unknown, or it is a label file for several recordings.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    if stat.S_ISDIR(mode):
        return
    suffix = path.suffix.lower()
    if suffix not in SPEECH_SUFFIXES:
        raise FormatError(f"{path}: speech is read from {', '.join(SPEECH_SUFFIXES)}")
    if suffix == ".lab" and n_recordings > 1:
        raise FormatError(f"{path}: a label file is for one recording; give a folder with one for each")


def read_speech(path: str | Path, recording: str) -> list[Segment]:
    """The speech of a recording, from an RTTM, UEM or label file, or from a folder of such files by id.

    Raises
    ------
    FormatError
        If there is no speech for this recording, or the file is malformed.
    """
    path = find_speech(path, recording)
    if path.suffix.lower() == ".lab":
        return read_lab(path)
    status = path.stat()
    segments = _speech_in(path, status.st_mtime_ns, status.st_size).get(normal_name(recording), [])
    if not segments:
        raise FormatError(f"{path}: no speech of recording {recording} in it")
    return list(segments)


def find_speech(path: str | Path, recording: str) -> Path:
    """The file that holds the speech of a recording: the path itself, or a file in that folder, by id.

    Raises
    ------
    FormatError
        If there is none, or several, or its suffix is unknown.
    """
    path = Path(path)
    if path.is_dir():
        # By the id: blanks and Unicode's normal form may differ in the names of the files.
        files = _files_by_id(path, path.stat().st_mtime_ns).get(normal_name(recording), [])
        found = [file for suffix in SPEECH_SUFFIXES for file in files if file.suffix.lower() == suffix]
        if not found:
            raise FormatError(f"{path}: no {recording}.rttm, .uem or .lab in it")
        if len(found) > 1 and found[0].suffix.lower() == found[1].suffix.lower():
            names = " and ".join(repr(file.name) for file in found[:2])
            raise FormatError(f"{path}: {names} are of one recording; join them")
        path = found[0]
    check_speech(path, 1)
    return path


@lru_cache(maxsize=1)
def _files_by_id(folder: Path, changed: int) -> dict[str, list[Path]]:
    """The files in a folder by the id of their recording; read once for all recordings of a run."""
    files: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        files.setdefault(recording_id(file), []).append(file)
    return files


@lru_cache(maxsize=1)
def _speech_in(path: Path, changed: int, size: int) -> dict[str, list[Segment]]:
    """The speech in an RTTM or UEM file by recording; read once for all recordings of a run."""
    return read_rttm_speech(path) if path.suffix.lower() == ".rttm" else read_uem(path)


def _same_file(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):  # one cannot be opened, which is reported later
        return False


def _remote_jobs(place: RemoteFile) -> list[Job]:
    """The jobs for a file at a URL or, if its name has no suffix of audio, for the folder there."""
    if place.suffix.lower() in AUDIO_SUFFIXES or place.url.startswith(("http:", "https:")):
        return [Job(recording_id(place.name), place.url)]
    try:
        found = place.find()
    except FileNotFoundError as error:
        raise AudioError(f"{place}: no such file or folder; check the URL") from error
    start, jobs = f"{place.url.rstrip('/')}/", []
    for file in found:
        folder = PurePosixPath(file.url.removeprefix(start).lstrip("/")).parent if file != place else Path()
        if any(part.startswith(".") for part in (*folder.parts, file.name)):
            continue  # as in folders on disk; nor does a result leave its folder by ".."
        if file.suffix.lower() in AUDIO_SUFFIXES or file == place:
            jobs.append(Job(recording_id(file.name), file.url, Path(folder)))
    if not jobs:
        raise AudioError(f"{place}: no audio files; looked for {' '.join(sorted(AUDIO_SUFFIXES))}")
    return jobs


def _kaldi_jobs(path: Path, allow_pipes: bool) -> list[Job]:
    data = read_data_folder(path, allow_pipes)
    for source in data.wav_scp.values():
        if is_url(source):
            raise FormatError(f"{path / 'wav.scp'}: {source}: a URL is read only from the command line")
    speech: dict[str, list[Segment]] = {recording: [] for recording in data.wav_scp}
    for recording, segment in data.segments.values():
        speech[recording].append(segment)
    return [
        Job(
            recording,
            source,
            n_speakers=data.reco2num_spk.get(recording),
            speech=join_segments(speech[recording]) if data.segments else None,
        )
        for recording, source in data.wav_scp.items()
    ]
