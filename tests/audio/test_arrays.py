"""Arrays of every type and layout become the samples that they hold."""

import numpy as np
import pytest
import torch

from diarize.audio import load_audio
from diarize.audio.sources import resolve_source
from diarize.errors import AudioError

VALUES = np.round(20000 * np.sin(np.arange(8000) / 7)).astype(np.int16)
EXPECTED = (VALUES / 32768).astype(np.float32)


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float32", "float64"])
def test_16_bits_in_any_type(dtype, caplog):
    heard = load_audio(VALUES.astype(dtype), rate=16000)
    assert heard == pytest.approx(EXPECTED, abs=1e-4)
    assert ("16 bits" in caplog.text) == (dtype != "int16")


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_unsigned_16_bits_in_any_type(dtype):
    values = (VALUES.astype(np.int64) + 32768).astype(dtype)
    assert load_audio(values, rate=16000) == pytest.approx(EXPECTED, abs=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "uint32"])
def test_unsigned_bytes_in_any_type(dtype):
    values = (VALUES // 256 + 128).astype(dtype)
    assert load_audio(values, rate=16000) == pytest.approx(EXPECTED, abs=0.01)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float64"])
def test_24_bits_in_any_type(dtype):
    assert load_audio(VALUES.astype(dtype) * 256, rate=16000) == pytest.approx(EXPECTED, abs=1e-4)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_32_bits(dtype, caplog):
    assert load_audio(VALUES.astype(dtype) * 65536, rate=16000) == pytest.approx(EXPECTED, abs=1e-4)
    assert bool(caplog.records) == (dtype == "int64")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_overdriven_floats_stay(dtype):
    samples = np.array([0.0, 1.5, -3.0, 100.0], dtype)
    assert list(load_audio(samples, rate=16000)) == [0.0, 1.5, -3.0, 100.0]


STEREO = np.stack([EXPECTED, -EXPECTED / 2], axis=1)


@pytest.mark.parametrize(
    "layout",
    [
        STEREO,
        np.asfortranarray(STEREO),
        np.repeat(STEREO, 2, axis=0)[::2],
        torch.from_numpy(STEREO.T.copy()),
        torch.from_numpy(STEREO.copy()),
        torch.from_numpy(STEREO.T.copy()).requires_grad_(),
        torch.from_numpy(STEREO.T.copy()).double(),
        {"waveform": STEREO.T, "sample_rate": 16000},
        {"waveform": STEREO, "sample_rate": 16000},
    ],
)
def test_where_the_channels_are(layout):
    rate = None if isinstance(layout, dict) else 16000
    for channel, expected in ((1, EXPECTED), (2, -EXPECTED / 2)):
        assert load_audio(layout, rate=rate, channel=channel) == pytest.approx(expected, abs=1e-6)


def test_arrays_are_read_and_not_written():
    samples = EXPECTED.copy()
    samples.flags.writeable = False
    assert np.array_equal(load_audio(samples, rate=16000), EXPECTED)


def test_bfloat16_and_scalars_as_rate():
    tensor = torch.from_numpy(EXPECTED.copy()).bfloat16()
    assert load_audio(tensor, rate=torch.tensor(16000)) == pytest.approx(EXPECTED, abs=0.01)
    assert np.array_equal(load_audio(EXPECTED, rate=np.int64(16000)), EXPECTED)


@pytest.mark.parametrize("shape", [(0,), (0, 1), (1, 0), (2, 0)])
def test_no_samples(shape):
    with pytest.raises(AudioError, match=r"^array: 0 samples"):
        load_audio(np.zeros(shape), rate=16000)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(9), None, "an array needs its rate in Hz, got rate=None"),
        (np.zeros(9), "16000", "an array needs its rate in Hz, got rate='16000'"),
        (np.zeros(9), True, "got rate=True"),
        (np.zeros(9), float("nan"), "got rate=nan"),
        (np.zeros(9), 1, "the rate of an array is 1000 to 1000000 Hz, got rate=1"),
        (np.zeros(9), 10_000_000, "got rate=10000000"),
        (np.zeros((1, 2, 9)), 16000, r"got \(1, 2, 9\)"),
        (np.float32(1.0), 16000, r"got \(\)"),
        (np.zeros(9, bool), 16000, "floats or integers, got bool"),
        (np.array(["a"]), 16000, "floats or integers, got <U1"),
    ],
)
def test_impossible_arrays(samples, rate, message):
    with pytest.raises(ValueError, match=message):
        resolve_source(samples, rate)
