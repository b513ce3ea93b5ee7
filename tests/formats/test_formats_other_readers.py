"""Generated files, read by readers of other projects: ours read the same.

Five files of each kind; `GENERATED_FILES=500` makes more. Readers whose package is missing are skipped.
"""

import json
import logging
import os
import random
from pathlib import Path

import pytest

from diarize.formats import FORMATS, read_recording, read_rttm, read_turns, read_uem, write_turns, write_uem
from diarize.segments import Segment, Turn
from diarize.words.readers import read_words

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
FILES = range(int(os.environ.get("GENERATED_FILES", "5")))
NAMES = ["Ann", "Bob", "SPEAKER_00", "Åsa", "李雷", "x-1.2", "A&B", "o'Neil", "F01", "anna_b"]
WORDS = ["hello", "there", "you", "ok", "naïve", "don't", "A.B."]
Row = tuple[str, int, int, str]
"""Recording, start and end in milliseconds, speaker."""


def rows(draw: random.Random, *, one: bool = False, alone: bool = False) -> list[Row]:
    """Turns of a few speakers; with `one` in one recording, with `alone` no speaker twice at once."""
    found = []
    for recording in ["rec"] if one else draw.sample(["a", "rec_1", "x.y-z"], draw.randint(1, 3)):
        for speaker in draw.sample(NAMES, draw.randint(1, 4)):
            at = draw.choice([0, draw.randint(0, 5000)])
            for _ in range(draw.randint(1, 8)):
                length = draw.choice([1, 10, draw.randint(2, 20_000), draw.randint(10**5, 10**7)])
                found.append((recording, at, at + length, speaker))
                at += draw.randint(0 if alone else -length // 2, 3000) + length
                at = max(at, 0)
    return found


def ours(turns: list[Turn]) -> list[Row]:
    return sorted((t.recording, ms(t.segment.start), ms(t.segment.end), t.speaker) for t in turns)


def ms(seconds: float) -> int:
    return round(1000 * float(seconds))


def time(draw: random.Random, milliseconds: int) -> str:
    """A time as files have it."""
    short = f"{milliseconds / 1000:.3f}"
    return draw.choice([short, short.rstrip("0").rstrip("."), f"{short}000"])


def mixed(draw: random.Random, lines: list[str], comment: str) -> str:
    """Lines in random order, between blanks and comments."""
    lines = [line.replace(" ", draw.choice([" ", "  ", "\t"])) for line in draw.sample(lines, len(lines))]
    for _ in range(draw.randint(0, 2)):
        lines.insert(draw.randint(0, len(lines)), comment)
    return "\n".join(lines) + draw.choice(["", "\n"])


def rttm_lines(draw: random.Random, found: list[Row]) -> list[str]:
    return [
        f"SPEAKER {recording} 1 {time(draw, start)} {time(draw, end - start)} <NA> <NA> {speaker} <NA> <NA>"
        for recording, start, end, speaker in found
    ]


@pytest.mark.parametrize("seed", FILES)
def test_rttm_as_pyannote_database_reads_it(seed, tmp_path):
    load = pytest.importorskip("pyannote.database.util").load_rttm
    draw = random.Random(seed)
    found = rows(draw)
    path = tmp_path / "a.rttm"
    path.write_text("\n".join(draw.sample(lines := rttm_lines(draw, found), len(lines))) + "\n")
    assert ours(read_rttm(path)) == pyannote_rows(load, path) == sorted(found)
    write_turns(read_rttm(path), tmp_path / "b.rttm")
    assert pyannote_rows(load, tmp_path / "b.rttm") == sorted(found)


def pyannote_rows(load, path: Path) -> list[Row]:
    return sorted(
        (recording, ms(segment.start), ms(segment.end), label)
        for recording, annotation in load(path).items()
        for segment, _, label in annotation.itertracks(yield_label=True)
    )


@pytest.mark.parametrize("seed", FILES)
def test_uem_as_pyannote_database_reads_it(seed, tmp_path):
    load = pytest.importorskip("pyannote.database.util").load_uem
    draw = random.Random(seed)
    path = tmp_path / "a.uem"
    path.write_text(
        "".join(f"{name} 1 {time(draw, start)} {time(draw, end)}\n" for name, start, end, _ in rows(draw))
    )
    theirs = {
        name: [(ms(segment.start), ms(segment.end)) for segment in timeline.support()]
        for name, timeline in load(path).items()
    }
    assert regions(path) == theirs
    write_uem(read_uem(path), tmp_path / "b.uem")
    assert regions(tmp_path / "b.uem") == theirs


def regions(path: Path) -> dict[str, list[tuple[int, int]]]:
    """The regions of each recording, with those that touch joined, as pyannote joins them."""
    found: dict[str, list[tuple[int, int]]] = {}
    for name, segments in read_uem(path).items():
        joined = found.setdefault(name, [])
        for one in segments:
            start = joined.pop()[0] if joined and joined[-1][1] == ms(one.start) else ms(one.start)
            joined.append((start, ms(one.end)))
    return found


@pytest.mark.parametrize("seed", FILES)
def test_rttm_and_uem_as_meeteval_reads_them(seed, tmp_path):
    io = pytest.importorskip("meeteval.io")
    draw = random.Random(seed)
    found = rows(draw)
    path = tmp_path / "a.rttm"
    path.write_text(mixed(draw, rttm_lines(draw, found), ";; SPEAKER a comment"))
    theirs = [
        (line.filename, ms(line.begin_time), ms(line.begin_time + line.duration), line.speaker_id)
        for line in io.RTTM.load(path)
    ]
    assert ours(read_rttm(path)) == sorted(theirs) == sorted(found)
    path = tmp_path / "a.uem"
    once = {name: (start, end) for name, start, end, _ in found}  # it reads one region for each recording
    path.write_text("".join(f"{name} 1 {time(draw, a)} {time(draw, b)}\n" for name, (a, b) in once.items()))
    theirs = {line.filename: [(ms(line.begin_time), ms(line.end_time))] for line in io.UEM.load(path)}
    assert regions(path) == theirs


@pytest.mark.parametrize("seed", FILES)
def test_stm_as_meeteval_reads_it(seed, tmp_path):
    io = pytest.importorskip("meeteval.io")
    draw = random.Random(seed)
    found = rows(draw)
    path = tmp_path / "a.stm"
    lines = [
        f"{recording} 1 {who} {time(draw, start)} {time(draw, end)} {' '.join(spoken(draw))}"
        for recording, start, end, who in found
    ]
    path.write_text(mixed(draw, lines, ";; a comment"))
    theirs = [
        (line.filename, ms(line.begin_time), ms(line.end_time), line.speaker_id) for line in io.STM.load(path)
    ]
    assert ours(read_turns(path)) == sorted(theirs) == sorted(found)


def spoken(draw: random.Random) -> list[str]:
    return draw.choices(WORDS, k=draw.randint(1, 4))


@pytest.mark.parametrize("seed", FILES)
def test_ctm_as_meeteval_reads_it(seed, tmp_path):
    io = pytest.importorskip("meeteval.io")
    draw = random.Random(seed)
    lines = [
        f"{recording} 1 {time(draw, start)} {time(draw, end - start)} {draw.choice(WORDS)}"
        + draw.choice(["", " 0.5", " 1"])
        for recording, start, end, _ in rows(draw)
    ]
    path = tmp_path / "a.ctm"
    path.write_text(mixed(draw, lines, ";; a comment"))
    theirs: dict[str, list[tuple[int, int, str]]] = {}
    for line in io.CTM.load(path):
        end = line.begin_time + line.duration
        theirs.setdefault(line.filename, []).append((ms(line.begin_time), ms(end), line.word))
    for recording, words in theirs.items():
        read = [(ms(word.start), ms(word.end), word.text) for word in read_words(path, recording)]
        assert sorted(read) == sorted(words)


@pytest.mark.parametrize("seed", FILES)
def test_seglst_as_meeteval_reads_it(seed, tmp_path):
    io = pytest.importorskip("meeteval.io")
    draw = random.Random(seed)
    found = rows(draw)
    path = tmp_path / "a.json"
    items = [
        {"session_id": name, "speaker": who, "words": " ".join(spoken(draw))}
        | {"start_time": draw.choice([float, str])(start / 1000), "end_time": end / 1000}
        for name, start, end, who in found
    ]
    path.write_text(json.dumps(items, ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, 2])))
    theirs = [
        (item["session_id"], ms(item["start_time"]), ms(item["end_time"]), item["speaker"])
        for item in io.SegLST.load(path)
    ]
    assert ours(read_turns(path)) == sorted(theirs) == sorted(found)
    for recording in {name for name, *_ in found}:
        read = [word.text for word in read_words(path, recording)]
        assert read == [
            text for item in items if item["session_id"] == recording for text in item["words"].split()
        ]


