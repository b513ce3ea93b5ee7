"""Decoders: the header of a file, and its samples in pieces at its own rate.

soundfile reads files whose first bytes are those of WAV, FLAC, NIST SPHERE or a similar format. PyAV (FFmpeg)
reads the rest, and files that soundfile would read only in part. If a file ends or breaks off early, its
remaining content is read, with a warning in the log.
"""

from __future__ import annotations

import io
import logging
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import soundfile

from diarize.audio.clock import TOLERANCE
from diarize.audio.containers import open_container
from diarize.audio.joined import ends_whole, find_parts
from diarize.audio.pieces import (
    PIECE,
    AudioInfo,
    DecodingStoppedError,
    Piece,
    Samples,
    check_header,
    unify,
    until_stopped,
)
from diarize.audio.sources import AudioFile, window
from diarize.audio.tracks import check_track
from diarize.audio.wav import SAMPLE_BYTES, unread_samples
from diarize.errors import AudioError

__all__ = ["PIECE", "AudioInfo", "Samples", "open_audio"]

_KNOWN = (
    *(
        b"RIFF",
        b"RIFX",
        b"RF64",
        b"FORM",
        b".snd",
        b"dns.",
        b"caff",
        b"fLaC",
        b"riff\x2e\x91\xcf\x11",
        b"NIST_1A",
    ),
    *(b"Creative Voice File", b"\x64\xa3\x01\x00", b"\x64\xa3\x02\x00", b" paf", b"fap ", b"PVF1\n", b"2BIT"),
    *(b"MATLAB", b"Extended Instrument: ", b"ALawSoundFile"),
)
"""First bytes of the files that soundfile reads. It must not guess other formats: it takes the first header
of an MP3 or Ogg file for the whole file, and its MP3 library writes to stderr."""

_HEAD = 1024

_MOST_FRAMES = 2**40
"""libsndfile gives a larger number of frames, of several values, if the length is unknown."""

_FLAC_TAIL = 2**14
"""Bytes after the frames of a FLAC file that need not be samples."""

_logger = logging.getLogger(__name__)


@contextmanager
def open_audio(source: AudioFile, track: int | None = None) -> Iterator[tuple[AudioInfo, Iterator[Samples]]]:
    """A file's header, and its samples in pieces ``(n, n_channels)`` at its own rate.

    If several files are joined end to end, all are read, at the rate and with the channels of the first.
    `track` is the audio track, from 1; without it, the track that the file marks as default is read.

    Raises
    ------
    AudioError
        If the file cannot be opened as audio, has no such track, or breaks off before the first sample.
    """
    name = source.name
    head = _read_head(source)
    with ExitStack() as stack:
        file = stack.enter_context(source.open())
        parts = [window(file, *span, name) for span in find_parts(file, head)]
        direct = stack.enter_context(source.open()) if len(parts) == 1 and source.content is None else None
        info, pieces = stack.enter_context(_open_part(name, parts[0], head, track, direct))
        check_header(name, info)

        def all_pieces() -> Iterator[Piece]:
            seconds = yield from until_stopped(pieces, name, info)
            for part in parts[1:]:
                with _open_part(name, part, part.read(_HEAD), track) as (further, more):
                    check_header(name, further)
                    seconds += yield from until_stopped(more, name, further)
            if head.startswith(b"OggS") and not ends_whole(file):
                _logger.warning(
                    "%s: decoding stopped at %.1f s (the end of the file is missing)", name, seconds
                )

        if len(parts) > 1:
            _logger.info("%s: %d files joined end to end; all are read", name, len(parts))
            info = replace(info, seconds=None)
        yield info, unify(all_pieces(), info.rate, info.n_channels)


def _read_head(source: AudioFile) -> bytes:
    """The first bytes of a file.

    Raises
    ------
    AudioError
        If there is no such file, it cannot be read, or it cannot hold samples.
    """
    name = source.name
    try:
        if source.content is None:
            mode = Path(name).stat().st_mode
            if stat.S_ISDIR(mode):
                raise AudioError(f"{name}: a folder, not a recording; name the files in it")
            if not stat.S_ISREG(mode):
                raise AudioError(f"{name}: not a regular file; save the stream to a file first")
            if Path(name).suffix.lower() == ".raw":
                raise AudioError(
                    f"{name}: headerless samples; "
                    "convert them: sox -r 16000 -e signed -b 16 -c 1 IN.raw OUT.wav"
                )
        with source.open() as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        raise AudioError(f"{name}: no such file; check the path") from None
    except PermissionError:
        raise AudioError(f"{name}: permission denied; make it readable (chmod +r)") from None
    except OSError as error:
        raise AudioError(f"{name}: cannot be read ({error.strerror}); check the path and the disk") from error
    except ValueError as error:  # a zero byte in the name
        raise AudioError(f"{name!r}: not a valid file name ({error}); check the path") from None
    if not head:
        raise AudioError(f"{name}: empty file (0 bytes); copy or record it again")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise AudioError(f"{name}: SPHERE compressed with shorten; expand it: sph2pipe -f wav IN.sph OUT.wav")
    return head


