"""The compressed copy of a recording, decoded again by the project's own decoders."""

import io

import numpy as np
import pytest

from diarize.audio import audio_info, load_audio
from diarize.audio.compressed import compress_audio

BEEPS = (0.5, 3.25, 7.0)


@pytest.fixture(scope="module")
def samples():
    """Beeps of 0.1 s in silence, 8 s."""
    samples = np.zeros(8 * 16000, np.float32)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(1600) / 16000)
    for start in BEEPS:
        samples[round(start * 16000) :][:1600] = tone
    return samples


def test_beeps_are_where_they_were(samples):
    decoded = load_audio(io.BytesIO(compress_audio([samples])))
    assert len(decoded) == len(samples)
    for start in BEEPS:
        loud = np.flatnonzero(np.abs(decoded[round((start - 0.2) * 16000) :][:8000]) > 0.2) / 16000 - 0.2
        np.testing.assert_allclose([loud[0], loud[-1]], [0, 0.1], atol=0.003)


def test_blocks_of_any_size_give_the_same_bytes(samples):
    whole = compress_audio([samples])
    assert compress_audio(np.split(samples, [7, 5000, 5001, 90000])) == whole
    assert compress_audio(np.split(samples, [0, 5000, 5000, len(samples)])) == whole, "also none"
    assert len(whole) < len(samples) / 4
    assert audio_info(io.BytesIO(whole)).n_channels == 1


def test_samples_beyond_one_are_clipped_not_wrapped():
    decoded = load_audio(io.BytesIO(compress_audio([np.full(16000, 3.0, np.float32)])))
    assert decoded[200:4000].min() > 0
