"""Replicator dynamics: dominant sets of an affinity matrix A, removed one by one.

A point x of the simplex (x_i >= 0, sum x_i = 1) gives the weight of each item in a set, and x'Ax, where A is
the affinity, the cohesion of the set. Replicator dynamics

    x_i <- x_i (Ax)_i / x'Ax                                                                          (1)

climb from the barycentre to a local maximiser, whose support is a dominant set. This set is removed, and the
search is repeated on the rest.

**Coarser sets.** Pavan & Pelillo (2003) maximise x'(A - alpha I)x instead: the penalty on sum x_i^2 spreads x
over more items, so sets grow with alpha. Its payoffs (Ax)_i - alpha x_i can be negative, where (1) is not
defined. But on the simplex 1'x = 1, hence for any s

    x'(A - alpha I)x + s = x'(A - alpha I + s 11')x                                                   (2)

has the same maximisers, with payoffs (Ax)_i - alpha x_i + s. With s = alpha no entry is negative (a_ij +
alpha off the diagonal, 0 on it), so (1) climbs (Baum & Eagon, 1967), but slowly, because large payoffs differ
little. The payoffs themselves are positive for s >= alpha max x_i, so s falls towards this while x climbs.

**The scale of alpha.** Let m items have affinity w to each other and v < w to another item. Uniform x on them
has payoff w (m - 1)/m - alpha/m inside and v outside: the other item stays out while alpha < m (w - v) - w.
The bound grows with m, so a fixed alpha gives finer sets the longer people speak; a fixed ratio of alpha to
the mean row sum of A does not.

References
----------
Pavan, Pelillo: Dominant sets and pairwise clustering, IEEE Trans. Pattern Anal. Mach. Intell. 29(1), 2007.
Pavan, Pelillo: Dominant sets and hierarchical clustering, ICCV 2003.
Baum, Eagon: An inequality with applications to statistical estimation for probabilistic functions of Markov
processes and to a model for ecology, Bull. Am. Math. Soc. 73, 1967.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from diarize.clustering.affinity import Matrix
from diarize.clustering.partitions import Labels

logger = logging.getLogger(__name__)

Vector = NDArray[np.float64]

# A smaller x_i is set to zero. The limit must stay small: a weight of 1e-20 can still grow and join the set.
_NEGLIGIBLE = 1e-60


def peel(
    A: Matrix, alpha: float = 0.0, theta: float = 0.1, epsilon: float = 1e-6, max_iterations: int = 100_000
) -> Iterator[tuple[Labels, Vector]]:
    """Members and weights of one dominant set after the other.

    A single last item is a set. The search ends when the remaining items have no affinity to each other;
    these are in no set.

    Parameters
    ----------
    A : array (n, n)
        Symmetric, not negative, zero diagonal.
    alpha : float
        Regularisation; larger gives coarser sets.
    theta : float
        Items with at least this share of the largest weight make the set.
    epsilon : float
        The dynamics stop when x moves less than this (Euclidean distance).
    max_iterations : int
        Most steps of the dynamics for one set; the log warns if they are not enough.
    """
    rest = np.arange(len(A))
    while len(rest) > 1 and A.any():
        x = replicator_dynamics(A, alpha, epsilon, max_iterations)
        inside = x >= theta * x.max()
        yield rest[inside], x[inside]
        rest, A = rest[~inside], A[np.ix_(~inside, ~inside)]
    if len(rest) == 1:
        yield rest, np.ones(1)


def replicator_dynamics(
    A: Matrix, alpha: float = 0.0, epsilon: float = 1e-6, max_iterations: int = 100_000
) -> Vector:
    """The point x (n,) of the simplex to which the dynamics (1), on (2), climb from the barycentre.

    Weights below 1e-60 are set to zero and their items left out, which saves most of the time. A must have a
    positive entry. If the barycentre is a fixed point, as with equal cliques, the dynamics stay there.
    """
    n, scale = len(A), A.max()  # the dynamics do not depend on the scale; this one cannot underflow
    A, alpha = A / scale, alpha / scale
    alive, x, shift = np.arange(n), np.full(n, 1 / n), alpha
    Ax = A @ x
    for step in range(max_iterations):
        payoff = Ax - alpha * x
        new = x * (payoff + shift)
        new /= new.sum()
        Anew = A @ new
        if shift < alpha and new @ (Anew - alpha * new) < x @ payoff:
            shift = min(4 * shift, alpha)  # the step was too large: the value fell
            continue
        change = new - x
        x, Ax = new, Anew
        if change @ change <= epsilon**2:
            break
        if step % 16 == 0:
            keep = x >= _NEGLIGIBLE
            if not keep.all():
                alive, A, x = alive[keep], A[np.ix_(keep, keep)], x[keep] / x[keep].sum()
                Ax = A @ x
        if alpha:
            shift = max(shift / 2, alpha * x.max())
    else:
        logger.warning(
            "replicator dynamics: not converged after %d steps on %d embeddings; raise max_iterations",
            max_iterations,
            n,
        )
    result = np.zeros(n)
    result[alive] = x
    return result
