"""Transcripts of other tools are read as words, with times, or an error says what is wrong."""

import json

import pytest

from diarize.errors import FormatError
from diarize.words import join_words, read_words

WORDS = [("Good", 0.5, 0.8), ("morning.", 0.8, 1.3), ("Hello!", 2.0, 2.4)]


def read(tmp_path, content, name="a.json", **options):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_words(path, **options)


def told(words):
    return [(word.text, round(word.start, 3), round(word.end, 3)) for word in words]


def whisper(score="probability"):
    items = [{"word": f" {text}", "start": start, "end": end, score: 0.5} for text, start, end in WORDS]
    return {
        "text": " Good morning. Hello!",
        "segments": [
            {"id": 0, "start": 0.5, "end": 1.3, "text": " Good morning.", "words": items[:2]},
            {"id": 1, "start": 2.0, "end": 2.4, "text": " Hello!", "words": items[2:]},
        ],
        "language": "en",
    }


@pytest.mark.parametrize("score", ["probability", "score"], ids=["Whisper", "WhisperX"])
def test_words_of_whisper_and_its_relatives(tmp_path, score):
    words = read(tmp_path, whisper(score))
    assert told(words) == WORDS
    assert [word.segment for word in words] == [0, 0, 1]
    assert {word.confidence for word in words} == {0.5}
    assert not any(word.estimated for word in words)


def test_a_list_of_segments_is_faster_whispers(tmp_path):
    assert told(read(tmp_path, whisper()["segments"])) == WORDS


def test_words_beside_the_segments_are_openais(tmp_path):
    document = whisper()
    words = [word for segment in document["segments"] for word in segment.pop("words")]
    found = read(tmp_path, document | {"task": "transcribe", "words": words})
    assert told(found) == WORDS
    assert [word.segment for word in found] == [0, 0, 1]
    assert told(read(tmp_path, {"words": words})) == WORDS


def test_tokens_of_whisper_cpp_make_words(tmp_path):
    tokens = [("[_BEG_]", 0, 0), (" Good", 500, 800), (" morn", 800, 1000), ("ing", 1000, 1200)]
    tokens = [
        {"text": text, "offsets": {"from": a, "to": b}, "p": 0.9}
        for text, a, b in [*tokens, (".", 1200, 1300)]
    ]
    segments = [
        {"offsets": {"from": 500, "to": 1300}, "text": " Good morning.", "tokens": tokens},
        {"offsets": {"from": 2000, "to": 2400}, "text": " Hello!"},
    ]
    words = read(tmp_path, {"model": {"type": "base"}, "transcription": segments})
    assert told(words) == WORDS
    assert [word.estimated for word in words] == [False, False, True]


def test_seglst_and_plain_segments_share_their_time_by_letters(tmp_path, caplog):
    plain = [{"start": 1.0, "end": 3.0, "text": "aa bbbbbb"}, {"start": 3.0, "end": 4.0, "text": "cc"}]
    seglst = [
        {"session_id": "x", "speaker": "A", "start_time": one["start"], "end_time": one["end"]}
        | {"words": one["text"]}
        for one in plain
    ]
    for content in (plain, seglst):
        caplog.clear()
        assert told(read(tmp_path, content)) == [("aa", 1.0, 1.5), ("bbbbbb", 1.5, 3.0), ("cc", 3.0, 4.0)]
        assert "3 of 3 words have no times; each gets a share of the time of its segment" in caplog.text


def test_one_recording_of_a_file_of_several_is_read(tmp_path):
    items = [{"session_id": name, "start_time": 0, "end_time": 1, "words": name} for name in ("x", "y")]
    assert told(read(tmp_path, items, recording="y")) == [("y", 0, 1)]
    with pytest.raises(FormatError, match=r"words of 2 recordings \(x, y\); write a file for each"):
        read(tmp_path, items, recording="a")


def test_a_word_that_could_not_be_aligned_lies_between_its_neighbours(tmp_path):
    items = [{"word": "in", "start": 0.0, "end": 0.5}, {"word": "1984"}]
    items += [{"word": "we", "start": 1.5, "end": 2.0}, {"word": "ran", "start": None, "end": None}]
    segment = {"start": 0.0, "end": 2.6, "text": "in 1984 we ran", "words": items}
    words = read(tmp_path, {"segments": [segment]})
    assert told(words) == [("in", 0.0, 0.5), ("1984", 0.5, 1.5), ("we", 1.5, 2.0), ("ran", 2.0, 2.6)]
    assert [word.estimated for word in words] == [False, True, False, True]


