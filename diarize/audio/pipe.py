"""Samples that arrive through a pipe, as soon as they arrive."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from queue import SimpleQueue
from typing import BinaryIO, Protocol, cast

import numpy as np

from diarize.audio.containers import PIPE_BYTES, open_container
from diarize.audio.pieces import Samples, check_header, unify, until_stopped
from diarize.audio.recordings import convert

_NAME = "stdin"


class Readable(Protocol):
    """What raw samples are read from."""

    def read(self, size: int, /) -> bytes | None:
        """Some bytes as soon as there are any; nothing at the end."""


class ByteQueue:
    """Bytes from another thread: `put` there, `read` here."""

    def __init__(self) -> None:
        self._blocks: SimpleQueue[bytes] = SimpleQueue()

    def put(self, block: bytes) -> None:
        """Add bytes; an empty block is the end."""
        self._blocks.put(block)

    @property
    def n_blocks(self) -> int:
        """Blocks that nobody has read yet."""
        return self._blocks.qsize()

    def read(self, size: int, /) -> bytes:
        """The next block, of whatever size, as soon as there is one."""
        return self._blocks.get()


def open_stdin() -> BinaryIO:
    """Standard input, whose reads give what is there instead of waiting for more."""
    return cast(BinaryIO, io.FileIO(sys.stdin.fileno(), closefd=False))


def stream_pcm(file: Readable, rate: float, name: str = _NAME) -> Iterator[Samples]:
    """Raw samples of 16 bits, little endian, one channel, at a rate in Hz, as blocks (n,) at 16 kHz.

    An incomplete sample at the end is left out. `name` is for messages.

    Raises
    ------
    AudioError
        If there are no samples.
    """
    return convert(_pcm_pieces(file), name, rate, None)


def stream_container(file: BinaryIO) -> Iterator[Samples]:
    """The audio track of a file in any format that FFmpeg reads without seeking, as blocks (n,) at 16 kHz.

    The mean of all channels is taken. A stream that ends early is read up to there; the log says so.

    Raises
    ------
    AudioError
        If FFmpeg cannot read it, its header is impossible, or it has no samples.
    """
    with open_container(_NAME, file, None, at_once=True) as (info, pieces):
        check_header(_NAME, info)
        read = unify(until_stopped(pieces, _NAME, info), info.rate, info.n_channels)
        yield from convert(read, _NAME, info.rate, None)


def _pcm_pieces(file: Readable) -> Iterator[Samples]:
    held = b""
    while block := file.read(PIPE_BYTES):
        held += block
        whole = len(held) // 2 * 2
        if whole:
            yield np.frombuffer(held[:whole], "<i2").astype(np.float32)[:, None] / np.float32(32768)
        held = held[whole:]
