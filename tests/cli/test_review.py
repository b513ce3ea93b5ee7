"""diarize review, and the confidence of turns in diarize run and score."""

import csv
import io
import json

import pytest
import soundfile
from command_line import REPOSITORY, call, complaint

from diarize.batch.result_voices import rename_document
from diarize.formats import read_turns
from diarize.formats.json_format import format_json
from diarize.report.results import read_results, save_correction
from diarize.segments import Segment, Turn

DEMO = REPOSITORY / "egs" / "demo"
TURNS = [(0.8, 5.0, "Ann", 0.9, "Bob"), (5.4, 11.0, "Bob", 0.8, None), (11.5, 15.5, "Ann", 0.95, "Bob")]


def entry(start, end, speaker, confidence=None, alternative=None):
    known = {"confidence": confidence, "alternative": alternative}
    return {"start": start, "end": end, "speaker": speaker} | {
        k: v for k, v in known.items() if v is not None
    }


@pytest.fixture
def result(tmp_path):
    """A result with three turns and one that was left out."""
    document = {
        "recording": "meeting",
        "speakers": [],
        "turns": [entry(*each) for each in TURNS],
        "doubtful": [entry(16.0, 18.0, "Cem", 0.3, "Ann")],
    }
    path = tmp_path / "meeting.json"
    path.write_text(format_json(document))
    return path


def test_the_turn_with_most_seconds_in_doubt_comes_first(result):
    done = call("review", result)
    assert (done.status, done.err) == (0, "")
    assert [line.replace("|", " ").split()[3:] for line in done.out.splitlines()[2:6]] == [
        ["2.00", "(Cem)", "Ann", "0.30", "1.40"],
        ["5.60", "Bob", "-", "0.80", "1.12"],
        ["4.20", "Ann", "Bob", "0.90", "0.42"],
        ["4.00", "Ann", "Bob", "0.95", "0.20"],
    ]
    assert "expected to be wrong: 3.1 s of 15.8 s in 4 turns; 100% of it in these 4\n" in done.out
    assert "in brackets: left out of the result" in done.out
    assert "; 45% of it in these 1\n" in call("review", result, "--limit", 1).out


def test_machines_read_json_and_csv(result):
    rows = json.loads(call("review", result.parent, "--audio", DEMO, "--format", "json").out)
    assert rows[0] == {
        "recording": "meeting", "start": 16.0, "end": 18.0, "speaker": "Cem", "confidence": 0.3,
        "expected_wrong": 1.4, "alternative": "Ann", "left_out": True, "result": str(result),
        "audio": str(DEMO / "meeting.flac"),
    }  # fmt: skip
    assert [row["left_out"] for row in rows] == [True, False, False, False]
    table = list(csv.DictReader(io.StringIO(call("review", result, "--format", "csv").out)))
    assert [row["speaker"] for row in table] == ["Cem", "Bob", "Ann", "Ann"]
    assert (table[1]["alternative"], table[1]["audio"]) == ("", "")


def test_clips_hold_the_sound_of_the_turns(result, tmp_path):
    done = call("review", result, "--audio", DEMO, "--clips", tmp_path / "clips", "--limit", 3)
    assert done.status == 0
    files = sorted((tmp_path / "clips").iterdir())
    assert [file.name for file in files] == ["001.wav", "002.wav", "003.wav"]
    whole, rate = soundfile.read(DEMO / "meeting.flac", dtype="int16")
    clip, clip_rate = soundfile.read(files[1], dtype="int16")
    assert (rate, clip_rate) == (16000, 16000)
    assert abs(clip - whole[round(4.9 * rate) : round(11.5 * rate)]).max() <= 1
    assert len(soundfile.read(files[2])[0]) == round((5.5 - 0.3) * 16000), "half a second on each side"
    again = complaint(call("review", result, "--audio", DEMO, "--clips", tmp_path / "clips"))
    assert again == f"{tmp_path / 'clips' / '001.wav'}: exists; give --force to overwrite it"


def test_what_is_missing_is_one_line(result, tmp_path):
    assert complaint(call("review", result, "--clips", tmp_path)) == (
        "--clips needs --audio, the recording or a folder of recordings"
    )
    plain = DEMO / "meeting.rttm"
    assert complaint(call("review", plain)) == (
        f"{plain}: no turn has a confidence; JSON of `diarize run` has, by a model with a back end"
    )
    assert complaint(call("score", plain, plain, "--coverage")) == (
        f"{plain}: no turn of a recording of {plain} has a confidence, as JSON may have"
    )
    assert complaint(call("score", plain, plain, "--costs", "1,1,3")) == "--costs needs --coverage"
    wrong = complaint(call("score", plain, result, "--coverage", "--costs", "1,2"))
    assert wrong == "--costs 1,2: write the costs of a missed, false and confused second, such as 1,1,3"
    both = complaint(call("score", plain, result, "--coverage", "--skip-overlap"))
    assert both == "--coverage scores all turns; leave out --utterances and --skip-overlap"


def test_the_curve_is_that_of_the_turns(result, tmp_path):
    reference = tmp_path / "ref" / "meeting.lab"
    reference.parent.mkdir()
    reference.write_text("0.8 5.0 A\n5.4 8.0 B\n8.0 11.0 A\n11.5 14.5 A\n")
    done = call("score", reference, result, "--coverage", "--format", "json", "--costs", "1,1,3")
    curve = json.loads(done.out)
    assert (curve["recordings"], curve["turns"]) == (1, 3)
    assert curve["least_confidence"] == [0.95, 0.9, 0.8]
    assert curve["coverage"] == pytest.approx([4 / 13.8, 8.2 / 13.8, 1])
    assert curve["confused"] == pytest.approx([0, 0, 3 / 13.8])
    assert curve["false"] == pytest.approx([1 / 4, 1 / 8.2, 1 / 13.8])
    assert curve["cost"] == pytest.approx([1 + 9.8, 1 + 5.6, 1 + 9])
    text = call("score", reference, result, "--coverage").out
    assert text.startswith("3 turns of 1 recording, collar 0 s each side\n\n| kept % |")


def test_renamed_speakers_are_renamed_in_doubt_as_well(result):
    document = json.loads(rename_document(result, {"Ann": "SPEAKER_07", "Cem": "Bob"}))
    assert [turn.get("alternative") for turn in document["turns"]] == ["Bob", None, "Bob"]
    assert document["doubtful"] == [entry(16.0, 18.0, "Bob", 0.3, "SPEAKER_07")]


def test_a_correction_leaves_no_doubts_behind(result):
    (read,) = read_results(result)
    assert read.alternatives == ["Bob", None, "Bob"]
    corrected = {"recording": "meeting", "speakers": [], "turns": [entry(16.0, 18.0, "Ann")]}
    save_correction(read, format_json(corrected).encode())
    assert "doubtful" not in json.loads(result.read_text())
    assert read_turns(result) == [Turn("meeting", Segment(16.0, 18.0), "Ann")]


def test_a_run_leaves_doubtful_turns_out(tmp_path):
    assert call("run", DEMO / "meeting.flac", "-o", tmp_path, "--min-confidence", 0.9, "-q").status == 0
    found = json.loads((tmp_path / "meeting.json").read_text())
    assert found["doubtful"]
    assert max(each["confidence"] for each in found["doubtful"]) < 0.9
    assert min(each["confidence"] for each in found["turns"]) >= 0.9
    assert len(found["turns"]) + len(found["doubtful"]) == 16
    assert len(read_turns(tmp_path / "meeting.rttm")) == len(found["turns"])
    assert found["settings"]["turns"]["min_confidence"] == 0.9
