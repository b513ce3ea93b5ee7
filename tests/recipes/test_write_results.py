"""recipes/write_results.py on made-up runs: the page says what the runs say; and write_run.py."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scripts import call, message

from diarize.embedding.table import Embeddings
from diarize.experiments.runs import natural_order, percent, spread
from diarize.experiments.systems import find_experiments, find_systems
from diarize.scoring.clusterings import wilson_interval

REPOSITORY = Path(__file__).resolve().parent.parent.parent
RECIPES = REPOSITORY / "recipes"
CONF = REPOSITORY / "recipes" / "conf"

FILES = {
    "first.toml": """
[about]
title = "The first"
code = "diarize/networks/resnet.py"
[paper]
misclassification_rate = 0.0219
legacy_misclassification_rate = 0.0438
legacy_by_speakers = { 20 = 0.125 }
steps = 10000
source = "A paper, Table 1"
[network]
family = "cnn"
[evaluation]
train = ["train_590", "train_329"]
layer = "dense1"
""",
    "second.toml": """
[about]
title = "The second"
code = "diarize/speech/detect.py"
[baseline]
kind = "gmm"
[identification]
error = 0.005
source = "Another paper"
""",
    "features.toml": "[features]\nn_mels = 16\n",
    "experiments/length.toml": """
[about]
title = "MR over length"
axis = "segment (ms)"
[runs]
50 = "first --seconds 0.05"
400 = "first --seconds 0.4"
[paper]
source = "a figure"
curves = ["paper"]
values = { 50 = [0.112], 400 = [0.0] }
""",
    "experiments/shuffle.toml": """
[about]
title = "Shuffled"
axis = "training, test"
[runs]
ordered_segment = "first --weights-of first --test-shuffle segment"
[paper]
source = "a table"
curves = ["paper"]
values = { ordered_segment = [0.09] }
""",
}


def write_conf(folder, **changed):
    """A folder of systems and experiments; `changed` are texts by the names of files without ending."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.get(path.stem, text))
    return folder


def run(monkeypatch, script, *arguments):
    call(monkeypatch, RECIPES / script, *arguments)


SPEAKERS = {"test_20": 20, "test_40": 40, "test_80": 80, "timit_sample": 16}


def made_up(random, speakers=SPEAKERS):
    """Scores of sets of so many speakers in the layout of score_clustering.py, every number a random one."""

    def labels():
        names = ["misclassification_rate", "legacy_misclassification_rate", "cluster_purity"]
        names += ["adjusted_rand_index", "normalized_mutual_information"]
        return {"n_clusters": int(random.integers(2, 99)), **{name: random.random() for name in names}}

    def entry(n_speakers):
        tree = {
            "oracle_cut": labels(),
            "oracle_legacy_misclassification_rate": random.random(),
            "oracle_number": labels(),
            "dev_threshold": {"threshold": random.random(), **labels()},
        }
        clusterers = {
            "dominant sets": {"own_number": labels()},
            "k-means": {"oracle_number": labels(), "dominant_sets_number": labels()},
        }
        rows = {**tree, "oracle_cut": labels()}
        return {
            "n_speakers": n_speakers,
            "n_parts": 2 * n_speakers,
            "agglomerative": {"condensed": tree, "rows": rows},
            "dominant_sets": clusterers["dominant sets"]["own_number"],
            "clusterers": clusterers,
        }

    def scored(n_speakers):
        centred = entry(n_speakers)
        return {**entry(n_speakers), "centred": {key: centred[key] for key in list(centred)[2:]}}

    ways = {"agglomerative complete": "oracle_cut", "dominant sets": "own_number"}
    draws = {
        name: {way: {"misclassification_rate": [random.random(), random.random()]}}
        for name, way in ways.items()
    }
    return {
        "thresholds_of_dev": {"condensed": labels()},
        "sets": {name: scored(n) for name, n in speakers.items()},
        "layers": {"dense1": scored(40), "dense2": scored(40)},
        "regimes": {"1 + 1": {"n_speakers": 40, "n_parts": 80, "clusterers": draws}},
    }


