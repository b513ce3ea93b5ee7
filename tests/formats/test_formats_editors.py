"""Formats of editors and players, against independent readers where there are some."""

import logging
import re
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.formats import read_turns, write_turns
from diarize.segments import Segment, Turn

TURNS = [
    Turn("meeting", Segment(0.5, 2.0), "Ann Lee"),
    Turn("meeting", Segment(1.5, 3.25), "Åsa <&> Bob"),
    Turn("meeting", Segment(2.0, 2.75), "Ann Lee"),
    Turn("meeting", Segment(4.0, 3605.125), "Ann Lee"),
]
BY_SPEAKER = {"Ann Lee": [(0.5, 2.0), (2.0, 2.75), (4.0, 3605.125)], "Åsa <&> Bob": [(1.5, 3.25)]}
OVERLAPPING = [Turn("a", Segment(0, 2), "s"), Turn("a", Segment(1, 3), "s"), Turn("a", Segment(3, 4), "s")]
JOINED = [Turn("a", Segment(0, 3), "s"), Turn("a", Segment(3, 4), "s")]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


# TextGrid


@pytest.mark.oracle
def test_praatio_reads_the_textgrid(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    write_turns(TURNS, tmp_path / "meeting.TextGrid")
    grid = textgrid.openTextgrid(str(tmp_path / "meeting.TextGrid"), includeEmptyIntervals=False)
    found = {name: [(i.start, i.end) for i in grid.getTier(name).entries] for name in grid.tierNames}
    assert found == BY_SPEAKER
    assert all(i.label == name for name in grid.tierNames for i in grid.getTier(name).entries)
    assert (grid.minTimestamp, grid.maxTimestamp) == (0, 3605.125)


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["long_textgrid", "short_textgrid"])
def test_the_textgrid_of_praatio_is_read(tmp_path: Path, kind: str) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    grid = textgrid.Textgrid()
    grid.addTier(textgrid.IntervalTier('the "boss"', [(0.5, 1.25, "hello ! 3 there"), (2, 3, "x")], 0, 5))
    grid.addTier(textgrid.PointTier("clicks", [(0.7, "click")], 0, 5))
    grid.save(str(tmp_path / "m.TextGrid"), format=kind, includeBlankSpaces=True)
    assert read_turns(tmp_path / "m.TextGrid") == [
        Turn("m", Segment(0.5, 1.25), 'the "boss"'),
        Turn("m", Segment(2, 3), 'the "boss"'),
    ]


def test_intervals_tile_the_tier(tmp_path: Path) -> None:
    write_turns(TURNS, tmp_path / "a.TextGrid")
    text = (tmp_path / "a.TextGrid").read_text()
    for tier in text.split("    item [")[1:]:
        spans = re.findall(r"\n            xmin = (\S+)\n            xmax = (\S+)", tier)
        assert spans[0][0] == "0.000"
        assert spans[-1][1] == "3605.125"
        assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
        assert f"intervals: size = {len(spans)}\n" in tier


@pytest.mark.parametrize("suffix", [".TextGrid", ".eaf"])
def test_overlapping_turns_of_one_speaker_are_joined(tmp_path: Path, suffix: str) -> None:
    write_turns(OVERLAPPING, tmp_path / f"a{suffix}")
    assert read_turns(tmp_path / f"a{suffix}") == JOINED


def test_textgrid_in_utf16_is_read(tmp_path: Path) -> None:
    write_turns(TURNS, tmp_path / "meeting.TextGrid")
    text = (tmp_path / "meeting.TextGrid").read_text(encoding="utf-8")
    (tmp_path / "meeting.TextGrid").write_bytes(text.encode("utf-16"))
    assert read_turns(tmp_path / "meeting.TextGrid") == TURNS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("xmax = 2.000", "xmax = two", 'line 22: the xmax is missing here ("s")'),
        ("xmax = 2.000", "xmax = 0.1", "line 20: ends at 0.1, not after its start 0.5 (0.500)"),
        ('"ooTextFile"', '"ooBinaryFile"', 'line 2: not a TextGrid in Praat\'s text format ("TextGrid")'),
        ("size = 1", "size = 2", "line 22: the file ends before the class of tier"),
    ],
)
def test_textgrid_errors_name_the_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.TextGrid"
    write_turns([Turn("a", Segment(0.5, 2), "s")], path)
    text = path.read_text()
    place = text.rindex(old)
    write(path, text[:place] + new + text[place + len(old) :])
    with pytest.raises(FormatError, match=re.escape(f"{path}, {message}")):
        read_turns(path)


