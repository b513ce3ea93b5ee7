"""egs/mini/run.sh and the whole of egs/timit/run.sh, on made-up voices; and killed."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import made_up_timit as timit
import numpy as np
import pytest
from planted_corpus import write_corpus
from preloaded import python
from safetensors.numpy import load_file

from diarize.config import load_toml
from diarize.config.toml import format_toml
from diarize.embedding.models import load_model
from diarize.experiments.systems import find_systems
from diarize.networks.weights import read_weights

pytestmark = pytest.mark.recipe

REPOSITORY = Path(__file__).resolve().parent.parent.parent
MINI, TIMIT = (REPOSITORY / "egs" / name / "run.sh" for name in ("mini", "timit"))
CONF = REPOSITORY / "recipes" / "conf"
SYSTEMS = find_systems(CONF)
# A little of everything: no more is learnt than that the pieces fit.
LITTLE = ("batch_size=8", "n_speakers=4", "n_segments=2", "snapshot_every=1")
EXPERIMENTS = {
    "segment-length": {"100": "blstm-pairwise-kl --seconds 0.1"},
    "training-length": {
        "1": "blstm-pairwise-kl --weights-of blstm-pairwise-kl --snapshot 1",
        "5": "blstm-pairwise-kl --weights-of blstm-pairwise-kl --snapshot 5",
    },
    "shuffle": {
        "cnn-cosface_ordered_segment": "cnn-cosface --weights-of cnn-cosface --test-shuffle segment",
        "cnn-cosface_utterance_utterance": "cnn-cosface --set training.shuffle=utterance",
    },
    "synthetic": {"synthetic_voices": "blstm-pairwise-kl --train-set train_synthetic"},
}
"""One or two runs of each."""
UNUSED = (
    *("blstm-arcface", "blstm-pairwise-kl-reshape", "blstm-pairwise-kl-speakers"),
    *("cnn-pairwise-kl", "cnn-sphereface", "mfcc-statistics"),
    *("gmm-delta", "gmm-delta2", "gmm-f0", "gmm-delta-f0"),
)
"""Systems that differ from others in their settings alone: left out to save time."""
RATE = ("agglomerative", "condensed", "oracle_cut", "misclassification_rate")


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Variables with which a recipe's scripts start in a moment."""
    return {**os.environ, "PYTHON": python()}