def write_seed(folder, scores, **facts):
    folder.mkdir(parents=True)
    run = {"command": f"make {folder.parent.name}", "date": "2026-01-02", "machine": "a machine", **facts}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "scores.json").write_text(json.dumps(scores))
    return scores


@pytest.fixture
def exp(tmp_path):
    folder = tmp_path / "exp"
    write_conf(tmp_path / "conf")
    folder.mkdir()
    return folder


def write_page(monkeypatch, exp):
    """The page, by the titles of its sections."""
    out = exp.parent / "page" / "RESULTS.md"
    run(monkeypatch, "write_results.py", "--exp", exp, "--conf", exp.parent / "conf", "--out", out)
    head, *sections = out.read_text().split("\n## ")
    return head, dict(section.split("\n", 1) for section in sections)


def cells(text, row):
    """The cells of a row in the first table that has it, by the names of their columns."""
    for table in text.split("\n\n"):
        lines = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]
        if found := [line for line in lines if line[0] == row]:
            (only,) = found
            return dict(zip(lines[0], only, strict=True))
    raise AssertionError(f"no row {row}")


def complaint(monkeypatch, exp):
    out = exp.parent / "page" / "RESULTS.md"
    words = ("--exp", exp, "--conf", exp.parent / "conf", "--out", out)
    told = message(monkeypatch, RECIPES / "write_results.py", *words)
    assert not out.exists()
    return told


def test_lists_that_a_small_corpus_does_not_fill_are_one_column(monkeypatch, exp):
    speakers = dict.fromkeys(("test_40", "test_60", "test_80"), 26) | {"test_20": 20}
    scores = write_seed(exp / "first" / "seed1", made_up(np.random.default_rng(0), speakers), steps=5)
    _, sections = write_page(monkeypatch, exp)
    row = cells(sections["MR / legacy MR against the number of speakers"], "The first")
    assert list(row) == ["system", "20", "26", "paper, legacy MR: 20 / 26"]
    tree = scores["sets"]["test_40"]["agglomerative"]["condensed"]
    rate, legacy = (
        tree["oracle_cut"]["misclassification_rate"],
        tree["oracle_legacy_misclassification_rate"],
    )
    assert row["26"] == f"{100 * rate:.2f} / {100 * legacy:.2f}"
    assert row["paper, legacy MR: 20 / 26"] == "12.50 / -", "the paper's figures of 40 are of other speakers"
    assert "\ntest_40 has 26 speakers here.\n" in sections["Errors, test_40"]


def test_without_runs_every_row_says_so(monkeypatch, exp, capsys):
    head, sections = write_page(monkeypatch, exp)
    assert "not run: first, second" in capsys.readouterr().out
    assert "    recipes/write_results.py --exp" in head
    row = cells(sections["Errors, test_40"], "The first")
    assert row.pop("paper: MR / legacy MR") == "2.19 / 4.38"
    assert row.pop("batches / the paper's") == "- / 10000"
    assert (row["MR, oracle cut"], row["source"]) == ("not run", "A paper, Table 1")
    measured = [cell for name, cell in row.items() if name not in ("system", "MR, oracle cut", "source")]
    assert set(measured) == {"-"}
    for title in ("Data", "Clusterers side by side", "Machine, versions, date"):
        assert sections[title].strip() == "not run"
    assert cells(sections["Identification"], "The second")["error, part"] == "not run"
    assert sections["MR over length"].strip() == "not run"
    assert not (exp.parent / "page" / "figures").exists()


