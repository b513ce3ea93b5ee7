"""The progress of a stage, which is reported to the caller's hook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from diarize.audio.pieces import Samples
from diarize.audio.recordings import SAMPLE_RATE

Hook = Callable[[str, Any], None]
"""A function called with a stage's name and a record: `Progress` while it runs, its result when it ends."""


class Progress(NamedTuple):
    """How much of a stage is done, and how much there is in total (None while unknown).

    ``hear`` counts seconds of the recording, ``embed`` counts windows.
    """

    done: float
    total: float | None = None


def ignore(stage: str, record: Any) -> None:
    """The default hook, which does nothing."""


def report_blocks(blocks: Iterable[Samples], stage: str, hook: Hook) -> Iterator[Samples]:
    """The same blocks of samples; after each one, the hook gets the seconds passed so far."""
    seconds = 0.0
    for block in blocks:
        yield block
        seconds += len(block) / SAMPLE_RATE
        hook(stage, Progress(seconds))
