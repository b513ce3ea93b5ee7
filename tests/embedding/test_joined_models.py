"""Several models side by side: their embeddings, their back end, and any source of samples."""

import numpy as np
import pytest
from helpers import write_small_model

from diarize.audio import SAMPLE_RATE, load_audio, regroup
from diarize.config import load_config
from diarize.embedding.embedder import Embedder
from diarize.embedding.joined import JoinedModel, join_models
from diarize.errors import ModelError
from diarize.pipeline.diarizer import Diarizer
from diarize.segments import Segment
from diarize.speakers.plda import Backend

WINDOWS = [Segment(start, start + 1.5) for start in np.arange(0, 12, 0.75)]


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("models") / "small"
    write_small_model(folder)
    return str(folder)


def test_embeddings_stand_beside_each_other_and_have_length_one(small, demo_recording):
    samples = load_audio(demo_recording)
    joined, alone = Embedder(f"voices+{small}"), [Embedder("voices"), Embedder(small)]
    found = joined.windows([samples], WINDOWS)
    expected = np.hstack([each.windows([samples], WINDOWS) for each in alone]) / np.sqrt(2)
    assert joined.dim == found.shape[1] == alone[0].dim + alone[1].dim
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    blocks = regroup([samples], SAMPLE_RATE)  # an iterator, which can be read once
    np.testing.assert_array_equal(joined.windows(blocks, WINDOWS), found)


def test_progress_counts_the_windows_of_each_model(small, demo_recording):
    shown = []
    Embedder(f"{small}+{small}").windows(
        [load_audio(demo_recording)], WINDOWS, lambda _, progress: shown.append(progress)
    )
    assert (shown[-1].done, shown[-1].total) == (2 * len(WINDOWS), 2 * len(WINDOWS))
    assert [each.done for each in shown] == sorted(each.done for each in shown)


def test_the_evidence_of_independent_models_is_a_sum():
    random = np.random.default_rng(0)
    backends = [Backend(random.normal(size=(n, n)), np.sort(random.uniform(0, 9, n))[::-1]) for n in (3, 5)]
    both = join_models([JoinedModel(name, name, each) for name, each in zip("ab", backends, strict=True)])
    assert both.name == "a+b"
    assert np.all(np.diff(both.backend.spread) <= 0)
    X = [random.normal(size=(20, n)) for n in (3, 5)]
    labels = np.repeat([0, 1], 10)
    expected = sum(each.evidence(each.whiten(x), labels, 0.5) for each, x in zip(backends, X, strict=True))
    joined = both.backend
    found = joined.evidence(joined.whiten(np.hstack(X) / np.sqrt(2)), labels, 0.5)
    assert found == pytest.approx(expected)
    assert join_models([both, JoinedModel("c", "c", None)]).backend is None


def test_a_joined_model_diarizes_and_has_a_name_of_its_own(demo_recording):
    config = load_config(overrides={"embedding.model": "voices+voices"})
    diarizer = Diarizer(config=config)
    found, alone = diarizer(demo_recording), Diarizer()(demo_recording)
    assert found.model.startswith("voices+voices ")
    assert found.model.split()[1] != alone.model.split()[1]
    assert len(found.speakers) == 4
    assert found.embeddings.vectors.shape[1] == 2 * alone.embeddings.vectors.shape[1]


def test_each_part_must_exist_and_a_folder_may_have_a_plus_in_its_name(small, tmp_path):
    with pytest.raises(ModelError, match="no model folder nobody"):
        Embedder("voices+nobody")
    folder = tmp_path / "a+b"
    write_small_model(folder)
    assert Embedder(str(folder)).dim == Embedder(small).dim