def test_every_number_is_that_of_the_runs(monkeypatch, exp):
    random = np.random.default_rng(0)
    facts = {
        "seconds": 60,
        "steps": 500,
        "paper_steps": 10000,
        "config": str(exp.parent / "conf" / "first.toml"),
    }
    seeds = [write_seed(exp / "first" / f"seed{n}", made_up(random), **facts) for n in (2, 1, 10)]
    (exp / "first" / "seed3").mkdir()  # one that is still trained
    _, sections = write_page(monkeypatch, exp)

    def values(*keys, sets="test_40", factor=1.0):
        found = []
        for scores in seeds:
            at = scores["sets"][sets]
            for key in keys:
                at = at[key]
            found.append(factor * at)
        return found

    def told(numbers, digits):
        mean, low, high = np.mean(numbers), min(numbers), max(numbers)
        return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

    rate = "misclassification_rate"
    tree = ("agglomerative", "condensed")
    row = cells(sections["Errors, test_40"], "The first")
    rates = values(*tree, "oracle_cut", rate)
    assert row["MR, oracle cut"] == told(100 * np.array(rates), 2)
    low, high = wilson_interval(np.mean(rates) * 80, 80)
    assert row["95 % interval"] == f"{100 * low:.2f} to {100 * high:.2f}"
    legacy = values(*tree, "oracle_legacy_misclassification_rate", factor=100)
    assert row["legacy MR, oracle cut"] == told(legacy, 2)
    rows = values("agglomerative", "rows", "oracle_cut", rate, factor=100)
    assert row["MR, oracle cut, rows"] == told(rows, 2)
    for name, keys in {
        "MR, threshold of dev": (*tree, "dev_threshold"),
        "MR, dominant sets": ("dominant_sets",),
    }.items():
        number = told(values(*keys, "n_clusters"), 1)
        assert row[name] == f"{told(values(*keys, rate, factor=100), 2)}; k = {number}"
    for name, key in {
        "ARI, oracle k": "adjusted_rand_index",
        "ACP, oracle k": "cluster_purity",
        "NMI, oracle k": "normalized_mutual_information",
    }.items():
        assert row[name] == told(values(*tree, "oracle_number", key), 3)
    sample = values(*tree, "oracle_cut", rate, sets="timit_sample", factor=100)
    assert row["MR, oracle cut, timit_sample"] == told(sample, 2)
    assert (row["seeds"], row["paper: MR / legacy MR"]) == ("3", "2.19 / 4.38")

    made = cells(sections["How each was made"], "The first")
    assert made["command"] == "`make first`"
    assert (made["batches / the paper's"], made["seconds"]) == ("500 / 10000", "60")
    for column in ("config", "code"):
        link = re.search(r"\((.*)\)", made[column]).group(1)
        assert (exp.parent / "page" / link).is_file()
    assert cells(sections["How each was made"], "The second")["command"] == "not run"

    title = "MR / legacy MR against the number of speakers"
    row = cells(sections[title], "The first")
    assert row["60"] == "- / -", "not scored"
    few = [values(*tree, *keys, sets="test_20", factor=100) for keys in (
        ("oracle_cut", rate), ("oracle_legacy_misclassification_rate",)
    )]  # fmt: skip
    assert row["20"] == " / ".join(told(numbers, 2) for numbers in few)
    assert row["paper, legacy MR: 20 / 40 / 60 / 80"] == "12.50 / - / - / -"
    assert cells(sections[title], "The second")["40"] == "not run"

    text = sections["Clusterers side by side"]
    assert text.strip().startswith("Embeddings: The first, the network with the lowest MR")
    row = cells(text, "dominant sets")
    keys = ("clusterers", "dominant sets", "own_number")
    assert row["MR"] == told(values(*keys, rate, factor=100), 2)
    assert (row["number"], row["k"]) == ("own number", told(values(*keys, "n_clusters"), 1))
    assert text.count("k-means") == 2
    row = cells(sections["Machine, versions, date"], "a machine")
    assert (row["runs"], row["date"]) == ("3", "2026-01-02")
    drawn = (exp.parent / "page" / "figures" / "speakers.svg").read_text()
    assert drawn.startswith("<svg")
    assert "![MR over the number of speakers](figures/speakers.svg)" in sections[title]


def rate(scores, *keys):
    for key in keys:
        scores = scores[key]
    return f"{100 * scores['misclassification_rate']:.2f}"


