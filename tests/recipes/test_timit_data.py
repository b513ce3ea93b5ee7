"""The TIMIT recipe's lists and data folders, on a made-up corpus in LDC's layout."""

import itertools
import shutil
from functools import partial
from pathlib import Path

import made_up_timit as timit
import numpy as np
import pytest
import scripts

from diarize.audio import audio_info, load_audio
from diarize.formats.kaldi import read_data_folder, read_utt2spk

pytestmark = pytest.mark.recipe

PREPARE = timit.REPOSITORY / "egs" / "timit" / "local" / "prepare_data.py"
TRAIN = timit.read_names("train_100")[:3]
TEST = ["FAKS0", "MCCS0", "MRGG0"]


prepare, said = partial(scripts.run, PREPARE), partial(scripts.said, PREPARE)


def complaint(*arguments: object) -> str:
    done = prepare(*arguments)
    assert done.returncode == 2
    return done.stderr


def speakers_of(folder: Path) -> list[str]:
    return sorted(set(read_data_folder(folder).utt2spk.values()))


def part_of(folder: Path, part: str) -> set[str]:
    return {key.split("-")[1] for key, value in read_utt2spk(folder / "utt2part").items() if value == part}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """TIMIT with the sound of six speakers and half a speaker, short sentences in every form."""
    forms = {TRAIN[0]: "riff", "FAKS0": "both", "MRGG0": "_riff"}
    complete = dict.fromkeys([*TRAIN, *TEST], 10) | {"FJEM0": 7}
    return timit.make_timit(tmp_path_factory.mktemp("ldc"), complete, forms, seconds=0.2)


@pytest.mark.parametrize(
    ("name", "women", "men"),
    [
        ("train_100", 50, 50),
        ("test_5", 2, 3),
        ("test_10", 5, 5),
        ("test_20", 12, 8),
        ("test_40", 15, 25),
        ("test_60", 15, 45),
        ("test_80", 31, 49),
        ("dev_40", 16, 24),
        ("dev_60", 23, 37),
        ("dev_80", 24, 56),
        ("final_60", 22, 38),
        ("final_80", 24, 56),
    ],
)
def test_a_list_has_as_many_women_and_men_as_published(name, women, men):
    names = timit.read_names(name)
    assert len(names) == len(set(names)) == women + men
    assert sum(speaker[0] == "F" for speaker in names) == women
    entries = [line for line in (timit.LISTS / f"{name}.txt").read_text().splitlines() if line[0] != "#"]
    assert entries == names


def test_lists_are_nested_and_overlap_where_the_published_ones_do():
    lists = {path.stem: set(timit.read_names(path.stem)) for path in timit.LISTS.glob("*.txt")}
    nested = ["test_5", "test_10", "test_20", "test_40", "test_60", "test_80"]
    for smaller, larger in itertools.pairwise(nested):
        assert lists[smaller] < lists[larger]
    assert lists["dev_40"] < lists["dev_60"] < lists["dev_80"]
    assert lists["test_40"] < lists["final_60"] < lists["final_80"]
    assert not lists["train_100"] & lists["test_80"]
    assert not lists["dev_80"] & lists["final_80"]
    assert len(lists["train_100"] & lists["final_60"]) == 4
    assert len(lists["train_100"] & lists["final_80"]) == 7
    everybody = set(timit.all_names())
    assert len(everybody) == 630
    women = {name for name in everybody if name[0] == "F"}
    assert len(women) == 192
    without_test = everybody - lists["test_40"]
    assert (len(without_test & women), len(without_test - women)) == (177, 413)
    stratified = everybody - lists["dev_80"] - lists["final_80"]
    assert (len(stratified & women), len(stratified - women)) == (144, 326)


