"""Windows over speech: segments of fixed length that get one embedding each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diarize.segments import TOUCH, Segment


def sliding_windows(
    segments: Iterable[Segment], window: float = 1.5, hop: float = 0.75, min_last: float = 0.001
) -> list[Segment]:
    """Windows of fixed length inside each segment, which together cover it.

    The last window is moved back to end with the segment. A segment shorter than a window is one window::

        |========= segment =========|
        [--window--]
        <-hop->[----------]
                         [----------]

    Parameters
    ----------
    segments : iterable of Segment
        Segments of speech; each is cut by itself.
    window, hop : float
        Length of a window and time between the starts of windows, in seconds.
    min_last : float
        Seconds; a remainder of the segment that is not longer gets no window.

    Raises
    ------
    ValueError
        If the window or the hop is not positive.
    """
    if not (window > 0 and hop > 0):
        raise ValueError(f"window and hop must be positive, got window={window!r} hop={hop!r}")
    windows = []
    for segment in segments:
        if segment.duration <= window:
            windows.append(segment)
            continue
        n_whole = int((segment.duration - window + TOUCH) / hop) + 1
        starts = [segment.start + i * hop for i in range(n_whole)]
        if segment.end - (starts[-1] + window) > max(min_last, TOUCH):
            starts.append(segment.end - window)
        windows += [Segment(start, min(start + window, segment.end)) for start in starts]
    return windows


def nearest_windows(times: ArrayLike, windows: Sequence[Segment]) -> NDArray[np.intp]:
    """The index (n,) of the window whose middle is nearest to each time; of two, the earlier one."""
    middles = np.array([window.middle for window in windows])
    order = np.argsort(middles, kind="stable")
    middles, of = middles[order], np.asarray(times)
    behind = np.searchsorted(middles, of).clip(1, max(1, len(middles) - 1))
    before = behind - 1
    behind = np.minimum(behind, len(middles) - 1)
    return order[np.where(of - middles[before] <= middles[behind] - of, before, behind)]