def run(
    environment: dict[str, str], script: Path, *words: object, status: int = 0
) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [str(script), *map(str, words)],
        env=environment, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_a_fault_of_the_corpus_ends_the_recipe_at_stage_1(environment, tmp_path):
    """The line names the file; the stage has made the data folders."""
    corpus = write_corpus(tmp_path / "corpus")
    script, words = MINI.parent.parent / "voices" / "run.sh", ("--corpus", corpus, "--exp", tmp_path / "exp")
    fine = run(environment, script, *words, "--stop-stage", 1)
    assert "\n0 errors, 0 warnings\n" in fine.stdout
    shutil.copy(corpus / "kal" / "0.wav", corpus / "slt" / "again.wav")
    shutil.copy(corpus / "kal" / "0.wav", corpus / "ked" / "again.wav")
    done = run(environment, script, *words, "--stop-stage", 2, status=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("diarize: ")
    assert "again.wav: the same bytes; keep one (errors: 2; " in line
    assert "stage 2" not in done.stdout


def rows(page: Path, section: str) -> dict[str, dict[str, str]]:
    """The rows of a section's first table in RESULTS.md, and of others of its width, by their first cells."""
    text = page.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    width = len(lines[0])
    return {line[0]: dict(zip(lines[0], line, strict=True)) for line in lines[2:] if len(line) == width}


def rate(run: Path, name: str = "test_40") -> str:
    """The error of a run as the page tells it."""
    found = json.loads((run / "scores.json").read_text())["sets"][name]
    for key in RATE:
        found = found[key]
    return f"{100 * found:.2f}"


@pytest.fixture(scope="module")
def mini_in_seconds(environment, tmp_path_factory) -> tuple[Path, float]:
    """What egs/mini/run.sh writes, and how long it takes."""
    exp, started = tmp_path_factory.mktemp("mini"), time.monotonic()
    done = run(environment, MINI, "--exp", exp)
    assert done.stdout.splitlines()[-1].startswith(f"{exp / 'RESULTS.md'}: 3 systems; not run: ")
    return exp, time.monotonic() - started


@pytest.fixture
def mini(mini_in_seconds) -> Path:
    return mini_in_seconds[0]


@pytest.mark.slow
def test_the_mini_recipe_learns_made_up_voices(mini):
    table = rows(mini / "RESULTS.md", "Errors, test_40")
    for name in ("blstm-pairwise-kl", "gmm", "mfcc-statistics"):
        row = table[SYSTEMS[name].title]
        assert row["MR, oracle cut"] == rate(mini / name / "seed1")
        assert float(row["MR, oracle cut"]) < 20
    assert table[SYSTEMS["svm"].title]["MR, oracle cut"] == "not run"
    named = json.loads((mini / "identification" / "gmm" / "seed1" / "scores.json").read_text())
    assert named["parts"]["accuracy"] == 1
    run_json = json.loads((mini / "blstm-pairwise-kl" / "seed1" / "run.json").read_text())
    assert run_json["command"].startswith(f"recipes/run_system.sh --exp {mini} --name blstm-pairwise-kl ")
    assert (run_json["seed"], run_json["train"], run_json["paper_steps"]) == (1, "train_100", 10000)


@pytest.mark.slow
def test_what_is_finished_is_kept_or_refused(environment, mini, tmp_path):
    exp = shutil.copytree(mini, tmp_path / "exp")
    folder = exp / "blstm-pairwise-kl" / "seed1"
    old = time.time() - 1000
    os.utime(folder / "scores.json", (old, old))

    def is_old() -> bool:
        return (folder / "scores.json").stat().st_mtime < old + 1

    done = run(environment, MINI, "--exp", exp, "--stage", 3)
    assert done.stdout.count(": finished, kept\n") == 4
    scoring = ("--exp", exp, "--system", "blstm-pairwise-kl", "--stage", 5, "--stop-stage", 5)
    done = run(environment, MINI, *scoring, status=2)
    assert done.stderr == f"run.sh: {folder} is finished; give --force to make it again\n"
    assert is_old()
    done = run(environment, MINI, *scoring, "--force")
    assert not is_old()
    first, *others, report = done.stdout.splitlines()
    assert first.startswith("== stage 5 to 5: training, embeddings, scores")
    assert all(line.startswith("test_") for line in others)
    assert report.startswith(str(folder / "training" / "report.html"))
    assert "run.json" not in report
    seed, commit = (json.loads((folder / "run.json").read_text())[key] for key in ("seed", "commit"))
    page = (folder / "training" / "report.html").read_text()
    assert f"{seed}" in page
    assert commit is None or re.fullmatch(r"[0-9a-f]{12,}(-dirty)?", commit)

    kept = f"{folder}: finished, kept"
    done = run(environment, MINI, "--exp", exp, "--stage", 3, "--stop-stage", 3, "--steps", 31)
    assert done.stdout.splitlines()[-1] == (
        f"{kept}; its settings were others (training.n_steps 30, now 31), --force makes it again"
    )

    system, *words = json.loads((folder / "run.json").read_text())["command"].split()
    words += ["--exp", exp, "--stage", 3, "--steps", 35, "--continue"]
    run(environment, REPOSITORY / system, *words)
    assert json.loads((folder / "run.json").read_text())["steps"] == 35
    curve = (folder / "training" / "curve.tsv").read_text().splitlines()
    assert [line.split()[0] for line in curve] == ["step", *map(str, range(5, 40, 5))]


@pytest.mark.slow
def test_a_system_that_fails_does_not_stop_the_others(environment, mini, tmp_path):
    exp = shutil.copytree(mini, tmp_path / "exp")
    chosen = ("--system", "blstm-pairwise-kl-speakers", "--set", "training.n_speakers=25")
    done = run(environment, MINI, "--exp", exp, *chosen, "--stage", 3, status=1)
    assert done.stderr.splitlines() == [
        "train_embedding.py: a batch needs 25 speakers, but the features have 8; lower [training] n_speakers",
        "run_system.sh: blstm-pairwise-kl-speakers, seed 1: failed",
        "run.sh: failed, see above: a network; run the command again to resume",
    ]
    assert [line.split(":")[0] for line in done.stdout.splitlines() if line.startswith("==")] == [
        "== stage 3 to 5", "== stage 6", "== stage 8",
    ]  # fmt: skip
    table = rows(exp / "RESULTS.md", "Errors, test_40")
    assert table[SYSTEMS["blstm-pairwise-kl-speakers"].title]["MR, oracle cut"] == "not run"
    assert table[SYSTEMS["gmm"].title]["MR, oracle cut"] == rate(exp / "gmm" / "seed1")


@pytest.mark.parametrize(
    ("stage", "missing", "made_by"), [(2, "data", 1), (3, "features", 2), (6, "data", 1)]
)
def test_a_missing_stage_is_named(tmp_path, stage, missing, made_by):
    done = run(dict(os.environ), TIMIT, "--exp", tmp_path, "--stage", stage, status=2)
    assert done.stderr == f"run.sh: {tmp_path / missing}: missing; run stage {made_by} first\n"


def test_a_missing_python_is_told(tmp_path):
    environment = {**os.environ, "PYTHON": str(tmp_path / "python")}
    done = run(environment, TIMIT, "--exp", tmp_path, "--stage", 2, status=2)
    told = "not found; run make demo first, which installs it"
    assert done.stderr == f"run.sh: {tmp_path / 'python'}: {told}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--corpus is missing; see --help"),
        (("--corpus", "/nowhere"), "/nowhere: no such folder"),
        (
            ("--system", "cnn", "--stage", "2"),
            "list_systems.py: unknown system cnn; known: blstm-arcface blstm-pairwise-kl ",
        ),
        (("--conf", "/nowhere", "--stage=2"), "list_systems.py: /nowhere: no TOML file of a system; "),
        (("--stage", "two"), "--stage: a number is needed, got two; see --help"),
        (("--seed=1 x",), "--seed: a number is needed, got x; see --help"),
        (("--stage", "9"), "no stages from 9 to 8; there are 1 to 8"),
        (("--stage=5", "--stop-stage=3"), "no stages from 5 to 3; there are 1 to 8"),
        (("--speed", "9"), "unknown option --speed; see --help"),
        (("--steps",), "--steps needs a value; see --help"),
        (("--steps", "--force"), "--steps needs a value; see --help"),
        (("--force=yes",), "unknown option --force; see --help"),
        (("voices",), "unexpected argument voices; see --help"),
    ],
)
def test_a_wrong_command_is_told_in_a_line(tmp_path, words, message):
    done = run(dict(os.environ), TIMIT, "--exp", tmp_path / "exp", *words, status=2)
    script = "" if message.startswith("list_systems.py") else "run.sh: "
    assert done.stderr.startswith(f"{script}{message}")
    assert done.stderr.count("\n") == 1
    assert not done.stdout
    assert not (tmp_path / "exp").exists()


