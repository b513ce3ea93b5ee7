"""The main job on the recording that ships with the repository, with a network of random weights."""

import json
from itertools import pairwise
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest
from helpers import REPOSITORY, small_model

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.progress import Progress
from diarize.clustering import CLUSTERERS
from diarize.config import ClusteringConfig, Config, SpeechConfig, TurnConfig
from diarize.embedding.record import Voices
from diarize.errors import AudioError, ConfigError
from diarize.formats import read_rttm, read_turns
from diarize.formats.svg import draw_timeline
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.result import Diarization
from diarize.pipeline.stages import Labelled, NamedTurns
from diarize.pipeline.stages import turns as turns_of
from diarize.segments import Segment, Turn, crop, speech_of
from diarize.speech.detect import Heard

NONE = np.empty((0, 32), dtype=np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def diarizer(model) -> Diarizer:
    return Diarizer(model, device="cpu", threads=1)


@pytest.fixture(scope="module")
def samples(demo_recording) -> np.ndarray:
    return load_audio(demo_recording)


@pytest.fixture(scope="module")
def result(diarizer, demo_recording) -> Diarization:
    return diarizer(demo_recording, n_speakers=4)


SPEECH = [Segment(1, 5), Segment(6, 11), Segment(12, 19)]


def length(segments: list[Segment]) -> float:
    return sum(segment.duration for segment in segments)


def test_the_answer_is_whole(result, samples, model):
    assert result.recording == "meeting"
    assert result.duration == pytest.approx(len(samples) / SAMPLE_RATE)
    assert result.speakers == [f"SPEAKER_{number:02d}" for number in range(4)]
    assert result.turns == sorted(result.turns)
    assert {turn.recording for turn in result.turns} == {"meeting"}
    assert result.model == f"small {model.fingerprint}"
    assert list(result.seconds) == ["hear", "embed", "label", "resegment", "turns"]
    assert result.evidence["n_speakers"] == 4
    assert set(result.embeddings.speaker) == set(result.speakers)
    assert result.config.clustering.n_speakers == 4


def test_speakers_are_numbered_by_first_appearance(result):
    first = {turn.speaker: turn.segment.start for turn in reversed(result.turns)}
    assert sorted(first, key=first.__getitem__) == result.speakers == sorted(result.speakers)


def test_the_turns_lie_where_there_is_speech(result, demo_recording):
    reference = speech_of(read_rttm(demo_recording.with_suffix(".rttm")))
    found = speech_of(result.turns)
    common = length([turn.segment for turn in crop(result.exclusive, reference)])
    assert common > 0.95 * length(reference)
    assert length(found) < 1.25 * length(reference)


def test_an_array_equals_its_file(diarizer, result, samples):
    again = diarizer(samples, rate=SAMPLE_RATE, n_speakers=4, recording="meeting")
    assert again.to_rttm() == result.to_rttm()
    assert again.to_json() == result.to_json()
    assert diarizer(samples[:80_000], rate=SAMPLE_RATE).recording == "recording"


def test_a_channel_is_chosen(diarizer, samples):
    piece = samples[: 12 * SAMPLE_RATE]
    stereo = np.stack([np.zeros_like(piece), piece], axis=1)
    assert diarizer(stereo, rate=SAMPLE_RATE, channel=1).turns == []
    mono = diarizer(piece, rate=SAMPLE_RATE)
    assert diarizer(stereo, rate=SAMPLE_RATE, channel=2).to_rttm() == mono.to_rttm()


@pytest.mark.parametrize("n_speakers", [1, 2, 6])
def test_the_number_of_speakers_is_honoured(diarizer, samples, n_speakers):
    found = diarizer(samples, rate=SAMPLE_RATE, n_speakers=n_speakers)
    assert len(found.speakers) == found.evidence["n_speakers"] == n_speakers


@pytest.mark.parametrize(("lowest", "highest"), [(5, None), (None, 2), (3, 3)])
def test_the_bounds_are_honoured(diarizer, samples, lowest, highest):
    found = diarizer(samples, rate=SAMPLE_RATE, min_speakers=lowest, max_speakers=highest)
    assert (lowest or 1) <= len(found.speakers) <= (highest or 1000)


def test_what_a_call_gives_wins_over_the_config(model, samples):
    config = Config(clustering=ClusteringConfig(max_speakers=3, min_speakers=3))
    diarizer = Diarizer(model, config=config, device="cpu", threads=1)
    piece = samples[: 20 * SAMPLE_RATE]
    assert len(diarizer(piece, rate=SAMPLE_RATE).speakers) == 3
    found = diarizer(piece, rate=SAMPLE_RATE, min_speakers=1, max_speakers=2)
    assert len(found.speakers) <= 2
    assert diarizer.config == config, "only for that call"


def test_more_speakers_than_windows_is_told_with_the_recording(diarizer, samples):
    message = r"^lunch: 3 windows cannot be 5 speakers; ask for at most 3$"
    with pytest.raises(ConfigError, match=message):
        diarizer(samples, rate=SAMPLE_RATE, n_speakers=5, speech=[Segment(1, 4)], recording="lunch")


@pytest.mark.parametrize("method", CLUSTERERS)
@pytest.mark.parametrize("evidence", [True, False])
def test_too_little_speech_for_the_least_number_is_a_warning(samples, method, evidence, caplog):
    config = Config(clustering=ClusteringConfig(method=method, evidence=evidence))
    bundled = Diarizer(config=config, device="cpu", threads=1)
    for end, n_windows in ((2.4, 1), (3.2, 2)):
        caplog.clear()
        speech = [Segment(1, end)]
        found = bundled(samples, rate=SAMPLE_RATE, min_speakers=3, max_speakers=4, speech=speech)
        assert len(found.embeddings) == len(found.speakers) == found.evidence["n_speakers"] == n_windows
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert caplog.messages[0].startswith(f"recording: {n_windows} window")
        with pytest.raises(ConfigError, match="cannot be 3 speakers; ask for at most"):
            bundled(samples, rate=SAMPLE_RATE, n_speakers=3, speech=speech)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"n_speakers": 0}, "setting 'clustering.n_speakers': input should be greater than"),
        ({"min_speakers": 4, "max_speakers": 2}, "min_speakers=4 is more than max_speakers=2"),
        ({"n_speakers": 4, "max_speakers": 2}, "n_speakers=4 is more than max_speakers=2"),
    ],
)  # fmt: skip
def test_impossible_numbers_are_told(diarizer, samples, numbers, message):
    with pytest.raises(ConfigError, match=message):
        diarizer(samples, rate=SAMPLE_RATE, speech=SPEECH, **numbers)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "magic"}, "unknown clusterer 'magic'; known: agglomerative"),
        ({"options": {"wand": 1}}, "clusterer 'agglomerative' has no parameter 'wand'; known:"),
        ({"n_speakers": 2, "min_speakers": 3}, "n_speakers=2 is less than min_speakers=3"),
    ],
)
def test_an_impossible_clusterer_is_told_before_any_work(model, settings, message):
    with pytest.raises(ConfigError, match=message):
        Diarizer(model, config=Config(clustering=ClusteringConfig(**settings)), device="cpu")