@contextmanager
def _open_part(
    name: str, file: BinaryIO, head: bytes, track: int | None, direct: BinaryIO | None = None
) -> Iterator[tuple[AudioInfo, Iterator[Piece]]]:
    """One of the joined files, opened by the decoder for its format.

    `direct` is the same file opened by its path, where it has one: soundfile is faster with it.
    """
    handle: int | BinaryIO = file
    if direct is not None and os.name != "nt":
        handle = direct.fileno()
    sound = _open_soundfile(name, file, head, handle) if head.startswith(_KNOWN) else None
    with ExitStack() as stack:
        if sound is None:
            file.seek(0)
            try:
                opened = stack.enter_context(open_container(name, file, track))
            except AudioError:
                # Formats without a signature, which soundfile recognises by their sizes.
                sound = (
                    None if head.startswith((b"ID3", b"\xff")) else _open_soundfile(name, file, head, handle)
                )
                if sound is None:
                    raise
        if sound is not None:
            stack.enter_context(sound)
            if track is not None:
                check_track(name, track, 1)
            seconds = _promised_frames(sound, head) / max(sound.samplerate, 1)
            info = AudioInfo("soundfile", sound.samplerate, sound.channels, seconds)
            opened = info, _soundfile_pieces(sound, name, file, head, info, handle)
        yield opened


def _open_soundfile(
    name: str, file: BinaryIO, head: bytes, handle: int | BinaryIO
) -> soundfile.SoundFile | None:
    """The file opened by soundfile, or None if PyAV has to read it.

    PyAV reads it if soundfile fails, or if the header was never finished: a recorder that crashed leaves a
    length of 0 samples, a pipe leaves no length.
    """
    file.seek(0)
    if isinstance(handle, int):
        os.lseek(handle, 0, os.SEEK_SET)
    try:
        sound = soundfile.SoundFile(handle, closefd=False)
    except soundfile.LibsndfileError:
        return None
    if head.startswith((b"RIFF", b"RIFX", b"RF64")) and (sound.frames or head.startswith(b"RF64")):
        sound = _whole_wav(name, file, head, sound)
    if 0 < sound.frames < _MOST_FRAMES:
        return sound
    sound.close()
    return None


def _whole_wav(name: str, file: BinaryIO, head: bytes, sound: soundfile.SoundFile) -> soundfile.SoundFile:
    """A WAV file with all samples that it holds, even if its header gives fewer."""
    frame_bytes = SAMPLE_BYTES.get(sound.subtype, 0) * sound.channels
    position = file.tell()
    start = unread_samples(file, head, frame_bytes) if frame_bytes else None
    if start is None:
        file.seek(position)
        return sound
    rate, seconds = sound.samplerate, sound.frames / sound.samplerate
    sound.close()
    samples = window(file, start, file.seek(0, io.SEEK_END))
    endian = "BIG" if head.startswith(b"RIFX") else "LITTLE"
    whole = soundfile.SoundFile(samples, "r", rate, sound.channels, sound.subtype, endian, "RAW")
    if seconds:
        _say_longer(name, seconds, whole.frames / rate)
    return whole


def _promised_frames(sound: soundfile.SoundFile, head: bytes) -> int:
    """Frames by the header; soundfile itself gives the frames that a cut WAV or SPHERE file still holds."""
    said = re.search(r"^(?:data|SSND) *: (\d+) \(should be (\d+)\)", sound.extra_info, re.MULTILINE)
    if said is not None and int(said[1]) < 0x7FFF0000:  # larger values: written to a pipe, length unknown
        frame_bytes = int(said[2]) // max(int(sound.frames), 1)
        return int(said[1]) // max(frame_bytes, 1)
    said_by_sphere = re.search(rb"^sample_count -i (\d+)", head, re.MULTILINE)
    if head.startswith(b"NIST_1A") and said_by_sphere is not None:
        return int(said_by_sphere[1])
    return int(sound.frames)


def _soundfile_pieces(
    sound: soundfile.SoundFile,
    name: str,
    file: BinaryIO,
    head: bytes,
    info: AudioInfo,
    handle: int | BinaryIO,
) -> Iterator[Piece]:
    """The samples of a file opened by soundfile."""
    n_samples, n_frames = 0, max(PIECE, 8 * PIECE // info.n_channels)  # a call costs as much as 4,000 samples
    while True:
        try:
            samples = sound.read(n_frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if head.startswith(b"fLaC"):  # soundfile loses the whole piece; PyAV reads its intact part
                break
            raise DecodingStoppedError(error.error_string.removeprefix("Error : ").rstrip(".")) from error
        if not len(samples):
            break
        n_samples += len(samples)
        yield Piece(info.rate, samples)
    tail = os.lseek(handle, 0, os.SEEK_CUR) if isinstance(handle, int) else handle.tell()
    short = n_samples / info.rate < (info.seconds or 0.0)
    if head.startswith(b"fLaC") and (short or file.seek(0, io.SEEK_END) - tail > _FLAC_TAIL):
        for samples in _behind(name, file, n_samples):
            n_samples += len(samples)
            yield Piece(info.rate, samples)
    seconds, promised = n_samples / info.rate, info.seconds or 0.0
    if seconds > promised + TOLERANCE:
        _say_longer(name, promised, seconds)
    elif seconds < promised - TOLERANCE:
        raise DecodingStoppedError("the file ends there")


def _behind(name: str, file: BinaryIO, n_samples: int) -> Iterator[Samples]:
    """The samples of a FLAC file after the `n_samples` that soundfile has given, read by PyAV."""
    file.seek(0)
    with ExitStack() as stack:
        try:
            _, pieces = stack.enter_context(open_container(name, file, None, quiet=True))
        except AudioError:
            return
        try:
            for _, samples in pieces:
                if len(rest := samples[n_samples:]):
                    yield rest
                n_samples = max(0, n_samples - len(samples))
        except DecodingStoppedError:  # soundfile has given all samples
            return


def _say_longer(name: str, seconds: float, held: float) -> None:
    _logger.warning(
        "%s: its header gives %.1f s, but the file holds %.1f s; all of it is read", name, seconds, held
    )
