"""Turns as objects of other libraries, and through the files of editors, and back."""

import logging
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diarize import Diarizer, load_audio, score
from diarize.errors import DiarizeError, FormatError
from diarize.formats import (
    convert_turns,
    from_annotation,
    from_dataframe,
    from_supervisions,
    read_turns,
    render_turns,
    to_annotation,
    to_dataframe,
    to_supervisions,
    write_turns,
)
from diarize.pipeline.pyannote import Pipeline
from diarize.segments import Segment, Turn, merge_turns

TURNS = [
    Turn("a", Segment(0.5, 2.0), "Ann"),
    Turn("a", Segment(1.5, 3.25), "Bob"),
    Turn("b", Segment(4.0, 5.0), "Ann"),
]


def turns_of(*recordings: str) -> st.SearchStrategy[list[Turn]]:
    """Turns at whole milliseconds, in overlap as well."""
    one = st.tuples(
        st.sampled_from(recordings), st.integers(0, 10**7), st.integers(1, 10**5), st.sampled_from("ABC")
    ).map(lambda at: Turn(at[0], Segment(at[1] / 1000, (at[1] + at[2]) / 1000), f"speaker {at[3]}"))
    return st.lists(one, max_size=12, unique_by=lambda turn: turn).map(sorted)


@settings(max_examples=15, deadline=None)
@given(turns=turns_of("x", "y"), data=st.data())
def test_a_table_gives_its_turns_back(turns, data):
    sure = data.draw(st.lists(st.floats(0, 1), min_size=len(turns), max_size=len(turns)))
    table = to_dataframe(turns, sure)
    assert [*table.columns] == ["recording", "start", "end", "speaker", "confidence"]
    assert from_dataframe(table) == turns
    assert from_dataframe(table.sample(frac=1, random_state=0)) == turns, "in any order"
    assert [str(table.dtypes[name]) for name in ("start", "end", "confidence")] == ["float64"] * 3


@settings(max_examples=15, deadline=None)
@given(turns=turns_of("x"))
def test_an_annotation_gives_its_turns_back(turns):
    annotation = to_annotation(turns, "x")
    assert annotation.uri == "x"
    assert from_annotation(annotation) == turns
    assert from_annotation(annotation, "y") == [Turn("y", turn.segment, turn.speaker) for turn in turns]


@settings(max_examples=15, deadline=None)
@given(turns=turns_of("x", "y"))
def test_supervisions_give_their_turns_back(turns):
    pytest.importorskip("lhotse")
    supervisions = to_supervisions(turns, channel=1)
    assert from_supervisions(supervisions) == turns
    assert len({each.id for each in supervisions}) == len(turns)
    assert {each.channel for each in supervisions} <= {1}


def test_supervisions_without_a_speaker_are_left_out_and_counted(caplog):
    lhotse = pytest.importorskip("lhotse")
    nobody = lhotse.SupervisionSegment("n", "a", 0, 1)
    with caplog.at_level(logging.WARNING):
        assert from_supervisions([nobody, *to_supervisions(TURNS)]) == TURNS
    assert caplog.messages == ["supervisions without a speaker left out: 1"]


def test_a_table_that_holds_no_turns_is_an_error_of_one_line():
    pandas = pytest.importorskip("pandas")
    table = to_dataframe(TURNS)
    with pytest.raises(DiarizeError, match=r"^the table: no column end, speaker; it has recording, start$"):
        from_dataframe(table[["recording", "start"]])
    with pytest.raises(DiarizeError, match=r"no column recording; it has .*; give recording=$"):
        from_dataframe(table.drop(columns="recording"))
    assert len(from_dataframe(table.drop(columns="recording"), "c")) == 3
    for column, value, told in (
        ("end", 0.1, "a segment needs 0 <= start < end, got start=0.5 end=0.1"),
        ("start", "x", "could not convert string to float: 'x'"),
        ("speaker", float("nan"), "nan is no speaker's name"),
        ("speaker", " ", "' ' is no speaker's name"),
    ):
        wrong = table.astype(object)
        wrong.loc[0, column] = value
        with pytest.raises(DiarizeError) as caught:
            from_dataframe(wrong)
        assert str(caught.value) == f"the table, row 0: {told}"
    assert from_dataframe(pandas.DataFrame({"start": [1], "end": [2], "speaker": ["A"]}), "c") == [
        Turn("c", Segment(1, 2), "A")
    ]