@pytest.mark.parametrize("seed", FILES)
def test_textgrid_as_praatio_reads_it(seed, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    textgrid = pytest.importorskip("praatio.textgrid")
    draw = random.Random(seed)
    found = rows(draw, one=True, alone=True)
    length = max(end for _, _, end, _ in found) / 1000 + draw.choice([0, 1.5])
    grid = textgrid.Textgrid()
    for speaker in dict.fromkeys(who for *_, who in found):
        spans = [
            (start / 1000, end / 1000, " ".join(spoken(draw)))
            for _, start, end, who in found
            if who == speaker
        ]
        grid.addTier(textgrid.IntervalTier(speaker, spans, 0, length))
    if draw.random() < 0.3:
        grid.addTier(textgrid.PointTier("clicks", [(length / 2, "click")], 0, length))
    path = tmp_path / "rec.TextGrid"
    grid.save(str(path), draw.choice(["long_textgrid", "short_textgrid"]), includeBlankSpaces=True)
    assert ours(read_turns(path)) == praatio_rows(textgrid, path) == sorted(found)
    write_turns(read_turns(path), tmp_path / "ours" / "rec.TextGrid")
    assert praatio_rows(textgrid, tmp_path / "ours" / "rec.TextGrid") == sorted(found)


def praatio_rows(textgrid, path: Path) -> list[Row]:
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    tiers = [tier for tier in grid.tiers if isinstance(tier, textgrid.IntervalTier)]
    return sorted(("rec", ms(one.start), ms(one.end), tier.name) for tier in tiers for one in tier.entries)


@pytest.mark.parametrize("seed", FILES)
def test_eaf_as_pympi_reads_it(seed, tmp_path):
    elan = pytest.importorskip("pympi.Elan")
    draw = random.Random(seed)
    found = rows(draw, one=True, alone=True)
    eaf = elan.Eaf()
    for speaker in dict.fromkeys(who for *_, who in found):
        eaf.add_tier(speaker)
        for _, start, end, who in found:
            if who == speaker:
                eaf.add_annotation(speaker, start, end, draw.choice(["", " ".join(spoken(draw))]))
    eaf.remove_tier("default")
    path = tmp_path / "rec.eaf"
    eaf.to_file(str(path))
    assert ours(read_turns(path)) == pympi_rows(elan, path) == sorted(found)
    write_turns(read_turns(path), tmp_path / "ours" / "rec.eaf")
    assert pympi_rows(elan, tmp_path / "ours" / "rec.eaf") == sorted(found)


def pympi_rows(elan, path: Path) -> list[Row]:
    eaf = elan.Eaf(str(path))
    return sorted(
        ("rec", start, end, name)
        for name in eaf.get_tier_names()
        for start, end, _ in eaf.get_annotation_data_for_tier(name)
    )


@pytest.mark.parametrize("seed", FILES)
def test_every_format_gives_back_what_was_written(seed, tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    found = rows(random.Random(seed), one=True, alone=True)
    turns = [Turn("rec", Segment(start / 1000, end / 1000), who) for _, start, end, who in found]
    for format, known in FORMATS.items():
        if format != "lab":  # no overlap
            write_turns(turns, path := tmp_path / f"rec{known.suffix}", format)
            assert ours(read_recording(path, "rec")) == sorted(found), format
