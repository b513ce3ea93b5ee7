"""Decoders: a file as what its header says and pieces of samples at its own rate.

soundfile reads WAV, FLAC, Ogg, Opus, NIST SPHERE and their kin; PyAV (FFmpeg) reads what soundfile refuses,
and what soundfile would read only in part. A file that ends or breaks early gives what it holds, with a
warning in the log.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from diarize.errors import AudioError

if TYPE_CHECKING:
    import av

PIECE = 8192
"""Most samples that a decoder gives at once."""

_TOLERANCE = 0.1
"""Seconds by which a header's duration or a packet's time may differ from the samples without a word."""

_logger = logging.getLogger(__name__)

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of itself.

    Parameters
    ----------
    decoder : str
        "soundfile" or "PyAV".
    rate : int
        Hz.
    n_channels : int
        Channels of its (first) audio stream.
    seconds : float or None
        Duration that the header promises; None when it promises none.
    """

    decoder: str
    rate: int
    n_channels: int
    seconds: float | None


class _DecodingStoppedError(Exception):
    """The decoder gives nothing more, though the file has not ended."""


@contextmanager
def open_audio(name: str) -> Iterator[tuple[AudioInfo, Iterator[Samples]]]:
    """What a file says of itself, and its samples as pieces ``(n, n_channels)`` at its own rate.

    Raises
    ------
    AudioError
        When it cannot be opened as audio, or breaks before the first sample.
    """
    head = _read_head(name)
    file = _open_soundfile(name)
    if file is not None:
        with file:
            seconds = _promised_frames(file, head) / file.samplerate
            info = AudioInfo("soundfile", file.samplerate, file.channels, seconds)
            yield info, _until_stopped(_soundfile_pieces(file, name), name, info)
    else:
        with _open_av(name) as (info, pieces):
            yield info, _until_stopped(pieces, name, info)


def _read_head(name: str) -> bytes:
    """The first 1024 bytes of a file.

    Raises
    ------
    AudioError
        When there is no such file, or it cannot be one with samples.
    """
    try:
        mode = Path(name).stat().st_mode
        if stat.S_ISDIR(mode):
            raise AudioError(f"{name}: a folder, not a recording; name the files in it")
        if not stat.S_ISREG(mode):
            raise AudioError(f"{name}: not a regular file; save the stream to a file first")
        with Path(name).open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError:
        raise AudioError(f"{name}: no such file; check the path") from None
    except PermissionError:
        raise AudioError(f"{name}: permission denied; make it readable (chmod +r)") from None
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); check the path and the disk") from error
    if not head:
        raise AudioError(f"{name}: empty file (0 bytes); copy or record it again")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise AudioError(f"{name}: SPHERE compressed with shorten; expand it: sph2pipe -f wav IN.sph OUT.wav")
    return head


def _open_soundfile(name: str) -> soundfile.SoundFile | None:
    """The file opened by soundfile, or None where PyAV has to read it.

    That is where soundfile refuses; where the header was never finished (a crashed recorder leaves "0
    samples"); and MP3, of which soundfile reads no more than a first header promises: of two MP3 files joined
    only the first, of a variable bit rate without index a guessed part.
    """
    if Path(name).suffix.lower() == ".raw":
        raise AudioError(
            f"{name}: headerless samples; convert them: sox -r 16000 -e signed -b 16 -c 1 IN.raw OUT.wav"
        )
    try:
        # As bytes: soundfile refuses a name that is not UTF-8, which only Windows never has.
        file = soundfile.SoundFile(name if os.name == "nt" else os.fsencode(name))
    except soundfile.LibsndfileError:
        return None
    if file.frames == 0 or file.subtype.startswith("MPEG_LAYER"):
        file.close()
        return None
    return file


