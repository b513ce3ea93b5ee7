"""Speech detection: the same answer from a stream as from the whole, real speech."""

import numpy as np
import pytest

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.config import SpeechConfig
from diarize.formats import read_rttm
from diarize.speech.detect import speech_probabilities, speech_segments
from diarize.speech.energy import energy_scores
from diarize.speech.silero import FRAME_LENGTH


def bursts(n_seconds=10.0, speech=((2.0, 4.0), (6.5, 8.0)), noise=0.003, dc=0.0):
    """Tones in noise at known times."""
    t = np.arange(round(n_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = np.random.default_rng(0).normal(dc, noise, t.size)
    for start, end in speech:
        samples += 0.2 * np.sin(2 * np.pi * 300 * t) * ((t >= start) & (t < end))
    return samples.astype(np.float32)


def cut(samples, n_samples):
    return (samples[start : start + n_samples] for start in range(0, len(samples), n_samples))


@pytest.mark.parametrize("detector", ["silero", "energy"])
@pytest.mark.parametrize("n_samples", [100, 511, 512, 16000, 262144, 999999])
def test_blocks_change_nothing(detector, n_samples):
    samples = bursts(20.123)
    whole, n_seconds = speech_probabilities([samples], detector)
    streamed, n_streamed = speech_probabilities(cut(samples, n_samples), detector)
    assert np.array_equal(streamed, whole)
    assert n_streamed == n_seconds == pytest.approx(20.123)
    assert len(whole) == np.ceil(len(samples) / 512)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::DeprecationWarning:silero_vad")
def test_silero_equals_the_package_on_the_whole_signal():
    silero_vad = pytest.importorskip("silero_vad")
    rng = np.random.default_rng(1)
    samples = bursts(40.0, [(5, 15), (30, 35)]) * rng.uniform(0.1, 2, 640000).astype(np.float32)
    expected = silero_vad.load_silero_vad(sequence=True).audio_forward(samples)
    probabilities, _ = speech_probabilities(cut(samples, 30000))
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("detector", ["silero", "energy"])
def test_silence_and_steady_noise_hold_no_speech(detector):
    noise = np.random.default_rng(0).normal(0, 0.01, 10 * SAMPLE_RATE).astype(np.float32)
    config = SpeechConfig(detector=detector)
    for samples in (np.zeros(5 * SAMPLE_RATE, np.float32), noise, noise + 0.5, np.zeros(0, np.float32)):
        assert speech_segments([samples], config) == []


@pytest.mark.parametrize("dc", [0.0, 0.4])
def test_energy_finds_bursts_in_noise(dc):
    config = SpeechConfig(detector="energy", padding=0)
    found = speech_segments([bursts(dc=dc)], config)
    times = [time for segment in found for time in (segment.start, segment.end)]
    assert times == pytest.approx([2.0, 4.0, 6.5, 8.0], abs=2 * FRAME_LENGTH)


def test_energy_hears_over_digital_silence():
    samples = np.concatenate([np.zeros(20 * SAMPLE_RATE, np.float32), bursts()])
    found = speech_segments([samples], SpeechConfig(detector="energy", padding=0))
    assert [round(segment.start) for segment in found] == [22, 26]  # 26.5, half to even


def test_energy_score_is_half_at_the_midpoint():
    energies = np.concatenate([np.full(50, -60.0), np.full(50, -30.0), [-45.0]])
    scores = energy_scores(energies)
    assert scores[-1] == pytest.approx(0.5, abs=0.01)  # -60 + max(9, 30 / 2)
    assert scores[0] < 0.01
    assert scores[60] > 0.99


def test_unknown_detector_is_refused():
    with pytest.raises(ValueError, match="'silero' or 'energy', got 'webrtc'"):
        speech_probabilities([np.zeros(512, np.float32)], "webrtc")


def test_silero_finds_real_speech(shared_data):
    folder = shared_data / "diarization" / "ami"
    if not folder.is_dir():
        pytest.skip("no AMI excerpts")
    name = "EN2001a_0000_0030"
    samples = load_audio(folder / "audio" / f"{name}.flac")
    heard = np.zeros(30_000, bool)
    for segment in speech_segments([samples], SpeechConfig()):
        heard[round(segment.start * 1000) : round(segment.end * 1000)] = True
    spoken = np.zeros(30_000, bool)
    for turn in read_rttm(folder / "rttm" / f"{name}.rttm"):
        spoken[round(turn.segment.start * 1000) : round(turn.segment.end * 1000)] = True
    assert (heard & spoken).sum() / spoken.sum() > 0.7
