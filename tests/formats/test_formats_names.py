"""Names as files have them: what nobody sees makes no other speaker, and what no file can hold is refused."""

import json
import re
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.files.text import Text
from diarize.formats import FORMATS, READABLE, read_turns, read_uem, render_turns, write_turns
from diarize.formats.json_format import format_json
from diarize.scoring.der import score
from diarize.segments import Segment, Turn, normal_name

FILES = {
    "rttm": "SPEAKER m 1 0 1 <NA> <NA> {} <NA> <NA>\n",
    "json": '{{"format": "diarize", "version": 1, "recording": "m", "turns": [{{"start": 0, "end": 1, '
    '"speaker": "{}"}}]}}',
    "csv": "recording,start,end,speaker\nm,0,1,{}\n",
    "srt": "1\n00:00:00,000 --> 00:00:01,000\n[{}]: good morning\n",
    "vtt": "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v {}>good morning\n",
    "textgrid": '"ooTextFile"\n"TextGrid"\n0 1 <exists> 1\n"IntervalTier" "{}" 0 1 1\n0 1 "good morning"\n',
    "eaf": '<ANNOTATION_DOCUMENT><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/>'
    '<TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="1000"/></TIME_ORDER><TIER TIER_ID="{}"><ANNOTATION>'
    '<ALIGNABLE_ANNOTATION ANNOTATION_ID="c" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b"/></ANNOTATION></TIER>'
    "</ANNOTATION_DOCUMENT>",
    "audacity": "0\t1\t{}\n",
    "lab": "0 1 {}\n",
    "stm": "m 1 {} 0 1 <o> good morning\n",
    "ctm": "m 1 0 1 good 0.9 lex {}\n",
}
BLANKS_ALLOWED = ["json", "csv", "srt", "vtt", "textgrid", "eaf", "audacity", "lab"]


def speaker(name: str, written: str) -> str:
    (turn,) = READABLE[name].parse(Text(FILES[name].format(written), f"m{READABLE[name].suffix}"))
    return turn.speaker


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("Ann\u200b", "Ann"),
        ("\u200eAnn\u200f", "Ann"),
        ("\ufeffAnn", "Ann"),
        ("A\u200bn\u00adn", "Ann"),
        ("\u202bمريم\u202c", "مريم"),
        ("\u00a0Ann\u00a0", "Ann"),
        ("Ann\u00a0Lee", "Ann Lee"),
        ("Ann\u202fLee\u200b", "Ann Lee"),
        ("\u200b Ann ", "Ann"),
        (" Ann ", " Ann "),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("Ann\u200d", "Ann"),
        ("e\u200b\u0301", "é"),
    ],
)
def test_a_name_is_compared_without_what_nobody_sees(name: str, compared: str) -> None:
    assert normal_name(name) == normal_name(compared) == compared
    assert Turn(name, Segment(0, 1), name) == Turn(compared, Segment(0, 1), compared)


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.parametrize("written", ["Ann", "\u200eAnn", "An\u200bn", "\ufeffAnn\ufeff", "Ann\u00a0"])
def test_marks_make_no_other_speaker(name: str, written: str) -> None:
    assert speaker(name, written) == "Ann"


@pytest.mark.parametrize("name", BLANKS_ALLOWED)
def test_a_no_break_space_is_a_blank(name: str) -> None:
    assert speaker(name, "Ann\u00a0Lee") == speaker(name, "Ann Lee") == "Ann Lee"