# ELAN


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_pympi_reads_the_eaf(tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    write_turns(TURNS, tmp_path / "meeting.eaf")
    eaf = elan.Eaf(str(tmp_path / "meeting.eaf"))
    found = {
        name: [(start / 1000, end / 1000) for start, end, _ in sorted(eaf.get_annotation_data_for_tier(name))]
        for name in eaf.get_tier_names()
    }
    assert found == BY_SPEAKER


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore")
def test_the_eaf_of_pympi_is_read(tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    eaf = elan.Eaf()
    eaf.add_tier("words of Ann", part="Ann")
    eaf.add_tier("Bob")
    eaf.add_annotation("words of Ann", 100, 900, "hello")
    eaf.add_annotation("Bob", 500, 1250, "")
    eaf.to_file(str(tmp_path / "m.eaf"))
    assert read_turns(tmp_path / "m.eaf") == [
        Turn("m", Segment(0.1, 0.9), "Ann"),
        Turn("m", Segment(0.5, 1.25), "Bob"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'TIME_VALUE="500"',
            'TIME_VALUE="2500"',
            ", annotation 'a1' of tier 's': ends at 2, not after its start 2.5",
        ),
        ("ANNOTATION_DOCUMENT", "DOCUMENT", ": not an ELAN file (its root is 'DOCUMENT')"),
        ('"500"', '"0x1F4"', ", time slot 'ts1': '0x1F4' is no time in milliseconds"),
        ("milliseconds", "PAL-frames", ": its times are PAL-frames; save it with milliseconds"),
        ("<ANN", '<!DOCTYPE x [<!ENTITY a "b">]><ANN', ": defines XML entities, which ELAN files never do"),
        ("</TIER>", "", ", line 16: not XML (mismatched tag)"),
    ],
)
def test_eaf_errors_name_the_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "a.eaf"
    write_turns([Turn("a", Segment(0.5, 2), "s")], path)
    write(path, path.read_text().replace(old, new))
    with pytest.raises(FormatError, match=re.escape(f"{path}{message}")):
        read_turns(path)


# Subtitles


def test_srt_shows_the_name(tmp_path: Path) -> None:
    write_turns(TURNS[2:], tmp_path / "a.srt")
    assert (tmp_path / "a.srt").read_text() == (
        "1\n00:00:02,000 --> 00:00:02,750\n[Ann Lee]:\n\n2\n00:00:04,000 --> 01:00:05,125\n[Ann Lee]:\n"
    )


def test_vtt_has_voice_tags(tmp_path: Path) -> None:
    write_turns(TURNS[1:2], tmp_path / "a.vtt")
    assert (tmp_path / "a.vtt").read_text() == (
        "WEBVTT\n\n00:00:01.500 --> 00:00:03.250\n<v Åsa &lt;&amp;&gt; Bob>Åsa &lt;&amp;&gt; Bob</v>\n"
    )


def test_vtt_of_others_is_read_by_its_voices(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.vtt",
        "WEBVTT - a title\n\nNOTE\na remark\n\nSTYLE\n::cue {}\n\n"
        "intro\n00:01.000 --> 00:02.500 align:start\n<v.loud Ann>Hi!\n<v Bob>Hello.\n",
    )
    assert read_turns(path) == [Turn("a", Segment(1, 2.5), "Ann"), Turn("a", Segment(1, 2.5), "Bob")]


@pytest.mark.parametrize(
    ("format", "text", "message"),
    [
        (
            "srt",
            "1\n00:00:01 --> 00:00:02\nAnn\n",
            "line 2: needs times such as 00:00:01.000 --> 00:00:02.500",
        ),
        ("srt", "\n1\n", "line 2: needs times such as 00:00:01.000"),
        ("srt", "1\n00:00:02,000 --> 00:00:01,000\n[A]: x\n", "line 2: ends at 1, not after its start 2"),
        ("vtt", "1\n00:00:01.000 --> 00:00:02.000\n<v Ann>x", "line 1: does not begin with WEBVTT"),
        ("vtt", "", "line 1: does not begin with WEBVTT"),
    ],
)
def test_subtitle_errors_name_the_line(tmp_path: Path, format: str, text: str, message: str) -> None:
    path = write(tmp_path / "a.srt", text)
    with pytest.raises(FormatError, match=re.escape(f"{path}, {message}")):
        read_turns(path, format)


# Audacity and CSV


def test_audacity_ranges_are_skipped_and_points_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.txt", "0.5\t1.25\tAnn Lee\n\\\t100.0\t8000.0\n2.0\t2.0\tpoint\n")
    with caplog.at_level(logging.WARNING):
        assert read_turns(path) == [Turn("a", Segment(0.5, 1.25), "Ann Lee")]
    assert caplog.messages == [f"{path}: turns of duration 0 left out: 1, the first in line 3"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 Ann", "needs start, end and label, separated by tabs (1 2 Ann)"),
        ("1\t2\t", "a turn without a speaker's name (1 2)"),
        ("1\tx\tAnn", "'x' is no end"),
    ],
)
def test_audacity_errors_name_the_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "a.txt", f"0\t1\tAnn\n{line}\n")
    with pytest.raises(FormatError, match=re.escape(f"{path}, line 2: {message}")):
        read_turns(path)


def test_csv_holds_several_recordings_and_quotes_what_needs_it(tmp_path: Path) -> None:
    turns = [Turn("a, b", Segment(0, 1), 'the "boss"'), Turn("c", Segment(0.5, 1), "x")]
    write_turns(turns, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == (
        'recording,start,end,speaker\n"a, b",0.000,1.000,"the ""boss"""\nc,0.500,1.000,x\n'
    )
    assert read_turns(tmp_path / "a.csv") == turns


def test_csv_columns_stand_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "end,note,speaker,recording,start\r\n2.5,hm,Ann,a,1\r\n")
    assert read_turns(path) == [Turn("a", Segment(1, 2.5), "Ann")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "recording;start;end;speaker\n",
            "line 1: no column 'recording'; found: recording;start;end;speaker",
        ),
        ("", "line 1: no column 'recording'; found: none"),
        ("recording,start,end,speaker\na,0,1,s\na,0,x,s\n", "line 3: 'x' is no end (a,0,x,s)"),
        ("recording,start,end,speaker\na,0,1\n", "line 2: a turn without a speaker's name"),
        ("recording,start,end,speaker\n,0,1,s\n", "line 2: a turn without a recording"),
        ('recording,start,end,speaker\n"a"b,0,1,s\n', "line 2: not CSV"),
    ],
)
def test_csv_errors_name_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(FormatError, match=re.escape(f"{path}, {message}")):
        read_turns(path)
