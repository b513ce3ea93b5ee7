"""A network that partitions a set of embeddings by attention: an attractor for each cluster."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AttractorNetwork(nn.Module):
    """Partitions of sets, in the form of a `ClusterNetwork`, that do not depend on the order of the items.

    ::

        items --> linear --> attention among items, n_layers times --+--> scores of items and attractors
                                                                     |             |
        n_most seeds --> attention to items, among attractors, n_pool times --> attractors --> their existence

    Attractor number j exists with the probability p_j if those before it exist, so that there are k clusters
    with P(k) = p_1 ... p_k (1 - p_{k+1}), where p_1 = 1. An item's clusters are the softmax of its scores
    with the first k attractors.

    Parameters
    ----------
    n_inputs : int
        Numbers of an item.
    width, heads : int
        Size of the inner representation, and number of attention heads, which divides it.
    n_layers, n_pool : int
        Layers of attention among the items; layers of attention that pool them to attractors.
    n_most : int
        The largest number of clusters.

    Raises
    ------
    ValueError
        If `heads` does not divide `width`.

    References
    ----------
    Horiguchi, Fujita, Watanabe, Xue and Nagamatsu, "End-to-end speaker diarization for an unknown number of
    speakers with encoder-decoder based attractors", Interspeech 2020 (attractors and their existence);
    Lee, Lee, Kim, Kosiorek, Choi and Teh, "Set transformer", ICML 2019 (pooling by attention with seeds).
    """

    n_items: int | None = None

    def __init__(
        self,
        n_inputs: int = 32,
        width: int = 64,
        heads: int = 4,
        n_layers: int = 3,
        n_pool: int = 2,
        n_most: int = 8,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads divide the width {width}, got {heads!r}")
        self.n_inputs, self.n_most = n_inputs, n_most
        self.entry = nn.Linear(n_inputs, width)
        nn.init.orthogonal_(self.entry.weight)
        self.layers = nn.ModuleList(Attention(width, heads) for _ in range(n_layers))
        self.seeds = nn.Parameter(torch.randn(n_most, width))
        self.pooling = nn.ModuleList(Attention(width, heads) for _ in range(n_pool))
        self.among = nn.ModuleList(Attention(width, heads) for _ in range(n_pool))
        self.item_norm, self.attractor_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.score = nn.Linear(width, width, bias=False)
        self.existence = nn.Linear(width, 1)

    def forward(self, items: Tensor) -> Tensor:
        """Log-probabilities (batch, n_items, n_most, n_most) of items (batch, n_items, n_inputs).

        As in `ClusterNetwork.forward`: log P(k) P(l | x_i, k).
        """
        x = self.entry(items)
        for layer in self.layers:
            x = layer(x, x)
        attractors = self.seeds.expand(len(items), -1, -1)
        for pool, among in zip(self.pooling, self.among, strict=True):
            attractors = pool(attractors, x)
            attractors = among(attractors, attractors)
        attractors = self.attractor_norm(attractors)
        with torch.autocast(items.device.type, enabled=False):
            attractors, x = attractors.float(), self.item_norm(x.float())
            number = self._number(self.existence(attractors).squeeze(2))
            scores = self.score(x) @ attractors.transpose(1, 2) / x.shape[2] ** 0.5
            first = torch.ones(self.n_most, self.n_most, dtype=torch.bool, device=x.device).tril()
            scores = scores[:, :, None].masked_fill(~first, -torch.inf)  # (batch, n_items, n_most, n_most)
            return number[:, None, :, None] + scores.log_softmax(dim=3)

    def _number(self, logits: Tensor) -> Tensor:
        """Log-probabilities of the numbers, of the logits of the attractors' existence (batch, n_most)."""
        exists = F.logsigmoid(logits[:, 1:]).cumsum(dim=1)
        exists = F.pad(exists, (1, 0))
        ends = F.pad(F.logsigmoid(-logits[:, 1:]), (0, 1))
        return exists + ends


class Attention(nn.Module):
    """What queries gather from a set, then a layer of each: both added to the query, after normalisation.

    Parameters
    ----------
    width, heads : int
        Size of queries and items; number of heads.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017; Xiong et al., "On layer normalization in the
    transformer architecture", ICML 2020 (normalisation before each part).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm, self.item_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        # At first a query gathers the items that resemble it, as mean shift does.
        nn.init.orthogonal_(self.query.weight, gain=2.0)
        self.key.weight.data.copy_(self.query.weight)
        self.value, self.gathered = nn.Linear(width, width), nn.Linear(width, width)
        self.dense_norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, queries: Tensor, items: Tensor) -> Tensor:
        """New queries (batch, n_queries, width) from queries and items (batch, n_items, width)."""
        normed, others = self.query_norm(queries), self.item_norm(items)
        q, k, v = (
            each.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for each in (self.query(normed), self.key(others), self.value(others))
        )  # (batch, heads, n, width / heads)
        found = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        queries = queries + self.gathered(found)
        return queries + self.narrow(F.relu(self.wide(self.dense_norm(queries))))
