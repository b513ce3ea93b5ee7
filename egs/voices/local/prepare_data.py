"""Make Kaldi data folders (train, dev, test) from a folder-per-speaker corpus.

A speaker is a folder of audio files; in LibriSpeech's and VoxCeleb's layouts, a folder of chapters or videos.
The speaker's id is that folder's name with the one above it, so a speaker with clips in two collections is
one speaker. Each data folder also gets `utt2group`, groups of comparable recordings (same corpus, same
language) for fair trials; `utt2corpus`; and `spk2gender`, m or f, if a `manifest.csv` at the top of a
collection has it (columns corpus, speaker, sex).
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from diarize.cli.script import run_script
from diarize.corpus.layout import find_speakers, in_chapter
from diarize.errors import FormatError
from diarize.experiments.speaker_sets import kaldi_name, read_list
from diarize.files.text import read_text, write_text
from diarize.formats.kaldi import write_data_folder

CONF = Path(__file__).resolve().parent.parent / "conf"


def report_chapters(corpus: Path, speakers: dict[str, list[Path]]) -> None:
    """Print how many files have a folder of a chapter or video between them and the speaker's."""
    n_in_chapters = sum(in_chapter(path) for paths in speakers.values() for path in paths)
    if n_in_chapters:
        print(f"{corpus}: {n_in_chapters} recordings lie in a chapter or video of their speaker's folder")


def name_utterances(
    speaker: str, paths: Iterable[Path], collection: Callable[[Path], str]
) -> dict[str, Path]:
    """Utterance ids and files of a speaker; `collection` gives the part of the id after the speaker.

    Raises
    ------
    FormatError
        If two files have the same id.
    """
    files: dict[str, Path] = {}
    for path in paths:
        chapter = [path.parent.name] if in_chapter(path) else []
        parts = [speaker, collection(path.parent if chapter else path), *chapter, path.stem]
        utterance = kaldi_name("-".join(filter(None, parts)))
        if utterance in files:
            raise FormatError(f"{path}: the same utterance as {files[utterance]}; rename one")
        files[utterance] = path
    return files


def group_of(speaker: str) -> str:
    """The corpus of a speaker and, if the folder's name begins with a language (`fi_...`), the language."""
    corpus, _, name = speaker.rpartition("/")
    language = name.split("_")[0] if "_" in name else ""
    return f"{corpus}-{language}".strip("-").replace("/", "-") or "all"


def read_sexes(corpus: Path) -> dict[str, str]:
    """The sex, m or f, by speaker, from the manifests of the collections that have it."""
    told: dict[str, set[str]] = defaultdict(set)
    for path in sorted(path for path in corpus.glob("[!.]*/manifest.csv") if path.is_file()):
        for row in csv.DictReader(read_text(path).splitlines()):
            if row.keys() >= {"corpus", "speaker", "sex"}:
                told[f"{row['corpus']}/{row['speaker']}"].add(row["sex"])
    return {speaker: sexes.pop() for speaker, sexes in told.items() if sexes in ({"m"}, {"f"})}


def write_set(folder: Path, speakers: dict[str, list[Path]], sexes: dict[str, str]) -> None:
    """Write one data folder, with utt2group, utt2corpus and spk2gender beside the Kaldi files."""
    wav_scp, utt2spk, utt2group, utt2corpus = {}, {}, {}, {}
    for speaker, paths in speakers.items():
        for utterance, path in name_utterances(speaker, paths, lambda file: file.parents[2].name).items():
            wav_scp[utterance] = str(path)
            utt2spk[utterance] = kaldi_name(speaker)
            utt2group[utterance] = group_of(speaker)
            utt2corpus[utterance] = speaker.rpartition("/")[0].replace("/", "-") or "all"
    write_data_folder(folder, wav_scp, utt2spk)
    spk2gender = {kaldi_name(speaker): sexes[speaker] for speaker in speakers if speaker in sexes}
    tables = {"utt2group": utt2group, "utt2corpus": utt2corpus, "spk2gender": spk2gender}
    for name, table in tables.items():
        write_text("".join(f"{key} {table[key]}\n" for key in sorted(table)), folder / name)
    print(f"{folder}: {len(speakers)} speakers, {len(wav_scp)} recordings")


def main() -> None:
    """Read the command line, write the folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder of speakers' folders, at any depth"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--exclude", type=Path, default=CONF / "exclude.txt", help="list of folders to exclude from training"
    )
    parser.add_argument("--dev", type=Path, default=CONF / "dev_speakers.txt")
    parser.add_argument("--test", type=Path, default=CONF / "test_speakers.txt")
    parser.add_argument("--only", help="use only this subfolder, as one set OUT/unseen")
    arguments = parser.parse_args()

    speakers = find_speakers(arguments.corpus, read_list(arguments.exclude), arguments.only)
    report_chapters(arguments.corpus, speakers)
    sexes = read_sexes(arguments.corpus)
    if arguments.only:
        write_set(arguments.out / "unseen", speakers, sexes)
        return
    held_out = {name: set(read_list(getattr(arguments, name))) for name in ("dev", "test")}
    if not any(held_out["dev"] & speakers.keys()):
        # The lists were made for another corpus: a twentieth of the speakers each, by a hash.
        shuffled = sorted(speakers, key=lambda speaker: zlib.crc32(speaker.encode()))
        n_held_out = min(max(2, len(shuffled) // 20), len(shuffled) // 3)
        held_out = {"dev": set(shuffled[:n_held_out]), "test": set(shuffled[n_held_out : 2 * n_held_out])}
    known = held_out["dev"] | held_out["test"]
    for name in ("dev", "test"):
        write_set(arguments.out / name, {s: p for s, p in speakers.items() if s in held_out[name]}, sexes)
    write_set(arguments.out / "train", {s: p for s, p in speakers.items() if s not in known}, sexes)


if __name__ == "__main__":
    run_script(main)
