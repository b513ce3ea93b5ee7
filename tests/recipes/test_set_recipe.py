"""The scripts of networks that learn to cluster: from points or embeddings to a table."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import unit_rows
from scripts import call, message

from diarize.embedding.table import Embeddings
from diarize.experiments.set_scores import describe_sets, random_labels, read_about, score_sets
from diarize.formats.kaldi import read_whole_recordings, write_data_folder

pytestmark = pytest.mark.recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CONF = REPOSITORY / "recipes" / "conf" / "sets"
TRAIN, RESULTS, CHOOSE, RUN = (
    REPOSITORY / "recipes" / f"{name}.py"
    for name in ("train_set_clusterer", "write_set_results", "choose_recordings", "write_run")
)
SYSTEMS = sorted(CONF.glob("*.toml"))
TINY = [
    word
    for change in (
        "network.width=8",
        "network.n_layers=2",
        "training.n_steps=2",
        "training.validation_batches=1",
    )
    for word in ("--set", change)
]


def data_folder(path: Path, n_speakers: int = 6, n_recordings: int = 3) -> Path:
    names = {f"s{s}-{r}": f"s{s}" for s in range(n_speakers) for r in range(n_recordings)}
    write_data_folder(path, {name: f"/{name}.wav" for name in names}, names)
    return path


def table_of(folder: Path, dim: int = 192) -> Path:
    """Four windows of each recording."""
    recordings = np.repeat(sorted(read_whole_recordings(folder).utt2spk), 4)
    vectors = unit_rows(len(recordings), dim).astype(np.float32)
    start = np.tile(np.arange(4.0), len(recordings) // 4)
    Embeddings(recordings, start, start + 1.5, vectors).save(folder.with_suffix(".npz"))
    return folder.with_suffix(".npz")


@pytest.mark.parametrize("path", SYSTEMS, ids=lambda path: path.stem)
def test_every_system_says_what_it_is(path):
    about, paper = read_about(path)
    assert about.title
    assert (REPOSITORY / about.code).is_file()
    assert (paper.misclassification_rate is None) == (paper.source == "")


def test_points_from_nothing_to_a_table(tmp_path, monkeypatch, capsys):
    out = tmp_path / "points" / "seed1"
    call(
        monkeypatch, TRAIN, "--config", CONF / "points.toml", "--out", out, "--n-sets", 30, "--seed", 1, *TINY
    )
    call(monkeypatch, RUN, "--command", "x", "--steps", 2, "--out", out / "run.json")
    scores = json.loads((out / "scores.json").read_text())
    assert scores["n_sets"] == scores["random"]["n_sets"] == 30
    assert 0 < scores["misclassification_rate"] < 1
    assert {path.name for path in (out / "model").iterdir()} == {"config.toml", "weights.safetensors"}
    call(
        monkeypatch,
        RESULTS,
        "--exp",
        tmp_path,
        "--conf",
        CONF,
        "--kind",
        "points",
        "--out",
        tmp_path / "R.md",
    )
    assert "| learned, 7 layers of 96 |" in capsys.readouterr().out
    text = (tmp_path / "R.md").read_text()
    assert "| 1 | 2 | 0.40 | 0.993 |" in text
    assert "| learned, 14 layers of 288, as in the paper | not run |" in text
    assert "| random |" in text


@pytest.mark.parametrize("system", ["embeddings-full", "windows"])
def test_sets_of_embeddings_are_drawn_from_a_table_and_its_data_folder(system, tmp_path, monkeypatch, capsys):
    folder = data_folder(tmp_path / "data", n_speakers=8)
    rows = [table_of(folder), folder]
    call(
        monkeypatch, TRAIN, "--config", CONF / f"{system}.toml", "--out", tmp_path / "out", "--n-sets", 25,
        "--set", "sets.n_items=[20, 20]",
        "--data", *rows, "--dev", *rows, "--test", *rows, *(TINY if system != "windows" else TINY[2:]),
    )  # fmt: skip
    assert "25 sets: MR" in capsys.readouterr().out


def test_wrong_input_is_an_error_of_one_line(tmp_path, monkeypatch):
    folder = data_folder(tmp_path / "data")
    table, points, embeddings = table_of(folder), CONF / "points.toml", CONF / "embeddings.toml"
    other = data_folder(tmp_path / "other", n_recordings=2)
    narrow = table_of(data_folder(tmp_path / "narrow"), dim=16)
    cases = (
        ([points, "--seed", 0], "seed 0 is that of the sets of dev or test; choose another"),
        ([points, "--set", "sets.n_most=6"], "[sets] n_most = 6 is more than the 5 clusters of [network]"),
        ([points, "--set", "training.seconds=[1, 2]"], "'training.seconds' is not used: a batch has sets"),
        ([points, "--set", "sets.n_items=[9, 8]"], "should be the fewest and the most, both 2 or more"),
        ([CONF / "embeddings-full.toml", "--set", "sets.n_items=[10, 20]"], "[network] takes 20; make them"),
        ([embeddings], "[sets] kind = 'embeddings' needs data: give --data and --dev"),
        ([embeddings, "--data", table], "a table of embeddings needs the data folder with the speakers"),
        ([embeddings, "--data", table, other], "recording 's0-2' is not in"),
        ([embeddings, "--data", narrow, tmp_path / "narrow"], "n_inputs = 192, but the data have 16"),
    )  # fmt: skip
    for words, expected in cases:
        said = message(monkeypatch, TRAIN, "--out", tmp_path / "out", "--config", *words)
        assert expected in said
    said = message(
        monkeypatch, RESULTS, "--exp", ".", "--conf", CONF, "--kind", "lines", "--out", tmp_path / "x"
    )
    assert "no TOML file of lines" in said


def test_recordings_are_chosen_by_speaker(tmp_path, monkeypatch):
    write_data_folder(
        tmp_path / "all",
        {name: f"/{name}.wav" for name in ("a1", "a2", "a3", "b1", "c1", "c2")},
        {name: name[0] for name in ("a1", "a2", "a3", "b1", "c1", "c2")},
    )
    words = ["--data", tmp_path / "all", "--out", tmp_path / "few", "--most", 2]
    call(monkeypatch, CHOOSE, *words, "--least", 2)
    assert sorted(read_whole_recordings(tmp_path / "few").utt2spk) == ["a1", "a2", "c1", "c2"]
    assert (tmp_path / "few" / "utt2corpus").read_text().splitlines()[0] == "a1 all"
    assert "no speaker has 4 recordings; lower --least" in message(monkeypatch, CHOOSE, *words, "--least", 4)


def test_scores_are_means_over_the_sets():
    sets = [
        (np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])),
        (np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])),
    ]
    scores = score_sets(sets)
    assert scores["misclassification_rate"] == 0.125
    assert scores["misclassification_rate_deviation"] == 0.125
    assert scores["normalized_mutual_information"] == 0.5
    assert scores["number_right"] == 0.5
    random = np.random.default_rng(0)
    labels = [random_labels(np.zeros(50, np.int64), 4, random) for _ in range(40)]
    assert {len(np.unique(each)) for each in labels} == {1, 2, 3, 4}
    assert "not run" in describe_sets({"points": read_about(CONF / "points.toml")}, {"points": []})
