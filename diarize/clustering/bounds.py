"""Bounds of the number of speakers, from the requested numbers and the number of items."""

from __future__ import annotations

from numbers import Integral

from diarize.errors import ConfigError


def speaker_bounds(
    n_items: int, n_speakers: int | None = None, min_speakers: int = 1, max_speakers: int | None = None
) -> tuple[int, int]:
    """The lowest and the highest number of speakers that n_items may become.

    Raises
    ------
    ConfigError
        If a number is not a positive integer, the three contradict each other, or there are fewer items than
        ``n_speakers``.
    """
    given = {"n_speakers": n_speakers, "min_speakers": min_speakers, "max_speakers": max_speakers}
    for name, value in given.items():
        if name != "min_speakers" and value is None:
            continue
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"{name}: a number from 1 is needed, got {value!r}")
    if max_speakers is not None and min_speakers > max_speakers:
        raise ConfigError(f"min_speakers={min_speakers} is more than max_speakers={max_speakers}")
    if n_speakers is not None:
        if n_speakers < min_speakers:
            raise ConfigError(f"n_speakers={n_speakers} is less than min_speakers={min_speakers}")
        if max_speakers is not None and n_speakers > max_speakers:
            raise ConfigError(f"n_speakers={n_speakers} is more than max_speakers={max_speakers}")
        min_speakers = max_speakers = n_speakers
        if n_speakers > n_items:
            raise ConfigError(f"{_cannot_be(n_items, n_speakers)}; ask for at most {n_items}")
    highest = n_items if max_speakers is None else min(max_speakers, n_items)
    return int(min(min_speakers, n_items)), int(highest)


def too_few(n_items: int, n_speakers: int | None, min_speakers: int) -> str:
    """The warning if there are fewer items than ``min_speakers``; otherwise an empty text."""
    if n_speakers is not None or n_items >= min_speakers:
        return ""
    return f"{_cannot_be(n_items, min_speakers)}, the requested minimum; there are at most {n_items}"


def _cannot_be(n_items: int, n_speakers: int) -> str:
    windows = "1 window" if n_items == 1 else f"{n_items} windows"
    return f"{windows} cannot be {n_speakers} speakers"
