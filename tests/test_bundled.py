"""The model that comes with the package, on the recording that ships with the repository."""

import pytest

from diarize.formats.rttm import read_rttm
from diarize.metrics import score_diarization
from diarize.models import BUNDLED, DEFAULT_MODEL, bundled_models, load_model
from diarize.pipeline import Diarizer


def test_the_default_model_is_bundled_and_loads():
    assert DEFAULT_MODEL in bundled_models()
    model = load_model()
    assert model.name == DEFAULT_MODEL
    assert load_model(DEFAULT_MODEL).fingerprint == model.fingerprint


@pytest.mark.parametrize("name", [DEFAULT_MODEL])
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
