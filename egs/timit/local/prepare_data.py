"""Make the Kaldi data folders of speaker clustering from TIMIT.

The corpus has the layout of LDC (TIMIT/TRAIN/DR1/FCJF0/SA1.WAV; --corpus is that folder, one above it or one
in it) or of NLTK's sample (dr1-fvmh0/sa1.wav), in upper or lower case, as SPHERE or RIFF. Files may also have
the names SA1_RIFF.WAV and SA1.WAV.wav, which take precedence over SA1.WAV. A part of the corpus is enough;
the script reports what is missing.

A speaker's ten sentences are sorted by file name as strings; the first eight are part A, the last two part B
(`utt2part`). `_` sorts after digits and `.` before them, so the names of the files matter. With names such as
SX29_RIFF.WAV, as in the published systems, part B of MCCS0 and of MRGG0 is SX29 and SX389; --naming riff
sorts by these names, whatever the files are called. With names such as SX29.WAV (--naming plain) it is SX299
and SX389.

Sets: all_speakers; train_100; train_462, those of TIMIT's folder TRAIN, without test_80; train_590, all but
test_40; dev, dev_40 without the speakers of train_100 and test_80; test_80; and, for the protocol of 2019,
train_470, all but dev_80 and final_80, with those two. The train sets and all_speakers also have `held_out`,
the sentences of all parts B. OUT/lists has every list, restricted to the speakers that were found. If no
speaker of train_100 or of test_80 is found, a hash splits the speakers: half to train, an eighth for
development, the rest to test.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

from diarize.audio import find_audio
from diarize.cli.script import run_script
from diarize.errors import FormatError
from diarize.experiments.speaker_sets import check_disjoint, read_list, split_by_hash, write_speaker_set
from diarize.files.text import write_text

LISTS = Path(__file__).resolve().parent.parent / "conf" / "lists"
N_TEST = (5, 10, 20, 40, 60, 80)
LISTED = ("train_100", "dev_40", "dev_60", "dev_80", "final_60", "final_80", *(f"test_{n}" for n in N_TEST))
SETS = (
    "all_speakers",
    "train_100",
    "train_462",
    "train_590",
    "train_470",
    "dev",
    "dev_80",
    "test_80",
    "final_80",
)
ENDINGS = {"riff": "_RIFF.WAV", "plain": ".WAV"}  # of the names that sentences are sorted by
N_SENTENCES = 10

SPEAKER = re.compile(r"(?:DR[1-8]-)?([FM][A-Z]{3}[0-9])")  # FVMH0, or DR1-FVMH0
SENTENCE = re.compile(r"(S[AIX][0-9]+)(_RIFF)?((?:\.[A-Z]+)+)")  # SA1.WAV, SA1_RIFF.WAV, SA1.WAV.WAV

Speakers = dict[str, dict[str, Path]]  # speaker to sentence to file


def find_sentences(corpus: Path) -> Speakers:
    """Speakers and their sentences, names in upper case; prints how many occur in two forms."""
    found: dict[str, dict[str, list[tuple[bool, bool, Path]]]] = defaultdict(lambda: defaultdict(list))
    for path in find_audio(corpus):
        speaker = SPEAKER.fullmatch(path.parent.name.upper())
        sentence = SENTENCE.fullmatch(path.name.upper())
        if speaker and sentence:
            form = (sentence[2] is not None, sentence[3].count(".") > 1, path)
            found[speaker[1]][sentence[1]].append(form)
    if not found:
        raise FormatError(
            f"{corpus}: not TIMIT; looked for files like DR1/FCJF0/SA1.WAV or dr1-fcjf0/sa1.wav"
        )
    chosen: Speakers = {}
    n_twice = 0
    for speaker in sorted(found):
        chosen[speaker] = {}
        for sentence, forms in found[speaker].items():
            *others, best = sorted(forms)
            if others and others[-1][:2] == best[:2]:
                raise FormatError(f"{best[2]}: the same sentence as {others[-1][2]}; move one away")
            chosen[speaker][sentence] = best[2]
            n_twice += bool(others)
    if n_twice:
        print(f"{n_twice} sentences occur twice; the files named _RIFF.WAV or .WAV.wav are used")
    return chosen


def without_incomplete(speakers: Speakers) -> Speakers:
    """The speakers with two or more sentences; prints how many do not have ten, and how many are left out."""
    odd = [name for name, sentences in speakers.items() if len(sentences) != N_SENTENCES]
    if odd:
        print(
            f"{len(odd)} speakers do not have {N_SENTENCES} sentences, "
            f"first {odd[0]} with {len(speakers[odd[0]])}"
        )
    single = [name for name, sentences in speakers.items() if len(sentences) < 2]
    if single:
        print(f"{len(single)} speakers with one sentence are left out, first {single[0]}")
    return {name: sentences for name, sentences in speakers.items() if name not in single}


def in_train(sentences: dict[str, Path]) -> bool:
    """Whether a speaker's sentences lie in LDC's folder TRAIN."""
    return all("TRAIN" in (folder.name.upper() for folder in file.parents) for file in sentences.values())


def published_lists(folder: Path, speakers: Speakers) -> dict[str, list[str]]:
    """The lists of the folder and those derived from them, each with all of its speakers."""
    lists = {name: read_list(folder / f"{name}.txt") for name in LISTED}
    taken = {*lists["train_100"], *lists["test_80"]}
    lists["dev"] = [name for name in lists["dev_40"] if name not in taken]
    lists["train_462"] = [
        name for name, sentences in speakers.items() if in_train(sentences) and name not in lists["test_80"]
    ]
    lists["train_590"] = [name for name in speakers if name not in lists["test_40"]]
    held_out = {*lists["dev_80"], *lists["final_80"]}
    lists["train_470"] = [name for name in speakers if name not in held_out]
    test = [name for n in N_TEST for name in lists[f"test_{n}"]]
    check_disjoint({"train_100.txt": lists["train_100"], "the test lists": test})
    check_disjoint({"dev_80.txt": lists["dev_80"], "final_80.txt": lists["final_80"]})
    return lists


def choose(folder: Path, speakers: Speakers) -> dict[str, list[str]]:
    """The lists, restricted to the speakers that were found; prints how many were found for each."""
    lists = {}
    for name, listed in published_lists(folder, speakers).items():
        lists[name] = [speaker for speaker in listed if speaker in speakers]
        of = name.removeprefix("train_") if name in ("train_462", "train_590", "train_470") else len(listed)
        print(f"{name}: {len(lists[name])} of {of} speakers")
    everyone = {"all_speakers": list(speakers)}
    if lists["train_100"] and lists["test_80"]:
        return lists | everyone
    print(f"none of {'test_80' if lists['train_100'] else 'train_100'}: the speakers are split by a hash")
    train, dev, test = split_by_hash(speakers)
    chosen = {"train_100": train[:100], "train_590": train, "dev": dev}
    return chosen | {f"test_{n}": test[:n] for n in N_TEST} | everyone


def utterances_of(speaker: str, sentences: dict[str, Path], naming: str) -> dict[str, str]:
    """Utterance ids and files of a speaker, in the order that decides the parts."""
    return {
        f"{speaker}-{sentence}": str(sentences[sentence])
        for sentence in sorted(sentences, key=lambda sentence: sentence + ENDINGS[naming])
    }


def main() -> None:
    """Read the command line, write the folders."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True, help="folder of TIMIT or of a part of it")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lists", type=Path, default=LISTS, help="folder of the speaker lists")
    parser.add_argument(
        "--naming", choices=ENDINGS, default="riff", help="file names by which sentences are sorted"
    )
    arguments = parser.parse_args()

    speakers = without_incomplete(find_sentences(arguments.corpus))
    lists = choose(arguments.lists, speakers)
    for name, chosen in lists.items():
        text = "".join(f"{speaker}\n" for speaker in chosen)
        write_text(text, arguments.out / "lists" / f"{name}.txt")
    for name in SETS:
        chosen = {s: utterances_of(s, speakers[s], arguments.naming) for s in lists.get(name, [])}
        if chosen:
            write_speaker_set(arguments.out / name, chosen, hold_out=name.startswith(("train", "all")))
            n_sentences = sum(map(len, chosen.values()))
            print(f"{arguments.out / name}: {len(chosen)} speakers, {n_sentences} sentences")


if __name__ == "__main__":
    run_script(main)
