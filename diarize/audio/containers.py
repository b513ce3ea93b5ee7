"""Files that PyAV (FFmpeg) reads: containers with tracks and a clock, and compressed streams."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diarize.audio.clock import LONGEST_GAP, TOLERANCE, Clock
from diarize.audio.mpeg import index_seconds, is_index
from diarize.audio.pieces import (
    AudioInfo,
    DecodingStoppedError,
    Piece,
    Samples,
    full_scale,
    silence,
)
from diarize.audio.tracks import choose_track
from diarize.errors import AudioError

if TYPE_CHECKING:
    import av

_GUESSED = frozenset({"aac", "ac3", "amr", "dts", "dtshd", "eac3", "loas", "mlp", "truehd"})
"""Formats whose duration FFmpeg guesses from the bit rate, for example an MP3 file without an index."""

_WITHOUT_CLOCK = _GUESSED | {"aiff", "au", "caf", "flac", "g722", "gsm", "mp3", "w64", "wav"}
"""Formats without a container: FFmpeg computes their times by counting packets."""

_BEGIN_AT_ZERO = ("mov", "matroska")
"""Containers whose clock has its own zero; the clock of others begins with their first packet."""

_AT_ONCE = {"probesize": "8192", "analyzeduration": "200000"}
"""FFmpeg's options: bytes and microseconds that it reads to find out what a file is."""

PIPE_BYTES = 4096
"""Bytes of a read from a pipe: an eighth of a second of 16 kHz."""

_logger = logging.getLogger(__name__)


class _Decoded(NamedTuple):
    """A decoded frame or, without one, the time that a damaged packet has lost."""

    frame: av.AudioFrame | None
    seconds: float


@contextmanager
def open_container(
    name: str, file: BinaryIO, track: int | None, quiet: bool = False, at_once: bool = False
) -> Iterator[tuple[AudioInfo, Iterator[Piece]]]:
    """A file's header and the pieces of one of its audio tracks, on the file's clock.

    Damage is logged, unless `quiet`. FFmpeg gets an open file, and may follow a playlist to other files, but
    never opens a socket. With `at_once`, it reads small pieces, so that samples do not wait for later ones.

    Raises
    ------
    AudioError
        If FFmpeg cannot read the file, or it has no such track.
    """
    import av

    try:
        container = av.open(
            file,
            "r",
            options={"protocol_whitelist": "file"} | (_AT_ONCE if at_once else {}),
            buffer_size=PIPE_BYTES if at_once else 32768,
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, UnicodeError) as error:
        raise AudioError(
            f"{name}: not audio that FFmpeg can read ({_reason(error)}); convert it or copy it again"
        ) from error
    with container:
        stream = choose_track(container, name, track)
        reader = _Reader(container, stream, name, _promised_seconds(container, stream, file))
        reader.quiet = quiet
        yield reader.info, reader.pieces()


class _Reader:
    """One track of an open container."""

    def __init__(
        self,
        container: av.container.InputContainer,
        stream: av.AudioStream,
        name: str,
        promised: float | None,
    ) -> None:
        self.container, self.stream, self.name = container, stream, name
        self.n_damaged, self.last_time, self.error, self.quiet = 0, 0.0, "", False
        self.zero = _zero(container, name)
        self.promised = None if promised is None else promised - self.zero
        self.decoded = self._decode()
        self.first = next(self.decoded, None)
        codec = stream.codec_context
        rate, n_channels = codec.sample_rate, codec.channels
        if self.first is not None and self.first.frame is not None:
            rate, n_channels = self.first.frame.sample_rate, self.first.frame.layout.nb_channels
        self.info = AudioInfo("PyAV", rate, n_channels, self.promised)

    def pieces(self) -> Iterator[Piece]:
        """The samples of the track, with silence in place of lost packets, so that times stay right.

        ::

            packets  |---|---| x   x |---|---|    x: damaged, or missing in the file
            samples  |-------|.......|-------|    .: zeros
        """
        info = self.info
        clock = Clock(self.zero, self.promised, alone=len(self.container.streams) == 1)
        clockless = _bare(self.container) or self.container.format.name == "avi"  # FFmpeg computes the times
        run, damaged = "", 0.0
        try:
            for (frame, seconds), after in _with_next(self._all_decoded()):
                if frame is None:
                    damaged += seconds if clockless else 0.0
                    continue
                if damaged:
                    clock.fill(damaged)
                    yield from silence(info.rate, round(damaged * info.rate), info.n_channels)
                    damaged = 0.0
                samples = _samples(frame)
                duration = len(samples) / frame.sample_rate
                ahead = (
                    0.0
                    if clockless
                    else clock.missing(frame.time, None if after is None else after.time, duration)
                )
                if ahead > 0:
                    yield from silence(info.rate, round(ahead * info.rate), info.n_channels)
                elif ahead < 0:
                    samples = samples[round(-ahead * frame.sample_rate) :]
                now = f"{frame.sample_rate} Hz, {samples.shape[1]} channels"
                if run not in ("", now):
                    _logger.info("%s: %s at %.1f s, %s before", self.name, now, clock.position, run)
                run = now
                clock.position += len(samples) / frame.sample_rate
                if len(samples):
                    yield Piece(frame.sample_rate, samples)
        finally:
            if not self.quiet:
                clock.warn(self.name, self.n_damaged)
        if self.error:
            raise DecodingStoppedError(self.error)
        if self.n_damaged and not clock.position:
            raise DecodingStoppedError(f"{self.n_damaged} damaged packets")
        end = max(clock.position, self.last_time - self.zero)
        if clock.position and self.promised is not None and end < self.promised - TOLERANCE:
            raise DecodingStoppedError("the file ends there")

    def _all_decoded(self) -> Iterator[_Decoded]:
        if self.first is not None:
            yield self.first
        yield from self.decoded

    def _decode(self) -> Iterator[_Decoded]:
        """The frames and damaged packets of the track; also records the times of the other tracks."""
        import av

        try:
            for packet in self.container.demux():
                if packet.pts is not None and packet.time_base is not None:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self.last_time = max(self.last_time, end)
                if packet.stream.index != self.stream.index:  # `stream_index` is 0 at the end of each stream
                    continue
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    if self.stream.codec_context.name.startswith("mp3") and is_index(bytes(packet)):
                        continue
                    self.n_damaged += 1
                    yield _Decoded(None, float((packet.duration or 0) * (packet.time_base or 0)))
                    continue
                for frame in frames:
                    assert isinstance(frame, av.AudioFrame)
                    yield _Decoded(frame, 0.0)
        except av.error.FFmpegError as error:
            self.error = _reason(error)