def test_centred_and_noisy_embeddings_layers_and_all_speakers(monkeypatch, exp):
    speakers = SPEAKERS | {"noisy": 40, "all_speakers": 434}
    scores = write_seed(
        exp / "first" / "seed1", made_up(np.random.default_rng(3), speakers), steps=5, layer="dense2"
    )
    _, sections = write_page(monkeypatch, exp)
    tree = ("agglomerative", "condensed", "oracle_cut")
    row = cells(sections["Centred embeddings, and noise"], "The first")
    assert row["noisy, dominant sets, centred"] == rate(scores, "sets", "noisy", "centred", "dominant_sets")
    assert row["clean, oracle cut"] == rate(scores, "sets", "test_40", *tree)
    lines = [line.split(" | ") for line in sections["Layers"].splitlines() if "| The first" in line]
    assert [line[1] for line in lines] == ["dense1", "dense2 (its layer)"]
    assert lines[0][2] == rate(scores, "layers", "dense1", *tree)
    assert sections["All speakers"].strip().startswith("434 speakers; the paper's 630")
    row = cells(sections["All speakers"].split("\nEmbeddings: ")[0], "The first")
    assert row["MR, oracle cut"] == rate(scores, "sets", "all_speakers", *tree)
    draws = scores["regimes"]["1 + 1"]["clusterers"]["dominant sets"]["own_number"]["misclassification_rate"]
    row = cells(sections["Amount of speech"], "dominant sets")
    assert row["1 + 1"] == percent(draws)
    assert "1 + 1: 40 speakers, 80 parts" in sections["Amount of speech"]


def test_networks_of_unequal_training_stand_in_tables_of_their_own(monkeypatch, exp):
    random = np.random.default_rng(4)
    for name, steps in {"first": 9000, "mine": 5}.items():
        paper = {"paper_steps": 10000} if name == "first" else {}
        write_seed(exp / name / "seed1", made_up(random), steps=steps, **paper)
    write_seed(exp / "second" / "seed1", made_up(random))

    def order():
        _, sections = write_page(monkeypatch, exp)
        names = ("The first", "The second", "mine", "Networks", "fewer", "without a paper")
        text = sections["Errors, test_40"]
        return [word for word in re.findall("|".join(names), text) if word in names]

    assert order() == ["Networks", "The first", "The second", "Networks", "without a paper", "mine"]
    write_seed(exp / "first" / "seed2", made_up(random), steps=8999, paper_steps=10000)
    assert order()[:4] == ["Networks", "The second", "Networks", "fewer"]


