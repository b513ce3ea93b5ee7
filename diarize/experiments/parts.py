"""The parts of a data folder: utterances that are known to be from one speaker, clustered as one item."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from diarize.errors import FormatError
from diarize.experiments.speaker_sets import read_list
from diarize.formats.kaldi import read_utt2spk, read_whole_recordings


@dataclass(frozen=True)
class Part:
    """A part, its speaker and the files of its utterances, sorted by utterance."""

    name: str
    speaker: str
    files: tuple[str, ...]


def read_parts(folder: str | Path, speakers: Collection[str] | None = None) -> list[Part]:
    """The parts in `utt2part` of a data folder, sorted, of the given speakers or of all.

    Raises
    ------
    FormatError
        If the folder has segments, an utterance has no part, a part has two speakers, or a speaker is
        missing.
    """
    data, utt2part = read_whole_recordings(folder), read_utt2spk(Path(folder) / "utt2part")
    if missing := sorted(set(speakers or ()) - set(data.utt2spk.values())):
        raise FormatError(f"{folder}: speaker {missing[0]!r} of the list is not in utt2spk")
    found: dict[str, Part] = {}
    for utterance, file in data.wav_scp.items():
        speaker = data.utt2spk[utterance]
        if speakers is not None and speaker not in speakers:
            continue
        if utterance not in utt2part:
            raise FormatError(f"{folder}/utt2part: utterance {utterance!r} of wav.scp is missing")
        name = utt2part[utterance]
        part = found.setdefault(name, Part(name, speaker, ()))
        if part.speaker != speaker:
            raise FormatError(
                f"{folder}/utt2part: part {name!r} has two speakers, {part.speaker!r} and {speaker!r}"
            )
        found[name] = Part(name, speaker, (*part.files, file))
    return [found[name] for name in sorted(found)]


def read_split(folder: str | Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Speaker to the files to train on, and speaker to the files in `held_out` of a data folder.

    Raises
    ------
    FormatError
        If the folder has segments, an utterance is missing, or a speaker has no files of one kind.
    """
    data, held_out = read_whole_recordings(folder), set(read_list(Path(folder) / "held_out"))
    if unknown := sorted(held_out - data.wav_scp.keys()):
        raise FormatError(f"{folder}/held_out: utterance {unknown[0]!r} is not in wav.scp")
    train: dict[str, list[str]] = {}
    test: dict[str, list[str]] = {}
    for utterance, file in data.wav_scp.items():
        of_speaker = test if utterance in held_out else train
        of_speaker.setdefault(data.utt2spk[utterance], []).append(file)
    if alone := sorted(train.keys() ^ test.keys()):
        kind = "held_out" if alone[0] in train else "any set to train on"
        raise FormatError(f"{folder}: speaker {alone[0]!r} has no utterance in {kind}")
    return train, test
