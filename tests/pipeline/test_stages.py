"""The stages one by one: what `Diarizer` calls, and each begun with a record of the caller's own."""

import re

import numpy as np
import pytest
from helpers import REPOSITORY

from diarize import Diarizer, Embedder, Segment, Turn
from diarize.audio import SAMPLE_RATE, load_audio
from diarize.clustering.reasons import explain
from diarize.config import Config, TurnConfig, load_config
from diarize.pipeline.labels import centre, cluster_windows
from diarize.pipeline.stages import Heard, Labelled, Voices, embed, hear, label, resegment, turns


@pytest.fixture(scope="module")
def samples(demo_recording):
    return load_audio(demo_recording)[: 30 * SAMPLE_RATE]


@pytest.fixture(scope="module")
def embedder():
    return Embedder(device="cpu", threads=1)


def test_the_stages_in_a_row_are_the_diarizer(samples, embedder):
    config = Config()
    heard = hear([samples], config.speech)
    voices = embed(heard, [samples], embedder, config)
    labelled = label(voices, heard, embedder.backend, config, verifier=embedder.verifier)
    finer = resegment(labelled, voices, heard, embedder.backend, config)
    found = turns(finer, heard, config.turns, "recording")
    whole = Diarizer(device="cpu", threads=1)(samples, rate=SAMPLE_RATE, recording="recording")
    assert found.turns == whole.turns
    assert labelled.evidence == whole.evidence
    assert (voices.vectors == whole.embeddings.vectors).all()
    assert len(finer.spans) > len(labelled.spans)


def test_speech_of_ones_own(samples, embedder):
    config = Config()
    heard = Heard([Segment(1, 4), Segment(6, 9)], overlap=[], mixed=[], n_seconds=30.0)
    voices = embed(heard, [samples], embedder, config)
    labelled = label(voices, heard, embedder.backend, config, verifier=embedder.verifier)
    found = turns(resegment(labelled, voices, heard, embedder.backend, config), heard, config.turns)
    assert all(any(turn.segment.intersection(each) for each in heard.segments) for turn in found.turns)
    assert {turn.segment.start for turn in found.turns} >= {1.0, 6.0}


def test_embeddings_of_ones_own():
    """Two speakers at right angles, without a back end and without pieces."""
    windows = [Segment(i, i + 1) for i in range(20)]
    speakers = np.arange(20) // 5 % 2
    vectors = np.eye(2, dtype=np.float32)[speakers]
    heard = Heard([Segment(0, 20)], overlap=[], mixed=[], n_seconds=20.0)
    voices = Voices(windows, vectors)
    labelled = label(voices, heard, None, Config())
    assert labelled.labels.tolist() == speakers.tolist()
    assert resegment(labelled, voices, heard, None, Config()) is labelled
    found = turns(labelled, heard, TurnConfig(smoothing=1), "a")
    assert found.turns == [Turn("a", Segment(5 * i, 5 * i + 5), f"SPEAKER_0{i % 2}") for i in range(4)]


def test_labels_of_ones_own():
    spans = [Segment(0, 2), Segment(2, 4), Segment(4, 6)]
    labels = np.array([3, 3, 8])
    heard = Heard([Segment(0, 6)], overlap=[Segment(3.5, 4.5)], mixed=[], n_seconds=6.0)
    found = turns(Labelled(spans, labels), heard, TurnConfig(smoothing=1), "a")
    assert found.names == {3: "SPEAKER_00", 8: "SPEAKER_01"}
    assert [(turn.segment, turn.speaker) for turn in found.turns] == [
        (Segment(0, 4.5), "SPEAKER_00"),
        (Segment(3.5, 6), "SPEAKER_01"),
    ]


def test_nothing_heard_passes_through_all_stages(embedder):
    heard = hear([], Config().speech)
    voices = embed(heard, [], embedder, Config())
    labelled = label(voices, heard, embedder.backend, Config())
    assert labelled.evidence == explain(labelled.labels, "0 speakers: no speech was found")
    assert turns(resegment(labelled, voices, heard, embedder.backend, Config()), heard, TurnConfig()) == (
        [],
        {},
        None,
        (),
    )


PAGE = REPOSITORY / "docs" / "guides" / "stages.md"


@pytest.mark.parametrize(
    "code", re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
)
def test_the_page_works(code, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    exec(compile(code, PAGE.name, "exec"), {})
    printed = capsys.readouterr().out
    assert "SPEAKER_01" in printed or "turns NamedTurns" in printed


def test_centred_embeddings_are_clustered_where_all_point_one_way():
    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(3), 20)
    own = np.eye(3, 16)[speakers] + 0.1 * random.normal(size=(60, 16))
    vectors = (own + 20 * np.ones(16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def found(centred: bool) -> list[int]:
        config = load_config(overrides={"clustering.method": "dominant-sets", "clustering.centre": centred})
        return cluster_windows(vectors, config, "x")[0].tolist()

    assert found(centred=True) == speakers.tolist()
    assert len(set(found(centred=False))) == 1
    same = np.ones((4, 16), np.float32) / 4
    np.testing.assert_array_equal(centre(same), same)
    np.testing.assert_allclose(np.linalg.norm(centre(vectors), axis=1), 1, rtol=1e-5)
