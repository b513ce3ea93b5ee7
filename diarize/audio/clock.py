"""The clock of a file: where its sound begins, and which sound is missing or repeated."""

from __future__ import annotations

import logging

TOLERANCE = 0.1
"""Seconds by which a header's duration or a packet's time may differ from the samples without a warning."""

LONGEST_OVERLAP = 5.0
"""Longest repeat of sound, in seconds; a clock set back further has started again."""

LONGEST_GAP = 3600.0
"""Most seconds of missing sound, in total, if the header's duration does not confirm them."""

LONGEST_CONFIRMED_GAP = 6 * 3600.0
"""Most seconds of missing sound, in total, if it does; a clock that jumps further is broken."""

_logger = logging.getLogger(__name__)


class Clock:
    """Compares the times of decoded frames with the amount of sound decoded so far.

    ::

        sound of the file   |---|---|       |---|---|   |---|---|
        its clock           0   1   2       4   5   6   5   6   7
        samples             |---|---|.......|---|---|-------|---|    .: silence
                                     missing             repeated: dropped

    A gap becomes silence and repeated sound is dropped, so all times are those of the clock. If the clock
    jumps further than the limits above, or starts again, it is ignored there: the sound continues without a
    gap.

    Parameters
    ----------
    zero : float
        The clock's time at the beginning of the recording, in seconds.
    promised : float, optional
        Duration by the header, in seconds.
    alone : bool
        Whether the file holds nothing but this sound. If so, a gap at its beginning, within the tolerance, is
        a delay of its codec.
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
        """Seconds of silence to insert before a frame; if negative, seconds to drop at its beginning.

        Parameters
        ----------
        time, time_after : float, optional
            The clock's time at the frame, and at the next one, in seconds.
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
            return 0.0  # the next frame's time does not fit: this one time is wrong
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
        """Count silence for a damaged packet of a file without a clock."""
        if self._first_gap is None:
            self._first_gap = self.position
        self.filled += seconds
        self.position += seconds

    def _limit(self, time: float) -> float:
        confirmed = self._promised is not None and time - self._zero <= self._promised + TOLERANCE
        return LONGEST_CONFIRMED_GAP if confirmed else LONGEST_GAP

    def warn(self, name: str, n_damaged: int) -> None:
        """Log which sound was missing or repeated, and where the clock was ignored."""
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
                "%s: %.1f s of sound occur twice by the file's clock; the repeat is left out",
                name,
                self.dropped,
            )
        if self.n_jumps:
            _logger.warning(
                "%s: the file's clock jumps or starts again in %d places; the sound is read on without a gap",
                name,
                self.n_jumps,
            )
