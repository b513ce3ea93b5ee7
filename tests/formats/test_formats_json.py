"""The diarization document and its published schema."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from diarize.errors import FormatError
from diarize.formats import read_turns, write_turns
from diarize.formats.json_format import KEYS, format_json, list_speakers, list_turns
from diarize.segments import Segment, Turn

SCHEMA = json.loads((Path(__file__).parent.parent.parent / "docs" / "diarization.schema.json").read_text())
TURNS = [
    Turn("meeting", Segment(0.5, 2.0004), "Ann"),
    Turn("meeting", Segment(1.5, 3.25), "Bob"),
    Turn("meeting", Segment(4.0, 5.0), "Ann"),
]


def full_document() -> dict[str, Any]:
    return {
        "settings": {"clustering": {"threshold": 0.3, "n_speakers": None}},
        "model": "bundled",
        "evidence": {"n_speakers": np.int64(2), "eigenvalues": np.array([0.0, 0.25], dtype=np.float32)},
        "exclusive": list_turns(TURNS),
        "turns": [{**turn, "confidence": 0.91234} for turn in list_turns(TURNS)],
        "speakers": list_speakers(TURNS),
        "duration": 6.00049,
        "recording": "meeting",
    }


def test_the_schema_is_one_and_names_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert tuple(SCHEMA["properties"]) == KEYS


def test_documents_follow_the_schema(tmp_path: Path) -> None:
    write_turns(TURNS, tmp_path / "a.json")
    for text in (format_json(full_document()), (tmp_path / "a.json").read_text()):
        jsonschema.validate(json.loads(text), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_a_document_is_text_in_a_fixed_order_with_whole_milliseconds() -> None:
    assert format_json(full_document()) == (
        '{\n "format": "diarize",\n "version": 1,\n "recording": "meeting",\n "duration": 6.0,\n'
        ' "speakers": [\n'
        '  {"speaker": "Ann", "seconds": 2.5, "n_turns": 2},\n'
        '  {"speaker": "Bob", "seconds": 1.75, "n_turns": 1}\n ],\n'
        ' "turns": [\n'
        '  {"start": 0.5, "end": 2.0, "speaker": "Ann", "confidence": 0.912},\n'
        '  {"start": 1.5, "end": 3.25, "speaker": "Bob", "confidence": 0.912},\n'
        '  {"start": 4.0, "end": 5.0, "speaker": "Ann", "confidence": 0.912}\n ],\n'
        ' "exclusive": [\n'
        '  {"start": 0.5, "end": 2.0, "speaker": "Ann"},\n'
        '  {"start": 1.5, "end": 3.25, "speaker": "Bob"},\n'
        '  {"start": 4.0, "end": 5.0, "speaker": "Ann"}\n ],\n'
        ' "evidence": {"n_speakers": 2, "eigenvalues": [0.0, 0.25]},\n'
        ' "settings": {"clustering": {"threshold": 0.3, "n_speakers": null}},\n'
        ' "model": "bundled"\n}\n'
    )


def test_a_full_document_reads_as_its_turns(tmp_path: Path) -> None:
    path = tmp_path / "other name.json"
    path.write_text(format_json(full_document()))
    read = read_turns(path)
    assert [turn.segment for turn in read] == [Segment(0.5, 2.0), Segment(1.5, 3.25), Segment(4.0, 5.0)]
    assert {turn.recording for turn in read} == {"meeting"}


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown keys \['turn'\]; known: format, version, recording"):
        format_json({"turn": []})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, ": has version 2; only version 1 is read"),
        ({"version": True}, ": has version True; only version 1 is read"),
        ({"version": "1"}, ": has version '1'; only version 1 is read"),
        ({"format": "other"}, ": not a known document; the formats read are"),
        ({"recording": " "}, ": recording is no name: ' '"),
        ({"turns": {}}, ": turns is no list: {}"),
        ({"turns": [{"start": 0, "end": 1, "speaker": "a"}, 5]}, ": turns[1] is no object: 5"),
        ({"turns": [{"start": 0, "end": "1", "speaker": "a"}]}, ": turns[0].end is no number: '1'"),
        ({"turns": [{"start": True, "end": 1, "speaker": "a"}]}, ": turns[0].start is no number: True"),
        ({"turns": [{"start": 0, "end": 1}]}, ": turns[0].speaker is missing"),
        (
            {"turns": [{"start": 2, "end": 1, "speaker": "a"}]},
            ": turns[0] needs 0 <= start < end, it has 2 and 1",
        ),
    ],
)
def test_errors_name_the_item(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "a.json"
    document = {"format": "diarize", "version": 1, "recording": "a", "speakers": [], "turns": []}
    path.write_text(json.dumps(document | change))
    with pytest.raises(FormatError, match=re.escape(f"{path}{message}")):
        read_turns(path)
    with (
        pytest.raises(jsonschema.ValidationError) if "2 and 1" not in message else pytest.raises(FormatError)
    ):
        jsonschema.validate(json.loads(path.read_text()), SCHEMA)
        read_turns(path)


def test_broken_json_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{\n "format": diarize\n}')
    with pytest.raises(FormatError, match=r"a\.json, line 2: not JSON \(Expecting value\)"):
        read_turns(tmp_path / "a.json")
