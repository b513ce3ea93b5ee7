"""Time and memory of every clusterer by the number of windows, as a Markdown table.

    python benchmarks/clusterer_growth.py [--sizes N ...] [--clusterers NAME ...] [--textbook N [--minutes M]]
    python benchmarks/clusterer_growth.py --table windows.npz --clusterers agglomerative density

The embeddings are planted: eight directions of 192 dimensions and noise of the same size, as float32. With
--table they are those of a table of `diarize embed`, one recording after the other. The settings are the
pipeline's, with one thread. `fit` finds the number of speakers; `partitions` proposes 1 to 24 speakers, as
the evidence of a back end needs; its labels here are those of the last partition into at most 8.

Each row is a process of its own. Seconds are CPU time; memory is the peak of the process, with the libraries.
"ARI, all" is the adjusted Rand index with the same clusterer without `max_items`, for at most --compare
windows. --textbook instead times the dynamics against a plain loop on one affinity, which stops
after --minutes.
"""

from __future__ import annotations

import argparse
import math
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from printing import exponent, header, table
from sklearn.metrics import adjusted_rand_score

from diarize.clustering import CLUSTERERS, build_clusterer
from diarize.clustering.affinity import positive_cosine_affinity
from diarize.clustering.replicator import peel
from diarize.embedding.table import Embeddings
from diarize.machine.threads import one_blas_thread
from diarize.pipeline.labels import EVIDENCE_SETTINGS, WINDOW_SETTINGS

N_SPEAKERS, DIM, HIGHEST = 8, 192, 24
TASKS = ("fit", "partitions")
_UNLIMITED = 10**9