SHELL = [
    *sorted((REPOSITORY / "egs").glob("*/*.sh")),
    *(REPOSITORY / "recipes" / f"{name}.sh" for name in ("run_system", "run_baseline", "score_run")),
]


@pytest.mark.parametrize("script", SHELL, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_help_is_the_comment_at_the_head(script):
    done = run(dict(os.environ), script, "--help")
    assert "--exp" in done.stdout
    assert script.name == "score_run.sh" or "--force" in done.stdout
    assert "#" not in done.stdout
    assert "shellcheck" not in done.stdout


@pytest.mark.slow
def test_the_bundled_blstm_is_the_trained_one_in_8_bits(environment, mini, tmp_path):
    exp = tmp_path / "exp"
    shutil.copytree(mini, exp)
    words = ("--corpus", exp / "corpus", "--exp", exp)
    done = run(environment, REPOSITORY / "egs/voices/pairwise_kl.sh", *words, "--stop-stage", 2)
    trained, made = exp / "blstm-pairwise-kl" / "seed1", exp / "pairwise-kl.tmp"
    assert f"\n{trained}: finished, kept\n" in done.stdout
    assert done.stdout.endswith("\nno back end: 12 speakers have two clips, more than 128 are needed\n")
    model = load_model(made)
    assert model.segments is not None
    assert model.segments.layer == "lstm2"
    kept = read_weights(trained / "training" / "model" / "weights.safetensors")
    for name, tensor in read_weights(made / "weights.safetensors").items():
        assert (tensor - kept[name]).abs().max() <= kept[name].abs().max() / 254, name
    done = run(environment, REPOSITORY / "egs/voices/pairwise_kl.sh", *words, "--stage", 4, status=2)
    assert done.stderr == "pairwise_kl.sh: no stages from 4 to 3; there are 1 to 3\n"


@pytest.mark.parametrize("words", [("--recipe", "activity"), ("--recipe=activity",)])
def test_voices_has_recipes_of_models(words):
    environment, folder = dict(os.environ), REPOSITORY / "egs" / "voices"
    own, asked = (
        run(environment, folder / script, *more, "--help").stdout
        for script, more in (("activity.sh", ()), ("run.sh", words))
    )
    assert own == asked
    done = run(environment, folder / "run.sh", *words, "--corpus", "/nowhere", status=2)
    assert done.stderr == "activity.sh: /nowhere/augment/noise: no such folder\n"


OPTIONS = """
set -euo pipefail
. recipes/options.sh
options corpus='' stop_stage=8 seed='1 2 3' name=none
flags force
lists set
parse_options made/up.sh "$@"
printf '%s|' "$corpus" "$stop_stage" "$seed" "$name" "$force" "${#set[@]}" ${set[@]+"${set[@]}"} "$command"
"""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "|8|1 2 3|none||0|made/up.sh|"),
        (("--corpus", "a b", "--force"), "a b|8|1 2 3|none|yes|0|made/up.sh --corpus a b --force|"),
        (("--stop-stage=3", "--seed=4 5"), "|3|4 5|none||0|made/up.sh --stop-stage=3 --seed=4 5|"),
        (("--name", "x", "--name=y"), "|8|1 2 3|y||0|made/up.sh --name x --name=y|"),
        (("--set=a=1", "--set", "b c=*"), "|8|1 2 3|none||2|a=1|b c=*|made/up.sh --set=a=1 --set b c=*|"),
        (("--corpus=--odd", "--name="), "--odd|8|1 2 3|||0|made/up.sh --corpus=--odd --name=|"),
    ],
)
def test_options_of_shell(words, told):
    command = ["bash", "-c", OPTIONS, "made-up", *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout == told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--stop-stage", "x"), "--stop-stage: a number is needed, got x; see --help"),
        (("--corpus stop_stage", "1"), "unknown option --corpus stop_stage; see --help"),
        (("--", "1"), "unknown option --; see --help"),
        (("--set",), "--set needs a value; see --help"),
        (("-x",), "unexpected argument -x; see --help"),
    ],
)
def test_wrong_options_of_shell(words, told):
    command = ["bash", "-c", OPTIONS, "made-up", *words]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"up.sh: {told}\n")