def _promised_frames(file: soundfile.SoundFile, head: bytes) -> int:
    """Frames by the header; soundfile itself counts those that a cut WAV or SPHERE file still holds."""
    said = re.search(r"^(?:data|SSND) *: (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if said is not None and int(said[1]) < 0x7FFF0000:  # above: written to a pipe, length unknown
        frame_bytes = int(said[2]) // max(int(file.frames), 1)
        return int(said[1]) // max(frame_bytes, 1)
    said_by_sphere = re.search(rb"^sample_count -i (\d+)", head, re.MULTILINE)
    if head.startswith(b"NIST_1A") and said_by_sphere is not None:
        return int(said_by_sphere[1])
    return int(file.frames)


def _soundfile_pieces(file: soundfile.SoundFile, name: str) -> Iterator[Samples]:
    """The samples of a file opened by soundfile."""
    if "lacks an end-of-stream bit" in file.extra_info:  # Ogg has no duration in its header, only an end
        seconds = file.frames / file.samplerate
        _logger.warning("%s: decoding stops at %.1f s (the end of the file is missing)", name, seconds)
    while True:
        try:
            piece = file.read(PIECE, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _DecodingStoppedError(error.error_string.removeprefix("Error : ").rstrip(".")) from error
        if not len(piece):
            return
        yield piece


@contextmanager
def _open_av(name: str) -> Iterator[tuple[AudioInfo, Iterator[Samples]]]:
    """What `open_audio` gives, by PyAV.

    FFmpeg gets an open file and may follow a playlist into other files only: it never opens a socket.
    """
    import av

    with Path(name).open("rb") as file:
        try:
            container = av.open(file, "r", options={"protocol_whitelist": "file"}, metadata_errors="replace")
        except (av.error.FFmpegError, UnicodeError) as error:
            raise AudioError(
                f"{name}: not audio that FFmpeg can read ({_reason(error)}); convert it or copy it again"
            ) from error
        with container:
            streams = container.streams.audio
            if not streams or not streams[0].codec_context or not streams[0].codec_context.sample_rate:
                raise AudioError(f"{name}: no audio in this file; export the sound to WAV or FLAC")
            if len(streams) > 1:
                _logger.warning("%s: %d audio streams, the first is read", name, len(streams))
            codec = streams[0].codec_context
            info = AudioInfo("PyAV", codec.sample_rate, codec.channels, _promised_seconds(container))
            yield info, _av_pieces(container, name, info)


def _promised_seconds(container: av.container.InputContainer) -> float | None:
    """Duration by the header of a file that PyAV has opened; for bare AAC it would be a guess."""
    stream = container.streams.audio[0]
    if container.format.name == "aac":
        return None
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return float(container.duration / 1e6) if container.duration is not None else None


def _av_pieces(container: av.container.InputContainer, name: str, info: AudioInfo) -> Iterator[Samples]:
    """The samples of the first audio stream; where packets are lost, silence keeps the times right.

    ::

        packets  |---|---| x   x |---|---|    x: damaged, or missing in the file
        samples  |-------|.......|-------|    .: zeros
    """
    import av

    resampler = av.AudioResampler(format="fltp")
    n_samples, n_damaged, n_filled = 0, 0, 0
    start: float | None = None
    first: av.AudioFrame | None = None
    try:
        for packet in container.demux(container.streams.audio[0]):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                n_damaged += 1
                continue
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                seconds = n_samples / info.rate
                first = first or frame
                if (frame.sample_rate, frame.layout.name, frame.format.name) != (
                    info.rate,
                    first.layout.name,
                    first.format.name,
                ):
                    raise AudioError(
                        f"{name}: its sample format changes at {seconds:.1f} s; convert it to WAV"
                    )
                start = frame.time if start is None else start
                gap = _gap(frame.time, start, seconds, info.seconds)
                for zeros in _silence(round(gap * info.rate), info.n_channels):
                    n_filled += len(zeros)
                    n_samples += len(zeros)
                    yield zeros
                for converted in resampler.resample(frame):
                    piece = converted.to_ndarray().astype(np.float32, copy=False).T  # (samples, channels)
                    n_samples += len(piece)
                    yield piece
    except av.error.FFmpegError as error:
        raise _DecodingStoppedError(_reason(error)) from error
    finally:
        if n_damaged or n_filled:
            lost = n_filled / info.rate
            _logger.warning("%s: %d damaged packets, %.1f s lost and read as silence", name, n_damaged, lost)
    if n_damaged and not n_samples:
        raise _DecodingStoppedError(f"{n_damaged} damaged packets")


def _gap(time: float | None, start: float | None, seconds: float, promised: float | None) -> float:
    """Seconds missing before a frame at ``time`` when ``seconds`` of sound came since ``start``."""
    if time is None or start is None or promised is None:
        return 0.0
    gap = time - start - seconds
    # A time behind the promised end is a broken clock, not a gap.
    return gap if gap > _TOLERANCE and time - start <= promised else 0.0


def _silence(n_samples: int, n_channels: int) -> Iterator[Samples]:
    """Zeros ``(n, n_channels)`` in pieces."""
    for start in range(0, n_samples, PIECE):
        yield np.zeros((min(PIECE, n_samples - start), n_channels), np.float32)


def _reason(error: Exception) -> str:
    """FFmpeg's words, without its error number and file name."""
    return str(getattr(error, "strerror", None) or error)


def _until_stopped(pieces: Iterator[Samples], name: str, info: AudioInfo) -> Iterator[Samples]:
    """The pieces before the decoder stops; says so in the log when that is before the promised end.

    Raises
    ------
    AudioError
        When it stops before the first sample.
    """
    n_samples, reason = 0, "the file ends there"
    try:
        for piece in pieces:
            n_samples += len(piece)
            yield piece
        stopped = False
    except _DecodingStoppedError as error:
        stopped, reason = True, str(error)
    seconds = n_samples / info.rate
    if stopped and not n_samples:
        raise AudioError(f"{name}: nothing can be decoded ({reason}); convert it to WAV or FLAC")
    promised = f" of {info.seconds:.1f} s" if info.seconds else ""
    if stopped or (n_samples and info.seconds and seconds < info.seconds - _TOLERANCE):
        _logger.warning("%s: decoding stopped at %.1f s%s (%s)", name, seconds, promised, reason)
