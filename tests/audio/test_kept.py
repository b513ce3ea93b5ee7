"""Samples are decoded once where they fit into memory, and are the same at each reading."""

import numpy as np
import pytest

from diarize import Diarizer, Embedder
from diarize.audio import kept, stream_audio
from diarize.audio.kept import KeptBlocks


def counted(blocks):
    """Blocks, and how often they are decoded."""
    calls = []

    def decode():
        calls.append(1)
        yield from blocks

    return KeptBlocks(decode), calls


@pytest.mark.parametrize(("limit", "n_decoded"), [(2**20, 1), (40, 1), (39, 3), (0, 3)])
def test_what_fits_is_decoded_once(monkeypatch, limit, n_decoded):
    monkeypatch.setattr(kept, "KEPT_BYTES", limit)
    blocks = [np.arange(5, dtype=np.float32), np.arange(5, 10, dtype=np.float32)]
    again, calls = counted(blocks)
    for _ in range(3):
        assert np.concatenate(list(again)).tolist() == list(range(10))
    assert len(calls) == n_decoded


def test_a_reading_that_was_left_is_begun_anew():
    again, calls = counted([np.zeros(5, np.float32), np.ones(5, np.float32)])
    next(iter(again))
    assert len(list(again)) == len(list(again)) == 2
    assert len(calls) == 2


@pytest.mark.parametrize("work", [Diarizer, Embedder])
@pytest.mark.parametrize(("limit", "n_decoded"), [(2**26, 1), (0, 2)])
def test_a_recording_is_decoded_once_where_memory_allows(monkeypatch, demo_recording, work, limit, n_decoded):
    calls = []

    def counting(*arguments, **named):
        calls.append(1)
        return stream_audio(*arguments, **named)

    monkeypatch.setattr(kept, "KEPT_BYTES", limit)
    monkeypatch.setattr(kept, "stream_audio", counting)
    work(device="cpu", threads=1)(demo_recording)
    assert len(calls) == n_decoded
