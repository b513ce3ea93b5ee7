"""RTTM, UEM and label files."""

import logging
import re
from itertools import pairwise
from pathlib import Path

import pytest

from diarize.errors import FormatError
from diarize.formats import (
    read_lab,
    read_rttm,
    read_rttm_speech,
    read_turns,
    read_uem,
    render_turns,
    write_rttm,
    write_turns,
    write_uem,
)
from diarize.segments import Segment, Turn

DATA = Path(__file__).parent.parent / "data"

# What md-eval accepts: ten fields, times as plain decimals.
RTTM_LINE = re.compile(r"SPEAKER \S+ 1 \d+\.\d{3} \d+\.\d{3} <NA> <NA> \S+ <NA> <NA>")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_rttm_is_sorted_and_has_ten_fields() -> None:
    turns = [
        Turn("b", Segment(0, 1), "x"),
        Turn("a", Segment(2.25, 3), "y y"),
        Turn("a", Segment(0.5, 2), "x"),
        Turn("a", Segment(0.5, 1), "z"),
    ]
    text = render_turns(turns, "rttm")
    assert text == (
        "SPEAKER a 1 0.500 0.500 <NA> <NA> z <NA> <NA>\n"
        "SPEAKER a 1 0.500 1.500 <NA> <NA> x <NA> <NA>\n"
        "SPEAKER a 1 2.250 0.750 <NA> <NA> y_y <NA> <NA>\n"
        "SPEAKER b 1 0.000 1.000 <NA> <NA> x <NA> <NA>\n"
    )
    assert all(RTTM_LINE.fullmatch(line) for line in text.splitlines())


def test_turns_that_touch_still_touch_after_rounding(tmp_path: Path) -> None:
    times = [i / 7 for i in range(50)]
    turns = [Turn("a", Segment(*span), "s") for span in pairwise(times)]
    write_rttm(turns, tmp_path / "a.rttm")
    read = read_rttm(tmp_path / "a.rttm")
    assert [turn.segment.end for turn in read[:-1]] == [turn.segment.start for turn in read[1:]]


def test_rttm_reader_takes_nine_fields_comments_and_other_types(tmp_path: Path) -> None:
    path = write(
        tmp_path / "ref.rttm",
        ";; a comment\n"
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown s <NA> <NA>\n"
        "\n"
        "NON-LEX a 1 0.0 1.0 laugh laugh s <NA>\n"
        "SPEAKER a 1 1.5 2 <NA> <NA> s <NA>\r\n"
        "SPEAKER\ta\t2\t0.1\t0.2\t<NA>\t<NA>\ts\t0.9\t<NA>",
    )
    assert read_rttm(path) == [Turn("a", Segment(0.1, 0.3), "s"), Turn("a", Segment(1.5, 3.5), "s")]


def test_rttm_of_older_evaluations_and_with_comments_anywhere_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_rttm(DATA / "eight_fields.rttm") == [
        Turn("rec", Segment(0.5, 2.0), "Ann"),
        Turn("rec", Segment(2.5, 4.0), "Bob"),
    ]
    assert [turn.speaker for turn in read_rttm(DATA / "channel0.rttm")] == ["A", "B"]
    path = write(
        tmp_path / "a.rttm",
        "# remark\n  ;; SPEAKER a 1 0 1 <NA> <NA> x <NA> <NA>\nSPEAKER a NA 0 1 <NA> <NA> s ;; remark two\n"
        "SPEAKER a <NA> 1 1 <NA> <NA> ;;s <NA> <NA> ;;x\nSPEAKER a 1 2 1 <NA> <NA> <NA> <NA>\n",
    )
    with caplog.at_level(logging.WARNING):
        assert read_rttm(path) == [Turn("a", Segment(0, 1), "s"), Turn("a", Segment(1, 2), ";;s")]
    assert caplog.messages == [f"{path}: segments without a speaker left out: 1, the first in line 5"]
    assert read_rttm_speech(path) == {"a": [Segment(0, 3)]}


def test_an_rttm_without_turns_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "a.rttm", "SPKR-INFO a 1 <NA> <NA> <NA> unknown s <NA> <NA>\n")
    with caplog.at_level(logging.WARNING):
        assert read_rttm(path) == []
    assert caplog.messages == [f"{path}: lines of other types than SPEAKER left out: 1, the first in line 1"]


def test_names_are_in_normal_form_c(tmp_path: Path) -> None:
    assert read_rttm(DATA / "nfc.rttm") == read_rttm(DATA / "nfd.rttm")
    path = write(tmp_path / "a.uem", "re\u0301union 1 0 1\nr\u00e9union 1 1 2\n")
    assert read_uem(path) == {"r\u00e9union": [Segment(0, 1), Segment(1, 2)]}


