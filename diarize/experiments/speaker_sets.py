"""Sets of speakers: lists of names, splits by hash, and data folders with two parts of each speaker.

References
----------
T. Stadelmann, B. Freisleben: Unfolding speaker clustering potential: a biomimetic approach.
ACM Multimedia, 2009.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from diarize.errors import FormatError
from diarize.files.text import read_lines, write_text
from diarize.formats.kaldi import write_data_folder


def read_list(path: str | Path) -> list[str]:
    """The entries of a list file: one on each line; `#` begins a comment.

    Raises
    ------
    FormatError
        If the file cannot be read, or an entry occurs twice; the message has the line.
    """
    entries: dict[str, int] = {}
    for line in read_lines(path):
        entry = line.text.split("#")[0].strip()
        if entry in entries:
            raise line.error(f"{entry!r} occurs twice, first in line {entries[entry]}")
        if entry:
            entries[entry] = line.number
    return list(entries)


def kaldi_name(name: str) -> str:
    """A speaker's or an utterance's name as one word: `common_voice/fi_03` is `common_voice-fi_03`."""
    return name.replace("/", "-").replace(" ", "_")


def check_disjoint(sets: Mapping[str, Iterable[str]]) -> None:
    """Check that no speaker is in two of the sets.

    Raises
    ------
    FormatError
        If one is; the message names the first such speaker and both sets.
    """
    seen: dict[str, str] = {}
    for name, speakers in sets.items():
        for speaker in speakers:
            if seen.setdefault(speaker, name) != name:
                raise FormatError(f"speaker {speaker!r} is in {seen[speaker]} and in {name}; take out one")


def split_by_hash(speakers: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Half of the speakers to train, an eighth for development, the rest to test, in a fixed order.

    Raises
    ------
    FormatError
        If there are fewer than 4.
    """
    shuffled = sorted(speakers, key=lambda speaker: (zlib.crc32(speaker.encode()), speaker))
    if len(shuffled) < 4:
        raise FormatError(f"{len(shuffled)} speakers cannot be split into train, dev and test; 4 are needed")
    n_train = len(shuffled) // 2
    n_dev = max(1, len(shuffled) // 8)
    return shuffled[:n_train], shuffled[n_train : n_train + n_dev], shuffled[n_train + n_dev :]


def split_parts(utterances: Sequence[str]) -> tuple[list[str], list[str]]:
    """A speaker's utterances as parts A and B, about 4 to 1, at least one in each: 8 and 2 of 10."""
    n_b = max(1, round(len(utterances) / 5))
    return list(utterances[:-n_b]), list(utterances[-n_b:])


def write_speaker_set(
    folder: str | Path, speakers: Mapping[str, Mapping[str, str]], *, hold_out: bool = False
) -> None:
    """Write a Kaldi data folder with `utt2part`: the part (`FAKS0-A`, `FAKS0-B`) of each utterance.

    Parameters
    ----------
    folder : path
    speakers : dict
        Speaker to utterances, each with its file, in the order that decides the parts.
    hold_out : bool
        Also write `held_out`: the utterances of all parts B, one on each line, to validate a training on.

    Raises
    ------
    FormatError
        If a speaker has one utterance, an utterance has two speakers, or a name has blanks.
    """
    wav_scp: dict[str, str] = {}
    utt2spk: dict[str, str] = {}
    utt2part: dict[str, str] = {}
    for speaker, files in speakers.items():
        if len(files) < 2:
            raise FormatError(
                f"{folder}: speaker {speaker!r} has {len(files)} recordings, but two parts need 2"
            )
        for part, utterances in zip("AB", split_parts(list(files)), strict=True):
            for utterance in utterances:
                if utterance in utt2spk:
                    raise FormatError(f"{folder}: utterance {utterance!r} has two speakers")
                wav_scp[utterance] = files[utterance]
                utt2spk[utterance] = speaker
                utt2part[utterance] = f"{speaker}-{part}"
    write_data_folder(folder, wav_scp, utt2spk)
    write_text("".join(f"{key} {utt2part[key]}\n" for key in sorted(utt2part)), Path(folder) / "utt2part")
    held_out = sorted(key for key, part in utt2part.items() if part.endswith("-B"))
    if hold_out:
        write_text("".join(f"{key}\n" for key in held_out), Path(folder) / "held_out")
    else:
        (Path(folder) / "held_out").unlink(missing_ok=True)
