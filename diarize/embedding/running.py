"""Windows that share one pass of the network, which runs once over the speech; each window pools outputs.

::

    log-mel    ....|--context--[ group of windows ]--context--|....    one pass of the network for a group
    outputs        .....|=w0=|.....                                    one every `stride` frames
                          ...|=w1=|...                                 each window pools its own

The network uses no padding in time (a CNN or BLSTM takes whole segments), and groups begin at multiples of
its stride, so the embeddings do not depend on where groups begin and end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import Samples
from diarize.audio.features import Frames, stream_log_mel
from diarize.embedding.models import Model
from diarize.embedding.protocol import Precision, Task, Vectors
from diarize.embedding.stream import StreamBuffer
from diarize.errors import ConfigError, ModelError
from diarize.machine.devices import mixed_precision
from diarize.networks.frame_network import FrameNetwork
from diarize.networks.segment_network import SegmentNetwork
from diarize.segments import Segment

GROUP_SECONDS = 10.0
"""Longest group of windows, in seconds, about; a longer window is a group of its own."""

GROUP_WINDOWS = 6.0
"""A group is this many times as long as the longest window that has parts, if that is longer."""

MIN_CLEAN = 0.2
"""Seconds of a window that must not be mixed; otherwise mixed segments are pooled as well."""

_FRAMES_AT_ONCE = 250
"""Outputs in one call of the network: ten seconds of a network with four frames for each."""

_POOLED = 4096
"""Outputs that are pooled at once, about."""


class RunningEncoder:
    """The encoder for models of this project.

    Raises
    ------
    ModelError
        If the model has a network of fixed segments and does not tell their length, or it is impossible.
    """

    def __init__(self, model: Model, device: str = "cpu", precision: Precision = "float32") -> None:
        self.model, self.network, self.device = model, _running_network(model), device
        self.precision = precision

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return self.network.dim

    def tasks(
        self,
        blocks: Iterable[Samples],
        windows: list[Segment],
        mixed: list[Segment],
        parts: Sequence[Sequence[Segment] | None],
    ) -> Iterator[Task]:
        """One task for each group of windows.

        A window pools its parts, or what lies outside the mixed segments if it has no parts. If less than
        MIN_CLEAN seconds would remain, it pools all of itself.

        Raises
        ------
        AudioError
            If a window begins after the end of the samples.
        """
        network, rate = self.network, self.model.features.frame_rate / self.network.stride
        spans = [(round(w.start * rate), max(1, round(w.duration * rate))) for w in windows]
        lead = network.context // 2  # output j is centred on frame j * stride
        buffer = StreamBuffer(stream_log_mel(blocks, self.model.features))
        clean = _Outside(mixed, rate)
        with_parts = (n for (_, n), chosen in zip(spans, parts, strict=True) if chosen is not None)
        group_length = max(GROUP_SECONDS * rate, GROUP_WINDOWS * max(with_parts, default=0))
        begin = 0
        while begin < len(spans):
            first, last, end = spans[begin][0], sum(spans[begin]), begin + 1
            while end < len(spans) and sum(spans[end]) - first <= group_length:
                last = max(last, sum(spans[end]))
                end += 1
            start = first * network.stride - lead
            stop = (last - 1) * network.stride - lead + network.context
            buffer.fill(start, stop, keep=start)
            masks = [
                clean(j, n) if chosen is None else ~_Outside(chosen, rate)(j, n)
                for (j, n), chosen in zip(spans[begin:end], parts[begin:end], strict=True)
            ]
            group = [j - first for j, _ in spans[begin:end]]
            yield partial(
                self._embed, buffer.repeat_edges(start, stop), group, masks, round(MIN_CLEAN * rate)
            )
            begin = end

    @torch.inference_mode()
    def _embed(self, mel: Frames, firsts: list[int], masks: list[NDArray[np.bool_]], least: int) -> Vectors:
        """The embeddings of windows, each of which pools the outputs from one on that its mask chooses.

        A window pools all its outputs if its mask chooses fewer than `least`.
        """
        network = self.network
        outputs = self._frames(mel)  # (n_outputs, n_features)
        logits = network.attention(outputs)
        vectors = np.empty((len(firsts), self.dim), dtype=np.float32)
        for count in {len(mask) for mask in masks}:  # windows of one length are pooled together
            same = [row for row, mask in enumerate(masks) if len(mask) == count]
            n_rows = max(1, _POOLED // count)
            for rows in (same[first : first + n_rows] for first in range(0, len(same), n_rows)):
                index = np.array([firsts[row] for row in rows])[:, None] + np.arange(count)
                mask = np.stack([masks[row] for row in rows])
                mask[mask.sum(axis=1) < least] = True
                at = torch.from_numpy(index).to(outputs.device)
                counts = torch.from_numpy(mask).to(outputs.device)
                vectors[rows] = network.pool(outputs[at], counts, logits[at]).cpu().numpy()
        return vectors

    def _frames(self, mel: Frames) -> torch.Tensor:
        """The features (n_outputs, n_features) of log-mel frames, some seconds at a time."""
        network, frames = self.network, torch.from_numpy(mel).to(self.device)
        step = _FRAMES_AT_ONCE * network.stride
        n_needed = len(mel) - network.context + 1
        with mixed_precision(self.device, self.precision == "bfloat16"):
            outputs = [
                network.frames(frames[None, first : first + step + network.context - network.stride])[0]
                for first in range(0, n_needed, step)
            ]
        return torch.cat(outputs).float()


def _running_network(model: Model) -> FrameNetwork:
    """The network of a model as one that runs over a whole recording."""
    network, segments, rate = model.network, model.segments, model.features.frame_rate
    if isinstance(network, FrameNetwork):
        return network
    if segments is None:
        raise ModelError(
            f"model {model.name}: its config.toml does not tell how long the segments of a "
            f"{type(network).__name__} are; add the table [segments] with seconds and layer"
        )
    n_frames, hop = (max(1, round(seconds * rate)) for seconds in (segments.seconds, segments.hop))
    try:
        return SegmentNetwork(network, model.features.n_mels, n_frames, hop, segments.layer)
    except ConfigError as error:
        raise ModelError(f"model {model.name}: [segments] in its config.toml: {error}") from error


class _Outside:
    """Whether outputs lie outside segments (sorted, not overlapping)."""

    def __init__(self, segments: Sequence[Segment], rate: float) -> None:
        # Edges alternate between starts and ends.
        self.edges = np.array([(segment.start, segment.end) for segment in segments]).ravel()
        self.rate = rate

    def __call__(self, first: int, n: int) -> NDArray[np.bool_]:
        """(n,), from output `first` on."""
        times = np.arange(first, first + n) / self.rate
        outside: NDArray[np.bool_] = np.searchsorted(self.edges, times, side="right") % 2 == 0
        return outside
