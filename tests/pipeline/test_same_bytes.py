"""What changes no byte of a result, and what changes only the last bits of embeddings.

`benchmarks/same_bytes.py` has more of it, on whole recordings and with the bundled networks.
"""

import numpy as np
import pytest
from helpers import small_model

from diarize import Diarizer
from diarize.audio import SAMPLE_RATE, kept, load_audio, stream_audio
from diarize.config import Config
from diarize.embedding import running


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def samples(demo_recording):
    return load_audio(demo_recording)[: 12 * SAMPLE_RATE]


def label(model, samples, detector="activity"):
    config = Config.model_validate({"speech": {"detector": detector}})
    return Diarizer(model, config=config, device="cpu", threads=1)(samples, rate=SAMPLE_RATE, n_speakers=2)


@pytest.mark.parametrize("detector", ["activity", "silero", "energy"])
def test_the_size_of_the_blocks_that_are_read_changes_no_byte(model, samples, detector, monkeypatch):
    results, sizes = [], set()
    for seconds in (30.0, 0.1, 0.731):

        def stream(*arguments, seconds=seconds, **options):
            for block in stream_audio(*arguments, **options, block=seconds):
                sizes.add(len(block))
                yield block

        monkeypatch.setattr(kept, "stream_audio", stream)
        found = label(model, samples, detector)
        results.append((found.to_json(), found.to_rttm(), found.embeddings.vectors.tobytes()))
    assert results[0] == results[1] == results[2]
    assert found.turns
    assert {1600, 11696, len(samples)} <= sizes


def test_recordings_before_change_no_byte(model, samples):
    diarizer = Diarizer(model, device="cpu", threads=1)
    alone = Diarizer(model, device="cpu", threads=1)(samples, rate=SAMPLE_RATE)
    diarizer(samples[: 5 * SAMPLE_RATE], rate=SAMPLE_RATE)
    after = diarizer(samples, rate=SAMPLE_RATE)
    assert after.to_json() == alone.to_json()
    assert after.embeddings.vectors.tobytes() == alone.embeddings.vectors.tobytes()


def test_the_size_of_a_call_of_the_network_changes_at_most_the_last_bits(model, samples, monkeypatch):
    """It is a constant: no option and no setting changes it."""
    usual = label(model, samples)
    monkeypatch.setattr(running, "_FRAMES_AT_ONCE", 37)
    monkeypatch.setattr(running, "_POOLED", 100)
    other = label(model, samples)
    np.testing.assert_allclose(other.embeddings.vectors, usual.embeddings.vectors, rtol=0, atol=1e-6)
    assert other.turns == usual.turns
