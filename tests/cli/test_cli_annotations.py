"""The commands that work on annotations: score and convert."""

import tempfile

import pytest
from command_line import call, complaint

from diarize.formats import FORMATS, read_rttm, read_turns, write_rttm
from diarize.segments import Segment, Turn


@pytest.fixture(scope="module")
def rttm(tmp_path_factory):
    """Two recordings, with overlap and a gap."""
    path = tmp_path_factory.mktemp("turns") / "two.rttm"
    turns = [
        Turn("first", Segment(0.0, 4.5), "anna"),
        Turn("first", Segment(4.0, 6.25), "bert"),
        Turn("first", Segment(8.125, 9.0), "anna"),
        Turn("second", Segment(1.0, 2.0), "carl"),
    ]
    write_rttm(turns, path)
    return path


# diarize score

SHIFTED = [
    Turn("first", Segment(0.0, 4.5), "x"),
    Turn("first", Segment(4.0, 6.25), "y"),
    Turn("first", Segment(8.125, 9.0), "y"),
    Turn("second", Segment(1.0, 2.5), "z"),
]


def rows(text):
    """The cells of a Markdown table by its first column."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if "|" in line]
    return {name.strip(): [cell.strip() for cell in cells] for name, *cells in lines}


def test_a_reference_scores_zero_against_itself(rttm):
    done = call("score", rttm, rttm)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("collar 0 s each side, overlap scored, scored region: ")
    assert [rows(done.out)[name][0] for name in ("first", "second", "TOTAL")] == ["0.00"] * 3


def test_files_and_folders_give_the_same_scores(rttm, tmp_path):
    hypothesis = tmp_path / "two.rttm"
    write_rttm(SHIFTED, hypothesis)
    done = call("score", rttm, hypothesis)
    # Of 7.625 s of speech in first, 0.875 s are confused; second has 1 s, and 0.5 s too much.
    assert rows(done.out)["first"][:4] == ["11.48", "0.00", "0.00", "11.48"]
    assert rows(done.out)["second"][:4] == ["50.00", "0.00", "50.00", "0.00"]
    assert rows(done.out)["TOTAL"][0] == f"{100 * 1.375 / 8.625:.2f}"
    for side, turns in (("ref", read_rttm(rttm)), ("hyp", SHIFTED)):
        for name in ("first", "second"):
            write_rttm([turn for turn in turns if turn.recording == name], tmp_path / side / f"{name}.rttm")
    assert call("score", tmp_path / "ref", tmp_path / "hyp").out == done.out


def test_uem_collar_and_overlap_narrow_what_is_scored(rttm, tmp_path):
    hypothesis, uem = tmp_path / "two.rttm", tmp_path / "two.uem"
    write_rttm(SHIFTED, hypothesis)
    uem.write_text("first 1 0.0 8.0\nsecond 1 0.0 2.0\n")
    for given in (uem, tmp_path):  # a folder of UEM files, too
        done = call("score", rttm, hypothesis, "--uem", given)
        assert rows(done.out)["TOTAL"][0] == "0.00"
        assert "scored region: UEM" in done.out.splitlines()[0]
    done = call("score", rttm, hypothesis, "--collar", 0.25, "--skip-overlap")
    assert done.out.startswith("collar 0.25 s each side, overlap left out, ")
    # The collar takes 0.25 s of the 0.5 s that second has too much, and leaves it 0.5 s of speech.
    assert rows(done.out)["second"][0] == "50.00"
    uem.write_text("first 1 0.0 8.0\n")
    done = call("score", rttm, hypothesis, "--uem", uem)
    assert done.status == 0
    assert done.err == f"{uem}: recording second is not in it and is left out\n"


def test_recordings_that_do_not_meet_are_told(rttm, tmp_path):
    other = tmp_path / "other.rttm"
    write_rttm([Turn("third", Segment(0.0, 1.0), "x")], other)
    line = complaint(call("score", rttm, other))
    assert line == f"{other}: no recording of {rttm} in it; it has third, the reference first, second"
    assert complaint(call("score", tmp_path / "none.rttm", other)).endswith(
        "none.rttm: cannot be read (No such file or directory)"
    )


UNIT_VECTORS = [
    ("000111122", "773322100", "misclassification_rate", 1 / 3),
    ("0000111000001", "0000000111111", "misclassification_rate", 5 / 13),
    ("0121", "0112", "cluster_purity", 0.75),
    ("001", "100", "cluster_purity", 2 / 3),
    ("123321133122", "323221123131", "adjusted_rand_index", 1 / 12),
]


@pytest.mark.parametrize(("true", "predicted", "name", "expected"), UNIT_VECTORS)
def test_labels_of_utterances_are_scored(true, predicted, name, expected, tmp_path):
    for file, labels in (("true", true), ("predicted", predicted)):
        lines = (f"utterance{i:02d} {label}\n" for i, label in enumerate(labels))
        (tmp_path / file).write_text("".join(lines))
    done = call("score", tmp_path / "true", tmp_path / "predicted", "--utterances")
    assert (done.status, done.err) == (0, "")
    values = dict(line.split("\t") for line in done.out.splitlines())
    assert values[name] == f"{expected:.4f}"
    (tmp_path / "predicted").write_text("utterance00 1\n")
    line = complaint(call("score", tmp_path / "true", tmp_path / "predicted", "--utterances"))
    assert line == f"{tmp_path / 'predicted'}: utterance 'utterance01' of {tmp_path / 'true'} is missing"


# diarize convert


@pytest.mark.parametrize("name", FORMATS)
def test_a_chain_through_any_format_comes_back(name, rttm, tmp_path):
    start, middle, end = tmp_path / "first.rttm", tmp_path / f"first{FORMATS[name].suffix}", tmp_path / "out"
    write_rttm([turn for turn in read_rttm(rttm) if turn.recording == "first"], start)
    if middle != start:
        done = call("convert", start, "-o", middle)
        assert (done.status, done.out, done.err) == (0, f"{middle}\n", "")
    assert call("convert", middle, "-o", end, "--format", "rttm").out == f"{end / 'first.rttm'}\n"
    assert (end / "first.rttm").read_bytes() == start.read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_several_recordings_become_files_of_a_folder(name, rttm, tmp_path):
    suffix = FORMATS[name].suffix
    done = call("convert", rttm, "-o", tmp_path / "out", "--format", name)
    paths = [tmp_path / "out" / f"{recording}{suffix}" for recording in ("first", "second")]
    assert (done.status, done.out) == (0, "".join(f"{path}\n" for path in paths))
    assert {turn.speaker for turn in read_turns(paths[1])} == {"carl"}
    line = complaint(call("convert", rttm, "-o", tmp_path / "out", "--format", name))
    assert line == f"{paths[0]}: exists; give --force to overwrite it"
    assert call("convert", rttm, "-o", tmp_path / "out", "--format", name, "--force").status == 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_conversion_to_stdout_prints_what_a_file_would_hold(name, rttm, tmp_path, monkeypatch):
    source, file = tmp_path / "first.rttm", tmp_path / f"first{FORMATS[name].suffix}"
    write_rttm([turn for turn in read_rttm(rttm) if turn.recording == "first"], source)
    if file != source:
        assert call("convert", source, "-o", file).status == 0
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", "/no folder for temporary files")
    done = call("convert", source, "-o", "-", "--format", name)
    assert (done.status, done.out, done.err) == (0, file.read_text(encoding="utf-8"), "")
    assert sorted(tmp_path.iterdir()) == before


def test_stdout_gets_rttm_and_takes_several_recordings_only_where_a_file_does(rttm):
    assert call("convert", rttm, "-o", "-").out == rttm.read_text()
    line = complaint(call("convert", rttm, "-o", "-", "--format", "lab"))
    assert line == "2 recordings, but a label file holds one; write a file for each"


def test_formats_may_be_named_where_suffixes_do_not_tell(tmp_path):
    (tmp_path / "labels").write_text("0.0 1.5 anna\n1.5 2.0 sil\n")
    line = complaint(call("convert", tmp_path / "labels", "-o", tmp_path / "a.rttm"))
    assert "no format has the suffix ''; known: rttm (.rttm), " in line
    done = call("convert", tmp_path / "labels", "--from", "lab", "-o", tmp_path / "a.ref", "--format", "rttm")
    assert done.status == 0
    assert (tmp_path / "a.ref").read_text() == "SPEAKER labels 1 0.000 1.500 <NA> <NA> anna <NA> <NA>\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-o", "out"], "out: a folder needs --format; known: rttm, "),
        (["-o", "a.xyz"], "a.xyz: no format has the suffix '.xyz'; known: "),
        (["-o", "a.rttm", "--format", "xyz"], "unknown format 'xyz'; known: rttm, "),
        (["-o", "a.rttm", "--from", "xyz"], "unknown format 'xyz'; known: rttm, "),
        (["-o", "a.lab"], "2 recordings, but a label file holds one; write a file for each"),
    ],
)
def test_an_impossible_conversion_is_told(options, expected, rttm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complaint(call("convert", rttm, *options)).startswith(expected)
    assert list(tmp_path.iterdir()) == []


def test_a_recording_of_an_annotation_never_leads_out_of_the_folder(tmp_path):
    source = tmp_path / "a.rttm"
    source.write_text("SPEAKER ../out 1 0.0 1.0 <NA> <NA> A <NA> <NA>\n")
    line = complaint(call("convert", source, "-o", tmp_path / "folder", "--format", "csv"))
    assert line == "recording '../out': the id names a file; use an id without /"
