"""Files joined end to end: the places in a file at which another one begins."""

from __future__ import annotations

import io
import re
import struct
from typing import BinaryIO

_BLOCK = 2**20
_LONGEST_HEADER = 64

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"

_HEADERS = {
    b"RIFF": rb"RIFF.{4}WAVE",
    b"RIFX": rb"RIFX.{4}WAVE",
    b"RF64": rb"RF64.{4}WAVE",
    b"FORM": rb"FORM.{4}AIF[FC]",
    b"fLaC": rb"fLaC[\x00\x80]\x00\x00\x22",
    b".snd": rb"\.snd\x00\x00[\x00-\x03].{5}\x00\x00\x00[\x01-\x1b]\x00",
    b"caff": rb"caff\x00\x01\x00\x00desc",
    b"riff": rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00",
    b"NIST": rb"NIST_1A\n   1024\n",
    _EBML: rb"\x1a\x45\xdf\xa3.{1,40}?\x42\x82.(?:matroska|webm)",
}
"""The pattern of a header of each format, by its first four bytes."""


def find_parts(file: BinaryIO, head: bytes) -> list[tuple[int, int]]:
    """The begin and end, in bytes, of each of the files that were joined; one pair for any other file.

    MP3, AAC and MPEG files are never cut here, because FFmpeg reads such files to the end.

    Parameters
    ----------
    head : bytes
        The first bytes of the file.
    """
    size = file.seek(0, io.SEEK_END)
    if head.startswith(b"OggS"):
        starts = _ogg_links(file, size)
    elif head[4:8] == b"ftyp":
        starts = _mp4_files(file, size)
    elif head[:4] in _HEADERS and _promised_size(head) != size:
        starts = _headers(file, re.compile(_HEADERS[head[:4]], re.DOTALL))
    else:
        starts = [0]
    file.seek(0)
    return list(zip(starts, [*starts[1:], size], strict=True))


def _promised_size(head: bytes) -> int | None:
    """The size of the whole file in bytes by its header, if the header gives one."""
    if len(head) < 12:
        return None
    if head.startswith((b"RIFF", b"FORM", b"RIFX")):
        return 8 + int(struct.unpack("<I" if head.startswith(b"RIFF") else ">I", head[4:8])[0])
    if head.startswith(b".snd"):
        return sum(struct.unpack(">II", head[4:12]))
    if head.startswith(_EBML):
        segment = _element_end(head, 0)
        return _element_end(head, segment) if segment and head.startswith(_SEGMENT, segment) else None
    return None


def _element_end(head: bytes, start: int) -> int | None:
    """The end of a Matroska element with an id of four bytes; None if its size is unknown.

    The size is a number of 1 to 8 bytes; its first bit that is 1 says of how many (RFC 8794, section 4).
    """
    length = 9 - head[start + 4].bit_length() if len(head) > start + 4 else 9
    field = head[start + 4 : start + 4 + length]
    if length > 8 or len(field) < length:
        return None
    unknown = (1 << 7 * length) - 1  # all other bits are 1
    size = int.from_bytes(field, "big") & unknown
    return None if size == unknown else start + 4 + length + size


def _headers(file: BinaryIO, header: re.Pattern[bytes]) -> list[int]:
    """The positions of all headers that match the pattern; the first one is 0."""
    starts, offset, held = [0], 0, b""
    file.seek(0)
    while block := file.read(_BLOCK):
        text = held + block
        found = (offset + match.start() for match in header.finditer(text))
        starts += [start for start in found if start > starts[-1]]
        held = text[-_LONGEST_HEADER:]
        offset += len(text) - len(held)
    return starts


def _ogg_links(file: BinaryIO, size: int) -> list[int]:
    """The positions of the links of an Ogg chain.

    A link begins at a page that begins a stream and follows a page that does not.

    ::

        pages   B B . . . . B . . . .    B: begins a stream
        links   |----------|---------
    """
    starts, position, began = [0], 0, True
    while position + 27 <= size:
        file.seek(position)
        page = file.read(27)
        if len(page) < 27:  # the file has become shorter
            break
        if not page.startswith(b"OggS"):
            position = _next_page(file, position + 1)
            continue
        begins = bool(page[5] & 2)
        if begins and not began:
            starts.append(position)
        began = begins
        position += 27 + page[26] + sum(file.read(page[26]))
    return starts


def ends_whole(file: BinaryIO) -> bool:
    """Whether an Ogg file ends with a page marked as the last one. Its header has no duration to compare."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 2**17))
    tail = file.read()
    last = tail.rfind(b"OggS")
    page = tail[last : last + 27] if last >= 0 else b""
    if len(page) < 27:
        return False
    segments = tail[last + 27 : last + 27 + page[26]]
    return bool(page[5] & 4) and len(tail) >= last + 27 + page[26] + sum(segments)


def _next_page(file: BinaryIO, position: int) -> int:
    """The position of the next page of an Ogg file; the end of the file if there is none."""
    file.seek(position)
    held = b""
    while block := file.read(_BLOCK):
        at = (held + block).find(b"OggS")
        if at >= 0:
            return position - len(held) + at
        held, position = block[-3:], position + len(block)
    return position + len(held)


def _mp4_files(file: BinaryIO, size: int) -> list[int]:
    """The positions of joined MP4 files. Fragmented files are one file, as their headers may repeat."""
    starts, position = [0], 0
    while position + 8 <= size:
        file.seek(position)
        box = file.read(8)
        if len(box) < 8:  # the file has become shorter
            break
        length, kind = struct.unpack(">I4s", box)
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if kind == b"moof" or length < 8:
            return [0] if kind == b"moof" else starts
        if kind == b"ftyp" and position:
            starts.append(position)
        position = min(position + length, position + size)
    return starts