@pytest.mark.parametrize("inside", [".", "..", "lower"])
def test_the_corpus_is_found_from_its_root_above_and_in_any_case(corpus, tmp_path, inside):
    given = corpus / inside if inside in (".", "..") else tmp_path / "copy"
    if inside == "lower":
        for path in corpus.rglob("*.WAV"):
            copy = given / str(path.relative_to(corpus)).lower()
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    lines = said("--corpus", given, "--out", tmp_path / "data")
    assert speakers_of(tmp_path / "data" / "train_100") == sorted(TRAIN)
    assert speakers_of(tmp_path / "data" / "train_590") == sorted(TRAIN)
    assert speakers_of(tmp_path / "data" / "test_80") == ["FAKS0", "FJEM0", "MCCS0", "MRGG0"]
    assert "train_100: 3 of 100 speakers" in lines
    assert "test_40: 4 of 40 speakers" in lines
    assert "1 speakers do not have 10 sentences, first FJEM0 with 7" in lines


def test_ten_sentences_make_parts_of_eight_and_two(corpus, tmp_path):
    said("--corpus", corpus, "--out", tmp_path)
    for name in ("train_100", "test_80"):
        folder = read_data_folder(tmp_path / name)
        parts = read_utt2spk(tmp_path / name / "utt2part")
        assert parts.keys() == folder.utt2spk.keys()
        assert all(part[:-2] == folder.utt2spk[key] for key, part in parts.items())
        for speaker in set(folder.utt2spk.values()) - {"FJEM0"}:
            assert list(parts.values()).count(f"{speaker}-A") == 8
            assert list(parts.values()).count(f"{speaker}-B") == 2
    held_out = (tmp_path / "train_100" / "held_out").read_text().split()
    parts = read_utt2spk(tmp_path / "train_100" / "utt2part")
    assert held_out == sorted(key for key, part in parts.items() if part.endswith("B"))
    assert not (tmp_path / "test_80" / "held_out").exists()
    assert (tmp_path / "lists" / "test_40.txt").read_text().split() == ["FAKS0", "FJEM0", "MCCS0", "MRGG0"]


@pytest.mark.parametrize(("naming", "expected"), [("riff", {"SX29", "SX389"}), ("plain", {"SX299", "SX389"})])
@pytest.mark.parametrize("speaker", ["MCCS0", "MRGG0"])
def test_the_naming_decides_part_b_whatever_the_files_are_called(corpus, tmp_path, naming, speaker, expected):
    """MCCS0's files are SX29.WAV, MRGG0's SX29_RIFF.WAV."""
    said("--corpus", corpus, "--out", tmp_path, "--naming", naming)
    assert part_of(tmp_path / "test_80", f"{speaker}-B") == expected
    assert {"SA1", "SA2", "SX119"} <= part_of(tmp_path / "test_80", f"{speaker}-A")


def test_riff_is_the_default_naming(corpus, tmp_path):
    said("--corpus", corpus, "--out", tmp_path)
    assert part_of(tmp_path / "test_80", "MCCS0-B") == {"SX29", "SX389"}


def test_sphere_is_read_like_its_riff_twin(corpus):
    folder = corpus.parent / timit.folder_of("FAKS0")
    sphere, riff = folder / "SA1.WAV", folder / "SA1_RIFF.WAV"
    assert sphere.read_bytes().startswith(b"NIST_1A\n   1024\n")
    assert riff.read_bytes().startswith(b"RIFF")
    assert audio_info(sphere).rate == 16000
    samples = load_audio(sphere)
    assert len(samples) == 3200
    np.testing.assert_array_equal(samples, load_audio(riff))


def test_of_two_forms_the_riff_file_is_taken(corpus, tmp_path):
    lines = said("--corpus", corpus, "--out", tmp_path)
    assert lines[0] == "10 sentences occur twice; the files named _RIFF.WAV or .WAV.wav are used"
    files = read_data_folder(tmp_path / "test_80").wav_scp
    assert all(files[key].endswith("_RIFF.WAV") for key in files if key.startswith("FAKS0-"))


def test_wav_wav_is_taken_before_wav(corpus, tmp_path):
    copy = tmp_path / "timit"
    shutil.copytree(corpus, copy)
    folder = copy / timit.folder_of("MCCS0").relative_to("TIMIT")
    timit.write_riff(folder / "SA1.WAV.wav", np.zeros(1600))
    lines = said("--corpus", copy, "--out", tmp_path / "data")
    assert lines[0].startswith("11 sentences occur twice")
    assert read_data_folder(tmp_path / "data" / "test_80").wav_scp["MCCS0-SA1"].endswith("SA1.WAV.wav")


