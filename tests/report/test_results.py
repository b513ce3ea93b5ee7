"""Results that are found, read, and written back after corrections."""

import json
import logging

import pytest

from diarize.errors import DiarizeError, FormatError
from diarize.formats import read_rttm, read_turns, write_turns
from diarize.formats.json_format import format_json, list_turns
from diarize.report.results import find_results, read_results, save_correction, version_of
from diarize.segments import Segment, Turn

TURNS = [
    Turn("talk", Segment(0.5, 2), "Ann"),
    Turn("talk", Segment(1.5, 3.25), "Bob"),
    Turn("talk", Segment(4, 5), "Ann"),
]
KEPT = {
    "duration": 6.0,
    "evidence": {"n_speakers": 2, "reason": "because"},
    "settings": {"speech": {"threshold": 0.5}},
    "model": "voices 123",
}


def document(turns=TURNS, confidence=(0.9, None, 0.25), **more) -> bytes:
    listed = list_turns(turns)
    for entry, sure in zip(listed, confidence, strict=True):
        if sure is not None:
            entry["confidence"] = sure
    return format_json({"recording": "talk", "turns": listed, **more}).encode()


@pytest.fixture
def result(tmp_path):
    """The result of a JSON file with RTTM of the same turns beside it, as `diarize run` writes them."""
    path = tmp_path / "talk.json"
    path.write_bytes(document(**KEPT))
    write_turns(TURNS, tmp_path / "talk.rttm")
    return read_results(path)[0]


def test_json_gives_turns_confidence_and_all_else(result):
    assert result.turns == TURNS
    assert result.confidence == [0.9, None, 0.25]
    assert (dict(result.document), result.can_save) == (KEPT, True)


def test_other_formats_give_the_turns_of_each_recording(tmp_path):
    others = [Turn("other", Segment(1, 2), "Cem")]
    write_turns([*TURNS, *others], tmp_path / "all.rttm")
    found = read_results(tmp_path / "all.rttm")
    assert [(r.recording, r.turns, r.can_save) for r in found] == [
        ("other", others, True),
        ("talk", TURNS, True),
    ]
    write_turns(TURNS[:1], tmp_path / "talk.srt")
    (only,) = read_results(tmp_path / "talk.srt")
    assert (only.recording, len(only.turns), only.can_save) == ("talk", 1, False)
    (tmp_path / "none.rttm").write_text("")
    assert [(r.recording, r.turns) for r in read_results(tmp_path / "none.rttm")] == [("none", [])]


def test_json_of_another_tool_is_read_and_not_written_back(tmp_path):
    path = tmp_path / "words.json"
    path.write_text(json.dumps({"segments": [{"start": 0, "end": 1, "speaker": "A", "text": "Hm."}]}))
    (found,) = read_results(path)
    assert (len(found.turns), found.can_save) == (1, False)


@pytest.mark.parametrize("sure", [-0.1, 1.5, "high", True])
def test_an_impossible_confidence_is_an_error_of_one_line(tmp_path, sure):
    path = tmp_path / "talk.json"
    path.write_bytes(document().replace(b'"confidence": 0.25', f'"confidence": {json.dumps(sure)}'.encode()))
    with pytest.raises(FormatError, match=r"talk.json: turns\[2\].confidence is no number from 0 to 1: "):
        read_results(path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"duration": "long"}, "duration is no number: 'long'"),
        ({"duration": None}, "duration is no number: None"),
        ({"evidence": {"score": 0.125}}, "a number is too large"),
    ],
)
def test_other_entries_that_no_page_can_hold_are_errors_of_one_line(tmp_path, entry, message):
    path = tmp_path / "talk.json"
    document = {"format": "diarize", "version": 1, "recording": "talk", "turns": [], **entry}
    path.write_text(json.dumps(document).replace("0.125", "1e999"))
    with pytest.raises(FormatError, match=rf"talk\.json: {message}"):
        read_results(path)


