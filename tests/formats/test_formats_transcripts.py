"""Transcripts of other tools: who speaks is read where they say it, and never made up."""

import json
import logging
import re
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.formats import read_turns, write_turns
from diarize.segments import Segment, Turn

DATA = Path(__file__).parent.parent / "data"
NOBODY = "a transcript without speakers"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def spans(turns: list[Turn]) -> list[tuple[float, float, str]]:
    return [(turn.segment.start, turn.segment.end, turn.speaker) for turn in turns]


def subtitles(path: Path, *texts: str) -> Path:
    """A cue a second, of half a second each."""
    mark, head = (",", "") if path.suffix == ".srt" else (".", "WEBVTT\n\n")
    cues = [f"00:00:0{i}{mark}000 --> 00:00:0{i}{mark}500\n{text}\n" for i, text in enumerate(texts)]
    return write(path, head + "\n".join(cues))


def speakers(path: Path) -> list[str]:
    return [turn.speaker for turn in read_turns(path)]


# Subtitles


def test_the_speaker_before_a_colon_is_read_and_no_text() -> None:
    assert spans(read_turns(DATA / "whisperx.srt")) == [
        (0.5, 2.0, "SPEAKER_00"),
        (2.1, 3.0, "SPEAKER_01"),
        (3.1, 4.0, "SPEAKER_00"),
    ]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["<i>[A]</i>: hi", '<font color="#fff">[A]: hi</font>', r"{\an8}<b>[A]: hi</b>"], ["A"] * 3),
        (["SPEAKER_00: hi", "nobody", "<i>Speaker 2: hi</i>"], ["SPEAKER_00", "Speaker 2"]),
        (
            ["[SPEAKER_00] hi", "(SPEAKER_01) hi", ">> SPEAKER_00: hi"],
            ["SPEAKER_00", "SPEAKER_01", "SPEAKER_00"],
        ),
        (["Ann: Good morning.", "Bob: Note: be careful.", "Ann: 10:30?"], ["Ann", "Bob", "Ann"]),
        (
            ["ANN VAN DYK: hi", "Dr. O'Neil: hi", "Åsa: hi", "王: hi"],
            ["ANN VAN DYK", "Dr. O'Neil", "Åsa", "王"],
        ),
        (["(Ann) hi", "[Ann] hi", "- Ann: hi"], ["Ann"] * 3),
        (
            ["Jo Li (she/her): a", "ann's phone: b", "Jo Li (she/her): c", "ann's phone: d"],
            ["Jo Li (she/her)", "ann's phone"] * 2,
        ),
        (["王\uff1a你好", "李\uff1a你好", "SPEAKER_00:hi"], ["王", "李", "SPEAKER_00"]),
        (["- [A]: hi\n- [B]: hello", "[A]: one\ntwo"], ["A", "B", "A"]),
        (["SPEAKER_00", "SPEAKER_01"], ["SPEAKER_00", "SPEAKER_01"]),
        (["[A]: hi", "[music]", "(laughs) yes", "[B]: hi"], ["A", "B"]),
    ],
)
def test_prefixes_are_read_without_styling(
    suffix: str, texts: list[str], expected: list[str], tmp_path: Path
) -> None:
    assert speakers(subtitles(tmp_path / f"a{suffix}", *texts)) == expected


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
@pytest.mark.parametrize(
    "texts",
    [
        ["Good morning.", "Hello there."],
        ["Yes", "No", "Yes"],
        ["Note: be careful", "10:30 we met", "it was late"],
        ["Note: be careful"],
        ["Note: one", "Warning: two", "Chapter 1: three"],
        ["[00:01:02]: hi", "[Music]: a", "(laughs) hi"],
        ["[laughs] hi", "[Music]", "(sighs) well"],
        ["see https://a.org", "and http://b.org"],
        ["he said: no", "she said: yes", "so: good"],
        ["Step 1: a", "Step 2: b", "Step 2: c"],
        ["and then: a", "b", "and then: c", "d"],
        ["Ann: hi", "and so on", "without names", "any more"],
        [">> who is it?", "- it is me"],
    ],
)
def test_a_transcript_without_speakers_is_refused(suffix: str, texts: list[str], tmp_path: Path) -> None:
    path = subtitles(tmp_path / f"a{suffix}", *texts)
    message = f"{path}: {NOBODY} (segments: {len(texts)}); it needs "
    with pytest.raises(FormatError, match=re.escape(message)) as caught:
        read_turns(path)
    assert "'[Ann]: Good morning.'" in str(caught.value)


