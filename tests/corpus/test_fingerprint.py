"""Fingerprints: copies of one sound are found, other sounds are not."""

import io

import numpy as np
import pytest
import soundfile
import soxr
from command_line import demo_samples

from diarize.audio import load_audio
from diarize.corpus.fingerprint import SHORTEST, find_copies, fingerprint

SPEECH = demo_samples(16.0)
PARTS = [SPEECH[start : start + 64000] for start in (0, 64000, 128000, 192000)]


def encoded(samples, format, subtype):
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format=format, subtype=subtype)
    return load_audio(file)


CHANGES = {
    "level": lambda x: 0.01 * x,
    "upside down": lambda x: -x,
    "offset": lambda x: x + 0.1,
    "16 bits": lambda x: encoded(x, "FLAC", "PCM_16"),
    "Vorbis": lambda x: encoded(x, "OGG", "VORBIS"),
    "Opus": lambda x: encoded(x, "OGG", "OPUS"),
    "MP3": lambda x: encoded(x, "MP3", "MPEG_LAYER_III"),
    "A-law": lambda x: encoded(x, "WAV", "ALAW"),
    "8 kHz": lambda x: soxr.resample(soxr.resample(x, 16000, 8000), 8000, 16000),
    "clipped": lambda x: np.clip(x, -2 * x.std(), 2 * x.std()),
    "silence before it": lambda x: np.concatenate([np.zeros(5000, np.float32), x]),
    "its beginning is cut": lambda x: x[12345:],
    "its end is cut": lambda x: x[:40000],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_and_nothing_else(change):
    words = [fingerprint(part) for part in PARTS]
    copy = fingerprint(CHANGES[change](PARTS[1]).astype(np.float32))
    assert [pair[:2] for pair in find_copies([*words, copy])] == [(1, 4)]


def test_the_time_by_which_a_copy_is_later():
    (copy,) = find_copies([fingerprint(PARTS[0][16384:]), fingerprint(PARTS[0])])
    assert copy.seconds == pytest.approx(-1.024)
    assert copy.errors == 0


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0), np.zeros(1), np.zeros(4608), np.zeros(160000), np.ones(160000)],
    ids=["none", "one", "a frame", "zeros", "ones"],
)
def test_what_has_no_sound_is_no_copy(samples):
    words = fingerprint(samples.astype(np.float32))
    assert find_copies([words, words]) == []
    assert find_copies([]) == []


def test_what_is_short_is_no_copy():
    words = fingerprint(PARTS[0])[: SHORTEST - 1]
    assert find_copies([words, words]) == []


def test_noise_is_a_copy_of_itself_alone():
    random = np.random.default_rng(0)
    noises = [random.normal(0, 0.1, 64000).astype(np.float32) for _ in range(30)]
    words = [fingerprint(noise) for noise in [*noises, 0.5 * noises[7]]]
    assert [pair[:2] for pair in find_copies(words)] == [(7, 30)]


def test_a_word_that_is_everywhere_says_nothing():
    words = np.full(100, 7, np.uint32)
    assert find_copies([words] * 40) == []