def test_an_epoch_is_a_pass_through_the_sentences(monkeypatch, tmp_path, capsys):
    options = ["--command", "x", "--config", CONF / "cnn-cosface.toml", "--sentences", 842]
    run(monkeypatch, "write_run.py", *options, "--out", tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["paper_steps"] == 1078


def test_kept_runs_give_the_same_page(monkeypatch, exp):
    scores = made_up(np.random.default_rng(5))
    write_seed(exp / "first" / "seed1", scores, steps=5)
    write_seed(exp / "experiments" / "length" / "50" / "seed1", made_up(np.random.default_rng(6)))
    (exp / "data" / "test_80").mkdir(parents=True)
    (exp / "data" / "test_80" / "utt2spk").write_text("a-1 a\na-2 a\nb-1 b\n")
    _, sections = write_page(monkeypatch, exp)
    kept = exp.parent / "kept"
    run(monkeypatch, "keep_runs.py", "--exp", exp, "--out", kept)
    shutil.rmtree(exp)
    kept.rename(exp)
    assert write_page(monkeypatch, exp)[1] == sections


def test_experiments_stand_beside_the_papers_curves(monkeypatch, exp):
    random = np.random.default_rng(1)
    for value in ("400", "1000", "50"):
        write_seed(exp / "experiments" / "length" / value / "seed1", made_up(random), config="a.toml")
    shuffled = write_seed(exp / "experiments" / "shuffle" / "ordered_segment" / "seed1", made_up(random))
    named = {"n_speakers": 100, "parts": {"accuracy": 0.9877}, "recordings": {"accuracy": 0.75}}
    write_seed(exp / "identification" / "second" / "seed1", named)
    (exp / "data" / "test_80").mkdir(parents=True)
    (exp / "data" / "test_80" / "utt2spk").write_text("a-1 a\na-2 a\nb-1 b\n")
    _, sections = write_page(monkeypatch, exp)
    over, by_layer = sections["MR over length"].split("MR, oracle cut, by layer:")
    lines = [line.split(" | ")[0] for line in over.splitlines() if line[:3] != "| -"]
    assert [line.strip("| ") for line in lines if line.startswith("|")][1:] == ["50", "400", "1000"]
    row = cells(over, "1000")
    assert (row["paper"], row["command"], row["config"]) == ("-", "`make 1000`", "`a.toml`")
    assert "figures/length.svg" in sections["MR over length"]
    assert list(cells(by_layer, "50")) == ["segment (ms)", "dense1", "dense2"]
    row = cells(sections["Shuffled"], "ordered, segment")
    rate = shuffled["sets"]["test_40"]["agglomerative"]["condensed"]["oracle_cut"]["misclassification_rate"]
    assert (row["MR, oracle cut"], row["paper"]) == (f"{100 * rate:.2f}", "9.00")
    assert "svg" not in sections["Shuffled"], "its values are no numbers"
    row = cells(sections["Identification"], "The second")
    assert (row["error, part"], row["error, recording"], row["speakers"]) == ("1.23", "25.00", "100")
    assert row["paper: error, part"] == "0.50"
    assert cells(sections["Data"], "test_80") == {"set": "test_80", "speakers": "2", "sentences": "3"}
    assert (exp.parent / "page" / "figures" / "length.svg").is_file()


def test_the_scores_of_the_recipe_fit_the_page(monkeypatch, exp):
    random = np.random.default_rng(0)
    X = np.repeat(random.standard_normal((10, 8)), 2, axis=0) + 0.5 * random.standard_normal((20, 8))
    speakers = np.repeat([f"s{n}" for n in range(10)], 2)
    table = exp / "parts.npz"
    Embeddings(np.arange(20).astype(str), np.zeros(20), np.ones(20), X, speakers).save(table)
    (exp / "test_40.txt").write_text("".join(f"s{n}\n" for n in range(10)))
    seed = exp / "first" / "seed1"
    arguments = ["--test", table, "--dev", table, "--speakers", exp / "test_40.txt"]
    run(monkeypatch, "score_clustering.py", *arguments, "--out", seed / "scores.json")
    options = ["--command", "make it", "--seed", 1, "--seconds", 12, "--steps", 9500, "--sentences", 100]
    options += ["--config", exp.parent / "conf" / "first.toml"]
    run(monkeypatch, "write_run.py", *options, "--set", "layer=dense1", "--out", seed / "run.json")
    facts = json.loads((seed / "run.json").read_text())
    assert (facts["seed"], facts["steps"], facts["layer"]) == (1, 9500, "dense1")
    assert set(facts) > {"command", "date", "machine", "python", "versions"}
    assert facts["paper_steps"] == 10000
    _, sections = write_page(monkeypatch, exp)
    scores = json.loads((seed / "scores.json").read_text())["sets"]["test_40"]
    row = cells(sections["Errors, test_40"], "The first")
    oracle = scores["agglomerative"]["condensed"]["oracle_cut"]["misclassification_rate"]
    sets = scores["dominant_sets"]
    assert row["MR, oracle cut"] == f"{100 * oracle:.2f}"
    found = f"{100 * sets['misclassification_rate']:.2f}; k = {sets['n_clusters']:.1f}"
    assert row["MR, dominant sets"] == found
    assert "-" not in [cell for name, cell in row.items() if not name.endswith("timit_sample")]
    assert cells(sections["Machine, versions, date"], facts["machine"])["date"] == facts["date"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("scores.json", '{\n"sets": {,}}', "scores.json, line 2: not JSON"),
        ("scores.json", "[1]", "scores.json: a JSON object is needed, got a list"),
        ("scores.json", "{}", "scores.json: no key 'sets'"),
        ("run.json", "{}", "run.json: no key 'command'"),
        ("run.json", None, "run.json: cannot be read"),
    ],
)
def test_a_bad_file_is_named(monkeypatch, exp, name, content, message):
    seed = exp / "first" / "seed1"
    write_seed(seed, made_up(np.random.default_rng(0)))
    (seed / name).unlink() if content is None else (seed / name).write_text(content)
    assert message in complaint(monkeypatch, exp)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("first", "steps =", "step =", "first.toml: [paper]: unknown setting 'step'"),
        (
            "first",
            "code =",
            "title2 = 1\ncode =",
            "first.toml: [about]: unknown setting 'title2'; known: title, code",
        ),
        ("first", "train =", "#", "first.toml: [evaluation]: setting 'train': field required"),
        ("first", "[network]", "[baseline]\nkind='gmm'\n[network]", "first.toml: a system has either "),
        ("second", "[baseline]", "[base]", "second.toml: unknown table 'base'; known: features, "),
        ("second", 'kind = "gmm"', "", "second.toml: a system has either [network] or [baseline]"),
        ("length", "[0.112]", "[0.1, 0.2]", "length.toml: [paper]: 50 needs 1 figures, one for each curve"),
        ("length", '"first --seconds 0.4"', "1", "length.toml: [runs]: 400 needs a system and its options"),
    ],
)
def test_a_wrong_file_of_a_system_is_told(monkeypatch, exp, name, old, new, told):
    text = next(text for path, text in FILES.items() if Path(path).stem == name)
    assert old in text
    write_conf(exp.parent / "conf", **{name: text.replace(old, new)})
    assert told in complaint(monkeypatch, exp)


