"""The report of a training: each figure on planted data, the page as a whole, and the recipe."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from helpers import REPOSITORY, unit_rows
from scripts import call, message
from torch import nn

from diarize.audio.features import DEFAULT, ZHAW, FeatureConfig
from diarize.embedding.models import save_model
from diarize.embedding.table import Embeddings
from diarize.experiments.comparison import build_linkage, cosine_distance
from diarize.networks import build_network
from diarize.networks.saliency import saliency
from diarize.report.curves import find_best, plot_curve, plot_lines
from diarize.report.figures import (
    joined_at_once,
    mel_row,
    plot_dendrogram,
    plot_saliency,
    plot_similarity,
    plot_tsne,
    project,
)
from diarize.report.style import LINE_COLOURS, MARKERS, to_png, to_svg
from diarize.report.training_page import write_training_report
from diarize.training.packed import pack

REPORT = REPOSITORY / "recipes" / "report_training.py"
TINY = {"family": "cnn", "n_speakers": 3, "n_mels": 20, "n_frames": 24}
FEATURES = FeatureConfig(n_mels=20)
CURVE = [
    {"step": s, "seconds": s / 2, "learning_rate": 1e-3, "arcface": 9 / s, "validation_loss": abs(s - 30) / 9}
    for s in range(10, 60, 10)
]


def planted(n_speakers: int = 4, noise: float = 0.1, dim: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors a speaker, around directions that are far apart; and their speakers."""
    vectors = np.repeat(np.eye(dim)[:n_speakers], 2, axis=0)
    vectors = vectors + noise * unit_rows(2 * n_speakers, dim, seed=1)
    return vectors, np.repeat([f"s{number:02d}" for number in range(n_speakers)], 2)


def table(n_speakers: int = 4, noise: float = 0.1) -> Embeddings:
    vectors, speakers = planted(n_speakers, noise)
    parts = [f"{speaker}-{'AB'[row % 2]}" for row, speaker in enumerate(speakers)]
    return Embeddings(np.array(parts), np.zeros(len(parts)), np.ones(len(parts)), vectors, speakers)


def tiny_network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(**TINY).eval()


def ticks(labels: list) -> list[str]:
    return [label.get_text() for label in labels]


def test_losses_rates_and_the_learning_rate_have_panels_of_their_own():
    rows = [{**row, "dev_eer": 0.2, "accuracy": 0.5} for row in CURVE]
    panels = plot_curve(rows).axes
    assert [panel.get_ylabel() for panel in panels] == ["loss", "rate", "learning rate"]
    drawn = [[line.get_label() for line in panel.get_lines()[:-1]] for panel in panels]
    assert drawn == [["arcface", "validation loss"], ["dev eer", "accuracy"], ["learning rate"]]
    np.testing.assert_allclose(panels[0].get_lines()[0].get_ydata(), [row["arcface"] for row in rows])


def test_wide_losses_get_a_logarithmic_axis_and_narrow_ones_do_not():
    assert plot_curve([{"step": s, "loss": 10.0**-s} for s in range(4)]).axes[0].get_yscale() == "log"
    assert plot_curve([{"step": s, "loss": 5.0 - s} for s in range(4)]).axes[0].get_yscale() == "linear"
    assert plot_curve([{"step": s, "loss": 99.0 * s} for s in range(4)]).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("validation_loss", (3, 1, 2), 2),
        ("dev_eer", (0.3, 0.2, 0.1), 3),
        ("dev_accuracy", (0.9, 0.5, 0.7), 1),
    ],
)
def test_the_best_step_is_the_lowest_error_or_the_highest_accuracy(name, values, best):
    rows = [{"step": step, "loss": 1.0, name: value} for step, value in enumerate(values, start=1)]
    column, row = find_best(rows)
    assert (column, row["step"]) == (name, best)
    mark = plot_curve(rows).axes[0].get_lines()[-1]
    assert list(mark.get_xdata()) == [best, best]


def test_missing_values_are_left_out_of_the_curve():
    rows = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": np.nan, "dev_eer": 0.1}, {"step": 3, "loss": 1.0}]
    losses, rates = plot_curve(rows).axes
    assert list(losses.get_lines()[0].get_xdata()) == [1, 3]
    assert list(rates.get_lines()[0].get_xdata()) == [2]
    assert find_best([{"step": 1, "loss": 1.0}]) is None


@pytest.mark.parametrize("rows", [[], [{"step": 1.0, "seconds": 2.0}]])
def test_a_curve_without_anything_to_draw_is_refused(rows):
    with pytest.raises(ValueError, match=f"a loss or a rate, got {len(rows)} rows"):
        plot_curve(rows)


