"""diarize enroll, run --known, link and find, on two recordings of the same four people."""

import csv
import io
import json
import re

import numpy as np
import pytest
from command_line import REPOSITORY, call, complaint
from helpers import small_model, write_small_model

from diarize import Diarizer, Embedder, VoiceTable, enroll
from diarize.audio import load_audio
from diarize.config import Config
from diarize.errors import ConfigError, DiarizeError
from diarize.formats import read_rttm, read_turns
from diarize.pipeline.enrolment import embed_speakers
from diarize.segments import Segment, Turn

PARTS = REPOSITORY / "egs" / "parts"
FIRST, SECOND = PARTS / "first.flac", PARTS / "second.flac"
PEOPLE = {"slt", "rms", "ked", "kal"}


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    """The table of the four people, from the first recording and its reference."""
    path = tmp_path_factory.mktemp("voices") / "voices.parquet"
    done = call("enroll", FIRST, "--turns", PARTS / "first.rttm", "-o", path)
    assert (done.status, done.out.splitlines()[-1]) == (0, f"{path}: 4 people, biometric data")
    return path


@pytest.fixture(scope="module")
def results(voices, tmp_path_factory):
    """Results of both recordings, the second with known voices but for one of them."""
    folder = tmp_path_factory.mktemp("results")
    three = folder / "three.parquet"
    VoiceTable.load(voices).without(["kal"]).save(three)
    done = call("run", FIRST, "-o", folder / "out", "--save-voices", "--num-speakers", 4, "-q")
    assert (done.status, done.err) == (0, "")
    options = ("--known", three, "--save-voices", "--num-speakers", 4)
    done = call("run", SECOND, "-o", folder / "out", *options)
    assert done.status == 0
    assert "a name needs" in done.out
    return folder / "out"


def test_known_people_get_their_names_and_others_keep_their_numbers(results):
    document = json.loads((results / "second.json").read_text())
    known = document["evidence"]["known"]
    names = {each["name"] for each in known["speakers"]}
    assert names == {"slt", "rms", "ked", None}
    for each in known["speakers"]:
        assert (each["score"] > known["needed"]) == (each["name"] is not None)
    (nobody,) = (each["speaker"] for each in known["speakers"] if each["name"] is None)
    assert {each["speaker"] for each in document["speakers"]} == {"slt", "rms", "ked", nobody}
    assert {turn.speaker for turn in read_rttm(results / "second.rttm")} == {"slt", "rms", "ked", nobody}
    assert set(VoiceTable.load(results / "second.voices.parquet").names) == {"slt", "rms", "ked", nobody}
    assert document["settings"]["known"] == {"false_alarms": 0.01}


def test_many_recordings_with_known_voices_have_a_journal(voices, results, tmp_path):
    """The tables of voices are results as the others are; other known voices label anew."""
    known = tmp_path / "known.parquet"
    VoiceTable.load(voices).without(["kal"]).save(known)
    command = ("run", PARTS, "-o", tmp_path / "out", "--known", known, "--save-voices", "--num-speakers", 4)
    assert "labelled 2, skipped 0" in call(*command).out
    many = tmp_path / "out" / "second.voices.parquet"
    assert many.read_bytes() == (results / "second.voices.parquet").read_bytes()
    assert "labelled 0, skipped 2" in call(*command).out
    many.write_bytes(b"edited")
    assert many.name in call(*command).err
    assert many.read_bytes() == b"edited"
    VoiceTable.load(voices).save(known)
    assert "labelled 2, skipped 0" in call(*command, "--force").out
    assert {turn.speaker for turn in read_rttm(tmp_path / "out" / "second.rttm")} == PEOPLE


