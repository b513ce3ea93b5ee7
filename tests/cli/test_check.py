"""The command that examines a corpus: what it prints and writes, and its exit status."""

import csv
import json
import shutil

import numpy as np
import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import write_small_model
from planted_corpus import turns_by_speaker, write_corpus

TURNS = turns_by_speaker()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def faults(done):
    """The kinds of findings of `--format json`, with their places below the corpus."""
    document = json.loads(done.out)
    return {(each["kind"], "/".join(each["place"].split("/")[-2:])) for each in document["findings"]}


def test_a_corpus_without_faults(corpus):
    done = call("check", corpus, "--quick")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    n = sum(map(len, TURNS.values()))
    assert lines[0].startswith(f"{corpus}: 4 speakers, {n} recordings, 0.0")
    assert lines[1].endswith(f" s); 16000 Hz: {n}")
    assert lines[2:] == ["0 errors, 0 warnings"]
    assert call("check", corpus, "--quick", "--quiet").out == ""


def test_planted_faults_of_sound(corpus, tmp_path):
    clip = TURNS["kal"][0]
    planted = write_corpus(
        tmp_path / "c",
        kal_silent=np.zeros(32000),
        kal_loud=np.clip(30 * clip, -1, 1),
        ked_short=clip[:8000],
        rms_copy=0.5 * TURNS["slt"][1],
        slt_offset=clip[:30000] + 0.1,
    )
    shutil.copy(planted / "rms" / "0.wav", planted / "rms" / "again.wav")
    (planted / "slt" / "broken.wav").write_bytes(b"RIFF")
    done = call("check", planted, "--format", "json", "--nj", 1, "-o", tmp_path / "findings.tsv")
    assert done.status == 1
    found = faults(done)
    assert {
        ("unreadable", "slt/broken.wav"),
        ("silent", "kal/silent.wav"),
        ("clipped", "kal/loud.wav"),
        ("short", "ked/short.wav"),
        ("copy-speakers", "rms/copy.wav"),
        ("duplicate", "rms/0.wav"),
        ("offset", "slt/offset.wav"),
    } <= found
    (line,) = done.err.splitlines()
    assert line.startswith(f"diarize: {planted}/slt/broken.wav: not audio that FFmpeg can read")
    with (tmp_path / "findings.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == len(json.loads(done.out)["findings"])
    assert [row["severity"] for row in rows] == sorted(row["severity"] for row in rows)
    assert {row["remedy"] for row in rows if row["kind"] == "silent"} == {"record or export it again"}
    again = call("check", planted, "-o", tmp_path / "findings.tsv", "--quick")
    assert complaint(again) == f"{tmp_path / 'findings.tsv'}: exists; give --force to overwrite it"


def test_planted_swaps_of_voices(tmp_path):
    """A clip of a woman in a man's folder, and a man in two folders."""
    planted = write_corpus(tmp_path / "c", kal_strange=TURNS["slt"][0][:-800])
    (planted / "twin").mkdir()
    for path in sorted((planted / "rms").iterdir())[::2]:
        shutil.move(path, planted / "twin" / path.name)
    done = call("check", planted, "--nj", 1)
    assert done.status == 1, "the strange clip is a copy as well"
    assert "warning: perhaps two voices under one name: 1; listen to them" in done.out
    assert f"kal: 1 of {len(TURNS['kal']) + 1} utterances sound unlike the others (" in done.out
    assert f"{planted}/kal/strange.wav" in done.out


def test_sets_that_share_a_recording(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "train")
    shutil.copytree(corpus / "kal", tmp_path / "dev" / "kal2")
    done = call("check", tmp_path / "train", tmp_path / "dev", "--quick")
    assert done.status == 1
    assert "error: the same samples in two sets: " in done.out
    assert "sets: train " in done.out
    line = done.err.splitlines()[0]
    assert line.startswith(
        f"diarize: {tmp_path}/train/kal/0.wav and {tmp_path}/dev/kal2/0.wav: the same bytes;"
    )
    assert line.endswith(f"keep one (errors: {len(TURNS['kal'])}; `diarize check -o FILE` lists them)")


def test_lists(corpus, tmp_path):
    for name, speakers in (("train", "kal\nked\nrms\n"), ("test", "rms\nslt\n")):
        (tmp_path / f"{name}.txt").write_text(speakers)
    done = call("check", corpus, "--quick", "--list", tmp_path / "train.txt", "--list", tmp_path / "test.txt")
    assert done.status == 1
    expected = "diarize: rms: the speaker is in test and in train; take the speaker out of one\n"
    assert done.err == expected


def test_an_annotated_set(tmp_path):
    for name in ("audio", "rttm"):
        (tmp_path / name).mkdir()
    soundfile.write(tmp_path / "audio" / "a.wav", demo_samples(4.0), 16000)
    line = "SPEAKER a 1 {} {} <NA> <NA> x <NA> <NA>\n"
    (tmp_path / "rttm" / "a.rttm").write_text(line.format(1, 2))
    assert call("check", tmp_path, "--quick").status == 0
    assert call("check", tmp_path, "--nj", 1).status == 0
    (tmp_path / "rttm" / "a.rttm").write_text(line.format(1, 2) + line.format(3, 4) + line.format(1, 0))
    done = call("check", tmp_path, "--quick")
    assert done.status == 1
    assert "x speaks until 7.00 s, the recording ends at 4.00 s" in done.out
    assert "turns of duration 0 left out: 1, the first in line 3" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such folder; name the folder of a corpus"),
        ([".", "--list", "nowhere"], "nowhere: cannot be read (No such file or directory)"),
        ([".", "--quick"], ".: no audio files; looked for"),
    ],
)
def test_wrong_input_is_status_2(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complaint(call("check", *words)).startswith(message)


def test_a_model_without_a_back_end_is_told(corpus, tmp_path):
    model = write_small_model(tmp_path)
    line = complaint(call("check", corpus, "--model", model))
    assert line.endswith("has no back end; make one with recipes/train_backend.py, or use --quick")
