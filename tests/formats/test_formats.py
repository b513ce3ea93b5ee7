"""All formats alike: identity, choice by suffix, whole files, names."""

import builtins
import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize.errors import DiarizeError, FormatError
from diarize.files.atomic import atomic_path
from diarize.files.text import Line, Text, read_text
from diarize.formats import (
    FORMATS,
    READ_ONLY,
    READABLE,
    Format,
    find_format,
    read_rttm,
    read_turns,
    read_uem,
    render_turns,
    write_turns,
)
from diarize.formats.silence import SILENCE
from diarize.segments import Segment, Turn, normal_name

BLANKS_ALLOWED = ["json", "csv", "srt", "vtt", "textgrid", "eaf", "audacity"]
AWKWARD = ["Ann Lee", "Åsa Ø", "王", 'say "x", then', "a<b>&amp;c", "it's; 1 --> 2", "! 5", "NOTE"]

words = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn", "Z"]), min_size=1, max_size=8).map(
    lambda name: normal_name(name) or "x"
)
phrases = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), min_size=1, max_size=8
).map(lambda name: normal_name(name.strip()) or "x")


@st.composite
def turns_of_one_recording(draw: st.DrawFn, names: st.SearchStrategy[str]) -> list[Turn]:
    """Turns on the grid of milliseconds; those of one speaker may touch, not overlap."""
    turns = []
    for speaker in draw(st.lists(names, max_size=3, unique=True)):
        time = 0
        for gap, duration in draw(
            st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)), min_size=1)
        ):
            start, time = time + gap, time + gap + duration
            turns.append(Turn("meeting", Segment(start / 1000, time / 1000), speaker))
    return sorted(turns)


