"""Make the Kaldi data folders of speaker clustering from a folder-per-speaker corpus.

Each of OUT/train_100, train_329, dev, test_80 and all_speakers (of these sets) has, besides the Kaldi files,
`utt2part`: the first 80 % of a speaker's recordings, sorted by file name as strings, are part A, the rest
part B. The train sets and all_speakers also have `held_out`, the recordings of all parts B. OUT/lists has
every list as the speaker ids of these folders, restricted to the speakers that were found. If the corpus has
a folder timit_sample, it becomes a separate set.

If no list fits the corpus, a hash splits the speakers: half to train, an eighth for development, the rest to
test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from prepare_data import CONF, name_utterances, report_chapters

from diarize.cli.script import run_script
from diarize.corpus.layout import find_speakers, in_chapter
from diarize.experiments.speaker_sets import (
    check_disjoint,
    kaldi_name,
    read_list,
    split_by_hash,
    write_speaker_set,
)
from diarize.files.text import write_text

SETS = ("train_100", "train_329", "dev", "test_80")
N_TEST = (5, 10, 20, 40, 60, 80)


def utterances_of(speaker: str, paths: list[Path], corpus: Path) -> dict[str, str]:
    """Utterance ids and files of a speaker, sorted by file name; the id contains the parent folders.

    Recordings of one chapter or video stay together, so that the parts share one at most.
    """
    ordered = sorted(paths, key=lambda path: (path.parent.name * in_chapter(path), path.name, str(path)))
    named = name_utterances(speaker, ordered, lambda file: "-".join(file.relative_to(corpus).parts[:-3]))
    return {utterance: str(path) for utterance, path in named.items()}


def found(lists: dict[str, list[str]], speakers: dict[str, list[Path]]) -> dict[str, list[str]]:
    """The lists without speakers who are missing or have one recording; prints which are left out."""
    for name, listed in lists.items():
        missing = [speaker for speaker in listed if speaker not in speakers]
        if missing:
            print(f"{name}: {len(missing)} of {len(listed)} speakers are not found, first {missing[0]}")
        single = [speaker for speaker in listed if len(speakers.get(speaker, ())) == 1]
        if single:
            print(f"{name}: {len(single)} speakers with one recording are left out, first {single[0]}")
    return {
        name: [speaker for speaker in listed if len(speakers.get(speaker, ())) > 1]
        for name, listed in lists.items()
    }


def lists_by_hash(speakers: dict[str, list[Path]]) -> dict[str, list[str]]:
    """Lists for a corpus of other speakers; prints which are left out because they have one recording."""
    single = [speaker for speaker, paths in speakers.items() if len(paths) == 1]
    if single:
        print(f"{len(single)} speakers with one recording are left out, first {single[0]}")
    train, dev, test = split_by_hash(speakers.keys() - set(single))
    lists = {"train_100": train[:100], "train_329": train, "dev": dev}
    return lists | {f"test_{n}": test[:n] for n in N_TEST}


def write_set(folder: Path, speakers: dict[str, list[Path]], corpus: Path) -> None:
    """Write one data folder, and print a line about its contents."""
    chosen = {kaldi_name(name): utterances_of(name, paths, corpus) for name, paths in speakers.items()}
    write_speaker_set(folder, chosen, hold_out=folder.name.startswith(("train", "all")))
    print(f"{folder}: {len(chosen)} speakers, {sum(map(len, chosen.values()))} recordings")


def main() -> None:
    """Read the command line, write the folders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", type=Path, required=True, help="folder of speakers' folders, at any depth"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lists", type=Path, default=CONF / "lists", help="folder of the speaker lists")
    arguments = parser.parse_args()

    speakers = find_speakers(arguments.corpus, read_list(CONF / "exclude.txt"))
    report_chapters(arguments.corpus, speakers)
    tests = sorted(path.stem for path in arguments.lists.glob("test_*.txt"))
    listed = {
        name: read_list(arguments.lists / f"{name}.txt") for name in ("train_100", "train_329", "dev", *tests)
    }
    test = [speaker for name in tests for speaker in listed[name]]
    for train in ("train_100", "train_329"):
        check_disjoint({f"{train}.txt": listed[train], "dev.txt": listed["dev"], "the test lists": test})
    if all(any(speaker in speakers for speaker in listed[name]) for name in SETS):
        lists = found(listed, speakers)
    else:
        print(
            f"{arguments.corpus}: the speakers are not those of {arguments.lists}; they are split by a hash"
        )
        lists = lists_by_hash(speakers)
    lists["all_speakers"] = sorted({speaker for name in SETS for speaker in lists[name]})
    for name, chosen in lists.items():
        text = "".join(f"{kaldi_name(speaker)}\n" for speaker in chosen)
        write_text(text, arguments.out / "lists" / f"{name}.txt")
    for name in (*SETS, "all_speakers"):
        write_set(arguments.out / name, {s: speakers[s] for s in lists[name]}, arguments.corpus)
    if (arguments.corpus / "timit_sample").is_dir():  # licence: evaluation only
        sample = find_speakers(arguments.corpus, only="timit_sample")
        write_set(arguments.out / "timit_sample", sample, arguments.corpus)


if __name__ == "__main__":
    run_script(main)
