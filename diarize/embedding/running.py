"""Windows that share one pass of the network, which runs once over the speech; each window pools outputs.

::

    log-mel    ....|--context--[ group of windows ]--context--|....    one pass of the network for a group
    outputs        .....|=w0=|.....                                    one every `stride` frames
                          ...|=w1=|...                                 each window pools its own

The network uses no padding in time, and groups begin at multiples of its stride, so the embeddings do not
depend on where groups begin and end.
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
"""Longest group of windows, in seconds, about; a longer window is a group of its own."""

MIN_CLEAN = 0.2
"""Seconds of a window that must not be mixed; otherwise mixed segments are pooled as well."""


class RunningEncoder:
    """The encoder for models of this project whose network uses no padding in time.

    Raises
    ------
    ModelError
        If the model's network cannot run over a whole recording.
    """

    def __init__(self, model: Model, device: str = "cpu") -> None:
        if not isinstance(model.network, FrameNetwork):
            raise ModelError(
                f"model {model.name}: a {type(model.network).__name__} cannot run over a whole recording; "
                "embed with recipes/embed_parts.py, or give a model with a resnet or tdnn"
            )
        self.model, self.network, self.device = model, model.network, device

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return self.network.embedding.out_features

    def tasks(
        self, blocks: Iterable[Samples], windows: list[Segment], mixed: list[Segment]
    ) -> Iterator[Task]:
        """One task for each group of windows.

        A window with at least MIN_CLEAN seconds outside the mixed segments pools only those seconds.

        Raises
        ------
        AudioError
            If a window begins after the end of the samples.
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
            # Edges alternate between starts and ends of mixed segments.
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
        """The embeddings of windows, each of which pools `count` outputs from `first` on.

        A window pools only its `clean` (n_outputs,) outputs if there are at least `least` of them.
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