def complaint_about(path: Path) -> str:
    """What the reader says of a file; only its name when it likes it."""
    try:
        read_turns(path)
    except FormatError as error:
        return str(error)
    return str(path)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_back(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reserved = {"lab": SILENCE, "audacity": SILENCE, "rttm": {"<na>"}}.get(name, ())
    names = (phrases if name in BLANKS_ALLOWED else words).filter(lambda word: word.lower() not in reserved)
    turns = data.draw(turns_of_one_recording(names))
    path = tmp_path_factory.getbasetemp() / f"meeting{FORMATS[name].suffix}"
    write_turns(turns, path)
    assert read_turns(path) == turns


@pytest.mark.parametrize("name", BLANKS_ALLOWED)
def test_awkward_names_survive(name: str, tmp_path: Path) -> None:
    turns = [Turn("meeting", Segment(i, i + 1.5), speaker) for i, speaker in enumerate(AWKWARD)]
    path = tmp_path / f"meeting{FORMATS[name].suffix}"
    write_turns(turns, path)
    assert read_turns(path) == turns


@pytest.mark.parametrize("name", FORMATS)
def test_control_characters_become_underscores_and_never_break_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"meeting{FORMATS[name].suffix}"
    write_turns([Turn("meeting", Segment(0, 1), "a\nb\x01c\u2028\ud800")], path)
    (turn,) = read_turns(path)
    assert turn.speaker == ("a\nb\x01c\u2028\ud800" if name == "json" else "a_b_c__")


@pytest.mark.parametrize("name", FORMATS)
def test_writing_twice_gives_the_same_bytes_in_any_order(name: str, tmp_path: Path) -> None:
    turns = [Turn("meeting", Segment(i / 3, i / 3 + 0.3), f"s{i % 3}") for i in range(20)]
    first, second = tmp_path / "1", tmp_path / "2"
    write_turns(turns, first, format=name)
    write_turns(reversed(turns), second, format=name)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_parse_and_render_touch_no_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they are given as a path is a name alone."""
    format, turns = FORMATS[name], [Turn("meeting", Segment(0.5, 2), "Ann")]
    path = f"/no such folder/meeting{format.suffix}"
    opened: list[object] = []
    with monkeypatch.context() as patch:
        format.parse(Text(format.render(turns), path))  # loads its module
        for module, function in ((builtins, "open"), (io, "open"), (os, "open"), (os, "stat")):
            patch.setattr(module, function, lambda *arguments, **_: opened.append(arguments))
        text = format.render(turns, path)
        read = format.parse(Text(text, path))
    assert (read, opened) == (turns, [])


MINUTES = """
from diarize.segments import Segment, Turn

def parse(text):
    rows = [line.text.split() for line in text.lines() if line.text]
    return sorted(Turn(text.recording, Segment(60 * int(a), 60 * int(b)), who) for who, a, b in rows)

def render(turns, path=""):
    return "".join(f"{t.speaker} {t.segment.start // 60:.0f} {t.segment.end // 60:.0f}\\n" for t in turns)
"""


def test_a_format_of_ones_own_is_a_module_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "format_of_minutes.py").write_text(MINUTES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(FORMATS, "minutes", Format(".minutes", "format_of_minutes"))
    turns = [Turn("a", Segment(0, 60), "Ann"), Turn("a", Segment(60, 180), "Bob")]
    write_turns(turns, tmp_path / "a.minutes")
    assert render_turns(turns, "minutes") == (tmp_path / "a.minutes").read_text() == "Ann 0 1\nBob 1 3\n"
    assert read_turns(tmp_path / "a.minutes") == turns
    assert find_format("a.minutes", reading=True) is READABLE["minutes"]


def test_formats_that_are_written_come_first() -> None:
    assert list(READABLE) == [*FORMATS, *READ_ONLY]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_rendered_is_what_is_written(name: str, tmp_path: Path) -> None:
    for turns in ([], [Turn("meeting", Segment(0.5, 2), "Ann Lee")]):
        path = tmp_path / f"meeting{FORMATS[name].suffix}"
        write_turns(turns, path)
        assert render_turns(turns, name, "meeting") == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_a_turn_shorter_than_a_millisecond_is_written_as_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{FORMATS[name].suffix}"
    write_turns([Turn("a", Segment(1.0, 1.0001), "s")], path)
    assert read_turns(path) == [Turn("a", Segment(1.0, 1.001), "s")]


@pytest.mark.parametrize("name", FORMATS)
def test_no_turns_make_a_file_without_turns(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{FORMATS[name].suffix}"
    write_turns([], path)
    assert read_turns(path) == []


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"rttm", "csv"}))
def test_several_recordings_need_several_files(name: str, tmp_path: Path) -> None:
    turns = [Turn("a", Segment(0, 1), "s"), Turn("b", Segment(0, 1), "s")]
    with pytest.raises(FormatError, match=r"2 recordings, but .* holds one; write a file for each"):
        write_turns(turns, tmp_path / f"a{FORMATS[name].suffix}")


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_file_is_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"no{FORMATS[name].suffix}"
    with pytest.raises(FormatError, match=r"cannot be read \(No such file or directory\)$"):
        read_turns(path)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=200))
def test_rubbish_is_a_format_error(
    name: str, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"rubbish{FORMATS[name].suffix}"
    path.write_bytes(content)
    assert complaint_about(path).startswith(str(path))
    assert "\n" not in complaint_about(path)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_a_format_error(
    name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged{FORMATS[name].suffix}"
    write_turns([Turn("a", Segment(0.5, 1), "Ann"), Turn("a", Segment(2, 3), "Bob")], path)
    content = path.read_text()
    place = data.draw(st.integers(0, len(content) - 1))
    new = data.draw(st.sampled_from(["", "x", "-", '"', "\n", " ", "\t", "9", "<", "{"]))
    path.write_text(content[:place] + new + content[place + 1 :])
    assert complaint_about(path).startswith(str(path))
    assert "\n" not in complaint_about(path)


def test_the_suffix_tells_the_format_in_any_case() -> None:
    assert find_format("a.RTTM") is FORMATS["rttm"]
    assert find_format("a.textgrid") is FORMATS["textgrid"]
    assert find_format("a.txt", "rttm") is FORMATS["rttm"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_open_file_is_read_by_its_name_or_by_how_it_begins(name: str, tmp_path: Path) -> None:
    turns = [Turn("meeting", Segment(0.5, 2.0), "Ann"), Turn("meeting", Segment(1.5, 3.25), "Bob")]
    path = tmp_path / f"meeting{FORMATS[name].suffix}"
    write_turns(turns, path)
    with path.open("rb") as binary, path.open(encoding="utf-8") as text:
        assert read_turns(binary) == read_turns(text) == turns
    # Without a name there is none for the recording, either, where the format holds none.
    nameless = [read_turns(path.read_bytes()), read_turns(io.StringIO(path.read_text(encoding="utf-8")))]
    for found in nameless:
        assert [turn.segment for turn in found] == [turn.segment for turn in turns]
        assert {turn.recording for turn in found} <= {"meeting", ""}


def test_what_is_no_file_is_refused() -> None:
    for reader in (read_turns, read_rttm):
        with pytest.raises(TypeError, match="needs a path, an open file or bytes, got 3"):
            reader(3)  # type: ignore[arg-type]


def test_an_unknown_suffix_lists_the_known_ones(tmp_path) -> None:
    (tmp_path / "a.doc").touch()
    with pytest.raises(
        FormatError, match=r"a\.doc: no format has the suffix '\.doc'; known: rttm \(\.rttm\), json"
    ):
        read_turns(tmp_path / "a.doc")
    with pytest.raises(FormatError, match=r"^b\.doc: no such file; check the path$"):
        read_turns("b.doc")


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(
        FormatError, match="unknown format 'doc'; known: rttm, json, csv, srt, vtt, textgrid, eaf"
    ):
        write_turns([], "a.rttm", format="doc")


def test_the_package_loads_no_reader_before_it_is_used() -> None:
    code = "import sys, diarize.formats; print({'torch', 'csv', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_two_names_that_would_become_one_are_refused(tmp_path: Path) -> None:
    turns = [Turn("a", Segment(0, 1), "Ann Lee"), Turn("a", Segment(1, 2), "Ann_Lee")]
    with pytest.raises(
        FormatError, match="'Ann Lee' and 'Ann_Lee' would both be written as 'Ann_Lee'; rename one"
    ):
        write_turns(turns, tmp_path / "a.rttm")


# Whole files or none


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_failure_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    path = tmp_path / "meeting.rttm"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text(f"new {1 / 0}" if temporary.write_text("half") else "")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["meeting.rttm"]


def test_success_replaces_the_file_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.rttm"
    for text in ("one", "two"):
        with atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".rttm"
            temporary.write_text(text)
    assert path.read_text() == "two"
    assert names_in(path.parent) == ["a.rttm"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "meeting.rttm"
    with (
        pytest.raises(DiarizeError, match=r"meeting\.rttm: cannot be written \(No space left on device\)$"),
        atomic_path(path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names_in(tmp_path) == []


def test_a_file_in_the_way_of_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DiarizeError, match=r"file/a\.rttm: cannot be written \((Not a directory|File exists)\)$"
    ):
        write_turns([], tmp_path / "file" / "a.rttm")


def test_folders_and_devices_are_not_replaced(tmp_path: Path) -> None:
    for path in (tmp_path, Path(os.devnull)):
        with (
            pytest.raises(DiarizeError, match=r"cannot be written \(not a regular file\)$"),
            atomic_path(path),
        ):
            pass


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.rttm").symlink_to(tmp_path / "real.rttm")
    write_turns([Turn("a", Segment(0, 1), "s")], tmp_path / "link.rttm")
    assert (tmp_path / "link.rttm").is_symlink()
    assert len(read_turns(tmp_path / "real.rttm")) == 1


def test_trouble_with_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.rttm"):
        (tmp_path / "other").read_text()


# Text


def test_utf16_and_marks_and_line_ends_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes("é\r\nb\rc\n".encode(encoding))
        assert read_text(path) == "é\nb\nc\n"


def test_other_encodings_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.rttm"
    path.write_bytes("x\ny é".encode("latin-1"))
    with pytest.raises(FormatError, match=r"a\.rttm, line 2: not UTF-8 text; save it as UTF-8$"):
        read_text(path)


@pytest.mark.parametrize("field", ["zero", "nan", "inf", "1_000", "1e999", "", "٣", "0x1", "1,5"])
def test_only_plain_finite_numbers_are_numbers(field: str) -> None:
    with pytest.raises(FormatError, match="is no start"):
        Line("a", 1, "").seconds(field, "start")


@pytest.mark.parametrize("field", ["1e308", "-1e10", "9" * 400, "1000000001"])
def test_no_time_is_larger_than_a_billion_seconds(field: str) -> None:
    with pytest.raises(FormatError, match=r"is no start(; times are seconds, at most 1e\+09)?$") as caught:
        Line("a", 1, "").seconds(field, "start")
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("field", ["0", "1.", ".5", "+1e-3", "12.345"])
def test_numbers_are_read(field: str) -> None:
    assert Line("a", 1, "").seconds(field, "start") == float(field)


def test_a_long_line_is_shown_by_its_beginning() -> None:
    assert str(Line("a", 3, "word " * 30).error("wrong")) == f"a, line 3: wrong ({('word ' * 8).strip()} ...)"


# docs/formats.md


def test_the_examples_of_the_page_hold_the_same_turns(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "formats.md").read_text(encoding="utf-8")
    examples = dict(re.findall(r"^```(\w+)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE))
    assert set(READABLE) <= set(examples)
    for name, format in READABLE.items():
        path = tmp_path / f"meeting{format.suffix}"
        path.write_text(examples[name], encoding="utf-8")
        assert read_turns(path) == [
            Turn("meeting", Segment(0.5, 2.0), "Ann"),
            Turn("meeting", Segment(1.5, 3.25), "Bob"),
        ]
    (tmp_path / "a.uem").write_text(examples["uem"], encoding="utf-8")
    assert read_uem(tmp_path / "a.uem") == {"meeting": [Segment(0, 3.5)]}


def test_the_python_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "formats.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert (tmp_path / "meeting.npz").exists()
