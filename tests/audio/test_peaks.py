"""Peaks of a recording, with planted answers."""

import numpy as np
import pytest

from diarize.audio.peaks import find_peaks, thin_peaks

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("sizes", [[1600], [1, 159, 1440], [77] * 20 + [60], [1600 + 161]])
def test_each_peak_is_the_largest_sample_of_ten_milliseconds(sizes):
    samples = RNG.standard_normal(sum(sizes)).astype(np.float32)
    blocks = np.split(samples, np.cumsum(sizes)[:-1])
    expected = [np.abs(samples[k : k + 160]).max() for k in range(0, len(samples), 160)]
    np.testing.assert_array_equal(find_peaks(blocks), np.float32(expected))


def test_no_samples_have_no_peaks():
    assert find_peaks([]).shape == (0,)
    assert thin_peaks(np.zeros(0, np.float32), 5)[0].shape == (0,)


@pytest.mark.parametrize(("n", "most", "k"), [(10, 10, 1), (11, 10, 2), (100, 30, 4), (1, 5, 1)])
def test_thin_peaks_hold_the_largest_of_their_neighbours(n, most, k):
    peaks = RNG.random(n).astype(np.float32)
    thin, found = thin_peaks(peaks, most)
    assert found == k
    assert len(thin) <= most
    np.testing.assert_array_equal(thin, [peaks[i : i + k].max() for i in range(0, n, k)])