@pytest.mark.slow
def test_the_whole_recipe_of_timit(environment, tmp_path):
    """All stages, and kinds of networks, baselines and experiments, on LDC's layout, some of it SPHERE."""
    train, dev = timit.read_names("train_100")[:4], ["FTLH0", "MRML0"]
    test = [*timit.read_names("test_20")[:2], "FJEM0", "MCCS0"]
    corpus = timit.make_timit(
        tmp_path, dict.fromkeys([*train, *dev, *test], 10), {train[0]: "riff", "FJEM0": "both"}, seconds=1.3
    )
    conf = shutil.copytree(CONF, tmp_path / "conf")
    for name in UNUSED:
        (conf / f"{name}.toml").unlink()
    systems = find_systems(conf)
    for name, own in EXPERIMENTS.items():
        tables = load_toml(CONF / "experiments" / f"{name}.toml") | {"runs": own}
        (conf / "experiments" / f"{name}.toml").write_text(format_toml(tables))
    exp = tmp_path / "exp"
    run(
        environment, TIMIT, "--corpus", corpus, "--exp", exp, "--steps", 2, "--seed", 1,
        *(word for setting in LITTLE for word in ("--set", f"training.{setting}")),
        "--conf", conf,
    )  # fmt: skip
    page = exp / "RESULTS.md"
    table, made = rows(page, "Errors, test_40"), rows(page, "How each was made")
    for name, system in systems.items():
        assert table[system.title]["MR, oracle cut"] == rate(exp / name / "seed1"), name
        assert made[system.title]["command"] != "not run"
    steps = [row["batches / the paper's"].split(" / ")[0] for row in made.values()]
    assert steps.count("2") == sum(system.is_network for system in systems.values())
    named = rows(page, "Identification")
    for name, n_speakers in (("gmm", 10), ("cnn-cross-entropy", 6)):
        scores = json.loads((exp / "identification" / name / "seed1" / "scores.json").read_text())
        assert scores["n_speakers"] == scores["parts"]["n"] == n_speakers
        assert scores["recordings"]["n"] == 2 * n_speakers
        row = named[systems[name].title]
        assert row["error, part"] == f"{100 * (1 - scores['parts']['accuracy']):.2f}"
    experiments = {
        path.parent.parent.relative_to(exp / "experiments").as_posix()
        for path in exp.glob("experiments/*/*/seed1/run.json")
    }
    expected = {f"{name}/{value}" for name, own in EXPERIMENTS.items() for value in own}
    assert experiments == expected - {"training-length/5"}, "it was trained for 2 batches"
    lengths = rows(page, "MR against the length of a segment")
    run_of = exp / "experiments" / "segment-length" / "100" / "seed1"
    assert lengths["100"]["MR, oracle cut"] == rate(run_of)
    assert lengths["20"]["MR, oracle cut"] == "not run"
    shutil.rmtree(exp)  # half a gigabyte


