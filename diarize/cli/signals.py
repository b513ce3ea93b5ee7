"""What SIGINT (Ctrl-C) and SIGTERM do: they end a command with one line on stderr and status 130 or 143.

While a command works, the first signal raises `KeyboardInterrupt`, so that what is open is closed and
temporary files are removed; a second one ends the process at once. So does the first one before and after.

This module imports nothing large: it is in force while the others are imported.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def status_of(error: KeyboardInterrupt) -> int:
    """The exit status of a command that ends by this, as in shells."""
    return 128 + (signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)


def told(error: KeyboardInterrupt) -> str:
    """What the command says."""
    return _SIGNALS[signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT]


def end_at_once() -> None:
    """From now on, signals end the process at once; those that are ignored, as behind nohup, still are."""
    _handle_with(_end)


@contextmanager
def raised() -> Iterator[None]:
    """Inside the block, the first signal raises; afterwards, signals do what they did before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handle_with(_raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handle_with(handler: signal._HANDLER) -> dict[signal.Signals, signal._HANDLER]:
    """Set the handler of both signals, unless they are ignored; the handlers that they had."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: known for number, known in before.items() if known is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    return before


def _raise(number: int, frame: FrameType | None) -> None:
    end_at_once()
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _end(number: int, frame: FrameType | None) -> None:
    name = Path(sys.argv[0]).name if sys.argv[0].endswith(".py") else "diarize"
    # print cannot be called here, because the signal may have interrupted it.
    os.write(2, f"{name}: {_SIGNALS[signal.Signals(number)]}\n".encode())
    os._exit(128 + number)