@pytest.mark.parametrize("name", ["lab", "audacity"])
def test_silence_with_a_mark_is_silence(name: str) -> None:
    text = FILES[name].format("Ann") + FILES[name].format("\u200bsil")
    assert len(FORMATS[name].parse(Text(text, "m"))) == 1


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
@pytest.mark.parametrize(
    "line", ["{}: hi", "\u200e{}: hi", "\u202b{}\u202c: hi", "{}\u00a0: hi", "{}\u200b: hi"]
)
def test_names_before_texts_are_found_behind_marks(suffix: str, line: str) -> None:
    head, mark = ("WEBVTT\n\n", ".") if suffix == ".vtt" else ("", ",")
    cues = (
        f"00:00:0{i}{mark}000 --> 00:00:0{i}{mark}500\n{line.format(name)}\n"
        for i, name in enumerate(["Ann", "Bob", "Ann"])
    )
    turns = read_turns((head + "\n".join(cues)).encode())
    assert [turn.speaker for turn in turns] == ["Ann", "Bob", "Ann"]


def test_marks_of_direction_as_webvtt_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "a.vtt"
    path.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\n<v &rlm;Ann&nbsp;Lee&lrm;>hi\n", encoding="utf-8")
    assert [turn.speaker for turn in read_turns(path)] == ["Ann Lee"]


def test_recordings_are_compared_like_speakers(tmp_path: Path) -> None:
    reference, hypothesis, uem = tmp_path / "a.rttm", tmp_path / "b.csv", tmp_path / "a.uem"
    reference.write_text(FILES["rttm"].format("Ann"), encoding="utf-8")
    hypothesis.write_text(FILES["csv"].format("x").replace("m,0", "m\u200e,0"), encoding="utf-8")
    uem.write_text("\ufeffm 1 0 1\n\ufeffm 1 1 2\n", encoding="utf-8")
    assert read_uem(uem) == {"m": [Segment(0, 1), Segment(1, 2)]}
    assert [(one.recording, one.der) for one in score(reference, hypothesis, uem)] == [("m", 0)]


def test_files_joined_with_their_byte_order_marks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "joined.rttm"
    path.write_bytes(FILES["rttm"].format("Ann").encode("utf-8-sig") * 2)
    assert [turn.speaker for turn in read_turns(path)] == ["Ann", "Ann"]


@pytest.mark.parametrize("name", ["json", "csv", "audacity"])
def test_a_name_of_marks_alone_is_none(name: str) -> None:
    with pytest.raises(FormatError, match="a turn without a speaker's name"):
        speaker(name, "\u200b")


# NUL


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("what", ["speaker", "recording"])
def test_a_nul_is_never_written(name: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / f"m{FORMATS[name].suffix}"
    names = {"speaker": "Ann", "recording": "m"} | {what: "a\0b"}
    with pytest.raises(FormatError, match=re.escape(f"{what} 'a\\x00b' has a NUL in its name; rename it")):
        write_turns([Turn(names["recording"], Segment(0, 1), names["speaker"])], path)
    assert not path.exists()


def test_no_document_holds_a_nul() -> None:
    turn = {"start": 0, "end": 1, "speaker": "a\0"}
    with pytest.raises(FormatError, match=r"speaker 'a\\x00' has a NUL in its name; rename it"):
        format_json({"recording": "m", "turns": [turn]})
    assert "\\\\u0000" in format_json({"recording": "\\u0000"})  # six characters, and none is a NUL
    assert json.loads(render_turns([Turn("m", Segment(0, 1), "\\0")], "json"))["turns"][0]["speaker"] == "\\0"


@pytest.mark.parametrize("name", READABLE)
def test_a_nul_is_never_read(name: str) -> None:
    data = FILES[name].format("a\\u0000b" if name == "json" else "a\0b").encode() + b"\n"
    with pytest.raises(FormatError, match=r"NUL") as caught:
        read_turns(data, name)
    assert "\n" not in str(caught.value)


def test_a_nul_in_json_of_others_names_its_place() -> None:
    text = (
        '{"segments": [{"start": 0, "end": 1, "speaker": "A"}, {"start": 1, "end": 2, "speaker": "\\u0000"}]}'
    )
    message = r"m.json, segments[1]: speaker '\x00' has a NUL in its name"
    with pytest.raises(FormatError, match=re.escape(message)):
        FORMATS["json"].parse(Text(text, "m.json"))