def test_turns_of_duration_0_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["SPEAKER a 1 0 1 <NA> <NA> s <NA> <NA>", *["SPEAKER a 1 4.0 0.0 <NA> <NA> s <NA> <NA>"] * 2]
    path = write(tmp_path / "ref.rttm", "\n".join(lines))
    with caplog.at_level(logging.WARNING):
        assert len(read_rttm(path)) == 1
    assert caplog.messages == [f"{path}: turns of duration 0 left out: 2, the first in line 2"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "SPEAKER a 1 0.0 zero <NA> <NA> s <NA> <NA>",
            "'zero' is no duration (SPEAKER a 1 0.0 zero <NA> <NA> s <NA> <N ...)",
        ),
        ("SPEAKER a 1 x 1 <NA> <NA> s <NA> <NA>", "'x' is no start (SPEAKER a 1 x 1"),
        ("SPEAKER a 1 0 -1 <NA> <NA> s <NA> <NA>", "'-1' is no duration"),
        ("SPEAKER a 1 -2 1 <NA> <NA> s <NA> <NA>", "starts at -2, before the recording"),
        ("SPEAKER a 1 0 nan <NA> <NA> s <NA> <NA>", "'nan' is no duration"),
        ("SPEAKER a 1 0 1 <NA> <NA>", "7 fields, RTTM has 10; names hold no blanks"),
        ("SPEAKER a 1 0 1 <NA> <NA> Ann Lee <NA> <NA>", "11 fields, RTTM has 10; names hold no blanks"),
        ("a 1 0 1", "'a' is not a type of RTTM line (a 1 0 1)"),
    ],
)
def test_rttm_errors_name_the_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "ref.rttm", "SPEAKER a 1 0 1 <NA> <NA> s <NA> <NA>\n" + line + "\n")
    with pytest.raises(FormatError, match=re.escape(f"{path}, line 2: {message}")):
        read_rttm(path)


def test_reference_files_of_real_corpora_are_read_and_written_back(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted(shared_data.glob("diarization/*/rttm*/*.rttm"))
    assert paths
    for path in paths:
        turns = read_rttm(path)
        assert turns
        write_rttm(turns, tmp_path / "again.rttm")
        assert read_rttm(tmp_path / "again.rttm") == turns
    for path in sorted(shared_data.glob("diarization/*/uem/*.uem")):
        assert list(read_uem(path)) == [path.stem]


# UEM


def test_uem_of_any_channel_and_with_empty_segments_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_uem(DATA / "channel0.uem") == {"rec": [Segment(0, 5)]}
    with caplog.at_level(logging.WARNING):
        assert read_uem(DATA / "zero_region.uem") == {"rec": [Segment(0, 5)]}
    assert caplog.messages == [f"{DATA / 'zero_region.uem'}: empty segments left out: 1, the first in line 1"]
    path = write(tmp_path / "a.uem", "# remark\na 0 0 3 ;; x\na A 2 5\n  ;; b 1 0 1\nc NA 1.5 1.5\n")
    assert read_uem(path) == {"a": [Segment(0, 5)], "c": []}


def test_uem_is_read_by_recording_and_overlapping_parts_are_joined(tmp_path: Path) -> None:
    path = write(tmp_path / "a.uem", ";; note\nb NA 1 2\na 1 5.0 9.0\na 1 0 3\na 1 2 4\n")
    assert read_uem(path) == {"b": [Segment(1, 2)], "a": [Segment(0, 4), Segment(5, 9)]}


def test_uem_is_written_sorted(tmp_path: Path) -> None:
    scored = {"b": [Segment(3, 4), Segment(0, 1.5)], "a": [Segment(0, 1)]}
    write_uem(scored, tmp_path / "a.uem")
    assert (tmp_path / "a.uem").read_text() == "a 1 0.000 1.000\nb 1 0.000 1.500\nb 1 3.000 4.000\n"
    assert read_uem(tmp_path / "a.uem") == {"a": [Segment(0, 1)], "b": [Segment(0, 1.5), Segment(3, 4)]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a 1 0", "3 fields, UEM has 4: recording, channel, start, end (a 1 0)"),
        ("a 1 0 x", "'x' is no end"),
        ("a 1 2 1", "ends at 1, not after its start 2"),
        ("a 1 0 1e10", "'1e10' is no end; times are seconds, at most 1e+09"),
    ],
)
def test_uem_errors_name_the_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "a.uem", f"\n{line}\n")
    with pytest.raises(FormatError, match=re.escape(f"{path}, line 2: {message}")):
        read_uem(path)


# Label files


def test_lab_gives_speech_and_leaves_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.lab", "0 1 sil\n1 2.5 speech\n2 3 Ann Lee\n3 4 SILENCE\n4 5 sp\n5 6 noise\n")
    assert read_lab(path) == [Segment(1, 3), Segment(4, 5)]
    assert [turn.speaker for turn in read_turns(path)] == ["speech", "Ann Lee", "sp"]
    assert {turn.recording for turn in read_turns(path)} == {"a"}


def test_lab_holds_segments_as_speech(tmp_path: Path) -> None:
    segments = [Segment(0, 1), Segment(1, 2.125)]
    write_turns([Turn("a", segment, "speech") for segment in segments], tmp_path / "a.lab")
    assert (tmp_path / "a.lab").read_text() == "0.000 1.000 speech\n1.000 2.125 speech\n"
    assert read_lab(tmp_path / "a.lab") == segments


def test_lab_errors_name_the_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.lab", "0 1 sp\n1 2\n")
    with pytest.raises(FormatError, match=r"a\.lab, line 2: 2 fields, a label file has 3: start, end, label"):
        read_lab(path)
    write(path, "0 1 sp\n3 2 sp\n")
    with pytest.raises(FormatError, match="line 2: ends at 2, not after its start 3"):
        read_lab(path)


def test_a_speaker_called_na_cannot_be_written_and_is_no_speaker_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"^RTTM: in this format, '<NA>' cannot be a speaker's name"):
        render_turns([Turn("a", Segment(0, 1), "<NA>")], "rttm")
    path = write(tmp_path / "a.rttm", "SPEAKER a 1 0 1 <NA> <NA> <NA> <NA> <NA>\n")
    with pytest.raises(FormatError, match="it needs names in the eighth field"):
        read_rttm(path)
