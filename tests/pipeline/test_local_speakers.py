"""Who speaks in each frame, from planted local speakers and planted voices."""

import numpy as np
import pytest

from diarize.config import ClusteringConfig, Config
from diarize.embedding.record import Voices, local_parts
from diarize.pipeline.local_speakers import assign, shares_of
from diarize.pipeline.records import Labelled
from diarize.pipeline.stages import turns
from diarize.segments import Segment
from diarize.speakers.plda import Backend
from diarize.speech.detect import heard_of
from diarize.speech.local import FRAME_LENGTH, Local
from diarize.speech.windows import sliding_windows

MODEL = Backend(np.eye(8), np.full(8, 9.0))
VOICES = np.random.default_rng(3).normal(0, 3, (3, 8))
CONFIG = Config.model_validate(
    {
        "speech": {"detector": "local", "release": 0, "padding": 0, "min_silence": 0},
        "clustering": ClusteringConfig(seconds_a_sample=1.0),
        "turns": {"min_gap": 0},
    }
)


def local_of(talking: np.ndarray, length: int, step: int) -> Local:
    """Windows in which the speakers (n_frames, k) have the numbers 0, 1, ... in an order of each window's."""
    random = np.random.default_rng(0)
    firsts = np.arange(0, len(talking) - length + 1, step)
    active = np.stack(
        [talking[first : first + length][:, random.permutation(talking.shape[1])] for first in firsts]
    )
    return Local(firsts, active, active.any(axis=2).astype(np.float32), len(talking) * FRAME_LENGTH)


def embed(spans: list[Segment], talking: np.ndarray) -> np.ndarray:
    """The mean voice of what is said in each span."""
    found = []
    for span in spans:
        part = talking[round(span.start / FRAME_LENGTH) : max(1, round(span.end / FRAME_LENGTH))]
        shares = part.sum(axis=0) / max(1, part.sum())
        found.append(shares @ VOICES[: talking.shape[1]])
    return np.array(found).reshape(-1, 8)


def voices_of(local: Local, talking: np.ndarray, config: Config = CONFIG) -> tuple[Voices, Labelled]:
    heard = heard_of(local, config.speech)
    windows = sorted(sliding_windows(heard.segments, 1.5, 0.75))
    pieces = sorted(sliding_windows(heard.segments, 0.75, 0.25))
    keys, _, parts = local_parts(local)
    of_local = np.array([embed(each, talking).mean(axis=0) for each in parts])
    seconds = np.array([sum(part.duration for part in each) for each in parts])
    voices = Voices(windows, embed(windows, talking), pieces, embed(pieces, talking), keys, of_local, seconds)
    labels = (((voices.vectors[:, None] - VOICES[: talking.shape[1]]) ** 2).sum(axis=2)).argmin(axis=1)
    return voices, Labelled(windows, labels)


def found_frames(labelled: Labelled, n_frames: int, k: int) -> np.ndarray:
    found = np.zeros((n_frames, k), bool)
    for span, label in zip(labelled.spans, labelled.labels, strict=True):
        found[round(span.start / FRAME_LENGTH) : round(span.end / FRAME_LENGTH), label] = True
    return found


def conversation(k: int = 2, n_frames: int = 1500) -> np.ndarray:
    """Turns of four seconds, a second of pause after every third, and half a second of overlap."""
    talking = np.zeros((n_frames, k), bool)
    for number, first in enumerate(range(0, n_frames, 200)):
        talking[first : first + 200 - 50 * (number % 3 == 2), number % k] = True
        talking[first + 100 : first + 125, (number + 1) % k] = True
    return talking


@pytest.mark.parametrize("backend", [MODEL, None])
@pytest.mark.parametrize("k", [2, 3])
def test_overlap_and_borders_are_those_of_the_local_speakers(k, backend):
    talking = conversation(k)
    local = local_of(talking, 500, 125)
    voices, labelled = voices_of(local, talking)
    heard = heard_of(local, CONFIG.speech)
    found = assign(labelled, voices, heard, backend, CONFIG)
    assert (found_frames(found, len(talking), k) != talking).mean() < 0.01
    named = turns(found, heard, CONFIG.turns, "a")
    assert sorted(turn.segment for turn in named.turns) == sorted(found.spans)


def test_three_who_talk_at_once_are_three():
    talking = conversation(3)
    talking[700:760] = True
    local = local_of(talking, 500, 125)
    voices, labelled = voices_of(local, talking)
    found = assign(labelled, voices, heard_of(local, CONFIG.speech), MODEL, CONFIG)
    assert found_frames(found, len(talking), 3)[702:758].all()


def test_two_local_speakers_of_a_window_are_not_one_speaker():
    talking = conversation(2, 500)
    local = local_of(talking, 500, 500)
    keys, _, _ = local_parts(local)
    alike = np.array([[5.0, 1.0], [4.0, 3.9]])  # both like speaker 0 better
    shares = shares_of(local, np.zeros(500, np.intp), alike, keys, 2, 0.75)
    assert (shares > 0).any(axis=0).all()


@pytest.mark.parametrize(("hop", "speaker"), [(0.75, 1), (3.0, 0)])
def test_each_clustered_window_has_a_vote(hop, speaker):
    talking = np.zeros((500, 1), bool)
    talking[100:175] = True  # 1.5 s: two windows every 0.75 s, half of one every 3 s
    local = local_of(talking, 500, 500)
    keys, _, _ = local_parts(local)
    shares = shares_of(local, np.ones(500, np.intp), np.array([[5.0, 0.0]]), keys, 2, hop)
    assert shares[100:175].argmax(axis=1).tolist() == [speaker] * 75


def test_a_voice_may_have_more_local_speakers_than_the_recording_has_speakers():
    talking = conversation(2, 500)
    local = local_of(talking, 500, 500)
    voices, labelled = voices_of(local, talking)
    one = Labelled(labelled.spans, np.zeros_like(labelled.labels))
    found = assign(one, voices, heard_of(local, CONFIG.speech), MODEL, CONFIG)
    np.testing.assert_array_equal(found_frames(found, 500, 1)[:, 0], talking.any(axis=1))


def test_silence_has_no_local_speakers():
    local = local_of(np.zeros((600, 2), bool), 500, 100)
    heard = heard_of(local, CONFIG.speech)
    assert heard.segments == heard.overlap == []
    assert len(local_parts(local)[0]) == 0
    nothing = Labelled([], np.zeros(0, np.int64))
    assert assign(nothing, Voices([], np.zeros((0, 8))), heard, MODEL, CONFIG) is nothing
