"""Recordings that occur twice, within a speaker, across speakers and across sets."""

import shutil

import numpy as np
import pytest
import soundfile
from planted_corpus import turns_by_speaker

from diarize.corpus.duplicates import check_duplicates
from diarize.corpus.facts import Examination, glance
from diarize.corpus.layout import Recording, Utterance

TURNS = turns_by_speaker()
FULL = Examination(None, embeds=False)


def found(paths, read, speakers=None, subsets=None):
    """Kind, name and other name of each finding."""
    recordings = [
        Recording(str(path), subset=subset, utterances=(Utterance(speaker),))
        for path, speaker, subset in zip(
            paths, speakers or "x" * len(paths), subsets or [""] * len(paths), strict=True
        )
    ]
    findings = check_duplicates(recordings, [read(each) for each in recordings])
    return sorted((each.kind, each.place.split("/")[-1], each.other.split("/")[-1]) for each in findings)


@pytest.fixture
def pair(tmp_path):
    """Two recordings and a copy of the first."""
    for name, clip in (("a", TURNS["kal"][0]), ("b", TURNS["ked"][0])):
        soundfile.write(tmp_path / f"{name}.wav", clip, 16000)
    shutil.copy(tmp_path / "a.wav", tmp_path / "c.wav")
    return [tmp_path / f"{name}.wav" for name in "abc"]


@pytest.mark.parametrize("read", [glance, FULL], ids=["quick", "full"])
def test_the_same_bytes(pair, read):
    assert found(pair, read) == [("duplicate", "a.wav", "c.wav")]
    assert found(pair, read, "xyz") == [("duplicate-speakers", "a.wav", "c.wav")]
    assert found(pair, read, "xxx", ["train", "train", "dev"]) == [("duplicate-sets", "a.wav", "c.wav")]


def test_three_times_is_two_findings(pair, tmp_path):
    shutil.copy(pair[0], tmp_path / "d.wav")
    expected = [("duplicate", "a.wav", "c.wav"), ("duplicate", "c.wav", "d.wav")]
    assert found([*pair, tmp_path / "d.wav"], FULL) == expected


def test_files_of_one_size_are_no_duplicates(pair):
    content = bytearray(pair[2].read_bytes())
    content[-1] ^= 1
    pair[2].write_bytes(content)
    assert found(pair, glance) == []


@pytest.mark.parametrize("suffix", ["flac", "aiff", "w64"])
def test_the_same_samples_in_another_format(pair, tmp_path, suffix):
    other = tmp_path / f"c.{suffix}"
    samples, _ = soundfile.read(pair[0], dtype="int16")
    soundfile.write(other, samples, 16000)
    assert found([*pair[:2], other], FULL, "xyz") == [("duplicate-speakers", "a.wav", other.name)]
    assert found([*pair[:2], other], glance) == []


@pytest.mark.parametrize(
    ("subtype", "suffix", "gain"),
    [("VORBIS", "ogg", 1.0), ("MPEG_LAYER_III", "mp3", 0.5), ("PCM_16", "wav", 0.1)],
)
def test_the_same_sound(pair, tmp_path, subtype, suffix, gain):
    other = tmp_path / f"copy.{suffix}"
    soundfile.write(other, gain * TURNS["kal"][0], 16000, subtype=subtype)
    assert found([*pair[:2], other], FULL, "xyz") == [("copy-speakers", "a.wav", other.name)]
    assert found([*pair[:2], other], FULL) == [("copy", "a.wav", other.name)]
    assert found([*pair[:2], other], FULL, "xyx", ["a", "a", "b"]) == [("copy-sets", "a.wav", other.name)]


def test_silence_and_files_that_cannot_be_read_are_no_duplicates(tmp_path):
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav", "d.wav")]
    for path in paths[:2]:
        soundfile.write(path, np.zeros(16000), 16000)
    for path in paths[2:]:
        path.write_bytes(b"nothing")
    assert found(paths, FULL) == []
    assert found(paths, glance) == [("duplicate", "a.wav", "b.wav")], "the bytes alone say no more"
