"""A network that partitions a set of items in one pass, as learned from other sets: learning to cluster."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from diarize.networks.classifier import glorot_uniform

SLOPE = 0.3
"""Slope of LeakyReLU below 0."""

METRICS = ("none", "euclidean", "mahalanobis", "full")


class ClusterNetwork(nn.Module):
    """Partitions of sets of items: how many clusters, and for each number, which cluster an item is in.

    ::

        items --[snippet encoder]--[metric]--> linear --> x + LSTM(x), both ways, n_layers times --> clusters
                                                                 |
                                        before the last of these +--> LSTM, both ways --> number of clusters

    Parameters
    ----------
    n_inputs : int
        Numbers of an item. With the encoder "cnn", an item is a spectrogram of `n_inputs` mels.
    encoder : str
        "none", or "cnn": a `SnippetEncoder` embeds each item.
    metric : str
        "none", or a `Metric`: an item becomes its distances to all items, in the order of the set.
    n_items : int
        Items in a set, which only a metric needs.
    n_frames, n_embedding : int
        Frames of a snippet, and size of its embedding.
    width, n_layers : int
        Units of a residual layer, half of them in each direction; number of layers, at least 2.
    n_most : int
        The largest number of clusters.
    count_hidden, count_width : int
        Units, in each direction, of the LSTM that reads the number of clusters; of the layer after it.

    Attributes
    ----------
    n_items : int or None
        Items of a set, if the network takes no other number.

    Raises
    ------
    ValueError
        If `encoder` or `metric` is unknown, `width` is odd, or there are fewer than two layers.

    References
    ----------
    Meier, Elezi, Amirian, Dürr and Stadelmann, "Learning neural models for end-to-end clustering", ANNPR
    2018.
    """

    def __init__(
        self,
        n_inputs: int = 2,
        encoder: str = "none",
        metric: str = "none",
        n_items: int = 20,
        n_frames: int = 128,
        n_embedding: int = 256,
        width: int = 288,
        n_layers: int = 14,
        n_most: int = 5,
        count_hidden: int = 128,
        count_width: int = 256,
    ) -> None:
        super().__init__()
        if encoder not in ("none", "cnn"):
            raise ValueError(f"encoder is none or cnn, got {encoder!r}")
        if width % 2 or n_layers < 2:
            raise ValueError(f"width is even and n_layers at least 2, got {width!r} and {n_layers!r}")
        self.n_inputs, self.n_most = n_inputs, n_most
        self.n_items = None if metric == "none" else n_items
        self.encoder = SnippetEncoder(n_inputs, n_frames, n_embedding) if encoder == "cnn" else None
        dim = n_inputs if self.encoder is None else n_embedding
        self.metric = None if metric == "none" else Metric(dim, metric)
        self.entry = nn.Linear(dim if self.metric is None else n_items, width)
        glorot_uniform(self.entry)
        self.layers = nn.ModuleList(bidirectional(width, width // 2) for _ in range(n_layers))
        self.clusters = nn.Linear(width, n_most * (n_most + 1) // 2)
        glorot_uniform(self.clusters)
        self.count = bidirectional(width, count_hidden)
        self.count_norm = nn.BatchNorm1d(2 * count_hidden)
        self.count_dense = nn.Linear(2 * count_hidden, count_width)
        self.count_dense_norm = nn.BatchNorm1d(count_width)
        self.numbers = nn.Linear(count_width, n_most)
        for layer in (self.count_dense, self.numbers):
            glorot_uniform(layer)

    def forward(self, items: Tensor) -> Tensor:
        """Log-probabilities (batch, n_items, n_most, n_most) of sets of items.

        Entry [b, i, k - 1, l] is log P(k) P(l | x_i, k): there are k clusters, and item i is in number l. It
        is minus infinity for l >= k. Items are (batch, n_items, n_inputs) or, with the encoder,
        (batch, n_items, n_frames, n_mels).
        """
        if self.encoder is not None:
            items = self.encoder(items.flatten(0, 1)).unflatten(0, items.shape[:2])
        # Positions, distances, sums over the layers and probabilities are not rounded to bfloat16.
        with torch.autocast(items.device.type, enabled=False):
            items = items.to(self.entry.weight.dtype)
            x = F.leaky_relu(self.entry(items if self.metric is None else self.metric(items)), SLOPE)
        last = x
        for layer in self.layers:
            last, x = x, x + layer(x)[0]
        _, (ends, _) = self.count(last)
        with torch.autocast(items.device.type, enabled=False):
            number = self._number(ends.to(x.dtype)).log_softmax(dim=1)  # (batch, n_most)
            clusters = self._scatter(self.clusters(x)).log_softmax(dim=3)
            return number[:, None, :, None] + clusters

    def _number(self, ends: Tensor) -> Tensor:
        """Logits (batch, n_most) of the number of clusters, from the last states of both directions."""
        x = self.count_norm(torch.cat([ends[0], ends[1]], dim=1))
        x = self.count_dense_norm(F.leaky_relu(self.count_dense(x), SLOPE))
        logits: Tensor = self.numbers(F.dropout(x, 0.5, self.training))
        return logits

    def _scatter(self, logits: Tensor) -> Tensor:
        """Logits (batch, n_items, n_most, n_most): row k - 1 has those of k clusters, then minus infinity."""
        number, cluster = torch.tril_indices(self.n_most, self.n_most)
        square = logits.new_full((*logits.shape[:2], self.n_most, self.n_most), -torch.inf)
        square[:, :, number, cluster] = logits
        return square


class SnippetEncoder(nn.Module):
    """Embeddings of snippets of speech: three convolutions, each pooled by two, and two dense layers.

    Parameters
    ----------
    n_mels, n_frames : int
        Size of a snippet, each at least 8.
    dim : int
        Size of an embedding.
    """

    def __init__(self, n_mels: int, n_frames: int, dim: int) -> None:
        super().__init__()
        if min(n_mels, n_frames) < 8:
            raise ValueError(f"a snippet has 8 or more mels and frames, got {n_mels!r} and {n_frames!r}")
        stages: list[nn.Module] = []
        for narrow, wide in ((1, 32), (32, 64), (64, 128)):
            convolution = nn.Conv2d(narrow, wide, 3, padding="same")
            glorot_uniform(convolution)
            stages += [convolution, nn.LeakyReLU(SLOPE), nn.BatchNorm2d(wide), nn.MaxPool2d(2)]
        stages.append(nn.Flatten())
        for n_inputs in (128 * (n_mels // 8) * (n_frames // 8), dim):
            dense = nn.Linear(n_inputs, dim)
            glorot_uniform(dense)
            stages += [dense, nn.LeakyReLU(SLOPE), nn.BatchNorm1d(dim)]
        self.stages = nn.Sequential(*stages)

    def forward(self, mel: Tensor) -> Tensor:
        """Embeddings (batch, dim) of snippets (batch, n_frames, n_mels)."""
        embeddings: Tensor = self.stages(mel.transpose(1, 2).unsqueeze(1))  # (batch, 1, mels, frames)
        return embeddings


class Metric(nn.Module):
    """Distances d(x, y) = (x - y)' A (x - y) of all pairs of a set, with a learned matrix A.

    Parameters
    ----------
    dim : int
        Size of an item.
    kind : str
        "euclidean": A is 1 / dim. "mahalanobis": A is diagonal. "full": A is any positive semidefinite
        matrix. Both start as 1 / dim, and each call in training first projects A to the nearest such matrix.

    Raises
    ------
    ValueError
        If the kind is unknown.

    References
    ----------
    Xing, Jordan, Russell and Ng, "Distance metric learning with application to clustering with
    side-information", NIPS 2002 (the projection).
    """

    def __init__(self, dim: int, kind: str) -> None:
        super().__init__()
        if kind not in METRICS[1:]:
            raise ValueError(f"metric is {', '.join(METRICS)}, got {kind!r}")
        self.kind = kind
        self.dim = dim
        start = torch.eye(dim) if kind == "full" else torch.ones(dim)
        self.matrix = nn.Parameter(start / dim) if kind != "euclidean" else None

    def forward(self, x: Tensor) -> Tensor:
        """Distances (batch, n_items, n_items) of items (batch, n_items, dim)."""
        if self.training:
            self._project()
        # (x - y)' A (x - y) = x'Ax + y'Ay - x'Ay - y'Ax, without the differences of all pairs
        if self.matrix is None:
            moved = x / self.dim
        else:
            moved = x @ self.matrix if self.kind == "full" else x * self.matrix
        products = moved @ x.transpose(1, 2)  # (batch, n_items, n_items)
        own = products.diagonal(dim1=1, dim2=2)
        return own[:, :, None] + own[:, None] - products - products.transpose(1, 2)

    @torch.no_grad()
    def _project(self) -> None:
        if self.matrix is None:
            return
        if self.kind == "mahalanobis":
            self.matrix.clamp_min_(0)
            return
        values, vectors = torch.linalg.eigh((self.matrix + self.matrix.T) / 2)
        self.matrix.copy_(vectors * values.clamp_min(0) @ vectors.T)


def bidirectional(n_inputs: int, hidden: int) -> nn.LSTM:
    """An LSTM over (batch, n_items, n_inputs) in both directions, with the initial weights of Keras."""
    lstm = nn.LSTM(n_inputs, hidden, batch_first=True, bidirectional=True)
    for name, weight in lstm.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(weight)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(weight)
        else:
            nn.init.zeros_(weight)
            if name.startswith("bias_ih"):  # the forget gate's
                nn.init.ones_(weight[hidden : 2 * hidden])
    return lstm


def most_likely_number(outputs: Tensor) -> Tensor:
    """The most likely number of clusters (batch,) of the outputs of a `ClusterNetwork`."""
    return outputs[:, 0].logsumexp(dim=2).argmax(dim=1) + 1


def most_likely_clusters(outputs: Tensor) -> Tensor:
    """The most likely cluster (batch, n_items) of each item, for the most likely number of clusters."""
    rows = torch.arange(len(outputs), device=outputs.device)
    return outputs[rows, :, most_likely_number(outputs) - 1].argmax(dim=2)
