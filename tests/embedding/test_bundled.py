"""The model that comes with the package, on the recording that ships with the repository."""

import pytest

from diarize.config import load_config
from diarize.embedding.models import BUNDLED, DEFAULT_MODEL, bundled_models, load_model
from diarize.formats import read_rttm
from diarize.pipeline.diarizer import Diarizer
from diarize.scoring.der import score_diarization


def test_the_default_model_is_bundled_and_loads():
    assert DEFAULT_MODEL in bundled_models()
    model = load_model()
    assert model.name == DEFAULT_MODEL
    assert load_model(DEFAULT_MODEL).fingerprint == model.fingerprint


def test_the_network_of_speaker_clustering_labels_the_demo(demo_recording):
    config = load_config(overrides={"clustering.method": "dominant-sets"})
    found = Diarizer("pairwise-kl", config=config, device="cpu")(demo_recording)
    reference = read_rttm(demo_recording.with_suffix(".rttm"))
    assert len(found.speakers) == 4, found.evidence["reason"]
    assert score_diarization(reference, found.turns).confusion < 1


@pytest.mark.parametrize("name", bundled_models())
def test_a_bundled_model_is_small_and_has_a_card(name):
    folder = BUNDLED / name
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8_000_000
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# ")
    assert len(card) > 200


def test_the_demo_is_diarized_out_of_the_box(demo_recording):
    found = Diarizer(device="cpu")(demo_recording)
    reference = read_rttm(demo_recording.with_suffix(".rttm"))
    score = score_diarization(reference, found.turns, collar=0.0)
    assert len(found.speakers) == 4, found.evidence["reason"]
    assert score.der < 0.25


def test_turns_follow_short_windows_with_as_many_speakers(demo_recording):
    reference = read_rttm(demo_recording.with_suffix(".rttm"))
    exact = {"turns.min_gap": 0.0}  # the reference ends a turn at every pause
    config, without = (
        load_config(overrides={**exact, "resegmentation.enabled": enabled}) for enabled in (True, False)
    )
    found, coarse = (
        Diarizer(device="cpu", threads=1, config=each)(demo_recording, n_speakers=4)
        for each in (config, without)
    )
    assert len(found.speakers) == len(coarse.speakers) == 4
    assert score_diarization(reference, found.turns).der < score_diarization(reference, coarse.turns).der
    assert (found.embeddings.vectors == coarse.embeddings.vectors).all()
    again = Diarizer(device="cpu", threads=2, config=config)(demo_recording, n_speakers=4)
    assert again.turns == found.turns, "whatever the number of threads"
