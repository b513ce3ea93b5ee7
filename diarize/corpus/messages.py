"""What the library logs while it reads, kept as text: for a check, a warning is a finding."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_messages() -> Iterator[list[str]]:
    """What the library warns of inside the block; it is not shown."""
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    logger, keep = logging.getLogger("diarize"), Keep(logging.WARNING)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(keep)
    try:
        yield found
    finally:
        logger.propagate = propagates
        logger.removeHandler(keep)