def test_a_speaker_who_is_there_twice_is_told(corpus, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(corpus / "TRAIN", tmp_path / "two" / name / "TRAIN")
    message = complaint("--corpus", tmp_path / "two", "--out", tmp_path / "data")
    assert message.startswith(f"prepare_data.py: {tmp_path / 'two' / 'b'}")
    assert ": the same sentence as " in message
    assert message.endswith("; move one away\n")


def test_other_speakers_are_split_by_a_hash(tmp_path):
    """In the sample's layout; FVMH0 is of train_100, but nobody is of test_80."""
    names = ["FVMH0", *(f"{sex}AA{letter}7" for sex in "FM" for letter in "ABCD")]
    for name in names:
        timit.write_speaker(tmp_path / "sample" / f"dr1-{name.lower()}", name, form="riff", seconds=0.1)
    lines = said("--corpus", tmp_path / "sample", "--out", tmp_path / "data")
    assert "train_100: 1 of 100 speakers" in lines
    assert "none of test_80: the speakers are split by a hash" in lines
    sets = [speakers_of(tmp_path / "data" / name) for name in ("train_100", "dev", "test_80")]
    assert [len(speakers) for speakers in sets] == [4, 1, 4]
    assert sorted(itertools.chain(*sets)) == sorted(names)


def test_speakers_with_one_sentence_are_left_out(tmp_path):
    complete = {TRAIN[0]: 10, TRAIN[1]: 1, "FAKS0": 10}
    corpus = timit.make_timit(tmp_path, complete, seconds=0.1)
    lines = said("--corpus", corpus, "--out", tmp_path / "data")
    assert f"1 speakers with one sentence are left out, first {TRAIN[1]}" in lines
    assert speakers_of(tmp_path / "data" / "train_100") == [TRAIN[0]]
    assert not (tmp_path / "data" / "dev").exists()


def test_a_speaker_in_two_lists_is_told(corpus, tmp_path):
    lists = shutil.copytree(timit.LISTS, tmp_path / "lists")
    with (lists / "train_100.txt").open("a") as file:
        file.write("FAKS0\n")
    message = complaint("--corpus", corpus, "--out", tmp_path / "data", "--lists", lists)
    assert message == (
        "prepare_data.py: speaker 'FAKS0' is in train_100.txt and in the test lists; take out one\n"
    )


def test_a_name_twice_in_a_list_is_told(corpus, tmp_path):
    lists = shutil.copytree(timit.LISTS, tmp_path / "lists")
    (lists / "dev_40.txt").write_text("# two\nFTLH0\nFTLH0\n")
    message = complaint("--corpus", corpus, "--out", tmp_path / "data", "--lists", lists)
    assert message == (
        f"prepare_data.py: {lists / 'dev_40.txt'}, line 3: 'FTLH0' occurs twice, first in line 2 (FTLH0)\n"
    )


def test_a_folder_without_timit_is_told(tmp_path):
    timit.write_riff(tmp_path / "SA1.WAV", np.zeros(160))
    message = complaint("--corpus", tmp_path, "--out", tmp_path / "data")
    assert message == (
        f"prepare_data.py: {tmp_path}: not TIMIT; "
        "looked for files like DR1/FCJF0/SA1.WAV or dr1-fcjf0/sa1.wav\n"
    )


def test_the_sample_is_prepared(shared_data, tmp_path):
    said("--corpus", shared_data / "timit_sample", "--out", tmp_path)
    sets = {name: speakers_of(tmp_path / name) for name in ("train_100", "dev", "test_80")}
    assert [len(speakers) for speakers in sets.values()] == [8, 2, 6]
    assert all(len(read_data_folder(tmp_path / name).wav_scp) == 10 * len(sets[name]) for name in sets)
