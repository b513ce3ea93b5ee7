"""The page of a recording without a browser: its data, its size, what no name can do to it."""

import base64
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from helpers import REPOSITORY
from hypothesis import given
from hypothesis import strategies as st

from diarize.embedding.table import Embeddings
from diarize.errors import DiarizeError
from diarize.formats import read_rttm, write_turns
from diarize.report import recording_page
from diarize.report.evidence import format_evidence
from diarize.report.page_sources import find_sources
from diarize.report.recording_data import (
    MOST_PEAKS,
    MOST_POINTS,
    Reference,
    describe_errors,
    describe_peaks,
    describe_points,
    describe_result,
    script_json,
)
from diarize.report.recording_page import format_list_page, format_recording_page
from diarize.report.results import Result
from diarize.scoring.der import score_diarization
from diarize.segments import Segment, Turn

DEMO = REPOSITORY / "egs" / "demo"
ASSETS = files("diarize.report").joinpath("assets")
HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"'>&lt;b&gt;",
    "<!--",
    "{{SCRIPT}} {{DATA}}",
    "\u2028\u2029`${x}`",
]


def result(*turns: tuple[float, float, str], recording: str = "talk", confidence=None, **document) -> Result:
    made = sorted(Turn(recording, Segment(start, end), who) for start, end, who in turns)
    return Result(Path("talk.json"), recording, made, confidence or [None] * len(made), document)


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text of each script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == "script":
            key = self.elements[-1][1].get("id")
            self.scripts[key] = self.scripts.get(key, "") + data


def test_turns_are_milliseconds_and_speakers_are_numbered_by_appearance():
    data = describe_result(
        result((0.5, 2, "Bob"), (1.0004, 3, "Ann"), confidence=[None, 0.5], duration=2.5, model="m")
    )
    assert data["turns"] == [[500, 2000, 0], [1000, 3000, 1, 0.5]]
    assert data["speakers"] == ["Bob", "Ann"]
    assert data["duration"] == 3000, "the last turn ends after the recording does"
    assert data["document"] == {"duration": 2.5, "model": "m"}


def test_peaks_keep_their_order_and_one_click_does_not_flatten_the_rest():
    peaks = np.full(5000, 0.04, np.float32)
    peaks[100], peaks[200] = 0.01, 1.0
    data = describe_peaks(peaks)
    levels = np.frombuffer(base64.b64decode(data["levels"]), np.uint8)
    assert (data["step"], data["duration"]) == (10, 50_000)
    assert (levels[0], levels[100], levels[200]) == (255, 128, 255)
    assert describe_peaks(np.zeros(0, np.float32))["levels"] == ""


def test_a_page_of_eight_hours_is_below_two_megabytes():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 8 * 3600 - 9, 10_000)
    names = [f"SPEAKER_{number:02d}" for number in range(20)]
    turns = [(float(s), float(s) + 5.123, names[k % 20]) for k, s in enumerate(starts)]
    sure = rng.random(10_000).round(3).tolist()
    data = describe_result(result(*turns, confidence=sure))
    data["peaks"] = describe_peaks(rng.random(8 * 360_000).astype(np.float32))
    data["points"] = [[0.1234, 0.5678, 28_000_000, 28_001_500]] * MOST_POINTS
    assert len(format_recording_page(data)) < 2_000_000
    assert len(base64.b64decode(data["peaks"]["levels"])) <= MOST_PEAKS