def test_the_same_people_are_linked_across_results(results, voices, tmp_path):
    done = call("link", results, "-o", tmp_path / "linked", "--known", voices)
    assert (done.status, done.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "linked" / "speakers.csv").read_text())))
    assert len(rows) == 8
    for name in ("first", "second"):
        assert {row["person"] for row in rows if row["recording"] == name} == PEOPLE
        turns = read_rttm(tmp_path / "linked" / f"{name}.rttm")
        assert {turn.speaker for turn in turns} == PEOPLE
        document = json.loads((tmp_path / "linked" / f"{name}.json").read_text())
        assert {each["speaker"] for each in document["speakers"]} == PEOPLE
        assert document["evidence"]["reason"]
    told = complaint(call("link", results, "-o", tmp_path / "linked"))
    assert told == f"{tmp_path / 'linked' / 'speakers.csv'}: exists; give --force to overwrite it"
    told = complaint(call("link", results, "-o", results, "--force"))
    assert told.endswith("this is an input; name another folder with --output")


def test_a_person_is_found_in_results_and_named_in_a_table(results, voices):
    done = call("find", "kal", results, "--known", voices, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    truth = {name: read_rttm(PARTS / f"{name}.rttm") for name in ("first", "second")}
    assert {row["recording"] for row in rows} == {str(results / f"{name}.json") for name in truth}
    right = 0
    for row in rows:
        name = row["recording"].split("/")[-1].removesuffix(".json")
        middle = (float(row["start"]) + float(row["end"])) / 2
        right += any(t.speaker == "kal" and t.segment.start < middle < t.segment.end for t in truth[name])
    assert right >= 0.7 * len(rows) >= 2, "some turns have their middle in a pause of the reference"
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    done = call("find", "kal", results, "--known", voices)
    assert done.out.splitlines()[-1].startswith("found in 2 of 2 recordings; ")
    told = complaint(call("find", "Eve", results, "--known", voices))
    assert told == "nobody is called 'Eve' in the table; known: slt, rms, ked, kal"


def test_results_without_voices_need_the_recordings(results, tmp_path):
    alone = tmp_path / "first.rttm"
    alone.write_text((PARTS / "first.rttm").read_text())
    told = complaint(call("link", alone, "-o", tmp_path / "new"))
    assert told == (
        f"{alone}: no first.voices.parquet beside it; run with --save-voices, or give --audio DIR"
    )
    done = call("link", alone, results / "second.json", "--audio", PARTS, "-o", tmp_path / "new")
    assert done.status == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "new" / "speakers.csv").read_text())))
    assert {row["person"] for row in rows} == PEOPLE
    assert {turn.speaker for turn in read_turns(tmp_path / "new" / "second.json")} == PEOPLE


def test_people_are_added_and_deleted(voices, tmp_path):
    table = tmp_path / "voices.parquet"
    table.write_bytes(voices.read_bytes())
    told = complaint(call("enroll", FIRST, "-o", table))
    assert told == f"{table}: exists; give --force to overwrite it"
    turns = ("--turns", PARTS / "second.rttm", "--speaker", "slt")
    done = call("enroll", SECOND, *turns, "-o", table, "--add")
    assert done.status == 0
    assert VoiceTable.load(table).recording[VoiceTable.load(table).name == "slt"].tolist() == [
        "first",
        "second",
    ]
    told = complaint(call("enroll", SECOND, *turns, "-o", table, "--add"))
    assert told == "slt has recording second already; --force replaces it"
    done = call("enroll", "--remove", "slt", "--remove", "ked", "-o", table)
    assert (done.status, VoiceTable.load(table).names) == (0, ["rms", "kal"])
    assert complaint(call("enroll", "--remove", "slt", "-o", table)) == (
        "nobody is called 'slt' in the table; known: rms, kal"
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "nobody to enroll; name recordings, or --remove NAME"),
        (
            (FIRST, "--speaker", "slt"),
            "--speaker slt needs --turns, a file that says when this speaker speaks",
        ),
        ((FIRST, SECOND, "--turns", "a.rttm"), "--turns is for one recording, 2 are given"),
        (
            (FIRST, "--turns", PARTS / "first.rttm", "--speaker", "Eve"),
            f"{PARTS / 'first.rttm'}: no speaker 'Eve'; known: slt, rms, ked, kal",
        ),
        ((FIRST, "--name", "SPEAKER_00"), "'SPEAKER_00' is not a person's name; give one with --name"),
    ],
)
def test_what_cannot_be_enrolled_is_told(options, told, tmp_path):
    assert complaint(call("enroll", *options, "-o", tmp_path / "voices.parquet")) == told
    assert not list(tmp_path.iterdir())