def test_an_annotation_holds_one_recording_and_is_scored_as_its_turns_are():
    assert score(to_annotation(TURNS[:2]), TURNS[:2])[0].der == 0
    with pytest.raises(ValueError, match=r"one recording, got turns of \['a', 'b'\]"):
        to_annotation(TURNS)


@pytest.mark.parametrize(
    ("name", "convert"),
    [("pandas", to_dataframe), ("lhotse", to_supervisions), ("pyannote.core", to_annotation)],
)
def test_a_library_that_is_missing_is_named_with_its_remedy(name, convert, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    with pytest.raises(DiarizeError) as caught:
        convert(TURNS[:2])
    assert str(caught.value) == f"{name} is not installed; pip install {name}"


@pytest.mark.parametrize("name", ["textgrid", "eaf", "audacity"])
@settings(max_examples=15, deadline=None)
@given(turns=turns_of("meeting"))
def test_what_an_editor_reads_is_written_back_byte_for_byte(name, turns, tmp_path_factory):
    """Overlapping speakers lie on tiers; overlapping turns of one speaker are joined."""
    path = tmp_path_factory.getbasetemp() / "meeting.any"
    write_turns(turns, path, name)
    read = read_turns(path, name)
    assert merge_turns(read) == merge_turns(turns)
    assert render_turns(read, name) == path.read_text(encoding="utf-8")


def test_a_file_for_each_speaker_is_a_track_for_audacity(tmp_path):
    """Audacity exports the labels of all tracks into one file, which has all turns again."""
    source = tmp_path / "a.rttm"
    write_turns(TURNS[:2], source)
    files = convert_turns(source, tmp_path / "out", format="audacity", per_speaker=True)
    assert [path.name for path in files] == ["a.Ann.txt", "a.Bob.txt"]
    (tmp_path / "a.txt").write_text("".join(render_turns(own, "audacity") for own in files.values()))
    assert read_turns(tmp_path / "a.txt") == TURNS[:2]
    with pytest.raises(FormatError, match=r"--per-speaker writes several files; give a folder$"):
        convert_turns(source, tmp_path / "a.txt", per_speaker=True)
    write_turns([Turn("a", Segment(0, 1), "../Ann")], source)
    with pytest.raises(DiarizeError, match=r"^speaker '\.\./Ann': the id names a file; use an id without /$"):
        convert_turns(source, tmp_path / "out", format="audacity", per_speaker=True)


def test_the_pipeline_answers_as_pyannotes_does(demo_recording):
    """Its mapping, its counts of speakers, its channels from 0, its hook, and its move to a device."""
    calls = []

    def hook(step, artifact, file=None, total=None, completed=None):
        calls.append((step, artifact is None, file["uri"], completed))

    pipeline = Pipeline.from_pretrained("fast")
    assert pipeline.to("cpu") is pipeline
    assert isinstance(pipeline.diarizer, Diarizer)
    assert pipeline.diarizer.config.embedding.precision == "bfloat16"
    samples = load_audio(demo_recording)[None, : 8 * 16000]
    file = {"waveform": samples, "sample_rate": 16000, "uri": "demo", "channel": 0}
    annotation = pipeline(file, num_speakers=2, hook=hook)
    assert annotation.uri == "demo"
    assert annotation.labels() == ["SPEAKER_00", "SPEAKER_01"]
    assert list(dict.fromkeys(step for step, *_ in calls)) == ["hear", "embed", "label", "resegment", "turns"]
    assert calls[0] == ("hear", True, "demo", 0)
    assert calls[-1] == ("turns", False, "demo", None)
    with pytest.raises(DiarizeError, match="channel"):
        pipeline({**file, "channel": 3})