def test_silence_has_no_speakers(diarizer, caplog):
    found = diarizer(np.zeros(5 * SAMPLE_RATE), rate=SAMPLE_RATE, n_speakers=3)
    assert (found.turns, found.speakers, found.exclusive, len(found.embeddings)) == ([], [], [], 0)
    assert found.duration == 5
    assert found.evidence["n_speakers"] == 0
    assert found.evidence["reason"] == "0 speakers: no speech was found"
    assert found.to_rttm() == ""
    assert json.loads(found.to_json())["turns"] == []
    assert len(found.to_pyannote()) == 0
    ElementTree.fromstring(found._repr_html_())
    assert "recording: no speech was found" in caplog.text


def test_no_samples_are_an_error(diarizer):
    with pytest.raises(AudioError, match=r"0 samples; record or export it again"):
        diarizer(np.zeros(0), rate=SAMPLE_RATE)


def test_given_speech_is_where_the_turns_are(diarizer, samples):
    found = diarizer(samples, rate=SAMPLE_RATE, speech=SPEECH)
    assert length(speech_of(found.turns)) == pytest.approx(length(SPEECH))
    assert found.turns == crop(found.turns, SPEECH)
    shuffled = diarizer(samples, rate=SAMPLE_RATE, speech=SPEECH[::-1])
    assert shuffled.to_json() == found.to_json()
    nobody = diarizer(samples, rate=SAMPLE_RATE, speech=[])
    assert nobody.evidence["reason"] == "0 speakers: no speech was found"