def test_voices_of_vtt_come_first_and_cues_without_one_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = subtitles(
        tmp_path / "a.vtt",
        "<v.loud.x Ann>Hi: <i>you</i>",
        "Bob: no voice",
        "<v Ann>a</v> <v Bob>b</v>",
        "<v Bob>",
    )
    with caplog.at_level(logging.WARNING):
        assert speakers(path) == ["Ann", "Ann", "Bob", "Bob"]
    assert caplog.messages == [f"{path}: segments without a speaker left out: 1, the first in line 6"]


def test_marks_line_ends_and_hours_beyond_99(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes("\ufeff1\r\n100:00:01,000 --> 100:00:02,500 X1:1\r\n[A]: hi\r\n".encode())
    assert spans(read_turns(path)) == [(360001.0, 360002.5, "A")]


def test_our_own_names_survive_whatever_they_look_like(tmp_path: Path) -> None:
    names = ["[a]: b", "a]: b", "Good morning.", "<i>x</i>", "Note: be careful", "{\\an8}", "- a", "(laughs)"]
    turns = [Turn("a", Segment(i, i + 0.5), name) for i, name in enumerate(names)]
    for suffix in (".srt", ".vtt", ".TextGrid", ".eaf"):
        write_turns(turns, tmp_path / f"a{suffix}")
        assert read_turns(tmp_path / f"a{suffix}") == turns


# STM and CTM


def test_stm_is_read_with_comments_and_without_what_is_not_scored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (
        ';; CATEGORY "0"\nrec 1 Ann 0.5 2.0 <o,f0,female> hello: there\nrec A inter_segment_gap 2.0 2.5\n'
        "rec 1 Bob 2.5 4 ;; without words\nrec 1 Bob 5 6 <o> IGNORE_TIME_SEGMENT_IN_SCORING\n"
        "rec 1 Bob 7 7 x\n"
    )
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(write(tmp_path / "a.stm", text))) == [(0.5, 2.0, "Ann"), (2.5, 4.0, "Bob")]
    assert [message.split(": ", 1)[1] for message in caplog.messages] == [
        "segments that are not scored left out: 2, the first in line 3",
        "turns of duration 0 left out: 1, the first in line 6",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["r 1 0.5 0.25 hi 0.9 lex Ann", "r 1 1 0.5 you NA frag Bob"], ["Ann", "Bob"]),
        (["r 1 0.5 0.25 hi 0.9 Ann", "r 1 1 0.5 you 0.9 lex"], ["Ann"]),
        (["r 1 0.5 0.25 hi Ann", "r 1 1 0.5 you 0.9"], ["Ann"]),
        (["r A 0.5 0.25 hi", "r B 1 0.5 you 0.9"], ["A", "B"]),
        (["r SPEAKER_00 0.5 0.25 hi", "r Bob 1 0.5 you 0.9"], ["SPEAKER_00", "Bob"]),
        (["r 1 * * <ALT_BEGIN>", "r 1 0.5 0.25 hi 0.9 lex Ann", "r 1 * * <ALT_END>"], ["Ann"]),
    ],
)
def test_ctm_has_speakers_in_its_last_field_or_its_channels(
    lines: list[str], expected: list[str], tmp_path: Path
) -> None:
    turns = read_turns(write(tmp_path / "a.ctm", "\n".join([";; words", *lines])))
    assert [turn.speaker for turn in turns] == expected
    assert turns[0].segment == Segment(0.5, 0.75)


