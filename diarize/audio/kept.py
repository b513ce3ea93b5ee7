"""Samples that are decoded once if they fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from diarize.audio.pieces import Samples
from diarize.audio.recordings import Channel, mixed_channels, stream_audio
from diarize.audio.sources import Source

KEPT_BYTES = 2**26
"""Most bytes of samples that stay in memory: 17 minutes."""


class KeptBlocks(Iterable[Samples]):
    """Blocks of samples that can be read several times.

    The first reading decodes. Its blocks stay in memory if all of them fit into `KEPT_BYTES`; otherwise each
    reading decodes again.

    Parameters
    ----------
    decode : callable
        Returns the blocks from the beginning.
    """

    def __init__(self, decode: Callable[[], Iterator[Samples]]) -> None:
        self._decode = decode
        self._kept: list[Samples] | None = None

    def __iter__(self) -> Iterator[Samples]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[Samples] = []
        n_bytes = 0
        for block in self._decode():
            n_bytes += block.nbytes
            if n_bytes <= KEPT_BYTES:
                kept.append(block)
            else:
                kept.clear()
            yield block
        if n_bytes <= KEPT_BYTES:
            self._kept = kept


def mono_blocks(source: Source, channel: Channel | None, track: int | None) -> KeptBlocks:
    """The samples of a recording: of a channel, or by default the mean of `mixed_channels`."""
    mixed = mixed_channels(source, track=track) if channel is None else channel
    return KeptBlocks(lambda: stream_audio(source, channel=mixed, track=track))
