"""A small copy of a recording that browsers play: Opus in WebM, mono."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

import av
import numpy as np

from diarize.audio.pieces import Samples
from diarize.audio.recordings import SAMPLE_RATE

COMPRESSED_TYPE = "audio/webm"
_BIT_RATE = 24_000
"""Bits a second, enough for speech."""


def compress_audio(blocks: Iterable[Samples]) -> bytes:
    """The samples as a WebM file with an index, so that players can seek; equal samples give equal bytes.

    Times in the file are those of the samples.

    Parameters
    ----------
    blocks : iterable of arrays (n_samples,)
        Mono at 16 kHz, of any lengths.
    """
    file = BytesIO()
    # bitexact: otherwise the file holds a random id.
    with av.open(file, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        # The lowest of ten levels of effort that still sounds like the others, and encodes faster.
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, options={"compression_level": "3"})
        stream.layout, stream.bit_rate = "mono", _BIT_RATE
        for block in blocks:
            if not len(block):
                continue
            frame = av.AudioFrame.from_ndarray(np.clip(block, -1, 1)[None], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