@pytest.mark.parametrize(
    "words", ["r 1 0.5 0.25 hi\n", "r A 0.5 0.25 hi 0.9\n", "r 1 0.5 0.25 hi 0.9 lex unknown\n"]
)
def test_ctm_without_speakers_is_refused(words: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"{NOBODY} .* a speaker in the eighth field of each word"):
        read_turns(write(tmp_path / "a.ctm", words))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.stm", "r 1 Ann 0.5", "line 1: 4 fields, STM has 5"),
        ("a.stm", "r 1 Ann 0.5 x hi", "line 1: 'x' is no end"),
        ("a.ctm", "r 1 0.5 0.1", "line 1: 4 fields, CTM has 5 to 8"),
        ("a.ctm", "r 1 0.5 -1 hi 1 lex A", "line 1: '-1' is no duration"),
    ],
)
def test_errors_name_the_line(name: str, text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, text)
    with pytest.raises(FormatError, match=re.escape(f"{path}, {message}")):
        read_turns(path)


def test_stm_is_read_and_not_written(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no format has the suffix '\.stm'; known: rttm "):
        write_turns([], tmp_path / "a.stm")


# JSON of other tools


def test_whisperx_gives_its_segments_with_speakers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert spans(read_turns(DATA / "whisperx.json")) == [(0.5, 2.0, "SPEAKER_00")]
    assert caplog.messages[0].endswith("segments without a speaker left out: 1, the first in segments[1]")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[{"session_id": "m", "speaker": "A", "start_time": 0.5, "end_time": 1, "words": "x"}]',
            [(0.5, 1, "A")],
        ),
        (
            '[{"speaker": "A", "start_time": "0:00:40.5", "end_time": "41.5", "words": "x"}]',
            [(40.5, 41.5, "A")],
        ),
        (
            '{"diarization": [{"speaker": "S", "start": 0.5, "end": 2}], "exclusiveDiarization": []}',
            [(0.5, 2, "S")],
        ),
        (
            '{"jobId": "1", "output": {"diarization": [{"speaker": "S", "start": 0, "end": 2}]}}',
            [(0, 2, "S")],
        ),
        (
            '{"content": [{"segment": {"start": 1, "end": 2}, "track": "x", "label": "S"}], "uri": "m"}',
            [(1, 2, "S")],
        ),
        (
            '[{"start": 0, "end": 1, "speaker": "A", "text": "x"}, {"start": 1, "end": 1, "speaker": "A"}]',
            [(0, 1, "A")],
        ),
        ('{"segments": [{"start": 0, "end": 1, "speaker": 3}]}', [(0, 1, "3")]),
        (
            '{"segments": [{"start": 0, "end": 4, "words": ['
            '{"word": "a", "start": 0, "end": 1, "speaker": "A"},'
            '{"word": "1"}, {"word": "b", "start": 1, "end": 1.5, "speaker": "A"},'
            '{"word": "c", "start": 2, "end": 3, "speaker": "B"}]}]}',
            [(0, 1.5, "A"), (2, 3, "B")],
        ),
        ('{"segments": []}', []),
    ],
)
def test_json_of_other_tools_is_told_by_what_it_holds(
    text: str, expected: list[tuple[float, float, str]], tmp_path: Path
) -> None:
    turns = read_turns(write(tmp_path / "m.json", text))
    assert spans(turns) == expected
    assert {turn.recording for turn in turns} <= {"m"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"segments": [{"start": 0, "end": 1, "text": "x"}]}',
            f": {NOBODY} (segments: 1); it needs a speaker",
        ),
        (
            '{"segments": [{"start": "1", "end": 1, "speaker": "A"}]}',
            ": segments[0].start is no number: '1'",
        ),
        ('{"segments": [{"end": 1, "speaker": "A"}]}', ": segments[0].start is missing"),
        ('{"segments": 3}', ": segments is no list: 3"),
        ('{"segments": [3]}', ": segments[0] is no object: 3"),
        (
            '[{"session_id": "m", "speaker": "A", "start_time": true, "end_time": 1}]',
            ": segment[0].start_time is no",
        ),
        ('{"text": "x"}', ": not a known document; the formats read are"),
    ],
)
def test_json_errors_name_the_item(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", text)
    with pytest.raises(FormatError, match=re.escape(f"{path}{message}")):
        read_turns(path)


T1, T2 = "00:00:01,000 --> 00:00:02,000", "00:00:03,5 --> 00:00:04,50"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.srt", f"1\n{T1}\n[Ann]: hi\n2\n{T2}\n[Bob]: yo\n"),  # no blank line between cues
        ("a.srt", f"{T1}\n[Ann]: hi\n{T2}\n[Bob]: yo\n"),
        ("a.vtt", f"WEBVTT\nKind: captions\n{T1}\n<v Ann>hi\n\nSTYLE\n{T2}\n<v Bob>yo\n"),
    ],
)
def test_each_time_line_begins_a_cue(name: str, text: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, text.replace(",", ".") if name == "a.vtt" else text)
    assert spans(read_turns(path)) == [(1, 2, "Ann"), (3.5, 4.5, "Bob")]