def test_given_speech_ends_with_the_recording(diarizer, samples):
    piece = samples[: 10 * SAMPLE_RATE]
    found = diarizer(piece, rate=SAMPLE_RATE, speech=[Segment(6, 30), Segment(40, 50)])
    assert speech_of(found.turns) == [Segment(6, 10)]


def test_the_hook_sees_each_stage_begin_go_on_and_end(diarizer, demo_recording):
    calls = []
    result = diarizer(demo_recording, hook=lambda *call: calls.append(call))
    stages = list(dict.fromkeys(stage for stage, _ in calls))
    assert stages == ["hear", "embed", "label", "resegment", "turns"] == list(result.seconds)
    for stage, kind in zip(stages, (Heard, Voices, Labelled, Labelled, NamedTurns), strict=True):
        *told, record = [record for each, record in calls if each == stage]
        assert type(record) is kind
        assert told[0] == Progress(0)
        assert all(type(each) is Progress for each in told)
        assert [each.done for each in told] == sorted(each.done for each in told)
    last = {stage: record for stage, record in calls if type(record) is Progress}
    assert last["hear"] == (pytest.approx(result.duration), None)
    assert last["embed"] == (len(result.embeddings), len(result.embeddings))
    assert calls[-1][1].turns == result.turns


@pytest.mark.parametrize("method", CLUSTERERS)
def test_threads_change_no_byte(model, samples, method):
    config = Config(speech=SpeechConfig(detector="activity"), clustering=ClusteringConfig(method=method))
    texts = set()
    for threads in (1, 2):
        diarizer = Diarizer(model, config=config, device="cpu", threads=threads)
        found = diarizer(samples, rate=SAMPLE_RATE)
        texts.add((found.to_rttm(), found.to_json()))
    assert len(texts) == 1
    assert found.evidence["n_speakers"] >= 1
    assert found.evidence["reason"]


def test_settings_reach_their_stage(model, samples):
    piece = samples[: 20 * SAMPLE_RATE]
    windows = {"window": 1.0, "hop": 0.25}
    config = Config(speech=SpeechConfig(detector="energy"), embedding=windows, turns=TurnConfig(min_turn=1.0))
    diarizer = Diarizer(model, config=config, device="cpu", threads=1)
    found = diarizer(piece, rate=SAMPLE_RATE, n_speakers=3)
    assert (found.embeddings.end - found.embeddings.start).max() == pytest.approx(1.0)
    usual = Diarizer(model, device="cpu", threads=1)(piece, rate=SAMPLE_RATE, n_speakers=3)
    assert len(found.embeddings) > 1.5 * len(usual.embeddings)
    assert json.loads(found.to_json())["settings"] == config.model_dump() | {
        "clustering": config.clustering.model_dump() | {"n_speakers": 3}
    }


def test_rttm_is_written_and_read_back(result, tmp_path):
    text = result.to_rttm(tmp_path / "a.rttm")
    assert (tmp_path / "a.rttm").read_text() == text
    turns = read_rttm(tmp_path / "a.rttm")
    assert [turn.speaker for turn in turns] == [turn.speaker for turn in result.turns]
    np.testing.assert_allclose(
        [turn.segment.start for turn in turns], [turn.segment.start for turn in result.turns], atol=6e-4
    )


