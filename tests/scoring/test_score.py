"""Scores of files, folders and objects: which recordings count, and how they are matched."""

import io
import logging
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

import diarize
from diarize.errors import DiarizeError, FormatError
from diarize.scoring.der import format_score_table, pool, score, score_diarization
from diarize.segments import Segment, Turn

DATA = Path(__file__).parent.parent / "data"


def turns(*spans, recording="meeting"):
    """Turns from (start, end, speaker)."""
    return [Turn(recording, Segment(start, end), speaker) for start, end, speaker in spans]


REFERENCE = turns((1, 5, "anna"), (5, 8, "ben"), (7, 10, "anna"))  # 10 s of speech, 7-8 both


def write(path, *rows):
    """An RTTM file from (recording, start, end, speaker)."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "".join(f"SPEAKER {r} 1 {s:.3f} {e - s:.3f} <NA> <NA> {who} <NA> <NA>\n" for r, s, e, who in rows)
    )
    return path


def test_files_and_folders_are_matched_by_recording(tmp_path, caplog):
    one = write(
        tmp_path / "ref.rttm", ("b", 0, 4, "x"), ("a", 0, 5, "x"), ("a", 5, 10, "y"), ("c", 0, 1, "x")
    )
    write(tmp_path / "hyp" / "1.rttm", ("a", 0, 5, "A"), ("a", 5, 9, "B"), ("z", 0, 1, "A"))
    write(tmp_path / "hyp" / "2.rttm", ("b", 0, 4, "A"), ("b", 4, 5, "A"))
    uem = tmp_path / "all.uem"
    uem.write_text("a 1 0 10\nb 1 0 4.5\nc 1 0 1\n")
    with caplog.at_level(logging.WARNING):
        scores = score(one, tmp_path / "hyp")
    assert [s.recording for s in scores] == ["a", "b", "c"]
    assert [s.der for s in scores] == pytest.approx([0.1, 0.25, 1.0])
    assert caplog.messages == [
        f"{tmp_path / 'hyp'}: recording z has no reference and is left out",
        f"{tmp_path / 'hyp'}: recording c has no turns; all its speech counts as missed",
    ]
    assert [s.der for s in score(one, tmp_path / "hyp", uem)] == pytest.approx([0.1, 0.125, 1.0])
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        uem.write_text("b 1 0 10\n")
        assert [s.recording for s in score(one, tmp_path / "hyp", uem)] == ["b"]
    assert [said for said in caplog.messages if str(uem) in said] == [
        f"{uem}: recording {name} is not in it and is left out" for name in "ac"
    ]


def test_empty_hypothesis_is_all_missed(tmp_path):
    reference = write(tmp_path / "ref.rttm", ("a", 0, 4, "x"))
    assert [s.der for s in score(reference, write(tmp_path / "hyp.rttm"))] == [1.0]


def test_files_that_do_not_belong_together(tmp_path):
    reference = write(tmp_path / "ref.rttm", *((f"r{i}", 0, 4, "x") for i in range(5)))
    hypothesis = write(tmp_path / "hyp.rttm", ("other", 0, 4, "x"))
    with pytest.raises(
        FormatError,
        match=r"hyp.rttm: no recording of .*ref.rttm in it; it has other, the "
        "reference r0, r1, r2 and 2 more",
    ):
        score(reference, hypothesis)
    with pytest.raises(FormatError, match=r"empty.rttm: no recording to score"):
        score(write(tmp_path / "empty.rttm"), write(tmp_path / "none.rttm"))


def test_folder_without_annotations(tmp_path):
    reference = write(tmp_path / "ref.rttm", ("a", 0, 4, "x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"empty: no file in this folder ends in \.rttm, "):
        score(reference, tmp_path / "empty")


def test_a_recording_of_the_uem_without_reference_turns_is_all_false_alarm(caplog):
    with caplog.at_level(logging.WARNING):
        scores = score(DATA / "silent_ref.rttm", DATA / "silent_hyp.rttm", DATA / "silent.uem")
    assert [(s.recording, s.total, s.false_alarm) for s in scores] == [("a", 4, 0), ("silent", 0, 10)]
    assert pool(scores).der == pytest.approx(2.5)
    assert caplog.messages == [
        f"{DATA / 'silent_ref.rttm'}: recording silent has no turns; all its speech counts as false alarm"
    ]
    table = format_score_table(scores, collar=0, skip_overlap=False)
    assert table.endswith("\nsilent: no reference speech, 10.00 s of false alarm; no rate\n")


def test_without_a_uem_an_empty_reference_file_says_that_nobody_speaks(tmp_path, caplog):
    # A reference as one file says nothing of further recordings: they are left out, with a word.
    with caplog.at_level(logging.WARNING):
        assert [s.recording for s in score(DATA / "silent_ref.rttm", DATA / "silent_hyp.rttm")] == ["a"]
    assert "recording silent has no reference and is left out" in caplog.text
    write(tmp_path / "ref" / "a.rttm", ("a", 0.5, 4.5, "A"))
    write(tmp_path / "ref" / "silent.rttm")
    assert pool(score(tmp_path / "ref", DATA / "silent_hyp.rttm")).der == pytest.approx(2.5)
    found = write(tmp_path / "hyp.rttm", ("a", 0.5, 4.5, "A"))
    assert [s.recording for s in score(tmp_path / "ref", found)] == ["a", "silent"]
    (tmp_path / "silent.csv").write_text("recording,start,end,speaker\nsilent,0,10,x\n")
    (tmp_path / "silent.TextGrid").write_text(
        '"ooTextFile" "TextGrid" 0 10 <exists> 1 "IntervalTier" "x" 0 10 0'
    )
    (only,) = score(tmp_path / "silent.TextGrid", tmp_path / "silent.csv")
    assert (only.total, only.false_alarm) == (0, 10)
    lines = format_score_table([only], collar=0, skip_overlap=False).splitlines()
    assert lines[-1] == "TOTAL: no reference speech, 10.00 s of false alarm; no rate"
    assert "0.00" not in "".join(lines[:-2])


def test_only_recordings_that_somebody_has_turns_of_are_scored(tmp_path):
    uem = tmp_path / "all.uem"
    uem.write_text("a 1 0 10\nb 1 0 10\nc 1 3 3\n")
    reference, hypothesis = turns((0, 4, "x"), recording="a"), turns((0, 4, "y"), recording="c")
    scores = score(reference, [*hypothesis, *turns((0, 2, "y"), recording="a")], uem)
    assert [(s.recording, s.total, s.missed, s.false_alarm) for s in scores] == [
        ("a", 4, 2, 0),
        ("c", 0, 0, 0),
    ]


def test_names_are_compared_in_normal_form_c(tmp_path):
    (only,) = score(DATA / "nfc.rttm", DATA / "nfd.rttm")
    assert (only.recording, only.der) == ("r\u00e9union", 0)
    folder = tmp_path / "hyp"
    folder.mkdir()
    (folder / "re\u0301union.lab").write_text("0.5 2.0 x\n", encoding="utf-8")
    uem = tmp_path / "a.uem"
    uem.write_text("re\u0301union 1 0 2\n", encoding="utf-8")
    assert [s.der for s in score(DATA / "nfc.rttm", folder, uem)] == [0]


def test_score_takes_what_python_has(tmp_path):
    from pyannote.core import Annotation, Timeline
    from pyannote.core import Segment as Span

    path = write(
        tmp_path / "ref.rttm", *(("meeting", t.segment.start, t.segment.end, t.speaker) for t in REFERENCE)
    )
    named, unnamed = Annotation(uri="meeting"), Annotation()
    for track, turn in enumerate(REFERENCE):
        for annotation in (named, unnamed):
            annotation[Span(turn.segment.start, turn.segment.end), track] = turn.speaker
    diarization = SimpleNamespace(recording="meeting", turns=REFERENCE)
    text = path.read_text()
    labels = "".join(f"{t.segment.start}\t{t.segment.end}\t{t.speaker}\n" for t in REFERENCE)
    with path.open() as stream, path.open("rb") as binary:
        same = [
            path,
            str(path),
            tmp_path,
            stream,
            binary,
            io.StringIO(text),
            io.BytesIO(text.encode()),
            text.encode(),
        ]
        same += [
            REFERENCE,
            tuple(REFERENCE),
            iter(REFERENCE),
            diarization,
            named,
            unnamed,
            [named],
            {"meeting": unnamed},
        ]
        same += [io.StringIO(labels)]
        for hypothesis in same:
            (only,) = score(REFERENCE, hypothesis)
            assert (only.recording, only.total, only.der) == ("meeting", 10, 0), hypothesis
    for reference in (path, text.encode(), named, unnamed, diarization):
        for uem in (
            io.StringIO("meeting 1 0 5\n"),
            {"meeting": [Segment(0, 5)]},
            [Segment(0, 5)],
            Timeline([Span(0, 5)]),
        ):
            (only,) = score(reference, REFERENCE, uem)
            assert (only.total, only.der, only.scored_region_source) == (4, 0, "UEM")
    assert score_diarization(unnamed, path).der == 0
    assert diarize.score is score


def test_objects_that_cannot_be_matched_are_told():
    from pyannote.core import Annotation
    from pyannote.core import Segment as Span

    unnamed = Annotation()
    unnamed[Span(0, 1), 0] = "x"
    two = [*REFERENCE, *turns((0, 1, "x"), recording="other")]
    with pytest.raises(DiarizeError, match="a recording without a name beside 2 with names; name it"):
        score(two, unnamed)
    with pytest.raises(TypeError, match=r"needs a path, .* got 3"):
        score(3, REFERENCE)
    for collar in (-1, math.nan, 1e300):
        with pytest.raises(DiarizeError, match=r"^collar \S+: give seconds, at least 0$"):
            score(REFERENCE, REFERENCE, collar=collar)
    with pytest.raises(
        FormatError, match="the hypothesis: no recording of the reference in it; it has other"
    ):
        score(REFERENCE, turns((0, 1, "x"), recording="other"))


def test_objects_are_called_by_their_part(caplog):
    b = turns((0, 4, "x"), recording="b")
    with caplog.at_level(logging.WARNING):
        (only,) = score([*REFERENCE, *b], REFERENCE[:2], {"meeting": [Segment(0, 10)]}, skip_overlap=True)
        score([*REFERENCE, *b], REFERENCE, {"meeting": [Segment(0, 10)], "b": [Segment(0, 4)]})
    assert (only.total, only.missed) == (8, 2)  # 7-8 is left out, so of 7-10 two seconds are missed
    assert caplog.messages == [
        "the UEM: recording b is not in it and is left out",
        "the hypothesis: recording b has no turns; all its speech counts as missed",
    ]
    late = turns((1, 5.5, "A"), (5.5, 8, "B"), (7, 10, "A"))
    assert score(REFERENCE, late)[0].confusion == 0.5
    assert score(REFERENCE, late, collar=0.25)[0].confusion == 0.25
    with pytest.raises(FormatError, match=r"^the UEM: no recording to score; give a reference with turns"):
        score(REFERENCE, REFERENCE, {"other": [Segment(0, 1)]})
    with pytest.raises(FormatError, match=r"^the reference: no recording to score; give a reference with"):
        score([], [], {"other": [Segment(0, 1)]})
    for n, names in ((3, "a, b, c"), (4, "a, b, c and 1 more")):
        several = [turn for name in "abcd"[:n] for turn in turns((0, 1, "x"), recording=name)]
        with pytest.raises(FormatError, match=rf"the reference {names}$"):
            score(several, turns((0, 1, "x"), recording="other"))


def test_no_message_ends_in_a_name_that_is_missing(tmp_path):
    reference, hypothesis = write(tmp_path / "ref.rttm"), write(tmp_path / "hyp.rttm", ("a", 0, 1, "x"))
    with pytest.raises(FormatError, match=r"it has a, the reference none$"):
        score(reference, hypothesis)


def test_one_format_of_a_folder_of_results(tmp_path):
    reference = write(tmp_path / "ref.rttm", ("a", 0, 4, "x"), ("b", 0, 4, "x"))
    write(tmp_path / "hyp" / "a.rttm", ("a", 0, 4, "A"))
    write(tmp_path / "hyp" / "b.rttm", ("b", 0, 3, "A"))
    (tmp_path / "hyp" / "a.json").write_text("not read")
    (tmp_path / "uem").mkdir()
    for name, end in (("a", 4), ("b", 5)):
        (tmp_path / "uem" / f"{name}.uem").write_text(f"{name} 1 0 {end}\n")
    scores = score(reference, tmp_path / "hyp", tmp_path / "uem")
    assert [s.der for s in scores] == pytest.approx([0, 0.25])


@pytest.mark.parametrize(
    "content", ["", ";; nobody speaks\n", "SPKR-INFO m 1 <NA> <NA> <NA> unknown x <NA> <NA>\n"]
)
def test_an_empty_reference_file_with_a_uem_is_a_recording_without_turns(content, tmp_path):
    reference, uem = tmp_path / "ref.rttm", tmp_path / "all.uem"
    reference.write_text(content)
    uem.write_text("m 1 0 10\nunheard 1 0 10\n")
    hypothesis = write(tmp_path / "hyp.rttm", ("m", 0, 4, "x"), ("m", 9, 12, "y"))
    (only,) = score(reference, hypothesis, uem)
    assert (only.recording, only.total, only.false_alarm, only.missed) == ("m", 0, 5, 0)
    pooled = pool([only, *score(write(tmp_path / "b.rttm", ("m", 0, 4, "x")), hypothesis, uem)])
    assert pooled.der == pytest.approx((5 + 1) / 4)
