"""Transcripts as tools and people leave them: blank lines, times that are null, labels with text."""

import json
import logging
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.formats import read_turns, write_turns
from diarize.segments import Segment, Turn

T1, T2 = "00:00:01,000 --> 00:00:02,000", "00:00:03,5 --> 00:00:04,50"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def spans(turns: list[Turn]) -> list[tuple[float, float, str]]:
    return [(turn.segment.start, turn.segment.end, turn.speaker) for turn in turns]


def speakers(path: Path) -> list[str]:
    return [turn.speaker for turn in read_turns(path)]


# Blank lines, and blocks that are no cues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"1\n{T1}\n[Ann]: hi\n\nthere\n\n2\n{T2}\n[Bob]: yo\n", [(1, 2, "Ann"), (3.5, 4.5, "Bob")]),
        (f"1\n{T1}\n\n[Ann]: hi\n\n\n2\n{T2}\n[Bob]: yo\n", [(1, 2, "Ann"), (3.5, 4.5, "Bob")]),
        (f"1\n{T1}\n[Ann]: hi\n\n[Bob]: yo\n", [(1, 2, "Ann"), (1, 2, "Bob")]),
        (f"1\n{T1}\n[Ann]: hi\n\nThanks for watching\n", [(1, 2, "Ann")]),
        (f"{T1}\n[Ann]: in\n\n1984\n\n{T2}\n[Bob]: yo\n", [(1, 2, "Ann"), (3.5, 4.5, "Bob")]),
    ],
)
def test_a_text_of_srt_may_have_blank_lines(
    text: str, expected: list[tuple[float, float, str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert spans(read_turns(write(tmp_path / "a.srt", text))) == expected
    assert caplog.text == ""


@pytest.mark.parametrize("text", ["Thanks\n\n", "1\n\n", "1\nthe times are missing\n\n"])
def test_srt_begins_with_a_cue(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"line [12]: needs times such as"):
        read_turns(write(tmp_path / "a.srt", f"{text}1\n{T1}\n[Ann]: hi\n"))


@pytest.mark.parametrize(
    ("strays", "said"),
    [
        (["a stray text\nof two lines"], ["blocks without times left out: 1, the first in line 6"]),
        (["one", "two"], ["blocks without times left out: 2, the first in line 6"]),
        (["7"], ["blocks without times left out: 1, the first in line 6"]),
        (["NOTE a remark", "STYLE\n::cue {}", "REGION\nid:a"], []),
    ],
)
def test_blocks_of_vtt_without_times_are_counted(
    strays: list[str], said: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocks = ["WEBVTT", f"{T1}\n<v Ann>hi".replace(",", "."), *strays, f"{T2}\n<v Bob>yo".replace(",", ".")]
    path = write(tmp_path / "a.vtt", "\n\n".join(blocks))
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(path)) == [(1, 2, "Ann"), (3.5, 4.5, "Bob")]
    assert caplog.messages == [f"{path}: {message}" for message in said]


def test_times_of_vtt_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="line 3: needs times such as"):
        read_turns(write(tmp_path / "a.vtt", "WEBVTT\n\n00:01 --> 00:02\n<v Ann>hi\n"))


# Times that are null, and variants of SegLST


@pytest.mark.parametrize(
    ("text", "expected", "said"),
    [
        (
            '{"segments": [{"start": null, "end": 1, "speaker": "A"},'
            '{"start": 1, "end": 2, "speaker": "A"}]}',
            [(1, 2, "A")],
            ["segments without times left out: 1, the first in segments[0]"],
        ),
        (
            '{"segments": [{"start": 0, "end": 9, "words": [{"word": "1", "start": null, "end": null},'
            '{"word": "a", "start": 1, "end": 2, "speaker": "A"}, {"word": "2"}]}]}',
            [(1, 2, "A")],
            ["words without times left out: 2, the first in segments[0].words[0]"],
        ),
        (
            '{"segments": [{"start": null, "end": null, "words": ['
            '{"word": "a", "start": 1, "end": 2, "speaker": "A"}]}]}',
            [(1, 2, "A")],
            [],
        ),
        (
            '{"diarization": [{"start": 0, "end": 1, "speaker": "S"},'
            '{"start": 1, "end": null, "speaker": "S"}]}',
            [(0, 1, "S")],
            ["segments without times left out: 1, the first in diarization[1]"],
        ),
        (
            '{"content": [{"segment": {"start": null, "end": null}, "label": "S"},'
            '{"segment": {"start": 0, "end": 1}, "label": "S"}]}',
            [(0, 1, "S")],
            ["segments without times left out: 1, the first in content[0]"],
        ),
        (
            '[{"speaker": "A", "start_time": null, "end_time": "1"},'
            '{"speaker": "A", "start_time": "1", "end_time": "2.5"}]',
            [(1, 2.5, "A")],
            ["segments without times left out: 1, the first in segment[0]"],
        ),
        (
            '{"segments": [{"start": null, "end": null, "speaker": "A"}]}',
            [],
            ["segments without times left out: 1, the first in segments[0]"],
        ),
    ],
)
def test_what_was_not_aligned_is_left_out_and_counted(
    text: str,
    expected: list[tuple[float, float, str]],
    said: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = write(tmp_path / "m.json", text)
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(path)) == expected
    assert caplog.messages == [f"{path}: {message}" for message in said]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"session_id": "x", "speaker": "A", "start_time": "0.5", "end_time": "1.5", "words": ""},
            ("x", "A"),
        ),
        ({"session_id": "x", "speaker": "A", "start_time": 0.5, "end_time": 1.5}, ("x", "A")),
        ({"session_id": "x", "speaker": 3, "start_time": 0.5, "end_time": "1.5"}, ("x", "3")),
        ({"speaker": "A", "start_time": 0.5, "end_time": 1.5}, ("m", "A")),
        ({"session_id": None, "speaker": 0, "start_time": 0.5, "end_time": 1.5}, ("m", "0")),
        ({"session_id": 17, "speaker": "A", "start_time": "0:0:0.5", "end_time": "0:00:01.50"}, ("17", "A")),
    ],
)
def test_variants_of_seglst_are_read(
    item: dict[str, object], expected: tuple[str, str], tmp_path: Path
) -> None:
    (turn,) = read_turns(write(tmp_path / "m.json", json.dumps([item])))
    assert (turn.recording, turn.speaker, turn.segment) == (*expected, Segment(0.5, 1.5))