def test_lines_are_means_of_runs_in_a_band():
    figure = plot_lines({"CNN": {2.0: [0.1], 1.0: [0.2, 0.4]}}, "seconds", "MR", log_x=True)
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), [[1, 0.3], [2, 0.1]])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0.1, 0.4)
    with pytest.raises(ValueError, match="every series needs a run"):
        plot_lines({"CNN": {1.0: []}}, "seconds", "MR")


def test_parts_of_a_speaker_lie_side_by_side_and_the_seed_decides_the_rest():
    vectors, speakers = planted(12, noise=0.3)
    points = project(vectors)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(len(points), np.inf))
    assert (speakers[distance.argmin(axis=1)] == speakers).all()
    np.testing.assert_array_equal(points, project(vectors))


@pytest.mark.parametrize(
    "vectors", [np.ones((1, 3)), np.eye(2), np.ones((5, 3)), np.zeros((4, 2)), np.eye(4)[:, :1]]
)
def test_few_and_equal_vectors_have_a_place_too(vectors):
    assert np.isfinite(project(vectors)).all()
    assert to_png(plot_tsne(vectors, ["a"] * len(vectors)))


def test_eighty_speakers_look_different_and_their_parts_are_joined():
    assert len({(LINE_COLOURS[i % len(LINE_COLOURS)], MARKERS[i % len(MARKERS)]) for i in range(80)}) == 80
    vectors, speakers = planted(4)
    axes = plot_tsne(vectors, speakers).axes[0]
    assert len(axes.collections) == len(axes.get_lines()) == 4
    assert all(len(line.get_xdata()) == 2 for line in axes.get_lines())


