"""The kinds of corpora, and what each says about its recordings."""

import pytest
import soundfile
from command_line import demo_samples

from diarize.corpus.layout import Utterance, find_speakers, read_corpus
from diarize.errors import DiarizeError
from diarize.formats.kaldi import write_data_folder
from diarize.segments import Segment

RTTM = "SPEAKER {} 1 0.0 1.0 <NA> <NA> {} <NA> <NA>\n"


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("ann/a.wav", "ann"),
        ("ann/a.opus", "ann"),
        ("books/ann/a.wav", "books/ann"),
        ("x/books/ann/a.wav", "books/ann"),
        ("train/19/198/19-198-0000.flac", "train/19"),
        ("dev/aac/id00012/21Uxsk56VDQ/00001.m4a", "aac/id00012"),
    ],
)
def test_a_folder_for_each_speaker(tmp_path, name, speaker):
    path = put(tmp_path / name)
    assert find_speakers(tmp_path) == {speaker: [path]}
    (recording,) = read_corpus([tmp_path]).recordings
    assert recording.utterances == (Utterance(speaker),)
    assert recording.collection == speaker.rpartition("/")[0]


def test_excluded_folders_are_left_out(tmp_path):
    put(tmp_path / "augment" / "noise" / "rain.wav")
    put(tmp_path / "ann" / "a.wav")
    corpus = read_corpus([tmp_path], excluded=["augment"])
    assert [recording.speakers for recording in corpus.recordings] == [{"ann"}]
    with pytest.raises(
        DiarizeError, match=r"all of its recordings are in excluded folders; check --exclude$"
    ):
        read_corpus([tmp_path], excluded=["augment", "ann"])


def test_a_recording_without_a_speaker_is_told(tmp_path):
    path = put(tmp_path / "a.wav")
    with pytest.raises(DiarizeError, match=rf"^{path}: lies in no speaker's folder; move it into one"):
        read_corpus([tmp_path])


def test_a_kaldi_folder(tmp_path):
    segments = {"a1": ("a", Segment(0, 1)), "a2": ("a", Segment(1, 2)), "b1": ("b", Segment(0, 1))}
    write_data_folder(
        tmp_path, {"a": "a.wav", "b": "b.wav", "c": "c.wav"}, {"a1": "x", "a2": "y", "b1": "x"}, segments
    )
    a, b, c = read_corpus([tmp_path]).recordings
    assert a.utterances == (Utterance("x", Segment(0, 1)), Utterance("y", Segment(1, 2)))
    assert (a.path, b.speakers, c.utterances) == ("a.wav", {"x"}, ())
    write_data_folder(tmp_path, {"a": "a.wav"}, {"a": "x"})
    (tmp_path / "utt2corpus").write_text("a books\n")
    (recording,) = read_corpus([tmp_path]).recordings
    assert (recording.utterances, recording.collection) == ((Utterance("x"),), "books")
    write_data_folder(tmp_path, {"a": "a.wav"})
    with pytest.raises(DiarizeError, match=r"has no utt2spk, so its speakers are unknown; write one$"):
        read_corpus([tmp_path])


@pytest.mark.parametrize("layout", ["folders", "beside", "option"])
def test_an_annotated_set(tmp_path, layout):
    audio, rttm = {
        "folders": (tmp_path / "audio", tmp_path / "rttm"),
        "beside": (tmp_path, tmp_path),
        "option": (tmp_path / "sound" / "deep", tmp_path / "all.rttm"),
    }[layout]
    put(audio / "a.wav")
    put(audio / "b.wav")
    if layout == "option":
        rttm.write_text(RTTM.format("a", "x") + RTTM.format("c", "x"))
        corpus = read_corpus([tmp_path / "sound"], annotations=rttm)
    else:
        rttm.mkdir(exist_ok=True)
        for name in "ac":
            (rttm / f"{name}.rttm").write_text(RTTM.format(name, "x"))
        corpus = read_corpus([tmp_path])
    a, b = corpus.recordings
    assert corpus.kind == "annotated"
    assert [turn.speaker for turn in a.turns] == ["x"]
    assert b.turns is None
    assert corpus.strays == (f"{rttm}: c",)


def test_several_folders_are_sets(tmp_path):
    for name in ("train", "dev", "other/dev"):
        put(tmp_path / name / "ann" / "a.wav")
    assert read_corpus([tmp_path / "train", tmp_path / "dev"]).subsets == ["train", "dev"]
    twice = [tmp_path / "dev", tmp_path / "other" / "dev"]
    assert read_corpus(twice).subsets == [str(folder) for folder in twice]


def test_lists_are_sets(tmp_path):
    for name in "abc":
        put(tmp_path / name / "1.wav")
    corpus = read_corpus([tmp_path], lists={"train": ["a"], "dev": ["b"]})
    assert [recording.subset for recording in corpus.recordings] == ["train", "dev", ""]


def test_what_does_not_fit_together_is_told(tmp_path):
    soundfile.write(put(tmp_path / "set" / "audio" / "a.wav"), demo_samples(1.0), 16000)
    (tmp_path / "set" / "rttm").mkdir()
    (tmp_path / "set" / "rttm" / "a.rttm").write_text(RTTM.format("a", "x"))
    put(tmp_path / "speakers" / "ann" / "a.wav")
    both = [tmp_path / "speakers", tmp_path / "set"]
    with pytest.raises(DiarizeError, match="some of the folders are annotated, and some have speakers"):
        read_corpus(both)
    with pytest.raises(DiarizeError, match="lists choose speakers of one corpus"):
        read_corpus([tmp_path / "set"], lists={"train": ["x"]})
    with pytest.raises(DiarizeError, match="annotations are of one folder"):
        read_corpus([tmp_path / "set"] * 2, annotations=tmp_path / "set" / "rttm")
    with pytest.raises(DiarizeError, match=r"no such folder; name the folder of a corpus$"):
        read_corpus([tmp_path / "nowhere"])