def planted(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, 192) and speakers (n,)."""
    random = np.random.default_rng(seed)
    speakers = random.integers(0, N_SPEAKERS, n)
    vectors = random.standard_normal((n, DIM), np.float32)
    vectors += random.standard_normal((N_SPEAKERS, DIM), np.float32)[speakers]
    return vectors, speakers


def labels_of(method: str, task: str, vectors: np.ndarray, **options: Any) -> np.ndarray:
    """Labels (n,), or those of the last partition that is proposed."""
    settings = WINDOW_SETTINGS[method] | (EVIDENCE_SETTINGS.get(method, {}) if task == "partitions" else {})
    if method == "agglomerative":
        settings = settings | {"n_adjacent": 1}
    clusterer = build_clusterer(method, **settings, **options)
    if task == "fit":
        return np.asarray(clusterer.fit_predict(vectors))
    last = np.zeros(len(vectors), dtype=np.int64)
    for labels in clusterer.partitions(vectors, 1, min(HIGHEST, len(vectors))):
        if labels.max() < N_SPEAKERS:
            last = labels
    return last


def measure(row: tuple[str, str, int, argparse.Namespace]) -> dict[str, float]:
    """One row, in this process."""
    method, task, n, arguments = row
    if arguments.table is None:
        vectors, speakers = planted(n, arguments.seed)
    else:
        vectors, speakers = Embeddings.load(arguments.table).vectors[:n], None
    with one_blas_thread():
        started = time.process_time()
        labels = labels_of(method, task, vectors)
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        dense = None
        if n <= arguments.compare:
            dense = labels_of(method, task, vectors, max_items=_UNLIMITED)
    return {
        "n": len(vectors),
        "seconds": seconds,
        "peak": peak,
        "speakers": len(np.unique(labels)),
        "truth": math.nan if speakers is None else adjusted_rand_score(speakers, labels),
        "dense": math.nan if dense is None else adjusted_rand_score(dense, labels),
    }


def plain_sets(
    A: np.ndarray, alpha: float, theta: float, epsilon: float, seconds: float
) -> tuple[np.ndarray, int]:
    """Dominant sets (n,) as the textbook has them: x <- x Bx / x'Bx on all items left; and all steps.

    After so many seconds of CPU the search ends, and items that are in no set yet have the label -1.
    """
    labels, rest, number, steps = np.full(len(A), -1), np.arange(len(A)), 0, 0
    end = time.process_time() + seconds
    while len(rest) > 1:
        B = A[np.ix_(rest, rest)]
        if not B.any():
            break
        B = B + alpha * (1 - np.eye(len(rest)))  # payoffs must not be negative: (2) of replicator.py
        x = np.full(len(rest), 1 / len(rest))
        while True:
            new = x * (B @ x)
            new /= new.sum()
            moved, x, steps = float(np.linalg.norm(new - x)), new, steps + 1
            if moved <= epsilon:
                break
            if time.process_time() > end:
                return labels, steps
        inside = x >= theta * x.max()
        labels[rest[inside]] = number
        rest, number = rest[~inside], number + 1
    labels[rest] = number
    return labels, steps


def textbook(n: int, minutes: float, seed: int) -> str:
    """The dynamics against a plain loop, both for all sets of one affinity (n, n)."""
    settings = WINDOW_SETTINGS["dominant-sets"]
    vectors, speakers = planted(n, seed)
    A = positive_cosine_affinity(vectors)
    epsilon = 1e-3 / n  # the first steps, where each weight is about 1 / n, are small for large n
    alpha = settings["coarseness"] * float(A.sum(axis=1).mean())
    started = time.process_time()
    ours = np.full(n, -1)
    for number, (members, _) in enumerate(peel(A, alpha, epsilon=epsilon)):
        ours[members] = number
    seconds = time.process_time() - started
    started = time.process_time()
    plain, steps = plain_sets(A, alpha, 0.1, epsilon, 60 * minutes)
    plain_seconds = time.process_time() - started
    del A
    started = time.process_time()
    shipped = build_clusterer("dominant-sets", **settings).fit_predict(vectors)
    shipped_seconds = time.process_time() - started
    ended = bool((plain >= 0).all())

    def faster(seconds: float) -> str:
        return f"{'' if ended else 'more than '}{plain_seconds / seconds:.1f}"

    def agreement(labels: np.ndarray) -> list[str]:
        truth = f"{adjusted_rand_score(speakers, labels):.3f}"
        return [truth, f"{adjusted_rand_score(plain, labels):.3f}" if ended else "-"]

    title = f"plain loop, {steps} steps" + ("" if ended else f", {plain.max() + 1} sets found, stopped")
    rows = [
        [title, f"{plain_seconds:.1f}", "1", *agreement(plain)],
        ["`replicator.peel`, the same affinity", f"{seconds:.1f}", faster(seconds), *agreement(ours)],
        [
            "`DominantSets`, with its affinity",
            *(f"{shipped_seconds:.1f}", faster(shipped_seconds)),
            *agreement(shipped),
        ],
    ]
    columns = [f"dominant sets of {n}", "CPU s", "times faster", "ARI, planted", "ARI, plain loop"]
    return table(columns, rows)


def main() -> None:
    """Measure each row in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 3000, 10_000, 30_000, 100_000])
    parser.add_argument("--clusterers", nargs="+", choices=list(CLUSTERERS), default=list(CLUSTERERS))
    parser.add_argument("--table", type=Path, metavar="FILE", help="embeddings instead of planted ones")
    parser.add_argument("--compare", type=int, default=0, metavar="N", help="most windows; default: none")
    parser.add_argument("--textbook", type=int, metavar="N", help="windows; the plain loop is slow")
    parser.add_argument("--minutes", type=float, default=10, metavar="M", help="of CPU, of the plain loop")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.textbook:
        with one_blas_thread():
            text = textbook(arguments.textbook, arguments.minutes, arguments.seed)
        print(header(f"{N_SPEAKERS} planted speakers, {DIM} dimensions, one thread"))
        print(text)
        return
    rows = []
    for method in arguments.clusterers:
        for task in TASKS:
            measured = []
            for n in sorted(arguments.sizes):
                with get_context("fork").Pool(1) as pool:
                    row = pool.apply(measure, ((method, task, n, arguments),))
                measured.append(row)
                shares = ["-" if math.isnan(row[name]) else f"{row[name]:.3f}" for name in ("truth", "dense")]
                cost = [f"{row['n']:,}", f"{row['seconds']:.1f}", f"{row['peak'] / 1e9:.2f}"]
                grown = exponent(measured[0]["seconds"], row["seconds"], row["n"] / measured[0]["n"])
                rows.append([method, task, *cost, grown, str(row["speakers"]), *shares])
                print(*rows[-1], file=sys.stderr, flush=True)
    where = "Planted speakers" if arguments.table is None else "Embeddings of a table"
    print(header(f"{where}, {DIM} dimensions, one thread, one process a row"))
    columns = ["clusterer", "task", "windows", "CPU s", "peak GB", "exponent", "speakers"]
    print(table([*columns, "ARI, planted", "ARI, all"], rows, n_text=2))


if __name__ == "__main__":
    main()
