"""Words with speakers as files: other readers find the same words and speakers."""

import json
import re

import pytest

from diarize.errors import FormatError
from diarize.formats import read_turns
from diarize.words import WRITERS, Word, read_words, render_words

SENTENCES = [
    ("Ann", "Good morning, and welcome to this rather long meeting of ours today."),
    ("Ann", "It may take until noon, or even longer than that."),
    ("<b>Bob", "1 < 2 & so on."),
    (None, "Hm?"),
]
SAID = [(speaker, word) for speaker, sentence in SENTENCES for word in sentence.split()]
WORDS = [
    Word(word, 10 + 0.5 * k, 10.4 + 0.5 * k, speaker, confidence=0.9)
    for k, (speaker, word) in enumerate(SAID)
]


def render(format, words=WORDS):
    return render_words(words, format, "x")


def written(tmp_path, format, suffix=None):
    path = tmp_path / f"x.{suffix or format}"
    path.write_text(render(format))
    return path


@pytest.mark.parametrize("format", ["srt", "vtt", "json", "ctm"])
def test_what_is_written_is_read_again(tmp_path, format):
    words = read_words(written(tmp_path, format))
    assert [word.text for word in words] == [word.text for word in WORDS]
    off = 3.5 if format in ("srt", "vtt") else 1e-3  # subtitles keep the times of cues only
    assert all(abs(a.start - b.start) < off for a, b in zip(words, WORDS, strict=True))


@pytest.mark.parametrize("format", ["srt", "vtt", "json", "seglst", "ctm"])
def test_the_speakers_are_turns_for_other_tools(tmp_path, format):
    path = written(tmp_path, format, "json" if format == "seglst" else None)
    turns = read_turns(path)
    bob = "Bob" if format == "srt" else "<b>Bob"  # a reader of SubRip takes <b> for styling
    assert {turn.speaker for turn in turns} - {"unknown"} == {"Ann", bob}
    assert min(turn.segment.start for turn in turns) == 10
    said = sum(turn.segment.duration for turn in turns if turn.speaker == "Ann")
    assert said == pytest.approx(0.5 * sum(speaker == "Ann" for speaker, _ in SAID), abs=2.5)


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_cues_are_short_and_have_one_speaker(format):
    cues = [block.split("\n") for block in render(format).split("\n\n") if "-->" in block]
    assert len(cues) >= 4
    for cue in cues:
        lines = [
            re.sub("<[^>]*>", "", line) for line in cue[cue.index(next(x for x in cue if "-->" in x)) + 1 :]
        ]
        assert 1 <= len([line for line in lines if line]) <= 2
        assert all(len(line) <= 42 for line in lines)


def test_voices_of_webvtt_are_safe():
    text = render("vtt")
    assert "<v &lt;b&gt;Bob>1 &lt; 2 &amp; so on.</v>" in text
    assert text.endswith("\nHm?\n"), "nobody has no voice"


def test_the_layouts_of_whisperx_and_meeteval():
    segments = json.loads(render("json"))["segments"]
    assert [segment.get("speaker") for segment in segments] == ["Ann", "<b>Bob", None]
    first = segments[0]["words"][0]
    assert first == {"word": "Good", "start": 10.0, "end": 10.4, "score": 0.9, "speaker": "Ann"}
    lines = json.loads(render("seglst"))
    assert [line["speaker"] for line in lines] == ["Ann", "<b>Bob", "unknown"]
    assert lines[1]["words"] == "1 < 2 & so on."
    assert {line["session_id"] for line in lines} == {"x"}


def test_a_page_has_a_paragraph_for_each_time_somebody_speaks():
    lines = render("txt").splitlines()
    assert lines[0].startswith("[0:00:10] Ann: Good morning, and welcome to")
    assert lines[1] == "[0:00:21] <b>Bob: 1 < 2 & so on."
    assert lines[2] == "[0:00:24] unknown: Hm?"
    page = render("md")
    assert r"**\<b\>Bob** (0:00:21)" in page
    assert r"1 \< 2 \& so on." in page
    assert page.count("\n\n") == 2
    late = [*WORDS[:2], Word("Again.", 3700.0, 3700.5, "Ann")]
    assert render("txt", late).splitlines()[1] == "[1:01:40] Ann: Again.", "a long pause is a new paragraph"


def test_text_cannot_become_markup():
    tricky = [Word("1.", 0, 1, "*"), Word("#`_[x](y)", 1, 2, "*")]
    assert render("md", tricky) == "**\\*** (0:00:00)\n1\\. \\#\\`\\_\\[x\\](y)\n"


def test_languages_without_blanks_are_joined():
    words = [Word(letter, k, k + 1, "A", spaced=False) for k, letter in enumerate("\u4f60\u597d")]
    assert render("txt", words) == "[0:00:00] A: \u4f60\u597d\n"


def test_an_unknown_format_is_told():
    with pytest.raises(FormatError, match="unknown format 'docx' of words; known: srt, vtt, json, seglst, "):
        render("docx")
    assert set(WRITERS) == {"srt", "vtt", "json", "seglst", "ctm", "md", "txt"}


@pytest.mark.parametrize("format", ["json", "seglst", "ctm"])
def test_speakers_are_read_back(format, tmp_path):
    path = tmp_path / f"x.{'ctm' if format == 'ctm' else 'json'}"
    path.write_text(render(format))
    assert [word.speaker for word in read_words(path)] == [word.speaker for word in WORDS]