def test_a_folder_without_systems_is_told(monkeypatch, exp):
    for path in (exp.parent / "conf").glob("*.toml"):
        path.unlink()
    assert "conf: no TOML file of a system" in complaint(monkeypatch, exp)


def test_a_run_without_file_has_its_row_under_its_name(monkeypatch, exp, capsys):
    random = np.random.default_rng(2)
    scores = write_seed(exp / "mine" / "seed1", made_up(random), steps=7)
    write_seed(exp / "theirs" / "seed1", made_up(random))
    write_seed(exp / "experiments" / "colour" / "blue" / "seed1", made_up(random))
    named = {"n_speakers": 10, "parts": {"accuracy": 0.5}, "recordings": {"accuracy": 0.25}}
    for name in ("first", "mine"):
        write_seed(exp / "identification" / name / "seed1", named)
    _, sections = write_page(monkeypatch, exp)
    assert "2 systems; not run: first, second" in capsys.readouterr().out
    row = cells(sections["Errors, test_40"], "mine")
    rate = scores["sets"]["test_40"]["agglomerative"]["condensed"]["oracle_cut"]["misclassification_rate"]
    assert (row["MR, oracle cut"], row["batches / the paper's"]) == (f"{100 * rate:.2f}", "7 / -")
    made = cells(sections["How each was made"], "theirs")
    assert (made["command"], made["config"], made["code"]) == ("`make theirs`", "-", "-")
    assert sections["Clusterers side by side"].strip().startswith("Embeddings: mine"), "theirs has no batches"
    assert cells(sections["colour"], "blue")["command"] == "`make blue`"
    identified = sections["Identification"]
    for name in ("The first", "mine"):
        assert cells(identified, name)["error, part"] == "50.00"
    assert cells(identified, "The second")["error, part"] == "not run"


def listed(capsys, monkeypatch, conf, kind, *systems):
    words = [word for system in systems for word in ("--system", system)]
    run(monkeypatch, "list_systems.py", kind, "--conf", conf, *words)
    return capsys.readouterr().out.splitlines()


def test_systems_are_what_lies_in_the_folder(monkeypatch, tmp_path, capsys):
    conf = write_conf(tmp_path / "conf")
    (conf / "third.toml").write_text(FILES["first.toml"])
    assert listed(capsys, monkeypatch, conf, "networks") == ["first", "third"]
    assert listed(capsys, monkeypatch, conf, "baselines") == ["second"]
    assert listed(capsys, monkeypatch, conf, "identified") == ["second"]
    assert listed(capsys, monkeypatch, conf, "baselines", "first") == []
    assert listed(capsys, monkeypatch, conf, "experiments") == [
        "length/50 first --seconds 0.05",
        "length/400 first --seconds 0.4",
        "shuffle/ordered_segment first --weights-of first --test-shuffle segment",
    ]
    assert listed(capsys, monkeypatch, conf, "experiments", "third") == []
    words = ("networks", "--conf", conf, "--system", "fourth")
    told = message(monkeypatch, RECIPES / "list_systems.py", *words)
    assert told == "list_systems.py: unknown system fourth; known: first third second"