def test_json_is_what_the_schema_says_and_is_read_back(result, tmp_path):
    schema = json.loads((REPOSITORY / "docs" / "diarization.schema.json").read_text())
    document = json.loads(result.to_json(tmp_path / "a.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert len(document["turns"]) == len(result.turns)
    assert len(document["exclusive"]) == len(result.exclusive)
    assert [row["speaker"] for row in document["speakers"]] == result.speakers
    assert document["evidence"]["reason"] == result.evidence["reason"]
    assert len(read_turns(tmp_path / "a.json")) == len(result.turns)


def test_silence_too_is_what_the_schema_says(diarizer):
    schema = json.loads((REPOSITORY / "docs" / "diarization.schema.json").read_text())
    jsonschema.validate(json.loads(diarizer(np.zeros(16_000), rate=SAMPLE_RATE).to_json()), schema)


def test_pyannote_gets_every_turn(result):
    annotation = result.to_pyannote()
    assert annotation.uri == "meeting"
    assert [
        (segment.start, segment.end, speaker)
        for segment, _, speaker in annotation.itertracks(yield_label=True)
    ] == [(turn.segment.start, turn.segment.end, turn.speaker) for turn in result.turns]


SVG = "{http://www.w3.org/2000/svg}"


def test_a_notebook_shows_a_rectangle_a_turn(result):
    drawing = ElementTree.fromstring(result._repr_html_())
    assert drawing.tag == f"{SVG}svg"
    rectangles = drawing.findall(f"{SVG}rect")
    assert len(rectangles) == len(result.turns)
    for rectangle in rectangles:
        left, width = float(rectangle.get("x")), float(rectangle.get("width"))
        assert width > 0
        assert 130 <= left < left + width <= 130 + 900 + 0.02
    texts = [text.text for text in drawing.findall(f"{SVG}text")]
    assert texts[:4] == result.speakers


def test_names_of_speakers_are_escaped_in_the_drawing():
    turns = [Turn("a", Segment(0, 1), '<b>&"Ann\'s"')]
    drawing = ElementTree.fromstring(draw_timeline(turns, 2.0))
    assert drawing.find(f"{SVG}text").text == '<b>&"Ann\'s"'
    assert len(drawing.findall(f"{SVG}rect")) == 1


def test_overlaps_are_in_the_turns_and_never_in_exclusive(model, samples):
    config = Config(speech=SpeechConfig(detector="activity", overlap=0.01))
    found = Diarizer(model, config=config, device="cpu", threads=1)(samples, rate=SAMPLE_RATE, n_speakers=4)
    assert any(b.segment.start < a.segment.end - 1e-6 for a, b in pairwise(found.turns)), (
        "or nothing is tested"
    )
    assert all(b.segment.start >= a.segment.end - 1e-6 for a, b in pairwise(found.exclusive))
    assert length(speech_of(found.exclusive)) == pytest.approx(length(speech_of(found.turns)))
    jsonschema.validate(
        json.loads(found.to_json()),
        json.loads((REPOSITORY / "docs" / "diarization.schema.json").read_text()),
    )


def test_who_else_speaks_nearest_in_time_has_a_turn_where_speech_overlaps():
    windows = [Segment(0, 2), Segment(2, 4), Segment(5, 6), Segment(7, 8)]
    labels = np.array([0, 1, 1, 2])
    speech = [Segment(0, 4), Segment(5, 6), Segment(7, 8)]
    overlap = [Segment(0.5, 1), Segment(1.5, 2.5), Segment(5.5, 6), Segment(7, 7.25)]
    heard = Heard(speech, overlap, [], 8.0)
    turns, names, *_ = turns_of(Labelled(windows, labels), heard, TurnConfig(), "a")
    assert [(turn.segment.start, turn.segment.end, turn.speaker[-1]) for turn in turns] == [
        *((0, 2.5, "0"), (0.5, 1, "1"), (1.5, 4, "1")),
        *((5, 6, "1"), (5.5, 6, "2"), (7, 7.25, "1"), (7, 8, "2")),
    ]
    assert names == {0: "SPEAKER_00", 1: "SPEAKER_01", 2: "SPEAKER_02"}
    alone, *_ = turns_of(Labelled(windows, np.zeros(4, int)), heard, TurnConfig(), "a")
    assert [turn.segment for turn in alone] == speech


def test_a_speaker_of_short_turns_alone_has_no_name():
    windows = [Segment(0, 2), Segment(2, 4), Segment(4, 4.5), Segment(4.5, 6.5)]
    labels = np.array([0, 0, 1, 0])
    heard = Heard([Segment(0, 6.5)], [], [], 6.5)
    turns, names, *_ = turns_of(Labelled(windows, labels), heard, TurnConfig(min_turn=1.5), "a")
    assert turns == [Turn("a", Segment(0, 6.5), "SPEAKER_00")]
    assert names == {0: "SPEAKER_00"}