def test_a_segment_of_seglst_without_a_speaker_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    items = [{"start_time": 0, "end_time": 1}, {"start_time": 1, "end_time": 2, "speaker": "A"}]
    assert speakers(write(tmp_path / "m.json", json.dumps(items))) == ["A"]
    assert "segments without a speaker left out: 1, the first in segment[0]" in caplog.text


# Labels of Audacity


def labels(path: Path, *texts: str) -> Path:
    return write(path, "".join(f"{i}\t{i + 0.5}\t{text}\n" for i, text in enumerate(texts)))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Ann: good morning", "Bob: hi", "Ann: how are you"], ["Ann", "Bob", "Ann"]),
        (["[Ann]: hi", "Bob: yo", "Ann: well", "(Bob): no"], ["Ann", "Bob", "Ann", "Bob"]),
        (["SPEAKER_00: hi"], ["SPEAKER_00"]),
        (["SPEAKER_00", "SPEAKER_01: hi"], ["SPEAKER_00", "SPEAKER_01"]),
        (["Ann", "Bob", "Ann"], ["Ann", "Bob", "Ann"]),
        (["Team: Ann", "Team: Bob"], ["Team: Ann", "Team: Bob"]),
        (["Ann: boss"], ["Ann: boss"]),
        (["Ann:", "Bob:"], ["Ann:", "Bob:"]),
        (["Ann", "Bob", "SPEAKER_01: hi"], ["Ann", "Bob", "SPEAKER_01: hi"]),
        (["Note: loud", "Note: quiet", "10:30 we met"], ["Note: loud", "Note: quiet", "10:30 we met"]),
    ],
)
def test_a_label_names_its_speaker_before_its_text_where_that_is_sure(
    texts: list[str], expected: list[str], tmp_path: Path
) -> None:
    assert speakers(labels(tmp_path / "a.txt", *texts)) == expected


def test_a_label_without_a_name_in_a_transcript_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = labels(tmp_path / "a.txt", "Ann: hi", "Bob: yo", "[applause]", "Ann: well", "silence")
    with caplog.at_level(logging.WARNING):
        assert speakers(path) == ["Ann", "Bob", "Ann"]
    assert caplog.messages == [f"{path}: segments without a speaker left out: 1, the first in line 3"]


def test_names_that_would_be_read_as_a_transcript_are_not_written_as_labels(tmp_path: Path) -> None:
    turns = [Turn("a", Segment(i, i + 0.5), f"{name}: x") for i, name in enumerate(["Ann", "Bob"])]
    with pytest.raises(FormatError, match="in this format, 'Ann: x' cannot be a speaker's name; rename it"):
        write_turns(turns, tmp_path / "a.txt")
    write_turns(turns[:1], tmp_path / "a.txt")
    assert read_turns(tmp_path / "a.txt") == turns[:1]
