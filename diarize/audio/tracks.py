"""The audio track of a container that is read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from diarize.errors import AudioError

if TYPE_CHECKING:
    import av

_logger = logging.getLogger(__name__)


def choose_track(container: av.container.InputContainer, name: str, track: int | None) -> av.AudioStream:
    """The audio track with the given number, from 1; without a number the default track or the first.

    Raises
    ------
    AudioError
        If there is no such track, or it cannot be decoded.
    """
    from av.stream import Disposition

    streams = container.streams.audio
    readable = [stream for stream in streams if stream.codec_context and stream.codec_context.sample_rate]
    if not readable:
        raise AudioError(f"{name}: no audio in this file; export the sound to WAV or FLAC")
    if track is not None:
        check_track(name, track, len(streams))
        if streams[track - 1] not in readable:
            raise AudioError(f"{name}: audio track {track} cannot be decoded; choose another")
        return streams[track - 1]
    defaults = [stream for stream in readable if stream.disposition & Disposition.default]
    chosen = (defaults or readable)[0]
    if len(streams) > 1:
        word = "the default" if defaults else "the first"
        number = streams.index(chosen) + 1
        _logger.warning(
            "%s: %d audio tracks; track %d (%s) is read; --track N or track=N reads another",
            name,
            len(streams),
            number,
            word,
        )
    return chosen


def check_track(name: str, track: int, n_tracks: int) -> None:
    """Check that a file has a track.

    Raises
    ------
    AudioError
        If it does not; the message gives the number of tracks.
    """
    if track > n_tracks:
        tracks = "1 audio track" if n_tracks == 1 else f"{n_tracks} audio tracks"
        raise AudioError(f"{name}: has {tracks}, no track {track}; choose another")