def test_languages_without_blanks_stay_so(tmp_path):
    text = "\u4f60\u597d\u5417"
    items = [{"word": word, "start": k, "end": k + 1} for k, word in enumerate(text)]
    segment = {"start": 0, "end": 3, "text": f" {text}", "words": items}
    assert join_words(read(tmp_path, {"segments": [segment]})) == text


SRT = """1
00:00:01,000 --> 00:00:03,000
[Ann]: <i>aa</i> bbbbbb

2
00:00:03,000 --> 00:00:04,000
{\\an8}1 < 2 cc
"""
VTT = """WEBVTT

NOTE a remark

00:01.000 --> 00:03.000
<v Ann>aa <00:00:01.600>bb&amp;b <00:00:02.200><c>cc</c> dd
"""


def test_subtitles_lose_names_and_styling(tmp_path):
    words = read(tmp_path, SRT, "a.srt")
    assert told(words)[:2] == [("aa", 1.0, 1.5), ("bbbbbb", 1.5, 3.0)]
    assert [word.text for word in words[2:]] == ["1", "<", "2", "cc"]
    assert [word.segment for word in words] == [0, 0, 1, 1, 1, 1]
    words = read(tmp_path, VTT, "a.vtt")
    assert told(words) == [("aa", 1.0, 1.6), ("bb&b", 1.6, 2.2), ("cc", 2.2, 2.6), ("dd", 2.6, 3.0)]
    assert [word.estimated for word in words] == [True, False, False, True]


def test_words_of_ctm(tmp_path):
    text = ";; words\nx 1 2.0 0.4 Hello! 0.9\nx 1 0.5 0.3 Good NA lex Ann\n"
    words = read(tmp_path, text, "a.ctm")
    assert told(words) == [("Good", 0.5, 0.8), ("Hello!", 2.0, 2.4)]
    assert [word.confidence for word in words] == [None, 0.9]
    both = text + "y 1 0 1 other\n"
    assert [word.text for word in read(tmp_path, both, "y.ctm", recording="y")] == ["other"]
    with pytest.raises(FormatError, match=r"words of 2 recordings \(x, y\); write a file for each"):
        read(tmp_path, both, "a.ctm", recording="a")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("{}", "a.json", "no transcript that is known; known are Whisper's"),
        ("[]", "a.json", "no words"),
        ('[{"start": 0, "end": 1}]', "a.json", r"segment\[0\].text is no text: None"),
        ('[{"start": "0", "end": 1, "text": "a"}]', "a.json", r"segment\[0\].start is no number"),
        ('{"transcription": [{"text": "a"}]}', "a.json", "offsets is no object: None"),
        ("WEBVTT\n\n00:01 --> 00:02\na", "a.vtt", "line 3: needs times such as"),
        ("1\n", "a.vtt", "line 1: does not begin with WEBVTT"),
        ("x 1 0.5", "a.ctm", "line 1: 3 fields, CTM has 5 to 8"),
        ("words", "a.txt", "no transcript has the suffix '.txt'; known: .json, .srt, .vtt, .ctm"),
    ],
)
def test_what_is_no_transcript_is_told(tmp_path, content, name, message):
    with pytest.raises(FormatError, match=rf"{name}.*{message}"):
        read(tmp_path, content, name)


def speakers(words):
    return [word.speaker for word in words]


def test_speakers_of_segments_and_of_words(tmp_path):
    """As WhisperX and meeteval name them; an unknown one is nobody."""
    document = whisper()
    document["segments"][0] |= {"speaker": "Ann"}
    document["segments"][0]["words"][1]["speaker"] = "Bob"
    document["segments"][1] |= {"speaker": "UNKNOWN"}
    assert speakers(read(tmp_path, document)) == ["Ann", "Bob", None]
    lines = [
        {"session_id": "x", "speaker": who, "words": "Hm hm", "start_time": k, "end_time": k + 1}
        for k, who in enumerate(["Ann", 3, None])
    ]
    assert speakers(read(tmp_path, lines)) == ["Ann", "Ann", "3", "3", None, None]
    ctm = "x 1 0 1 hm 0.9 lex Ann\nx 1 1 1 hm NA lex unknown\nx 1 2 1 hm\n"
    assert speakers(read(tmp_path, ctm, "a.ctm")) == ["Ann", None, None]