def test_points_of_one_speaker_are_close_and_those_of_other_recordings_left_out():
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(8)[:3], 10, axis=0) + 0.05 * rng.standard_normal((30, 8))
    start = np.arange(30.0)
    table = Embeddings(["talk"] * 29 + ["other"], start, start + 1.5, vectors)
    points = np.array(describe_points(table, "talk"))
    assert points.shape == (29, 4)
    assert points[:, :2].min() >= 0
    assert points[:, :2].max() <= 1
    np.testing.assert_array_equal(points[:, 2:], [[1000 * t, 1000 * t + 1500] for t in start[:29]])
    distance = np.linalg.norm(points[:, None, :2] - points[None, :, :2], axis=2) + 9 * np.eye(29)
    assert (distance.argmin(axis=1) // 10 == np.arange(29) // 10).all()
    assert describe_points(table, "nobody") == []


def test_of_many_points_evenly_spaced_ones_are_taken(monkeypatch):
    monkeypatch.setattr("diarize.report.recording_data.MOST_POINTS", 5)
    start = np.arange(101.0)
    table = Embeddings(["talk"] * 101, start, start + 1, np.random.default_rng(0).random((101, 3)))
    assert [point[2] for point in describe_points(table, "talk")] == [0, 25000, 50000, 75000, 100000]


def test_errors_have_the_score_its_conditions_and_regions():
    turns = [Turn("meeting", turn.segment, turn.speaker) for turn in read_rttm(DEMO / "meeting.rttm")]
    found = [*turns[:-1], Turn("meeting", Segment(70, 71), "slt")]
    data = describe_errors(Reference(turns, [Segment(0, 70.5)], 0.0), found)
    score = score_diarization(turns, found, scored=[Segment(0, 70.5)])
    assert data["der"] == score.der > 0
    assert data["conditions"] == "collar 0 s each side, overlap scored, scored region: UEM"
    who = data["speakers"].index("kal")
    assert data["regions"] == [[62622, 65049, 0, who], [70000, 70500, 1]]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_a_part_of_the_page(name):
    known = {tag for tag, _ in Page(format_recording_page(describe_result(result((0, 1, "Ann"))))).elements}
    evidence = {"n_speakers": 1, "reason": name, "candidates": [{"n_speakers": name, "score": name}]}
    made = result((0, 1, name), recording=name, evidence=evidence, model=name)
    html = format_recording_page(describe_result(made))
    page = Page(html)
    assert {tag for tag, _ in page.elements} <= known | {"p"}
    data = json.loads(page.scripts["data"])
    assert data["recording"] == data["speakers"][0] == made.recording
    assert data["document"]["evidence"] == evidence
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert len(re.findall("<script", html)) == 3
    listed = Page(format_list_page([name]))
    assert [tag for tag, _ in listed.elements].count("a") == 1
    assert {"img", "b", "script"}.isdisjoint(tag for tag, _ in listed.elements)


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_data_in_a_script_is_the_data_and_ends_no_script(value):
    text = script_json(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")
    text.encode()


def test_a_page_is_equal_for_equal_input_and_loads_nothing():
    data = describe_result(result((0, 1, "Ann")))
    html = format_recording_page(data)
    assert html == format_recording_page(data)
    assert "{{" not in re.sub(r"<script>.*</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"https?://|url\(|@import|//[a-z]+\.[a-z]", html.partition('id="data"')[0])
    attributes = [own for _, own in Page(html).elements]
    assert not {key for own in attributes for key in own} & {"src", "srcset", "poster"}
    policy = next(own["content"] for own in attributes if "http-equiv" in own)
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", sorted(each.name for each in ASSETS.iterdir()))
def test_assets_are_short_are_used_and_make_no_html_from_text(name):
    text = ASSETS.joinpath(name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert name in {*recording_page._SCRIPTS, "recording.html", "recording.css"}
    for danger in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function("):
        assert danger not in text
    assert "</script" not in text or name.endswith(".html")
    assert ("fetch(" in text) == (name == "export.js"), "one file talks to the server"


def test_the_evidence_is_drawn_with_a_table_of_the_same_figures():
    scores = {1: -94.7, 2: 78.98, 4: 241.8}
    html = format_evidence(
        {
            "n_speakers": 4,
            "reason": "4 speakers have the largest evidence",
            "candidates": [{"n_speakers": n, "score": score} for n, score in scores.items()],
            "absorbed": [3, 1],
        }
    )
    assert "<p>4 speakers have the largest evidence.</p>" in html
    cells = re.findall(r"<td>(\d+)</td><td>(.*?)</td>", html)
    assert cells == [("1", "-94.7"), ("2", "79.0"), ("4", "241.8")]
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', html)]
    assert heights == sorted(heights, reverse=True), "a larger score is higher up"
    assert html.count("<circle") == 3
    assert len(re.findall('<circle[^>]*class="chosen"', html)) == 1
    assert "windows of each: 3, 1" in html


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"candidates": [{"n_speakers": 2, "score": 1.0}]},
        {"candidates": [None, {"score": "x"}], "reason": 3},
    ],
)
def test_evidence_of_other_programs_is_drawn_as_far_as_it_is_known(evidence):
    assert "<svg" not in format_evidence(evidence)


def test_sources_match_recordings_and_references_by_name(tmp_path, caplog):
    for folder in ("a", "b"):
        (tmp_path / "out" / folder).mkdir(parents=True)
        (tmp_path / "audio" / folder).mkdir(parents=True)
        write_turns([Turn("one", Segment(0, 1), "A")], tmp_path / "out" / folder / "one.rttm")
        (tmp_path / "audio" / folder / "one.wav").touch()
    write_turns([Turn("my_talk", Segment(0, 1), "A")], tmp_path / "out" / "my_talk.rttm")
    (tmp_path / "audio" / "my talk.WAV").touch()
    write_turns([Turn("lone", Segment(0, 1), "A")], tmp_path / "out" / "lone.rttm")
    sources = find_sources([tmp_path / "out"], audio=tmp_path / "audio", reference=tmp_path / "out" / "a")
    found = {str(source.path.relative_to(tmp_path / "out")): source for source in sources}
    audio = {
        name: source.audio and str(source.audio.relative_to(tmp_path / "audio"))
        for name, source in found.items()
    }
    assert audio == {
        "a/one.rttm": "a/one.wav",
        "b/one.rttm": "b/one.wav",
        "lone.rttm": None,
        "my_talk.rttm": "my talk.WAV",
    }
    assert found["a/one.rttm"].reference.turns == [Turn("one", Segment(0, 1), "A")]
    assert found["lone.rttm"].reference is None
    warned = [record.message.partition(": ")[2] for record in caplog.records]
    assert "no audio for recording lone in it" in warned
    assert "recording lone has no reference; its page shows no errors" in warned
    with pytest.raises(DiarizeError, match=r"one recording, but 4 results; give the folder of recordings"):
        find_sources([tmp_path / "out"], audio=tmp_path / "audio" / "a" / "one.wav")


def test_audio_lies_beside_the_page_or_in_it(tmp_path):
    write_turns([Turn("meeting", Segment(0, 1), "A")], tmp_path / "meeting.rttm")
    (source,) = find_sources([tmp_path / "meeting.rttm"], audio=DEMO / "meeting.flac")
    page = Page(source.format(DEMO.parent / "pages" / "page #1.html"))
    assert json.loads(page.scripts["data"])["audio"] == {"address": "../demo/meeting.flac"}
    page = Page(source.format(tmp_path / "page.html", embed_audio=True))
    assert json.loads(page.scripts["data"])["audio"] == {"type": "audio/webm"}
    assert base64.b64decode(page.scripts["audio-copy"])[:4] == b"\x1a\x45\xdf\xa3", "Matroska's first bytes"
    (gone,) = find_sources([tmp_path / "meeting.rttm"])
    write_turns([Turn("x", Segment(0, 1), "A")], tmp_path / "meeting.rttm")
    with pytest.raises(DiarizeError, match=r"meeting.rttm: recording meeting is no longer in it"):
        gone.read()