def _with_next(decoded: Iterator[_Decoded]) -> Iterator[tuple[_Decoded, av.AudioFrame | None]]:
    """Each decoded item with the frame after it."""
    held: list[_Decoded] = []
    for item in decoded:
        if item.frame is not None:
            yield from ((one, item.frame) for one in held)
            held = []
        held.append(item)
    yield from ((one, None) for one in held)


def _samples(frame: av.AudioFrame) -> Samples:
    """The samples of a frame ``(n, n_channels)`` as float32."""
    table: NDArray[Any]
    if frame.format.name == "s64":  # PyAV does not convert it
        n_values = frame.samples * frame.layout.nb_channels
        table = np.frombuffer(memoryview(frame.planes[0]), np.int64, n_values)
    else:
        table = frame.to_ndarray()
    table = table.T if frame.format.is_planar else table.reshape(frame.samples, -1)
    if table.dtype.kind != "f":
        scale, offset = full_scale(table.dtype)
        table = table / scale - offset
    return np.asarray(table, np.float32)


def _bare(container: av.container.InputContainer) -> bool:
    return container.format.name in _WITHOUT_CLOCK


def _zero(container: av.container.InputContainer, name: str) -> float:
    """The time of the file's clock at which a player shows 0, in seconds.

    The clocks of MP4 and Matroska have their own zero. A Matroska file with video may be cut out of a longer
    one without resetting its clock; players begin where such a file begins. Any other clock may begin at any
    time, and players begin with its first time.
    """
    begin = _start(container)
    own_zero = container.format.name.startswith(_BEGIN_AT_ZERO)
    if own_zero and container.format.name.startswith("matroska") and container.streams.video:
        own_zero = begin < TOLERANCE
    if not own_zero:
        return begin
    if begin > LONGEST_GAP:
        _logger.warning("%s: its clock begins at %.1f s; times count from there", name, begin)
        return begin
    return min(begin, 0.0) if begin < -TOLERANCE else 0.0


def _promised_seconds(
    container: av.container.InputContainer, stream: av.AudioStream, file: BinaryIO
) -> float | None:
    """The end of the track by the header, on the file's clock; None if FFmpeg would guess it."""
    format, begin = container.format.name, _start(container)
    if format == "mp3":
        seconds = index_seconds(file, stream.codec_context.sample_rate) if file.seekable() else None
        return None if seconds is None else begin + seconds
    if format in _GUESSED or (
        format == "ogg" and begin > TOLERANCE
    ):  # FFmpeg counts from 0 or from the beginning
        return None
    if stream.duration is not None and stream.time_base is not None:
        if not _bare(container) and format != "asf":  # the duration counts from the beginning of the file
            begin = float((stream.start_time or 0) * stream.time_base)
        return begin + float(stream.duration * stream.time_base)
    if container.duration is None:
        return None
    return (0.0 if format.startswith("matroska") else begin) + container.duration / 1e6


def _start(container: av.container.InputContainer) -> float:
    """The first time in a file, in seconds."""
    return (container.start_time or 0) / 1e6


def _reason(error: Exception) -> str:
    """FFmpeg's message, without error number and file name."""
    return str(getattr(error, "strerror", None) or error)
