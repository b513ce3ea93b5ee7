"""Ranges of a file that a browser asks for, as it does when it seeks in audio."""

from __future__ import annotations

import re


def find_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one after the last that a Range header asks for; None if there is no such byte.

    Everything, if the header is missing or asks for several ranges or in another unit, which HTTP allows.

    Examples
    --------
    >>> find_range("bytes=2-4", 10), find_range("bytes=-3", 10), find_range("bytes=7-", 10)
    ((2, 5), (7, 10), (7, 10))

    References
    ----------
    RFC 9110, section 14.
    """
    asked = re.fullmatch("bytes=([0-9]{0,18})-([0-9]{0,18})", header or "")
    if asked is None or asked[1] == asked[2] == "":
        return 0, size
    if asked[1] == "":
        return (max(0, size - int(asked[2])), size) if int(asked[2]) and size else None
    start = int(asked[1])
    end = min(size, int(asked[2]) + 1) if asked[2] else size
    if asked[2] and int(asked[2]) < start:
        return 0, size
    return (start, end) if start < size else None
