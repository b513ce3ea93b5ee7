"""The index in the first frame of an MP3 file: Xing, Info or VBRI."""

from __future__ import annotations

from typing import BinaryIO


def is_index(packet: bytes) -> bool:
    """Whether a packet holds the index of an MP3 file and no sound; joined files hold several of them."""
    return packet.startswith(b"ID3") or any(mark in packet for mark in (b"Xing", b"Info", b"VBRI"))


def index_seconds(file: BinaryIO, rate: int) -> float | None:
    """Duration in seconds of an MP3 file by the index in its first frame; None without an index.

    FFmpeg's duration cannot be used: it is guessed from the bit rate if the index does not cover the file.
    """
    position = file.tell()
    file.seek(0)
    head = file.read(10)
    if head.startswith(b"ID3") and len(head) == 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        file.seek(10 + size)
        head = b""
    head += file.read(4096)
    file.seek(position)
    for mark, offset in ((b"Xing", 8), (b"Info", 8), (b"VBRI", 14)):
        at = head.find(mark)
        flags = head[at + 7 : at + 8] if offset == 8 else b"\1"
        if at >= 0 and flags and flags[0] & 1:  # the index has the number of frames
            n_frames = int.from_bytes(head[at + offset : at + offset + 4], "big")
            n_samples = n_frames * (1152 if rate >= 32000 else 576)
            return max(n_samples - _n_trimmed(head[at : at + 144]), 0) / rate or None
    return None


def _n_trimmed(index: bytes) -> int:
    """Samples that the encoder added at both ends, by the tag that LAME and FFmpeg write after the index."""
    if index[7:8] != b"\x0f" or index[120:124] not in (b"LAME", b"Lavc", b"Lavf"):
        return 0
    both = int.from_bytes(index[141:144], "big")  # 12 bits each
    return (both >> 12) + (both & 0xFFF)
