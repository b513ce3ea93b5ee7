"""Figures of embeddings and networks: t-SNE, similarities, dendrogram and saliency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import dendrogram
from sklearn.manifold import TSNE

from diarize.audio.features import DEFAULT, FeatureConfig, Frames
from diarize.clustering.affinity import cosine_similarity, unit
from diarize.machine.threads import one_blas_thread
from diarize.report.style import INK, LINE_COLOURS, MARKERS, new_figure, styled

_MOST_NAMED = 40
"""Largest number of speakers whose names fit beside a matrix."""
_MOST_LISTED = 20
"""Largest number of speakers whose names fit beside the map."""
_RIGHT, _WRONG = "#009e73", "#d55e00"
"""Green and vermilion of Okabe and Ito, which colour-blind readers can distinguish."""
_TICKS = (0, 250, 500, 1000, 2000, 4000, 8000)


def project(vectors: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """t-SNE of the directions of embeddings (n, dim), (n, 2); the same seed gives the same result.

    It starts from the principal components. The perplexity is 30, or a third of the number of the other ones.

    References
    ----------
    van der Maaten, Hinton: Visualizing data using t-SNE, J. Mach. Learn. Res. 9, 2008.
    """
    X = unit(np.asarray(vectors))
    n = len(X)
    left, size, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    components = left[:, :2] * size[:2]
    # The signs of singular vectors are arbitrary, so the largest entry is made positive.
    largest = components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])]
    components = components * np.where(largest < 0, -1, 1)
    start = np.zeros((n, 2))
    start[:, : components.shape[1]] = components
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)
    if n < 3:
        return start
    with one_blas_thread():  # sums over several threads depend on the number of threads
        tsne = TSNE(perplexity=max(1.0, min(30.0, (n - 1) / 3)), init=start, random_state=seed)
        return np.asarray(tsne.fit_transform(X), dtype=np.float64)


@styled
def plot_tsne(vectors: ArrayLike, speakers: Sequence[str] | NDArray[np.str_], seed: int = 0) -> Figure:
    """Embeddings (n, dim) in the plane (see `project`), with a colour and marker for each speaker.

    Lines join the parts of a speaker.

    Raises
    ------
    ValueError
        If embeddings and speakers differ in number, or there are none.
    """
    X, names = _checked(vectors, speakers)
    points = project(X, seed)
    figure = new_figure(8, 6.5)
    axes = figure.subplots()
    found = list(dict.fromkeys(names.tolist()))
    for number, speaker in enumerate(found):
        own = points[names == speaker]
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(own[:, 0], own[:, 1], color=colour, linewidth=0.7, alpha=0.7)
        axes.scatter(own[:, 0], own[:, 1], 26, color=colour, marker=marker, label=speaker)
    axes.set_axis_off()
    axes.set_aspect("equal", "datalim")
    if len(found) <= _MOST_LISTED:
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", fontsize=7)
    return figure


@styled
def plot_similarity(vectors: ArrayLike, speakers: Sequence[str] | NDArray[np.str_]) -> Figure:
    """Cosines of all pairs of embeddings (n, dim) as an image, ordered by speaker.

    Raises
    ------
    ValueError
        If embeddings and speakers differ in number, or there are none.
    """
    X, names = _checked(vectors, speakers)
    order = np.argsort(names, kind="stable")
    cosines = cosine_similarity(X[order])
    figure = new_figure(7.5, 6.5)
    axes = figure.subplots()
    image = axes.imshow(cosines, cmap="viridis", vmin=min(0.0, float(cosines.min())), vmax=1)
    figure.colorbar(image, label="cosine", shrink=0.8)
    found, sizes = np.unique(names, return_counts=True)
    if len(found) <= _MOST_NAMED:
        middles = np.cumsum(sizes) - sizes / 2 - 0.5
        size = 8 if len(found) <= 20 else 6
        axes.set_xticks(middles, found, rotation=90, fontsize=size)
        axes.set_yticks(middles, found, fontsize=size)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def joined_at_once(linkage: NDArray[np.float64], speakers: ArrayLike) -> NDArray[np.bool_]:
    """Whether each leaf (n,) of a SciPy linkage (n - 1, 4) is first merged with a leaf of its own speaker."""
    names = np.asarray(speakers)
    right = np.zeros(len(names), dtype=np.bool_)
    for left, other in linkage[:, :2].astype(int):
        if max(left, other) < len(names) and names[left] == names[other]:
            right[[left, other]] = True
    return right


@styled
def plot_dendrogram(
    linkage: NDArray[np.float64], labels: Sequence[str] | NDArray[np.str_], speakers: ArrayLike
) -> Figure:
    """The tree of a SciPy linkage (n - 1, 4), a row for each leaf; green: joined at once (`joined_at_once`).

    Raises
    ------
    ValueError
        If there are not n labels and n speakers, or n is below 2.
    """
    names = np.asarray(speakers)
    if len(names) < 2 or not linkage.shape == (len(names) - 1, 4) or len(labels) != len(names):
        raise ValueError(
            f"a linkage (n - 1, 4) of n > 1 leaves needs n labels and speakers, "
            f"got {linkage.shape}, {len(labels)} and {len(names)}"
        )
    tree = dendrogram(linkage, no_plot=True)
    right = joined_at_once(linkage, names)
    figure = new_figure(8, 1 + 0.16 * len(names))
    axes = figure.subplots()
    # SciPy puts leaf i at 5 + 10 i.
    height = np.array(tree["dcoord"])
    branches = np.stack([height, np.array(tree["icoord"])], axis=2)
    axes.add_collection(LineCollection(list(branches), colors=INK, linewidths=0.8))
    rows = 5.0 + 10.0 * np.arange(len(names))
    leaves = np.array(tree["leaves"])
    for joined, colour, marker in ((True, _RIGHT, "o"), (False, _WRONG, "X")):
        own = rows[right[leaves] == joined]
        if len(own):  # an empty line that is not clipped would take space at the figure's corner
            axes.plot(np.zeros(len(own)), own, marker, color=colour, markersize=5, clip_on=False)
    axes.set_yticks(rows, [str(labels[leaf]) for leaf in leaves], fontsize=7)
    for text, leaf in zip(axes.get_yticklabels(), leaves, strict=True):
        text.set_color(_RIGHT if right[leaf] else _WRONG)
    axes.set_ylim(10 * len(names), 0)
    axes.set_xlim(0, max(1.03 * float(height.max()), 1e-3))
    axes.tick_params("y", length=0, pad=6)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("distance of the merge")
    axes.grid(visible=True, axis="x")
    handles = [
        Line2D([], [], color=_RIGHT, marker="o", linestyle="", label="joined at once with its own speaker"),
        Line2D([], [], color=_WRONG, marker="X", linestyle="", label="joined otherwise"),
    ]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def mel_row(hertz: ArrayLike, config: FeatureConfig) -> NDArray[np.float64]:
    """The mel band with its centre at a frequency: 0 for the first, fractions between two.

    Slaney's scale: 3 mels are 200 Hz up to 1000 Hz; from there 27 mels are a factor of 6.4.
    """
    ends = np.array([config.f_min, config.f_max])
    frequency = np.concatenate([ends, np.atleast_1d(np.asarray(hertz, dtype=np.float64))])
    above = 15 + 27 * np.log(np.maximum(frequency, 1000) / 1000) / np.log(6.4)
    mel = np.where(frequency < 1000, frequency * 3 / 200, above)
    # n_mels triangles have their ends and centres at n_mels + 2 equally spaced mels.
    return (mel[2:] - mel[0]) / (mel[1] - mel[0]) * (config.n_mels + 1) - 1


@styled
def plot_saliency(mel: Frames, saliency: Frames, config: FeatureConfig = DEFAULT, title: str = "") -> Figure:
    """A spectrogram (frames, mels), and below it the magnitude of its saliency, with seconds and Hz.

    The brightest colour of the saliency is its 99.5th percentile.

    Raises
    ------
    ValueError
        If the two differ in shape, or their number of mels is not that of the configuration.
    """
    if mel.ndim != 2 or mel.shape != saliency.shape or mel.shape[1] != config.n_mels:
        raise ValueError(
            f"spectrogram and saliency are (frames, {config.n_mels}), got {mel.shape} and {saliency.shape}"
        )
    figure = new_figure(8, 5)
    axes = figure.subplots(2, 1, sharex=True, sharey=True)
    magnitude = np.abs(saliency)
    highest = max(float(np.percentile(magnitude, 99.5)), float(np.finfo(np.float32).tiny))
    extent = (0, len(mel) / config.frame_rate, -0.5, config.n_mels - 0.5)
    drawn = (("log-mel", mel, "magma", None, None), ("|gradient|", magnitude, "viridis", 0.0, highest))
    ticks = [tick for tick in _TICKS if config.f_min <= tick <= config.f_max]
    for panel, (label, values, colours, low, high) in zip(axes, drawn, strict=True):
        image = panel.imshow(
            values.T, cmap=colours, vmin=low, vmax=high, origin="lower", aspect="auto", extent=extent
        )
        figure.colorbar(image, ax=panel, label=label)
        panel.set_yticks(np.clip(mel_row(ticks, config), -0.5, None), [str(tick) for tick in ticks])
        panel.set_ylabel("Hz")
    axes[0].set_title(title, loc="left")
    axes[1].set_xlabel("seconds")
    return figure


def _checked(
    vectors: ArrayLike, speakers: Sequence[str] | NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    X, names = np.asarray(vectors, dtype=np.float64), np.asarray(speakers, dtype=np.str_)
    if X.ndim != 2 or not X.size or names.shape != X.shape[:1]:
        raise ValueError(f"embeddings (n, dim) need speakers (n,), got {X.shape} and {names.shape}")
    return X, names