def test_of_a_folder_json_comes_first_and_other_files_are_taken_as_they_are(tmp_path, result):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.json").write_bytes(document())
    lone = tmp_path / "sub" / "more.rttm"
    write_turns(TURNS, lone)
    found = find_results([tmp_path, lone, lone])
    assert found == [tmp_path / "sub" / "more.json", tmp_path / "talk.json", lone]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FormatError, match=r"empty: no file in this folder ends in \.json, \.rttm, "):
        find_results([empty])


def test_corrections_replace_the_turns_alone(result, caplog):
    caplog.set_level(logging.WARNING)
    corrected = [TURNS[0], Turn("talk", Segment(1.5, 3), "Zoë"), TURNS[2]]
    before = version_of(result.path)
    written = save_correction(result, document(corrected, (None, None, 0.25)))
    again = read_results(result.path)[0]
    assert (again.turns, again.confidence) == (corrected, [None, None, 0.25])
    assert dict(again.document) == KEPT
    assert json.loads(result.path.read_text())["speakers"][1] == {
        "speaker": "Zoë",
        "seconds": 1.5,
        "n_turns": 1,
    }
    assert [turn["end"] for turn in json.loads(result.path.read_text())["exclusive"]] == [2.0, 3.0, 5.0]
    rttm = result.path.with_suffix(".rttm")
    assert written == [result.path, rttm]
    assert read_rttm(rttm) == corrected
    assert version_of(result.path) != before
    assert not caplog.records
    assert sorted(path.name for path in result.path.parent.iterdir()) == ["talk.json", "talk.rttm"]


def test_a_file_beside_it_that_holds_anything_else_stays(result):
    subtitles = result.path.with_suffix(".srt")
    subtitles.write_text("1\n00:00:00,500 --> 00:00:02,000\n[Ann]: Good morning.\n")
    rttm = result.path.with_suffix(".rttm")
    rttm.write_text(";; by hand\n" + rttm.read_text())
    before = subtitles.read_bytes(), rttm.read_bytes()
    assert save_correction(result, document(TURNS[:1], (None,))) == [result.path]
    assert (subtitles.read_bytes(), rttm.read_bytes()) == before


def test_rttm_keeps_the_turns_of_other_recordings(tmp_path):
    other = Turn("other", Segment(1, 2), "Cem")
    path = tmp_path / "all.rttm"
    write_turns([*TURNS, other], path)
    result = next(each for each in read_results(path) if each.recording == "talk")
    assert save_correction(result, document(TURNS[1:2], (None,))) == [path]
    assert read_turns(path) == [other, TURNS[1]]
    save_correction(result, document([], ()))
    assert read_turns(path) == [other]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not json", r"the corrections, line 1: not JSON"),
        (b"[]", "the corrections: not a document of diarize"),
        (b'{"segments": [{"start": 0, "end": 1, "speaker": "A"}]}', "not a document of diarize"),
        (document().replace(b'"talk"', b"3"), "recording is no name"),
        (document().replace(b'"talk"', b'"walk"'), "the corrections are of 'walk', not of 'talk'"),
        (document().replace(b'"start": 4.0', b'"start": -4'), "turns.2. needs 0 <= start < end"),
        (document().replace(b'"end": 2.0', b'"end": NaN'), "NaN is not a number"),
        (document().replace(b'"Bob"', b'" "'), "speaker is no name"),
        (document().replace(b'"Bob"', b'"B\\u0000b"'), "has a NUL in its name"),
        (document().replace(b'"Bob"', b'"<NA>"'), "cannot be a speaker's name; rename it"),
        (document().replace(b"0.25", b"2.5"), "confidence is no number from 0 to 1"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
    ],
)
def test_wrong_corrections_change_no_file(result, body, message):
    files = [result.path, result.path.with_suffix(".rttm")]
    before = [path.read_bytes() for path in files]
    with pytest.raises(FormatError, match=message):
        save_correction(result, body)
    assert [path.read_bytes() for path in files] == before


def test_a_file_that_is_gone_has_no_version(tmp_path):
    with pytest.raises(DiarizeError, match=r"gone.json: cannot be read \(No such file or directory\)"):
        version_of(tmp_path / "gone.json")
