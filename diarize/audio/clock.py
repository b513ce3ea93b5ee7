"""The clock of a file: where its sound begins, and what is missing or comes twice in it."""

from __future__ import annotations

import logging

TOLERANCE = 0.1
"""Seconds by which a header's duration or a packet's time may differ from the samples without a word."""

LONGEST_OVERLAP = 5.0
"""Seconds of sound that may come a second time; a clock set back further was started again."""

LONGEST_GAP = 3600.0
"""Seconds in all that may be missing without a header whose duration confirms them."""

LONGEST_CONFIRMED_GAP = 6 * 3600.0
"""Seconds in all that may be missing with such a header: a clock that jumps further is broken."""

_logger = logging.getLogger(__name__)


class Clock:
    """Compares the times of decoded frames with the sound that came so far.

    ::

        sound of the file   |---|---|       |---|---|   |---|---|
        its clock           0   1   2       4   5   6   5   6   7
        samples             |---|---|.......|---|---|-------|---|    .: silence
                                     missing             twice: dropped

    A gap becomes silence and what comes twice is dropped, so that all times are those of the clock. A clock
    that jumps further than the limits above, or starts again, is not believed: the sound goes on from there.

    Parameters
    ----------
    zero : float
        What the clock shows where the recording begins, in seconds.
    promised : float, optional
        Duration by the header, in seconds.
    alone : bool
        Whether the sound is all that the file holds: then what is missing at its beginning, within the
        tolerance, is a delay of its codec.
    """

    def __init__(self, zero: float, promised: float | None = None, alone: bool = False) -> None:
        self.position = 0.0
        """Seconds of the recording so far."""
        self.filled = 0.0
        self.dropped = 0.0
        self.n_jumps = 0
        self._zero, self._promised = zero, promised
        self._at_begin = TOLERANCE if alone else 0.0
        self._first: float | None = None
        self._first_gap: float | None = None
        self._catching_up = False

    def missing(self, time: float | None, time_after: float | None, duration: float) -> float:
        """Seconds of silence that belong before a frame; below zero, seconds at its beginning to drop.

        Parameters
        ----------
        time, time_after : float, optional
            What the clock shows at the frame, and at the one behind it, in seconds.
        duration : float
            Seconds of the frame.
        """
        if time is None:
            return 0.0
        begins = self._first is None
        self._first = time if self._first is None else self._first
        ahead = time - self._zero - self.position
        tolerance = self._at_begin if begins else 0.0 if self._catching_up and ahead < 0 else TOLERANCE
        if (max(ahead, 0.0) if begins else abs(ahead)) <= tolerance:
            self._catching_up = False
            return 0.0
        if time_after is not None and abs(time_after - time - duration) > abs(ahead) / 2 + TOLERANCE:
            return 0.0  # the next frame disagrees: a single wrong time
        if ahead > 0 and self.filled + ahead <= self._limit(time):
            self.filled += 0.0 if begins else ahead
            if self._first_gap is None and not begins:
                self._first_gap = self.position
            self.position += ahead
            return ahead
        restarted = abs(time - self._first) < min(1.0, -ahead / 2)
        if -LONGEST_OVERLAP <= ahead < 0 and not restarted:
            self._catching_up = True
            self.dropped += min(-ahead, duration)
            return ahead
        self._zero += ahead
        self.n_jumps += 1
        return 0.0

    def fill(self, seconds: float) -> None:
        """Count silence for a damaged packet of a file without clock."""
        if self._first_gap is None:
            self._first_gap = self.position
        self.filled += seconds
        self.position += seconds

    def _limit(self, time: float) -> float:
        confirmed = self._promised is not None and time - self._zero <= self._promised + TOLERANCE
        return LONGEST_CONFIRMED_GAP if confirmed else LONGEST_GAP

    def warn(self, name: str, n_damaged: int) -> None:
        """Say in the log what was missing, came twice or was not believed."""
        packets = f"{n_damaged} damaged packet{'s' if n_damaged > 1 else ''}"
        damaged = f" ({packets})" if n_damaged else ""
        if self.filled > TOLERANCE:
            _logger.warning(
                "%s: %.1f s of sound lost and read as silence, first at %.1f s%s",
                name,
                self.filled,
                self._first_gap,
                damaged,
            )
        elif n_damaged:
            _logger.warning("%s: %s, read as silence", name, packets)
        if self.dropped > TOLERANCE:
            _logger.warning(
                "%s: %.1f s of sound come twice by the file's clock; the second is left out",
                name,
                self.dropped,
            )
        if self.n_jumps:
            _logger.warning(
                "%s: the file's clock jumps or starts again in %d places; the sound is read on without a gap",
                name,
                self.n_jumps,
            )