def without_times(page: Path) -> str:
    """RESULTS.md without what another run may tell otherwise: its folder, dates and seconds."""
    text = re.sub(r"\d{4}-\d\d-\d\d", "DATE", page.read_text().replace(str(page.parent), "EXP"))
    head, made, tail = re.split(r"(?=\n## How each was made\n)|(?=\n## Identification\n)", text)
    return head + re.sub(r" [^|]* \|$", "", made, flags=re.MULTILINE) + tail


@pytest.mark.slow
def test_a_recipe_killed_twice_ends_with_the_same_results(environment, mini_in_seconds, tmp_path):
    (mini, seconds), exp = mini_in_seconds, tmp_path  # as deep as the other: the page has relative links
    chance = random.Random(1)
    for _ in range(2):
        process = subprocess.Popen(
            [MINI, "--exp", exp],
            env=environment, process_group=0, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(chance.uniform(0.1, 0.6) * seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run(environment, MINI, "--exp", exp)
    for scores in mini.rglob("scores.json"):
        again = (exp / scores.relative_to(mini)).read_text()
        if "identification" in scores.parts:
            found, expected = json.loads(again), json.loads(scores.read_text())
            assert found | {"seconds": 0} == expected | {"seconds": 0}
        else:
            assert again == scores.read_text()
    for name in ("training/model/weights.safetensors", "training/checkpoint.safetensors"):
        ours, theirs = (load_file(folder / "blstm-pairwise-kl" / "seed1" / name) for folder in (exp, mini))
        assert ours.keys() == theirs.keys()
        assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    assert without_times(exp / "RESULTS.md") == without_times(mini / "RESULTS.md")
