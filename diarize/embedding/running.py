"""Windows that share one pass of the network: its frames run once over the speech, windows are pooled.

::

    log-mel    ....|--context--[ group of windows ]--context--|....    one pass of the network a group
    outputs        .....|=w0=|.....                                    one every `stride` frames
                          ...|=w1=|...                                 each window pools its own

The network pads nothing in time and groups lie on the grid of its stride, so that where a group ends
changes no vector.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.audio.features import Frames, stream_log_mel
from diarize.embedding.models import Model
from diarize.embedding.protocol import Task, Vectors
from diarize.embedding.stream import StreamBuffer
from diarize.errors import ModelError
from diarize.networks.frame_network import FrameNetwork
from diarize.segments import Segment

GROUP_SECONDS = 10.0
"""Windows that go through the network together span at most about this long (a longer window goes alone)."""

MIN_CLEAN = 0.2
"""Seconds."""


class RunningEncoder:
    """The vectors of a model of this project whose network pads nothing in time.

    Raises
    ------
    ModelError
        When its network has no running windows.
    """

    def __init__(self, model: Model, device: str = "cpu") -> None:
        if not isinstance(model.network, FrameNetwork):
            raise ModelError(
                f"model {model.name}: a {type(model.network).__name__} has no running windows; "
                "embed with recipes/embed_parts.py, or give a model with a resnet or tdnn"
            )
        self.model, self.network, self.device = model, model.network, device

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.network.embedding.out_features

    def tasks(
        self, blocks: Iterable[Samples], windows: list[Segment], mixed: list[Segment]
    ) -> Iterator[Task]:
        """A task a group of windows; a window with MIN_CLEAN seconds that are not mixed pools those alone.

        Raises
        ------
        AudioError
            When a window begins after the samples' end.
        """
        network, rate = self.network, self.model.features.frame_rate / self.network.stride
        spans = [(round(w.start * rate), max(1, round(w.duration * rate))) for w in windows]
        lead = network.context // 2  # output j is centred on frame j * stride
        buffer = StreamBuffer(stream_log_mel(blocks, self.model.features))
        edges = np.array([(segment.start, segment.end) for segment in mixed]).ravel()
        begin = 0
        while begin < len(spans):
            first, last, end = spans[begin][0], sum(spans[begin]), begin + 1
            while end < len(spans) and sum(spans[end]) - first <= GROUP_SECONDS * rate:
                last = max(last, sum(spans[end]))
                end += 1
            start = first * network.stride - lead
            stop = (last - 1) * network.stride - lead + network.context
            buffer.fill(start, stop, keep=start)
            # Between an odd and an even edge lies a mixed segment.
            clean = np.searchsorted(edges, np.arange(first, last) / rate, side="right") % 2 == 0
            group = [(j - first, n) for j, n in spans[begin:end]]
            yield partial(
                self._embed, buffer.repeat_edges(start, stop), group, clean, round(MIN_CLEAN * rate)
            )
            begin = end

    @torch.inference_mode()
    def _embed(
        self, mel: Frames, spans: list[tuple[int, int]], clean: NDArray[np.bool_], least: int
    ) -> Vectors:
        """Vectors of the windows that pool these outputs (first, count) of the log-mel frames.

        Those of the outputs that are `clean` (n_outputs,), where they are `least` in a window.
        """
        network = self.network
        outputs = network.frames(torch.from_numpy(mel)[None].to(self.device))[0]  # (n_outputs, features)
        logits = network.attention(outputs)
        vectors = np.empty((len(spans), self.dim), dtype=np.float32)
        for count in {count for _, count in spans}:  # windows of one length are pooled together
            rows = [row for row, span in enumerate(spans) if span[1] == count]
            index = np.array([spans[row][0] for row in rows])[:, None] + np.arange(count)
            mask = clean[index]
            mask[mask.sum(axis=1) < least] = True
            at = torch.from_numpy(index).to(outputs.device)
            counts = torch.from_numpy(mask).to(outputs.device)
            vectors[rows] = network.pool(outputs[at], counts, logits[at]).cpu().numpy()
        return vectors
