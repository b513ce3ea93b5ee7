"""What a service refuses: recordings that are too large or too long, and too much at a time."""

from __future__ import annotations

from dataclasses import dataclass

MOST_JOBS = 10_000
"""Jobs that are kept, with those that are done; each takes some kilobytes of memory and disk."""
MOST_CONNECTIONS = 256
"""Connections at a time; further ones get status 503."""
SILENCE = 60.0
"""Seconds after which a client that neither sends nor reads is left."""
SLOWEST = 10_000.0
"""Bytes a second: uploads that are slower on average are left, after the first `SILENCE` seconds."""


@dataclass(frozen=True)
class Limits:
    """The limits of a service.

    Attributes
    ----------
    max_bytes : int
        Size of an upload.
    max_duration : float
        Seconds of audio in a recording.
    max_seconds : float
        Wall-clock time of labelling one.
    max_queue : int
        Jobs that wait, with those that are being uploaded.
    max_uploads : int
        Uploads at a time.
    max_streams : int
        Live streams at a time.
    keep : float
        Seconds after which a job that is done or failed is removed, with its result.
    grace : float
        Seconds that requests and running jobs are given when the server is asked to stop.
    """

    max_bytes: int = 1_000_000_000
    max_duration: float = 4 * 3600.0
    max_seconds: float = 3600.0
    max_queue: int = 100
    max_uploads: int = 16
    max_streams: int = 2
    keep: float = 24 * 3600.0
    grace: float = 5.0
