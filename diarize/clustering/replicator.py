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

**Infection and immunisation.** A step of (1) reads the whole matrix, and near the maximiser (1) is slow. So
with alpha > 0, after some steps of (1), x moves by one item at a time: towards the item with the largest
payoff (infection), or away from the item of the set with the smallest (immunisation), as far as
x'(A - alpha I)x grows on this line. Such a step reads one row. It ends at a certificate: up to a small
tolerance, no item pays more than x, and no item of the set less, so x is a local maximiser (a Nash
equilibrium of the game A - alpha I).

**The scale of alpha.** Let m items have affinity w to each other and v < w to another item. Uniform x on them
has payoff w (m - 1)/m - alpha/m inside and v outside: the other item stays out while alpha < m (w - v) - w.
The bound grows with m, so a fixed alpha gives finer sets the longer people speak; a fixed ratio of alpha to
the mean row sum of A does not.

References
----------
Pavan, Pelillo: Dominant sets and pairwise clustering, IEEE Trans. Pattern Anal. Mach. Intell. 29(1), 2007.
Pavan, Pelillo: Dominant sets and hierarchical clustering, ICCV 2003.
Rota Bulo, Pelillo, Bomze: Graph-based quadratic optimization: a fast evolutionary approach, Computer Vision
and Image Understanding 115(7), 2011: infection and immunisation.
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

_FIRST_STEPS = 32  # of the replicator dynamics, which find out in which set x ends
_OUTSIDE = 1e-12  # of the largest weight; an item with less has left the set by then
_TOLERANCE = 100.0  # times epsilon, of the payoff: the certificate


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
        Replicator dynamics stop when x moves less than this (Euclidean distance), infection and immunisation
        when no payoff is more than a hundred times this from their mean, relative to it.
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
    """The point x (n,) of the simplex to which the dynamics climb from the barycentre.

    With alpha = 0 they are (1); otherwise (1), on (2), and then infection and immunisation. Weights below
    1e-60 are set to zero and their items left out, which saves most of the time. A must have a positive
    entry. If the barycentre is a fixed point, as with equal cliques, the dynamics stay there.
    """
    n, scale = len(A), A.max()  # the dynamics do not depend on the scale; this one cannot underflow
    A, alpha = A / scale, alpha / scale
    alive, x, shift = np.arange(n), np.full(n, 1 / n), alpha
    Ax = A @ x
    for step in range(max_iterations):
        payoff = Ax - alpha * x
        if alpha and step == _FIRST_STEPS:
            x = _infect_and_immunise(A, alpha, x, _TOLERANCE * epsilon, max_iterations)
            break
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
        _warn(max_iterations, n)
    result = np.zeros(n)
    result[alive] = x
    return result


def _infect_and_immunise(A: Matrix, alpha: float, x: Vector, tolerance: float, max_iterations: int) -> Vector:
    """The point (n,) to which infection and immunisation climb from x, up to a tolerance in its payoffs.

    An immunisation moves x away from item k, so its step along e_k - x is negative: down to x_k / (x_k - 1),
    where the item has left the set.
    """
    x = np.where(x >= _OUTSIDE * x.max(), x, 0.0)
    x /= x.sum()
    payoff, inside = A @ x - alpha * x, x > 0
    for _ in range(max_iterations):
        value = x @ payoff
        best, worst = int(payoff.argmax()), int(np.where(inside, payoff, np.inf).argmin())
        infects = payoff[best] - value >= value - payoff[worst]
        k, farthest = (best, 1.0) if infects else (worst, x[worst] / (x[worst] - 1))
        slope = payoff[k] - value  # along e_k - x, whose curvature is (e_k - x)'(A - alpha I)(e_k - x)
        if abs(slope) <= tolerance * abs(value):
            return x
        curvature = value - 2 * payoff[k] - alpha
        step = min(-slope / curvature, farthest, key=abs) if curvature < 0 else farthest
        inside[k] = infects or step != farthest
        x *= 1 - step
        x[k] = x[k] + step if inside[k] else 0.0
        payoff *= 1 - step
        payoff += step * A[k]
        payoff[k] -= step * alpha
    _warn(max_iterations, len(x))
    return x


def _warn(max_iterations: int, n: int) -> None:
    logger.warning(
        "replicator dynamics: not converged after %d steps on %d embeddings; raise max_iterations",
        max_iterations,
        n,
    )