@pytest.mark.parametrize(
    "text", ["Speakers: please come", "Participants: Ann and Bob", "Voiced", "However: no", "He said: no"]
)
def test_prose_is_no_speaker(text: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a transcript without speakers"):
        read_turns(subtitles(tmp_path / "a.srt", text, text))


def test_a_word_without_speaker_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    words = '{"start": 0, "end": 1, "speaker": "A"}, {"start": 1, "end": 2}'
    path = write(tmp_path / "a.json", f'{{"segments": [{{"start": 0, "end": 2, "words": [{words}]}}]}}')
    assert spans(read_turns(path)) == [(0, 1, "A")]
    assert "without a speaker left out: 1" in caplog.text


def test_an_empty_diarization_hides_no_segments(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json", '{"diarization": [], "segments": [{"start": 0, "end": 1, "speaker": "A"}]}'
    )
    assert spans(read_turns(path)) == [(0, 1, "A")]


def test_ctm_reads_one_of_several_readings_and_no_microphone(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ctm",
        "r Ann * * <ALT_BEGIN>\nr Ann 0 1 x\nr Ann * * <ALT>\nr Ann 0 1 y\nr Ann * * <ALT_END>\n"
        "r Ann 2 1 z\n",
    )
    assert spans(read_turns(path)) == [(0, 1, "Ann"), (2, 3, "Ann")]
    with pytest.raises(FormatError, match="speaker"):
        read_turns(write(tmp_path / "b.ctm", "r mono 0 1 x\n"))


@pytest.mark.parametrize(("suffix", "name"), [(".lab", "sil"), (".lab", "Noise"), (".txt", "silence")])
def test_names_that_mean_silence_are_not_written(suffix: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=f"in this format, '{name}' cannot be a speaker's name; rename it"):
        write_turns([Turn("a", Segment(0, 1), name)], tmp_path / f"a{suffix}")


@pytest.mark.parametrize("who", ["UNKNOWN", "SPEAKER_UNKNOWN", "None"])
def test_who_is_not_known_is_nobody(who: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = subtitles(tmp_path / "a.srt", "[Ann]: hi", f"[{who}]: yo")
    assert speakers(path) == ["Ann"]
    items = [{"start": 0, "end": 1, "speaker": "Ann"}, {"start": 1, "end": 2, "speaker": who}]
    path = write(tmp_path / "a.json", json.dumps({"segments": items}))
    assert spans(read_turns(path)) == [(0, 1, "Ann")]
    assert caplog.text.count("left out: 1") == 2
