"""The recordings of a corpus with their speakers: folders of speakers, Kaldi's tables, annotated sets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from diarize.audio import find_audio, recording_id
from diarize.corpus.messages import kept_messages
from diarize.errors import DiarizeError, FormatError
from diarize.files.folders import find_files
from diarize.formats.kaldi import read_corpora, read_data_folder
from diarize.scoring.inputs import turns_by_recording
from diarize.segments import Segment, Turn


class Utterance(NamedTuple):
    """Speech of one speaker: a segment of a recording, or the whole recording (None)."""

    speaker: str
    segment: Segment | None = None


@dataclass(frozen=True)
class Recording:
    """A recording of a corpus.

    Attributes
    ----------
    path : str
    subset : str
        The set to which it belongs, such as train; "" if there is only one.
    collection : str
        Recordings of one collection were made alike.
    utterances : tuple of Utterance
        Empty if its speakers are known by an annotation only.
    turns : tuple of Turn, optional
        Its annotation; None without one.
    """

    path: str
    subset: str = ""
    collection: str = ""
    utterances: tuple[Utterance, ...] = ()
    turns: tuple[Turn, ...] | None = None

    @property
    def speakers(self) -> set[str]:
        """The speakers of its utterances."""
        return {utterance.speaker for utterance in self.utterances}


@dataclass(frozen=True)
class Corpus:
    """The recordings of a corpus, in one or several sets.

    Attributes
    ----------
    recordings : list of Recording
    kind : str
        "speakers", if each utterance has one speaker whom the whole corpus knows by that name; "annotated",
        if recordings have turns, whose speakers are known within the recording alone.
    strays : tuple of str
        Annotations without audio: file or folder, and recording.
    left_out : tuple of str
        What the readers of annotations left out, such as turns of duration 0.
    """

    recordings: list[Recording]
    kind: str = "speakers"
    strays: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def subsets(self) -> list[str]:
        """The names of its sets, in order."""
        return list(dict.fromkeys(recording.subset for recording in self.recordings))


def read_corpus(
    folders: Sequence[str | Path],
    *,
    lists: Mapping[str, Collection[str]] | None = None,
    excluded: Collection[str] = (),
    annotations: str | Path | None = None,
) -> Corpus:
    """The corpus in one folder, or in several, each of which is a set, such as train, dev and test.

    A folder with wav.scp is Kaldi's. With `annotations`, or with folders audio/ and rttm/ in it, or with RTTM
    files beside its audio, it is an annotated set. Any other folder has a folder for each speaker.

    Parameters
    ----------
    folders : sequence of path
    lists : dict, optional
        The speakers of each set; the others are in no set.
    excluded : collection of str
        Names at the top of the folders that are left out.
    annotations : path, optional
        An annotation file, or a folder of such files, of the only corpus.

    Raises
    ------
    DiarizeError
        If a folder cannot be read, has no recordings, or its kind does not fit the others or the options.
    """
    found = [_read_folder(Path(folder), excluded, annotations) for folder in folders]
    kinds = {corpus.kind for corpus in found}
    if len(kinds) > 1:
        raise DiarizeError(
            f"{folders[0]}, ...: some of the folders are annotated, and some have speakers; check them apart"
        )
    kind = kinds.pop()
    if lists and (kind == "annotated" or len(found) > 1):
        raise DiarizeError(
            f"{folders[0]}: lists choose speakers of one corpus with a folder for each speaker"
        )
    if annotations is not None and len(found) > 1:
        raise DiarizeError(f"{annotations}: annotations are of one folder; check the others apart")
    names = [Path(folder).resolve().name for folder in folders]
    names = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    subset_of = {speaker: name for name, speakers in (lists or {}).items() for speaker in speakers}
    recordings: list[Recording] = []
    for name, corpus in zip(names, found, strict=True):
        for recording in corpus.recordings:
            subset = name if len(found) > 1 else subset_of.get(next(iter(recording.speakers), ""), "")
            recordings.append(replace(recording, subset=subset))
    strays = tuple(stray for corpus in found for stray in corpus.strays)
    return Corpus(recordings, kind, strays, tuple(each for corpus in found for each in corpus.left_out))


def find_speakers(
    corpus: Path, excluded: Collection[str] = (), only: str | None = None
) -> dict[str, list[Path]]:
    """Files by speaker, {"common_voice/fi_03350aa4d6": [...]}, of a corpus with a folder for each speaker.

    A speaker is a folder of recordings, by its name with the one above it; in LibriSpeech's and VoxCeleb's
    layouts, a folder of chapters or videos.

    Parameters
    ----------
    corpus : path
    excluded : collection of str
        Folders at its top that are left out.
    only : str, optional
        The only folder at its top that is read.

    Raises
    ------
    FormatError
        If a recording lies in no speaker's folder.
    DiarizeError
        As `find_audio`.
    """
    speakers: dict[str, list[Path]] = defaultdict(list)
    for path in find_audio(corpus / only if only else corpus):
        parts = path.relative_to(corpus).parts
        if not only and parts[0] in excluded:
            continue
        end = len(parts) - 1 - in_chapter(path)
        if end < 1:
            raise FormatError(
                f"{path}: lies in no speaker's folder; move it into one, or name another corpus"
            )
        speakers["/".join(parts[max(0, end - 2) : end])].append(path)
    return speakers


def in_chapter(path: Path) -> bool:
    """Whether a file's folder is a chapter of LibriSpeech (19/198/19-198-0000.flac) or a video of VoxCeleb
    (id10270/5r0dWxy17C8/00001.wav), and the speaker's folder is the one above.
    """
    folder, speaker = path.parent.name, path.parent.parent.name
    is_chapter = speaker.isdigit() and folder.isdigit() and path.name.startswith(f"{speaker}-{folder}-")
    return is_chapter or re.fullmatch(r"id\d{5}", speaker) is not None


def _read_folder(folder: Path, excluded: Collection[str], annotations: str | Path | None) -> Corpus:
    if not folder.is_dir():
        raise DiarizeError(f"{folder}: no such folder; name the folder of a corpus")
    if annotations is not None:
        return _annotated(folder, Path(annotations))
    if (folder / "wav.scp").is_file():
        return _kaldi(folder)
    if (folder / "audio").is_dir() and (folder / "rttm").is_dir():
        return _annotated(folder / "audio", folder / "rttm")
    if any(path.suffix.lower() == ".rttm" for path in find_files(folder, below=False)):
        return _annotated(folder, folder)
    speakers = find_speakers(folder, excluded)
    if not speakers:
        raise DiarizeError(f"{folder}: all of its recordings are in excluded folders; check --exclude")
    return Corpus(
        [
            Recording(str(path), collection=speaker.rpartition("/")[0], utterances=(Utterance(speaker),))
            for speaker, paths in speakers.items()
            for path in paths
        ]
    )


def _kaldi(folder: Path) -> Corpus:
    data = read_data_folder(folder)
    if not data.utt2spk:
        raise FormatError(f"{folder}: has no utt2spk, so its speakers are unknown; write one")
    corpora = read_corpora(folder, data.utt2spk)
    collection: dict[str, str] = {}
    utterances: dict[str, list[Utterance]] = {recording: [] for recording in data.wav_scp}
    for utterance, speaker in data.utt2spk.items():
        recording, segment = data.segments.get(utterance, (utterance, None))
        utterances[recording].append(Utterance(speaker, segment))
        collection[recording] = corpora[utterance]
    return Corpus(
        [
            Recording(path, collection=collection.get(name, ""), utterances=tuple(utterances[name]))
            for name, path in data.wav_scp.items()
        ]
    )


def _annotated(audio: Path, annotations: Path) -> Corpus:
    with kept_messages() as left_out:
        turns = turns_by_recording(annotations)
    recordings = []
    for path in find_audio(audio):
        said = turns.pop(recording_id(path), None)
        recordings.append(Recording(str(path), turns=None if said is None else tuple(said)))
    strays = tuple(f"{annotations}: {name}" for name in sorted(turns))
    return Corpus(recordings, "annotated", strays, tuple(left_out))
