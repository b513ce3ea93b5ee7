"""Times to write, in whole milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

from diarize.segments import Segment


def milliseconds(segment: Segment) -> tuple[int, int]:
    """Start and end in whole milliseconds, at least one apart, so that no written turn is empty."""
    start = round(segment.start * 1000)
    return start, max(start + 1, round(segment.end * 1000))


def seconds(time: int) -> str:
    """Milliseconds as seconds with three decimals."""
    return f"{time // 1000}.{time % 1000:03d}"


def clock(time: int, mark: str) -> str:
    """Milliseconds as ``hh:mm:ss.mmm``, with the given mark before the milliseconds."""
    minutes, rest = divmod(time, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"


def join_overlapping(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans (milliseconds) in order, with overlapping ones joined; those that only touch stay apart.

    ::

        |======|      |===||===|
            |=====|                  before
        |=========|   |===||===|     after
    """
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
