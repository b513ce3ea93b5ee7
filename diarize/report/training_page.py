"""The report of a training: its curve, figures of its embeddings, and the saliency of the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from diarize.audio.features import DEFAULT, FeatureConfig, Frames
from diarize.embedding.table import Embeddings
from diarize.experiments.comparison import build_linkage, cosine_distance
from diarize.files.atomic import atomic_path
from diarize.files.text import write_text
from diarize.networks.saliency import saliency
from diarize.report.curves import Rows, find_best, plot_curve
from diarize.report.figures import (
    joined_at_once,
    plot_dendrogram,
    plot_saliency,
    plot_similarity,
    plot_tsne,
)
from diarize.report.page import Section, format_page
from diarize.report.style import to_png


def write_training_report(
    path: str | Path,
    *,
    title: str,
    curve: Rows,
    facts: Mapping[str, str] | None = None,
    embeddings: Embeddings | None = None,
    network: nn.Module | None = None,
    examples: Mapping[str, Frames] | None = None,
    features: FeatureConfig = DEFAULT,
    seed: int = 0,
    png: str | Path | None = None,
) -> None:
    """Write a report as one HTML file: the curve and, if given, figures of embeddings and of a network.

    Parameters
    ----------
    path : path
        The HTML file; it is replaced.
    curve : rows of curve.tsv
        See `diarize.report.curves.plot_curve`.
    facts : mapping, optional
        Further rows of the table at the top, beside the steps: settings, machine, seconds.
    embeddings : Embeddings, optional
        A row for each part of a speaker, `recording` its name; two rows or more, with speakers.
    network, examples : optional
        A network in evaluation mode, and spectrograms (frames, mels) that it takes, by name.
    features : FeatureConfig
        The features of the examples.
    seed : int
        Seed of the t-SNE.
    png : path, optional
        A folder that also receives each figure as PNG.

    Raises
    ------
    ValueError
        If the curve is empty, the embeddings have no speakers, or there are fewer than two.
    """
    sections = [curve_section(curve)]
    if embeddings is not None:
        sections += embedding_sections(embeddings, seed)
    if network is not None and examples:
        sections.append(saliency_section(network, examples, features))
    write_text(format_page(title, {**tell_steps(curve), **(facts or {})}, sections), path)
    if png is not None:
        for section in sections:
            for name, figure in zip(section.figure_names(), section.figures, strict=True):
                with atomic_path(Path(png) / f"{name}.png") as temporary:
                    temporary.write_bytes(to_png(figure))


def tell_steps(curve: Rows) -> dict[str, str]:
    """The number of steps of a training, its duration, and its best step."""
    last = curve[-1]
    told = {"steps": f"{last['step']:g}"}
    if "seconds" in last:
        told["seconds"] = f"{last['seconds']:.0f}"
    best = find_best(curve)
    if best is not None:
        name, row = best
        told[f"best {name.replace('_', ' ')}"] = f"{row[name]:.4g} at step {row['step']:g}"
    return told


def curve_section(curve: Rows) -> Section:
    """The curve."""
    return Section(
        "curve",
        "Training curve",
        "The losses should fall and then flatten. If the validation loss rises again while the others "
        "fall, the network overfits to its training speakers.",
        (plot_curve(curve),),
    )


def embedding_sections(embeddings: Embeddings, seed: int = 0) -> list[Section]:
    """t-SNE, similarity and dendrogram of a table of embeddings."""
    speakers, vectors = embeddings.speaker, embeddings.vectors
    if speakers is None or len(embeddings) < 2:
        raise ValueError(f"two embeddings or more with their speakers are needed, got {len(embeddings)}")
    tree = build_linkage(cosine_distance(vectors))
    right = joined_at_once(tree, speakers)
    return [
        Section(
            "tsne",
            "Vectors in the plane",
            "The parts of a speaker should be close together, so that the lines between them are short. "
            "Large distances in this figure mean little.",
            (plot_tsne(vectors, speakers, seed),),
        ),
        Section(
            "similarity",
            "Similarity of all pairs",
            "Bright blocks along the diagonal are speakers whose parts are similar. Bright areas elsewhere "
            "are speakers who are easily confused.",
            (plot_similarity(vectors, speakers),),
        ),
        Section(
            "dendrogram",
            "Order of the merges",
            "The parts of a speaker should be joined first (green), and far to the left of the merges "
            f"across speakers. Here {right.sum()} of {len(right)} parts are joined first (complete linkage, "
            "cosine distance).",
            (plot_dendrogram(tree, embeddings.recording, speakers),),
        ),
    ]


def saliency_section(network: nn.Module, examples: Mapping[str, Frames], features: FeatureConfig) -> Section:
    """A figure for each example: its spectrogram, and the gradient of the network's largest output."""
    return Section(
        "saliency",
        "What the network looks at",
        "The gradient of the largest output should be large in voiced speech, along harmonics and "
        "formants. If it is large in silence or at the edges, the network has learned properties of the "
        "recording instead of the voice.",
        tuple(
            plot_saliency(mel, saliency(network, mel), features, title=name) for name, mel in examples.items()
        ),
    )