def test_shell_reads_settings_by_a_script(monkeypatch, tmp_path, capsys):
    conf = write_conf(tmp_path / "conf")

    def printed(file, *words):
        run(monkeypatch, "print_settings.py", file, *words)
        return capsys.readouterr().out.splitlines()

    names = ("evaluation.train", "paper.steps", "loss.margin=0", "training.seconds", "network.family")
    changes = ("--set", "training.seconds=[0.5, 1.0]", "--set", "network.family=blstm")
    assert printed(conf / "first.toml", *names, *changes) == [
        "train_590 train_329", "10000", "0", "0.5 1", "blstm",
    ]  # fmt: skip
    (tmp_path / "run.json").write_text('{"train": "train_100", "seconds": 0.0, "done": true}')
    assert printed(tmp_path / "run.json", "train", "seconds", "done") == ["train_100", "0", "true"]
    told = message(monkeypatch, RECIPES / "print_settings.py", conf / "first.toml", "loss.margin")
    assert told == f"print_settings.py: {conf / 'first.toml'}: setting 'loss.margin' is missing"


def test_a_fact_is_not_overwritten(monkeypatch, tmp_path):
    options = ["--command", "x", "--seed", 1, "--set", "seed=2", "--out", tmp_path / "run.json"]
    told = message(monkeypatch, RECIPES / "write_run.py", *options)
    assert told == "write_run.py: --set seed: run.json has this key already"


def test_cells():
    assert (spread([]), percent(None), percent([])) == ("-", "-", "-")
    assert (percent(0.0219), percent([0.5, 0.5])) == ("2.19", "50.00")
    assert percent([0.0125, 0.025, 0.0125, 0.0375]) == "2.19 (1.25 to 3.75)"
    assert sorted(["seed10", "seed2", "10", "9"], key=natural_order) == ["9", "10", "seed2", "seed10"]


def test_the_papers_figures_are_complete(monkeypatch, tmp_path):
    """Every file named exists, a figure has its source, and each run of an experiment its system."""
    systems, experiments = find_systems(CONF), find_experiments(CONF)
    assert {"blstm-pairwise-kl", "gmm"} <= systems.keys()
    for name, system in systems.items():
        assert (REPOSITORY / str(system.code)).is_file(), name
        figures = system.paper.model_dump(exclude={"source"}, exclude_defaults=True)
        assert system.paper.source or not figures, name
        assert system.identification is None or system.identification.source, name
    assert {"segment-length", "shuffle", "training-length"} <= experiments.keys()
    for name, experiment in experiments.items():
        assert experiment.paper.values.keys() <= experiment.runs.keys(), name
        assert {words.split()[0] for words in experiment.runs.values()} <= systems.keys()
    (tmp_path / "exp").mkdir()
    out = tmp_path / "RESULTS.md"
    run(monkeypatch, "write_results.py", "--exp", tmp_path / "exp", "--out", out)
    assert "2.19 / 4.38" in out.read_text()
    assert "[`recipes/conf/gmm.toml`](" in out.read_text(), "from the repository's top"


def test_the_page_of_the_repository_is_that_of_its_runs(monkeypatch, tmp_path):
    monkeypatch.chdir(REPOSITORY)
    made, kept = tmp_path / "RESULTS.md", REPOSITORY / "egs" / "voices" / "RESULTS.md"
    notes = Path("egs/voices/conf/results_notes.md")
    run(monkeypatch, "write_results.py", "--exp", "egs/voices/runs", "--out", made, "--notes", notes)

    def rates(page):
        """The lines of the tables without links, which depend on the page's folder."""
        return [re.sub(r"\]\([^)]*\)", "]", line) for line in page.read_text().splitlines() if "|" in line]

    assert rates(made) == rates(kept)
