"""How far a stage has come: what a caller's hook is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from diarize.audio.pieces import Samples
from diarize.audio.recordings import SAMPLE_RATE

Hook = Callable[[str, Any], None]
"""Called with the name of a stage and a record: `Progress` while it runs, its result when it has ended."""


class Progress(NamedTuple):
    """What of a stage is done, and how much it is (None while unknown).

    ``hear`` counts seconds of the recording, ``embed`` counts windows.
    """

    done: float
    total: float | None = None


def ignore(stage: str, record: Any) -> None:
    """The hook of a caller who gives none."""


def report_blocks(blocks: Iterable[Samples], stage: str, hook: Hook) -> Iterator[Samples]:
    """Blocks of samples passed on, with the seconds passed so far reported to the hook."""
    seconds = 0.0
    for block in blocks:
        yield block
        seconds += len(block) / SAMPLE_RATE
        hook(stage, Progress(seconds))