def test_a_folder_is_one_person(tmp_path):
    (tmp_path / "people" / "ann").mkdir(parents=True)
    (tmp_path / "people" / "ann" / "a.flac").write_bytes(FIRST.read_bytes())
    told = complaint(call("enroll", tmp_path / "people", "-o", tmp_path / "voices.parquet"))
    assert told == (
        f"{tmp_path / 'people'}: a folder is one person, but {tmp_path / 'people' / 'ann'} is a folder as "
        "well; name each person's"
    )


def test_a_model_without_a_law_and_a_table_of_another_are_refused(voices, tmp_path):
    small = write_small_model(tmp_path / "small")
    told = complaint(call("enroll", FIRST, "--model", small, "-o", tmp_path / "voices.parquet"))
    assert told == "model small: has no law of scores; recipes/train_verifier.py makes one"
    table = VoiceTable.load(voices)
    other = VoiceTable(table.name, table.recording, table.seconds, table.vectors, "other 0000")
    other.save(tmp_path / "other.parquet")
    told = complaint(call("run", FIRST, "--known", tmp_path / "other.parquet"))
    assert told.startswith(f"{tmp_path / 'other.parquet'}: made with the model other 0000, not voices ")
    assert complaint(call("run", FIRST, "--save-voices")).startswith("--save-voices writes a file beside")


def test_a_recording_of_several_people_causes_a_warning(tmp_path):
    done = call("enroll", FIRST, "-o", tmp_path / "voices.parquet", "--set", "clustering.n_speakers=1")
    assert done.status == 0
    assert done.out.splitlines()[-1] == f"{tmp_path / 'voices.parquet'}: 1 person, biometric data"
    told = r"first: 4 people seem to speak \((\d+\.\d(, )?){4} s\), and all count as first; "
    assert re.match(told + "--turns, --speaker enroll one$", done.err)


def test_people_are_enrolled_from_python(caplog):
    samples = load_audio(FIRST)
    turn = max((turn for turn in read_rttm(PARTS / "first.rttm")), key=lambda turn: turn.segment.duration)
    own = samples[round(turn.segment.start * 16000) : round(turn.segment.end * 16000)]
    table = enroll({turn.speaker: {"waveform": own, "sample_rate": 16000}})
    assert table.names == [turn.speaker]
    assert 0 < table.seconds[0] <= turn.segment.duration + 0.1
    assert not caplog.records, "one voice"
    with pytest.raises(DiarizeError, match=r"no speech was found, so Eve cannot be enrolled$"):
        enroll({"Eve": {"waveform": np.zeros(16000, np.float32), "sample_rate": 16000}})
    with pytest.raises(ConfigError, match="contradict each other"):
        Diarizer()(FIRST, channels="speakers", channel_names=["a", "b"], known=table)


def test_time_in_which_several_speak_is_left_out_of_voices(tmp_path):
    turns = [Turn("a", Segment(1, 9), "A"), Turn("a", Segment(6, 7), "B"), Turn("a", Segment(8, 12), "B")]

    samples = {"waveform": np.ones(13 * 16000, np.float32), "sample_rate": 16000}
    table = embed_speakers(samples, turns, Embedder(small_model(tmp_path)), Config())
    own = {
        name: [s for s, n in zip(table.segments(), table.speaker, strict=True) if n == name] for name in "AB"
    }
    assert {(s.start >= 1 and s.end <= 6) or (s.start >= 7 and s.end <= 8) for s in own["A"]} == {True}
    assert all(s.start >= 9 for s in own["B"])
    assert not {(s.start, s.end) for s in own["A"]} & {(s.start, s.end) for s in own["B"]}
