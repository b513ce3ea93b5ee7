"""The command `diarize embed`: what has a row, the columns, resuming, the projector."""

import errno
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from command_line import call, demo_samples
from helpers import write_small_model

from diarize import Embeddings
from diarize.formats import write_rttm
from diarize.formats.kaldi import write_data_folder
from diarize.segments import Segment, Turn


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two recordings, and turns of both elsewhere."""
    folder = tmp_path_factory.mktemp("data")
    for name, seconds in (("one", 12.0), ("two", 8.0)):
        soundfile.write(folder / f"{name}.wav", demo_samples(seconds), 16000)
    return folder


@pytest.fixture(scope="module")
def turns(tmp_path_factory):
    path = tmp_path_factory.mktemp("turns") / "all.rttm"
    write_rttm(
        [
            Turn("one", Segment(1, 5), "Ann"),
            Turn("one", Segment(4, 9), "Bob"),
            Turn("one", Segment(10, 11), "Ann"),
            Turn("two", Segment(1, 9), "Ann"),  # ends after the recording
        ],
        path,
    )
    return path


def embed(model, *words):
    done = call("embed", *words, "--model", model, "--threads", 1)
    assert (done.status, done.err) == (0, "")
    return done


def test_turns_that_are_given(data, turns, model, tmp_path):
    path = tmp_path / "turns.parquet"
    done = embed(model, data, "-o", path, "--per", "turns", "--turns", turns)
    assert done.out == "one: 3 embeddings of 32 dimensions\ntwo: 1 embeddings of 32 dimensions\n"
    table = Embeddings.load(path)
    assert table.optional == ["speaker", "seconds"]
    assert table.speaker.tolist() == ["Ann", "Bob", "Ann", "Ann"]
    assert table.start.tolist() == [1, 4, 10, 1]
    assert table.end.tolist() == [5, 9, 11, 8]
    assert (table.seconds <= [3, 4, 1, 7]).all()
    assert list(tmp_path.iterdir()) == [path]


def test_turns_that_are_found_are_those_of_run(data, model, tmp_path):
    path = tmp_path / "turns.npz"
    embed(model, data / "one.wav", "-o", path, "--per", "turns", "--num-speakers", 2)
    done = call("run", data / "one.wav", "--model", model, "--num-speakers", 2, "--threads", 1)
    rows = [line.split() for line in done.out.splitlines()]
    table = Embeddings.load(path)
    assert table.speaker.tolist() == [row[7] for row in rows]
    np.testing.assert_allclose(table.start, [float(row[3]) for row in rows], atol=1e-3)


def test_speakers(data, turns, model, tmp_path):
    path = tmp_path / "speakers.tsv"
    embed(model, data, "-o", path, "--per", "speakers", "--turns", turns)
    table = Embeddings.load(path)
    assert list(zip(table.recording, table.speaker, table.start, table.end, strict=True)) == [
        ("one", "Ann", 1, 11),
        ("one", "Bob", 4, 9),
        ("two", "Ann", 1, 8),
    ]


def test_windows_get_the_speakers_of_turns(data, turns, model, tmp_path):
    path = tmp_path / "windows.parquet"
    embed(model, data / "one.wav", "-o", path, "--turns", turns)
    table = Embeddings.load(path)
    middles = (table.start + table.end) / 2
    assert {*table.speaker} == {"Ann", "Bob"}
    assert (table.speaker[middles < 5] == "Ann").all()
    assert (table.speaker[(middles > 5) & (middles < 9)] == "Bob").all()


def test_utterances_of_a_kaldi_data_folder(data, model, tmp_path):
    folder = tmp_path / "kaldi"
    segments = {"u2": ("one", Segment(1, 3)), "u1": ("one", Segment(4, 6)), "u3": ("two", Segment(0, 2))}
    speakers = {"u1": "x", "u2": "y", "u3": "x"}
    wavs = {name: str(data / f"{name}.wav") for name in ("one", "two")}
    write_data_folder(folder, wavs, speakers, segments)
    path = tmp_path / "utterances.parquet"
    embed(model, folder, "-o", path, "--per", "utterances")
    table = Embeddings.load(path)
    assert table.utterance.tolist() == ["u2", "u1", "u3"]
    assert table.speaker.tolist() == ["y", "x", "x"]
    embed(model, folder, "-o", tmp_path / "utterances.ark", "--per", "utterances")
    assert (tmp_path / "utterances.utt2spk").read_text() == "u2 y\nu1 x\nu3 x\n"


def test_recordings_and_a_layer(data, model, tmp_path):
    embed(model, data, "-o", tmp_path / "a.npz", "--per", "recordings")
    embed(model, data, "-o", tmp_path / "b.npz", "--per", "recordings", "--layer", "output")
    own, other = Embeddings.load(tmp_path / "a.npz"), Embeddings.load(tmp_path / "b.npz")
    assert len(own) == len(other) == 2
    assert own.end.tolist() == [12, 8]
    # Windows one by one know nothing of the sound around them.
    assert (np.sum(own.vectors * other.vectors, axis=1) > 0.5).all()


def test_the_projector_gets_two_files(data, turns, model, tmp_path):
    embed(
        model,
        data,
        "-o",
        tmp_path / "a.parquet",
        "--per",
        "turns",
        "--turns",
        turns,
        "--projector",
        tmp_path / "p",
    )
    vectors = np.loadtxt(tmp_path / "p" / "vectors.tsv", delimiter="\t")
    names = (tmp_path / "p" / "metadata.tsv").read_text().splitlines()
    np.testing.assert_allclose(vectors, Embeddings.load(tmp_path / "a.parquet").vectors, rtol=1e-6)
    assert names[0].split("\t") == ["recording", "start", "end", "speaker", "seconds"]
    assert len(names) == len(vectors) + 1
    again = call("embed", data, "-o", tmp_path / "b.parquet", "--projector", tmp_path / "p", "--model", model)
    assert (again.status, "vectors.tsv: exists; give --force" in again.err) == (2, True)


def test_an_interrupted_call_goes_on(data, model, tmp_path, monkeypatch):
    import diarize.pipeline.embeddings as module

    path, words = tmp_path / "a.parquet", ["--model", model, "--threads", 1]
    whole = tmp_path / "whole.parquet"
    call("embed", data, "-o", whole, *words)
    real, calls = module.embed_per, []

    def interrupted(source, *arguments, **named):
        calls.append(named["recording"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(source, *arguments, **named)

    monkeypatch.setattr(module, "embed_per", interrupted)
    assert call("embed", data, "-o", path, *words).status == 130
    assert not path.exists()
    assert path.with_name("a.parquet.parts").is_dir()
    other = call("embed", data, "-o", path, *words, "--window", 2)
    assert other.status == 2
    assert (
        "embeddings of a call with other settings that did not end; delete it, or give --force" in other.err
    )
    assert call("embed", data, "-o", path, *words).status == 0
    assert calls == ["one", "two", "two"]
    assert not path.with_name("a.parquet.parts").exists()
    assert pq.read_table(path).equals(pq.read_table(whole))


def test_a_full_disk_ends_the_call_and_the_same_call_goes_on(data, model, tmp_path, monkeypatch):
    import diarize.files.atomic as module

    path, words = tmp_path / "a.parquet", ["--model", model, "--threads", 1]
    real, written = module._synchronize, []

    def full(file):
        written.append(file)
        if len(written) == 2:  # the settings, then the table of the first recording
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr(module, "_synchronize", full)
    failed = call("embed", data, "-o", path, *words)
    assert (failed.status, len(written), path.exists()) == (2, 2, False)
    assert failed.err.count("\n") == 1
    assert failed.err.endswith(".npz: cannot be written (No space left on device)\n")
    assert call("embed", data, "-o", path, *words).status == 0
    assert set(Embeddings.load(path).recording) == {"one", "two"}


def test_many_recordings_are_a_few_row_groups(tmp_path):
    from diarize.formats.parquet_tables import ROWS_A_GROUP, write_parquet_of

    n = ROWS_A_GROUP // 2
    rows = {
        "recording": np.full(n, "r"),
        "start": np.arange(n, dtype=float),
        "end": np.arange(n) + 1.0,
        "vectors": np.ones((n, 2), np.float32),
    }
    write_parquet_of((rows for _ in range(5)), tmp_path / "a.parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2 * n, 2 * n, n]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--per", "utterances"], "no Kaldi data folder with wav.scp; --per utterances needs one"),
        (["--per", "turns", "--channels", "speakers"], "--channels speakers needs --per windows"),
        (["--turns", "TURNS", "--speech", "TURNS"], "leave out --speech"),
        (["--turns", "/nonsense.rttm"], "/nonsense.rttm"),
        (["--layer", "nonsense"], "has no layer 'nonsense'"),
    ],
)
def test_wrong_options_are_one_line(options, said, data, turns, model, tmp_path):
    words = [turns if word == "TURNS" else word for word in options]
    done = call("embed", data, "-o", tmp_path / "a.npz", "--model", model, *words)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_recording_without_turns_is_reported_and_the_others_are_written(data, turns, model, tmp_path):
    soundfile.write(tmp_path / "three.wav", demo_samples(3.0), 16000)
    words = ["embed", data / "one.wav", tmp_path / "three.wav", "-o", tmp_path / "a.npz", "--model", model]
    done = call(*words, "--per", "turns", "--turns", turns)
    assert done.status == 2
    assert "no turns of recording three in it" in done.err
    assert len(Embeddings.load(tmp_path / "a.npz")) == 3
