"""Copies of a recording for a training, and the targets of a teacher."""

import numpy as np
import pytest
import soundfile
from small_onnx import DIM, write_model

from diarize.audio import SAMPLE_RATE
from diarize.audio.features import FeatureConfig, log_mel
from diarize.config import validate
from diarize.errors import ConfigError
from diarize.training.augment import Augmenter
from diarize.training.copies import Copies, PackConfig
from diarize.training.targets import Teacher, blend_targets


@pytest.fixture(scope="module")
def tone(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("tone") / "a.wav"
    wave = 0.1 * np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    soundfile.write(path, wave, SAMPLE_RATE)
    return str(path)


def test_copies_have_their_speeds_and_depend_on_seed_and_number(tone):
    config = PackConfig(speeds=(1.0, 1.0, 0.8), augmented=(False, True, False))
    features, augmenter = FeatureConfig(n_mels=16), Augmenter([], [], [])
    copies = Copies(config, features, augmenter, seed=3)((5, tone))
    assert [speed for speed, _ in copies] == [1.0, 1.0, 0.8]
    plain, augmented, slow = (mel.astype(np.float32) for _, mel in copies)
    wave, _ = soundfile.read(tone, dtype="float32")
    np.testing.assert_allclose(plain, log_mel(wave, features), atol=0.01)
    assert len(slow) == pytest.approx(len(plain) / 0.8, abs=2)
    assert not np.allclose(augmented[: len(plain)], plain[: len(augmented)], atol=0.01)
    again = Copies(config, features, augmenter, seed=3)((5, tone))
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(copies, again, strict=True))
    other = Copies(config, features, augmenter, seed=3)((6, tone))
    assert not np.array_equal(other[1][1], copies[1][1])


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"speeds": [1.0]}, "x: [pack] needs as many speeds as augmented"),
        ({"speeds": [0.0], "augmented": [True]}, "x: setting 'speeds': input should be numbers from 0.1"),
        ({"speed": [1.0]}, "x: unknown setting 'speed'; known: speeds, augmented"),
    ],
)
def test_wrong_copies_are_told(table, told):
    with pytest.raises(ConfigError) as caught:
        validate(PackConfig, table, "x")
    assert str(caught.value).startswith(told)


def test_a_teacher_hears_each_speed(tone, tmp_path):
    vectors = Teacher(str(write_model(tmp_path)), [1.0, 0.8])(tone)
    assert vectors.shape == (2, DIM)
    assert not np.allclose(vectors[0], vectors[1])


def test_targets_lie_between_a_recording_and_its_speaker():
    vectors = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    speakers = ["b", "a", "b", "a", "a"]
    own = [[[0.0] * 3 for _ in range(2)] for _ in range(5)]
    for i in range(5):
        for speed in range(2):
            same = [vectors[j, speed] for j in range(5) if speakers[j] == speakers[i]]
            own[i][speed] = 0.4 * vectors[i, speed] + 0.6 * np.mean(same, axis=0)
    expected = np.array(own) - np.array(own).reshape(10, 3).mean(axis=0)
    expected /= np.linalg.norm(expected, axis=2, keepdims=True)
    targets = blend_targets(vectors, speakers)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets, expected, atol=1e-5)
