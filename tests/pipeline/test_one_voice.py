"""One voice stays one and two stay two: planted vectors, and pieces of the demo recording."""

from itertools import combinations

import numpy as np
import pytest

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.clustering import CLUSTERERS
from diarize.config import ClusteringConfig, Config, load_config
from diarize.embedding.record import Voices
from diarize.formats import read_rttm
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.labels import label
from diarize.pipeline.one_voice import nats_above_one
from diarize.segments import Segment
from diarize.speakers.number import Costs
from diarize.speakers.plda import Backend
from diarize.speech.detect import Heard

MODEL = Backend(np.eye(16), np.linspace(6, 0.5, 16))
CASES = [
    ("one voice of 4 s", ["slt"], 4.0, 1),
    ("another voice, 3.5 s", ["kal"], 3.5, 1),
    ("8 s of one voice, joined from five places", ["rms"], 8.0, 1),
    ("12 s of one voice, joined from six places", ["ked"], 12.0, 1),
    *((f"{a} and {b} in turn", [a, b], 30.0, 2) for a, b in combinations(["slt", "rms", "ked", "kal"], 2)),
    ("two voices in turn, 8 s", ["slt", "kal"], 8.0, 2),
]


@pytest.fixture(scope="module")
def pieces(demo_recording) -> dict[str, list[np.ndarray]]:
    """What each speaker says alone, with a tenth of a second around it."""
    samples, turns = load_audio(demo_recording), read_rttm(demo_recording.with_suffix(".rttm"))
    alone: dict[str, list[np.ndarray]] = {}
    for turn in turns:
        if not any(other != turn and other.segment.intersection(turn.segment) for other in turns):
            start, end = turn.segment.start - 0.1, turn.segment.end + 0.1
            cut = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
            alone.setdefault(turn.speaker, []).append(cut)
    return alone


def in_turn(pieces: dict[str, list[np.ndarray]], speakers: list[str], seconds: float) -> np.ndarray:
    """The speakers' pieces in turn, at most so many seconds."""
    n_rounds = max(len(pieces[speaker]) for speaker in speakers)
    parts = [pieces[name][i] for i in range(n_rounds) for name in speakers if i < len(pieces[name])]
    return np.concatenate(parts)[: round(seconds * SAMPLE_RATE)]


@pytest.mark.parametrize("method", CLUSTERERS)
def test_one_voice_stays_one_and_two_stay_two(pieces, method):
    diarizer = Diarizer(config=load_config(overrides={"clustering.method": method}), device="cpu", threads=1)
    for name, speakers, seconds, n_speakers in CASES:
        found = diarizer(in_turn(pieces, speakers, seconds), rate=SAMPLE_RATE)
        if n_speakers == 1:
            assert len(found.speakers) == 1, f"{name}: {found.evidence['reason']}"
            assert found.evidence["reason"].startswith("1 speaker")
        else:
            assert len(found.speakers) >= 2, f"{name}: {found.evidence['reason']}"


@pytest.mark.parametrize("asked", [{"n_speakers": 2}, {"min_speakers": 2}])
def test_who_asks_for_two_has_two(pieces, asked):
    found = Diarizer(device="cpu", threads=1)(in_turn(pieces, ["slt"], 6.0), rate=SAMPLE_RATE, **asked)
    assert len(found.speakers) == 2


def heard_as(overlap: list[Segment], seconds: float) -> Heard:
    return Heard([Segment(0, seconds)], [], overlap, seconds)


def test_overlap_tells_against_one_voice_and_long_speech_for_it():
    settings = ClusteringConfig(second_speaker_rate=2.0, overlap_gain=20.0)

    def needed(speech: float, overlap: float = 0.0) -> float:
        return Costs(settings, 0.75, round(speech / 0.75)).second_speaker(speech, overlap)

    assert needed(3.0) == needed(25.0) == 0
    assert needed(40.0) == 30.0
    assert needed(40.0, 1.5) == 0
    assert needed(20.0, 0.5) == -10.0
    assert needed(480.0) == pytest.approx(2.0 * (480.0 / 4 - 25.0)), (
        "in a long recording as its windows count"
    )


def test_what_is_heard_decides_where_the_evidence_does_not():
    windows = [Segment(0.75 * i, 0.75 * i + 1.5) for i in range(40)]
    short = [Segment(0.25 * i, 0.25 * i + 0.75) for i in range(120)]
    random = np.random.default_rng(0)
    halves = 0.8 * np.sign(np.arange(16) % 2 - 0.5)

    def draw(n: int) -> np.ndarray:
        X = random.normal(size=(n, 16)) + np.where(np.arange(n)[:, None] < n / 2, halves, -halves)
        return X.astype(np.float32)

    voices = Voices(windows, draw(40), short, draw(120))
    found = {}
    for rate, overlap in ((0.0, []), (100.0, []), (100.0, [Segment(0, 30)])):
        clustering = ClusteringConfig(second_speaker_rate=rate)
        config = Config(clustering=clustering)
        _, labels, evidence, _ = label(voices, heard_as(overlap, 30.75), MODEL, config, "a")
        found[rate, bool(overlap)] = evidence["n_speakers"]
        assert len(np.unique(labels)) == evidence["n_speakers"]
    assert found == {(0.0, False): 2, (100.0, False): 1, (100.0, True): 2}
    labels = (np.arange(40) >= 20).astype(int)
    assert nats_above_one(voices, labels, MODEL, Config()) > 0
    no_pieces = voices._replace(pieces=[], piece_vectors=voices.piece_vectors[:0])
    assert (
        0
        < nats_above_one(no_pieces, labels, MODEL, Config())
        < nats_above_one(voices, labels, MODEL, Config())
    )
