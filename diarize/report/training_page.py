"""The report of a training: its curve, what its vectors look like, and what the network looks at."""

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
    """Write a report as one HTML file, of what there is: the curve, with vectors and a network more.

    Parameters
    ----------
    path : path
        The HTML file; it is replaced.
    curve : rows of curve.tsv
        See `diarize.report.curves.plot_curve`.
    facts : mapping, optional
        What the table at the top tells beside the steps: settings, machine, seconds.
    embeddings : Embeddings, optional
        A row a part of a speaker, `recording` its name; two rows or more, with speakers.
    network, examples : optional
        A network in evaluation mode, and by their names spectrograms (frames, mels) that it takes.
    features : FeatureConfig
        Of the examples.
    seed : int
        Of the t-SNE.
    png : path, optional
        A folder that receives each figure as PNG as well.

    Raises
    ------
    ValueError
        For an empty curve, embeddings without speakers, or fewer than two of them.
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
    """How far a training went, how long it took, and which step was best."""
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
        "The losses should fall and then flatten; where the validation loss rises again while the others "
        "fall, the network learns its training speakers by heart.",
        (plot_curve(curve),),
    )


def embedding_sections(embeddings: Embeddings, seed: int = 0) -> list[Section]:
    """t-SNE, similarity and dendrogram of a table of vectors."""
    speakers, vectors = embeddings.speaker, embeddings.vectors
    if speakers is None or len(embeddings) < 2:
        raise ValueError(f"two embeddings or more with their speakers are needed, got {len(embeddings)}")
    tree = build_linkage(cosine_distance(vectors))
    right = joined_at_once(tree, speakers)
    return [
        Section(
            "tsne",
            "Vectors in the plane",
            "The parts of a speaker should lie side by side, so that the lines between them are short; "
            "distances across the picture mean little.",
            (plot_tsne(vectors, speakers, seed),),
        ),
        Section(
            "similarity",
            "Similarity of all pairs",
            "Bright blocks along the diagonal are speakers who resemble themselves; bright places elsewhere "
            "are speakers who are easily confused.",
            (plot_similarity(vectors, speakers),),
        ),
        Section(
            "dendrogram",
            "Order of the merges",
            "The parts of a speaker should be joined before anything else (green), and far to the left of "
            f"the merges across speakers; here {right.sum()} of {len(right)} are joined so (complete "
            "linkage, cosine distance).",
            (plot_dendrogram(tree, embeddings.recording, speakers),),
        ),
    ]


def saliency_section(network: nn.Module, examples: Mapping[str, Frames], features: FeatureConfig) -> Section:
    """A figure an example: its spectrogram, and the gradient of the network's largest output."""
    return Section(
        "saliency",
        "What the network looks at",
        "The gradient of the winning output should be large at voiced speech, along harmonics and "
        "formants; where it is large in silence or at the edges, the network has learned the recording and "
        "not the voice.",
        tuple(
            plot_saliency(mel, saliency(network, mel), features, title=name) for name, mel in examples.items()
        ),
    )