def test_the_similarity_is_ordered_by_speaker_with_bright_blocks():
    vectors, speakers = planted(3, noise=0)
    shuffled = [4, 1, 3, 0, 5, 2]
    axes = plot_similarity(vectors[shuffled], speakers[shuffled]).axes[0]
    blocks = np.asarray(axes.images[0].get_array()).reshape(3, 2, 3, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(blocks, np.eye(3), atol=1e-12)
    assert ticks(axes.get_xticklabels()) == ["s00", "s01", "s02"]
    np.testing.assert_allclose(axes.get_yticks(), [0.5, 2.5, 4.5])


def test_names_give_way_where_they_would_not_fit():
    vectors, speakers = unit_rows(82, 8), np.repeat([f"s{i}" for i in range(41)], 2)
    assert ticks(plot_similarity(vectors, speakers).axes[0].get_xticklabels()) == []


def test_vectors_and_speakers_must_fit():
    for plot in (plot_tsne, plot_similarity):
        with pytest.raises(ValueError, match=r"need speakers \(n,\), got \(3, 4\) and \(2,\)"):
            plot(np.ones((3, 4)), ["a", "b"])


def test_only_leaves_joined_at_once_with_their_speaker_are_right():
    # a and a at once; then b with them; then the other b.
    linkage = np.array([[0, 1, 0.1, 2], [2, 4, 0.2, 3], [3, 5, 0.3, 4]])
    assert joined_at_once(linkage, ["a", "a", "b", "b"]).tolist() == [True, True, False, False]
    axes = plot_dendrogram(linkage, ["a1", "a2", "b1", "b2"], ["a", "a", "b", "b"]).axes[0]
    colours = {text.get_text(): text.get_color() for text in axes.get_yticklabels()}
    assert colours["a1"] == colours["a2"] != colours["b1"] == colours["b2"]
    branches = np.concatenate(axes.collections[0].get_segments())
    assert set(branches[:, 0].round(6)) == {0, 0.1, 0.2, 0.3}


def test_planted_speakers_are_joined_at_once():
    vectors, speakers = planted(6)
    assert joined_at_once(build_linkage(cosine_distance(vectors)), speakers).all()


def test_a_dendrogram_needs_two_leaves():
    with pytest.raises(ValueError, match=r"n > 1 leaves"):
        plot_dendrogram(np.empty((0, 4)), ["a"], ["a"])


class Linear(nn.Module):
    """Two speakers, each a weighted sum of the input; the layer `double` is twice that."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(24.0).reshape(2, 4, 3))

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return torch.einsum("btm,stm->bs", mel, self.weight)

    def layers(self, mel: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"double": 2 * self(mel)}


def test_the_saliency_of_a_linear_network_is_its_weights():
    network = Linear().eval()
    mel = np.ones((4, 3), np.float32)  # speaker 1 wins
    weight = network.weight.detach().numpy()
    np.testing.assert_array_equal(saliency(network, mel), weight[1])
    np.testing.assert_array_equal(saliency(network, mel, unit=0), weight[0])
    np.testing.assert_array_equal(saliency(network, mel, unit=0, layer="double"), 2 * weight[0])
    assert network.weight.grad is None
    with torch.no_grad():
        np.testing.assert_array_equal(saliency(network, -mel), weight[0])


def test_the_saliency_tells_how_an_output_changes():
    network = tiny_network()
    mel = np.random.default_rng(0).random((24, 20), np.float32)
    gradient = saliency(network, mel, unit=1)
    step = 1e-2 * gradient / np.linalg.norm(gradient)
    with torch.no_grad():
        low, high = network(torch.from_numpy(np.stack([mel - step, mel + step])))[:, 1].tolist()
    assert high - low == pytest.approx(2e-2 * np.linalg.norm(gradient), rel=0.05)


def test_a_blstm_has_a_saliency_too():
    network = build_network("blstm", n_speakers=3, n_mels=16).eval()
    mel = np.random.default_rng(0).random((30, 16), np.float32)
    assert np.abs(saliency(network, mel)).max() > 0


def test_a_saliency_needs_a_network_that_is_not_random_and_a_unit_it_has():
    with pytest.raises(ValueError, match=r"network\.eval\(\)"):
        saliency(Linear(), np.ones((4, 3), np.float32))
    with pytest.raises(ValueError, match="0 to 1, got 2"):
        saliency(Linear().eval(), np.ones((4, 3), np.float32), unit=2)


@pytest.mark.parametrize("config", [DEFAULT, ZHAW])
def test_mel_rows_are_the_centres_of_librosa(config):
    librosa = pytest.importorskip("librosa")
    centres = librosa.mel_frequencies(config.n_mels + 2, fmin=config.f_min, fmax=config.f_max)[1:-1]
    np.testing.assert_allclose(mel_row(centres, config), np.arange(config.n_mels), atol=1e-9)


def test_the_saliency_lies_below_its_spectrogram_in_hz_and_seconds():
    mel = np.random.default_rng(0).random((50, 20), np.float32)
    above, below = plot_saliency(mel, -2 * mel, FEATURES, title="x").axes[:2]
    np.testing.assert_array_equal(above.images[0].get_array(), mel.T)
    np.testing.assert_array_equal(below.images[0].get_array(), 2 * mel.T)
    assert ticks(below.get_yticklabels()) == ["250", "500", "1000", "2000", "4000"]
    assert below.get_xlim() == (0, 0.5)
    with pytest.raises(ValueError, match=r"\(frames, 20\), got \(50, 20\) and \(49, 20\)"):
        plot_saliency(mel, mel[1:], FEATURES)
    assert to_png(plot_saliency(mel, 0 * mel, FEATURES))


def test_drawing_leaves_no_trace():
    before = dict(matplotlib.rcParams)
    figure = plot_similarity(*planted())
    to_svg(figure, "name", "title")
    to_png(figure)
    assert dict(matplotlib.rcParams) == before


def write(path: Path, **more: object) -> str:
    write_training_report(path, title="t", curve=CURVE, **more)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> str:
    mel = np.random.default_rng(0).random((2, 24, 20), np.float32)
    folder = tmp_path_factory.mktemp("report")
    return write(
        folder / "report.html",
        facts={"machine": "one core"},
        embeddings=table(),
        network=tiny_network(),
        examples={"first": mel[0], "second": mel[1]},
        features=FEATURES,
        png=folder / "png",
    )


def test_the_page_has_every_section_with_what_to_look_for(full):
    sections = re.findall(
        r'<section id="(\w+)">\n<h2>[^<]+</h2>\n<p>([^<]+)\.</p>\n((?:<figure>.*?</figure>\n)+)', full, re.S
    )
    assert [name for name, *_ in sections] == ["curve", "tsne", "similarity", "dendrogram", "saliency"]
    assert [figures.count("<svg") for *_, figures in sections] == [1, 1, 1, 1, 2]
    assert "8 of 8" in full
    for told in ("<td>50</td>", "<td>25</td>", "0 at step 30", "<td>one core</td>", "s03-B"):
        assert told in full


def test_the_page_loads_nothing_and_runs_nothing(full):
    references = re.findall(r'(?:href|src)\s*=\s*"([^"]*)"', full) + re.findall(r"url\(([^)]*)\)", full)
    assert references
    assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in references)
    assert set(re.findall(r'\w*:?\w*="https?:[^"]*"', full)) <= {
        'xmlns="http://www.w3.org/2000/svg"',
        'xmlns:xlink="http://www.w3.org/1999/xlink"',
    }
    assert "<script" not in full
    assert "@import" not in full


def test_the_figures_are_whole_and_keep_their_identifiers_apart(full):
    for svg in re.findall(r"<svg.*?</svg>", full, re.S):
        ElementTree.fromstring(svg)
        assert "currentColor" in svg
        assert "#ffffff" not in svg, "white would hide light ink in a dark page"
    identifiers = re.findall(r' id="([^"]+)"', full)
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'(?:href="|url\()#([\w-]+)', full)) <= set(identifiers)


def test_equal_input_gives_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.html", embeddings=table(3, 0.5), png=tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    images = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert images == ["curve.png", "dendrogram.png", "similarity.png", "tsne.png"]
    for image in images:
        assert (tmp_path / "a" / image).read_bytes() == (tmp_path / "b" / image).read_bytes()


def test_a_curve_alone_makes_a_report(tmp_path):
    assert re.findall(r'<section id="(\w+)"', write(tmp_path / "r.html")) == ["curve"]


def test_one_speaker_with_two_vectors_makes_a_report(tmp_path):
    assert write(tmp_path / "r.html", embeddings=table(1)).count("<svg") == 4


def test_what_is_missing_is_told(tmp_path):
    for embeddings in (table()[:1], Embeddings(["a", "b"], [0, 0], [1, 1], np.eye(2))):
        with pytest.raises(ValueError, match="two embeddings or more with their speakers"):
            write(tmp_path / "r.html", embeddings=embeddings)
    with pytest.raises(ValueError, match="a curve needs rows"):
        write_training_report(tmp_path / "r.html", title="t", curve=[])
    assert not (tmp_path / "r.html").exists()


def test_names_are_shown_as_they_are(tmp_path):
    odd = ['<b>&"x"', "$a_b$"]
    embeddings = Embeddings([*odd, "c", "d"], np.zeros(4), np.ones(4), planted(2)[0], np.repeat(odd, 2))
    write_training_report(
        tmp_path / "r.html", title=odd[0], curve=CURVE, facts={odd[0]: odd[0]}, embeddings=embeddings
    )
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;&amp;" in page
    assert ">$a_b$</text>" in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.S):
        ElementTree.fromstring(svg)


def write_curve(folder: Path, n_lines: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(CURVE[0]), *("\t".join(map(str, row.values())) for row in CURVE[:n_lines])]
    (folder / "curve.tsv").write_text("\n".join(lines) + "\n")


@pytest.mark.recipe
def test_the_recipe_reports_what_a_run_has_written(tmp_path, monkeypatch, capsys):
    write_curve(tmp_path / "training", 5)
    (tmp_path / "run.json").write_text('{"machine": "one core", "versions": {"torch": "2"}}')
    save_model(tmp_path / "model", tiny_network(), FEATURES, TINY, "# tiny\n")
    random = np.random.default_rng(0)
    clips = ((i, i % 2, random.random((20 + 5 * i, 20), np.float32)) for i in range(4))
    pack(clips, tmp_path / "features")
    table().save(tmp_path / "vectors.npz")
    call(
        monkeypatch,
        REPORT,
        *("--training", tmp_path / "training", "--embeddings", tmp_path / "vectors.npz"),
        *("--model", tmp_path / "model", "--features", tmp_path / "features", "--png", tmp_path / "png"),
    )
    report = tmp_path / "training" / "report.html"
    assert capsys.readouterr().out == f"{report}: written\n"
    page = report.read_text(encoding="utf-8")
    for told in ("one core", "torch 2", "speaker 0, clip 2", "speaker 1, clip 1", "8 of 8"):
        assert told in page
    assert len(list((tmp_path / "png").glob("*.png"))) == 6


@pytest.mark.recipe
def test_the_recipe_tells_what_is_wrong_in_one_line(tmp_path, monkeypatch):
    def said(*words: object) -> str:
        return message(monkeypatch, REPORT, "--training", training, *words)

    training = tmp_path / "training"
    write_curve(training, 0)
    assert said() == (
        f"report_training.py: {training / 'curve.tsv'}: no line yet; wait for the first checkpoint"
    )
    (training / "curve.tsv").unlink()
    write_curve(training, 2)
    (training / "run.json").write_text("[1]")
    assert re.match(r"report_training\.py: .*run\.json: not a JSON object; write it again", said())
    (training / "run.json").unlink()
    Embeddings(["a", "b"], [0, 0], [1, 1], np.eye(2)).save(tmp_path / "vectors.npz")
    vectors = tmp_path / "vectors.npz"
    assert f"{vectors}: needs two or more embeddings with their speakers" in said("--embeddings", vectors)
    save_model(tmp_path / "model", tiny_network(), FEATURES, TINY, "# tiny\n")
    pack([(0, 0, np.ones((23, 20), np.float32))], tmp_path / "features")
    features = tmp_path / "features"
    assert f"{features}: no clip of 0.24 s" in said("--model", tmp_path / "model", "--features", features)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("diarize.cli.commands", {"matplotlib"}),
        ("diarize.report.curves", {"matplotlib.pyplot"}),
        (
            "diarize.pipeline.diarizer, diarize.clustering.agglomerative",
            {"pandas", "scipy.optimize", "scipy.stats", "sklearn"},
        ),
    ],
)
def test_what_is_not_needed_is_not_loaded(module, heavy):
    code = f"import sys, {module}; print({heavy!r} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
