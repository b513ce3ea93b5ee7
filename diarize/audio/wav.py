"""WAV files whose header gives fewer samples than the file holds."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

SAMPLE_BYTES = {
    "PCM_U8": 1,
    "ULAW": 1,
    "ALAW": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
}
"""Bytes of a sample, for the encodings that can be read without a header."""

_UNKNOWN = 0x7FFF0000
"""Larger sizes mean "unknown", for example in a file that was written to a pipe."""


def unread_samples(file: BinaryIO, head: bytes, frame_bytes: int) -> int | None:
    """The position of the first sample, if the samples go on beyond the end that the header gives; else None.

    A recorder that crashed leaves an outdated header, and beyond 4 GiB the size starts again at 0::

        RIFF WAVE fmt  data <size> |== samples ==|== samples ==|    no chunk begins where `size` ends
                                     by the header    to the end

    Parameters
    ----------
    frame_bytes : int
        Bytes of one sample in all channels.
    """
    order = ">" if head.startswith(b"RIFX") else "<"
    size = file.seek(0, io.SEEK_END)
    position, long_length = 12, 0
    while position + 8 <= size:
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:  # the file has become shorter
            return None
        kind, length = struct.unpack(f"{order}4sI", chunk)
        position += 8
        if kind == b"ds64" and head.startswith(b"RF64"):
            long_length = int.from_bytes(file.read(16)[8:], "little")
        elif kind == b"data":
            if head.startswith(b"RF64") and length == 0xFFFFFFFF:
                length = long_length
            elif length >= _UNKNOWN:
                return None
            end = position + length
            enough = size - end >= max(frame_bytes, 4096) or not length
            return position if enough and not _is_chunk(file, end, size, order) else None
        position += length + length % 2
    return None


def _is_chunk(file: BinaryIO, position: int, size: int, order: str) -> bool:
    """Whether a chunk begins at the position, or one padding byte later, and ends within the file."""
    file.seek(position)
    text = file.read(9)
    for at in (0, 1):
        if len(text) >= at + 8:
            kind, length = struct.unpack(f"{order}4sI", text[at : at + 8])
            if kind.isascii() and kind.decode().isprintable() and position + at + 8 + length <= size + 1:
                return True
    return False
