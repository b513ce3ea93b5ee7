"""The voices recipe's sets of speakers to cluster, their two parts, and the lists."""

import itertools
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import scripts

from diarize.errors import FormatError
from diarize.experiments.speaker_sets import (
    check_disjoint,
    read_list,
    split_by_hash,
    split_parts,
    write_speaker_set,
)
from diarize.formats.kaldi import read_data_folder, read_utt2spk

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PREPARE = REPOSITORY / "egs" / "voices" / "local" / "prepare_clustering.py"
LISTS = REPOSITORY / "egs" / "voices" / "conf" / "lists"
SETS = ("train_100", "train_329", "dev", "test_80")


prepare, said = partial(scripts.run, PREPARE), partial(scripts.said, PREPARE)


def speakers_of(folder: Path) -> set[str]:
    return set(read_data_folder(folder).utt2spk.values())


def touch(corpus: Path, speaker: str, names: list[str]) -> None:
    (corpus / speaker).mkdir(parents=True, exist_ok=True)
    for name in names:
        (corpus / speaker / name).touch()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Files without sound: all listed speakers, a sample of TIMIT, a folder that is excluded."""
    folder = tmp_path_factory.mktemp("voices")
    for speaker in sorted({name for listed in SETS for name in read_list(LISTS / f"{listed}.txt")}):
        names = ["10", "9"] if speaker == "librispeech/27" else "01234"
        touch(folder / "speakers", speaker, [f"{name}.wav" for name in names])
    touch(folder / "speakers_8k", "librispeech/27", ["narrow.wav"])
    for number in range(3):
        names = ["sa1", "sa2", "si1003", "si943", "si99", "sx103", "sx13", "sx193", "sx283", "sx373"]
        touch(folder / "timit_sample", f"dr{number}-fvmh{number}", [f"{name}.wav" for name in names])
    return folder


@pytest.fixture(scope="module")
def data(corpus, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("data")
    said("--corpus", corpus, "--out", out)
    return out


@pytest.mark.parametrize(
    ("n", "n_b"), [(2, 1), (3, 1), (5, 1), (7, 1), (8, 2), (10, 2), (12, 2), (13, 3), (20, 4)]
)
def test_part_b_is_a_fifth_and_at_least_one(n, n_b):
    utterances = [f"{k:02d}" for k in range(n)]
    a, b = split_parts(utterances)
    assert a + b == utterances
    assert len(b) == n_b


def test_a_split_by_hash_stays_and_loses_nobody():
    names = [f"speaker{k}" for k in range(80)]
    train, dev, test = split_by_hash(names)
    assert (len(train), len(dev), len(test)) == (40, 10, 30)
    assert sorted(train + dev + test) == sorted(names)
    assert split_by_hash(reversed(names)) == (train, dev, test)
    assert [len(part) for part in split_by_hash("abcd")] == [2, 1, 1]
    with pytest.raises(FormatError, match="3 speakers cannot be split into train, dev and test; 4"):
        split_by_hash("abc")


def test_a_speaker_of_two_sets_is_named():
    check_disjoint({"train": ["a", "b"], "test": ["c"]})
    with pytest.raises(FormatError, match="speaker 'b' is in train and in test; take out one"):
        check_disjoint({"train": ["a", "b"], "test": ["c", "b"]})


def test_one_recording_makes_no_two_parts(tmp_path):
    with pytest.raises(FormatError, match="speaker 'a' has 1 recordings, but two parts need 2"):
        write_speaker_set(tmp_path, {"a": {"a-1": "1.wav"}})
    with pytest.raises(FormatError, match="utterance 'x-1' has two speakers"):
        write_speaker_set(tmp_path, {name: {"x-1": "1.wav", f"{name}-2": "2.wav"} for name in "ab"})


def test_an_older_held_out_is_removed(tmp_path):
    speakers = {"a": {"a-1": "1.wav", "a-2": "2.wav"}}
    write_speaker_set(tmp_path, speakers, hold_out=True)
    assert (tmp_path / "held_out").read_text() == "a-2\n"
    write_speaker_set(tmp_path, speakers)
    assert not (tmp_path / "held_out").exists()


def test_the_lists_are_nested_and_share_nobody():
    lists = {path.stem: set(read_list(path)) for path in LISTS.glob("*.txt")}
    for name in ("train_100", "train_329", *(f"test_{n}" for n in (5, 10, 20, 40, 60, 80))):
        assert len(lists[name]) == int(name.split("_")[1])
    nested = [lists[f"test_{n}"] for n in (5, 10, 20, 40, 60, 80)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(nested))
    assert lists["train_100"] < lists["train_329"]
    assert not lists["train_329"] & lists["dev"]
    assert not lists["train_329"] & lists["test_80"]
    assert not lists["dev"] & lists["test_80"]


@pytest.mark.recipe
def test_every_set_has_its_speakers_in_two_parts(data):
    for name in SETS:
        folder = read_data_folder(data / name)
        listed = {speaker.replace("/", "-") for speaker in read_list(LISTS / f"{name}.txt")}
        assert set(folder.utt2spk.values()) == listed
        parts = read_utt2spk(data / name / "utt2part")
        assert parts.keys() == folder.utt2spk.keys()
        assert set(parts.values()) == {f"{speaker}-{part}" for speaker in listed for part in "AB"}
        held_out = data / name / "held_out"
        assert held_out.exists() == name.startswith("train")
        if held_out.exists():
            assert held_out.read_text().split() == [key for key in parts if parts[key].endswith("-B")]
            assert len(held_out.read_text().split()) == len(listed)


@pytest.mark.recipe
def test_file_names_sort_as_strings_and_excluded_folders_are_not_searched(data):
    parts = read_utt2spk(data / "test_80" / "utt2part")
    assert {key: part for key, part in parts.items() if part.startswith("librispeech-27-")} == {
        "librispeech-27-speakers-10": "librispeech-27-A",
        "librispeech-27-speakers-9": "librispeech-27-B",
    }


@pytest.mark.recipe
def test_the_sample_of_timit_is_a_set_of_its_own(data):
    parts = read_utt2spk(data / "timit_sample" / "utt2part")
    b = sorted(key for key, part in parts.items() if part == "timit_sample-dr0-fvmh0-B")
    assert b == ["timit_sample-dr0-fvmh0-sx283", "timit_sample-dr0-fvmh0-sx373"]
    assert len(speakers_of(data / "timit_sample")) == 3
    assert not (data / "timit_sample" / "held_out").exists()


@pytest.mark.recipe
def test_missing_and_single_speakers_are_told_and_left_out(corpus, tmp_path):
    gone, single = read_list(LISTS / "dev.txt")[:2]
    copy = shutil.copytree(corpus, tmp_path / "copy")
    shutil.rmtree(copy / "speakers" / gone)
    for path in sorted((copy / "speakers" / single).iterdir())[1:]:
        path.unlink()
    lines = said("--corpus", copy, "--out", tmp_path / "data")
    n_dev = len(read_list(LISTS / "dev.txt"))
    assert lines[0] == f"dev: 1 of {n_dev} speakers are not found, first {gone}"
    assert lines[1] == f"dev: 1 speakers with one recording are left out, first {single}"
    assert len(speakers_of(tmp_path / "data" / "dev")) == n_dev - 2
    assert len((tmp_path / "data" / "lists" / "dev.txt").read_text().split()) == n_dev - 2


@pytest.mark.recipe
def test_other_speakers_are_split_by_a_hash(tmp_path):
    for number in range(400):
        touch(tmp_path / "corpus", f"{number:03d}", ["a b.wav", "c.wav"] if number else ["a.wav"])
    lines = said("--corpus", tmp_path / "corpus", "--out", tmp_path / "data")
    assert lines[0] == (
        f"{tmp_path / 'corpus'}: the speakers are not those of {LISTS}; they are split by a hash"
    )
    assert lines[1] == "1 speakers with one recording are left out, first 000"
    sets = {name: speakers_of(tmp_path / "data" / name) for name in SETS}
    assert [len(sets[name]) for name in SETS] == [100, 199, 49, 80]
    assert sets["train_100"] < sets["train_329"]
    assert not sets["train_329"] & sets["dev"]
    assert not (sets["train_329"] | sets["dev"]) & sets["test_80"]
    assert "000" not in set().union(*sets.values())
    first = (tmp_path / "data" / "lists" / "test_40.txt").read_text().split()
    assert len(first) == 40
    assert set(first) < sets["test_80"]
    assert any(key.endswith("-a_b") for key in read_data_folder(tmp_path / "data" / "dev").wav_scp)


@pytest.mark.recipe
def test_a_speaker_in_two_lists_is_told(corpus, tmp_path):
    lists = shutil.copytree(LISTS, tmp_path / "lists")
    speaker = read_list(lists / "train_329.txt")[-1]
    with (lists / "test_60.txt").open("a") as file:
        file.write(f"{speaker}\n")
    done = prepare("--corpus", corpus, "--out", tmp_path / "data", "--lists", lists)
    assert done.returncode == 2
    assert done.stderr == (
        f"prepare_clustering.py: speaker {speaker!r} is in train_329.txt and in the test lists; "
        "take out one\n"
    )


@pytest.mark.recipe
def test_two_files_of_one_name_are_told(corpus, tmp_path):
    copy = shutil.copytree(corpus, tmp_path / "copy")
    folder = copy / "speakers" / "librispeech" / "27"
    (folder / "9.flac").touch()
    done = prepare("--corpus", copy, "--out", tmp_path / "data")
    assert done.returncode == 2
    assert done.stderr == (
        f"prepare_clustering.py: {folder / '9.wav'}: the same utterance as {folder / '9.flac'}; rename one\n"
    )


@pytest.mark.recipe
def test_made_up_voices_are_a_corpus(tmp_path):
    script = REPOSITORY / "egs" / "mini" / "local" / "make_corpus.py"
    options = ("--speakers", 8, "--sentences", 5, "--seconds", 0.5)
    lines = scripts.said(script, "--out", tmp_path / "mini", *options)
    assert lines == [f"{tmp_path / 'mini'}: 8 speakers, 5 sentences each"]
    said("--corpus", tmp_path / "mini", "--out", tmp_path / "data")
    sets = [speakers_of(tmp_path / "data" / name) for name in ("train_100", "dev", "test_80")]
    assert [len(speakers) for speakers in sets] == [4, 1, 3]
    assert set().union(*sets) == {f"{sex}{k:02d}" for sex in "fm" for k in range(1, 5)}


@pytest.mark.parametrize(
    ("layout", "speakers"),
    [
        ("train-clean-100/{n}/{n}{c}/{n}-{n}{c}-000{k}.flac", "train-clean-100-{n}"),
        ("dev/aac/id1000{n}/video{c}/0000{k}.m4a", "aac-id1000{n}"),
    ],
    ids=["LibriSpeech", "VoxCeleb"],
)
@pytest.mark.parametrize("script", ["prepare_clustering", "prepare_data"])
def test_chapters_and_videos_are_no_speakers(tmp_path, script, layout, speakers):
    for n, c, k in itertools.product(range(1, 9), range(2), range(3)):
        path = tmp_path / "corpus" / layout.format(n=n, c=c, k=k)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    told = scripts.said(
        PREPARE.with_name(f"{script}.py"), "--corpus", tmp_path / "corpus", "--out", tmp_path / "data"
    )
    assert told[0] == (
        f"{tmp_path / 'corpus'}: 48 recordings lie in a chapter or video of their speaker's folder"
    )
    found = [read_data_folder(path.parent) for path in sorted((tmp_path / "data").glob("*/wav.scp"))]
    assert {name for data in found for name in data.utt2spk.values()} == {
        speakers.format(n=n) for n in range(1, 9)
    }
    assert all(
        list(data.utt2spk.values()).count(name) == 6 for data in found for name in set(data.utt2spk.values())
    )
    if script == "prepare_clustering":
        parts = read_utt2spk(tmp_path / "data" / "train_100" / "utt2part")
        last = [name for name, part in parts.items() if part.endswith("-B")]
        assert len(last) == 4
        assert all(re.search(r"video1-00002$|-\d1-0002$", name) for name in last), last


def test_two_formats_of_one_recording_are_told(tmp_path):
    for n in range(8):
        touch(tmp_path / "corpus" / "a", f"speaker{n}", ["1.wav", "2.wav"])
    touch(tmp_path / "corpus" / "a", "speaker3", ["2.flac"])
    for script in ("prepare_clustering.py", "prepare_data.py"):
        done = scripts.run(
            PREPARE.with_name(script), "--corpus", tmp_path / "corpus", "--out", tmp_path / "data"
        )
        assert done.returncode == 2
        assert "speaker3/2." in done.stderr
        assert done.stderr.endswith("; rename one\n")
