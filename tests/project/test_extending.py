"""Each example of docs/extending.md: a file and a line in a copy of the package, then used by its name."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from planted import N_MELS, pack_speakers

from diarize.training.checkpoints import read_curve

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PAGE = (REPOSITORY / "docs" / "extending.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## An? ([a-z ]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
TRAINING = """
[features]
n_mels = {n_mels}
[network]
{network}
[training]
n_steps = 40
n_speakers = 6
seconds = [0.4, 0.5]
learning_rate = 0.01
warm_up = 2
average = 0.5
save_every = 20
"""
RESNET = 'family = "resnet"\nchannels = [4, 4, 8]\nheads = 2\ndim = 8'


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL)


def place(line: str) -> Path:
    """Where the first line of a block says that it goes."""
    name, folder = re.fullmatch(r"\s*# (\S+) in (\S+)", line).groups()
    return Path(folder) / name


class Copy:
    """A checkout with a copy of the package in which an example was followed."""

    def __init__(self, folder: Path, section: str) -> None:
        self.folder = folder
        shutil.copytree(
            REPOSITORY / "diarize", folder / "diarize", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in ("egs", "recipes"):
            (folder / name).symlink_to(REPOSITORY / name)
        (file,), (line,) = blocks(section, "python"), blocks(section, "diff")
        path = folder / place(file.split("\n", 1)[0])
        assert not path.exists()
        path.write_text(file, encoding="utf-8")
        where, before, added = line.splitlines()
        registry = folder / place(where)
        text = registry.read_text(encoding="utf-8")
        assert added.startswith("+    ")
        place_of = f"\n{before[1:]}\n"
        assert text.count(place_of) == 1, "the line has one place"
        registry.write_text(text.replace(place_of, f"{place_of}{added[1:]}\n"), encoding="utf-8")

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """What Python did in the copy."""
        return subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def do(self, *words: object) -> str:
        """What Python printed, when all went well."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def follow(self, section: str) -> list[str]:
        """What the commands of the section printed."""
        commands = [line for code in blocks(section, "sh") for line in code.splitlines()]
        return [self.do(*shlex.split(command)[1:]) for command in commands]

    def train(self, config: str, *more: object) -> tuple[Path, list[dict[str, float]]]:
        """The model folder of a short training, and its curve."""
        pack_speakers(self.folder / "features")
        (self.folder / "conf.toml").write_text(config)
        words = ("--features", "features", "--config", "conf.toml", "--out", "exp", *more)
        self.do("recipes/train_embedding.py", *words)
        return self.folder / "exp" / "model", read_curve(self.folder / "exp" / "curve.tsv")

    def test(self, path: str, name: str) -> str:
        """The repository's tests that run for each registered name, for one of them."""
        return self.do(
            "-m", "pytest", "-q", "-p", "no:cacheprovider", REPOSITORY / "tests" / path, "-k", name
        )

    def lint(self, section: str) -> None:
        """Style and types of the example's file."""
        (file,) = blocks(section, "python")
        path = place(file.split("\n", 1)[0])
        for check in (("check",), ("format", "--check")):
            words = ("--no-cache", "--config", REPOSITORY / "pyproject.toml")
            self.do("-m", "ruff", *check, *words, path)


@pytest.fixture
def copy_with(tmp_path):
    return lambda section: Copy(tmp_path, section)


def test_a_loss(copy_with):
    copy = copy_with("loss")
    copy.lint("loss")
    config = TRAINING.format(n_mels=N_MELS, network=RESNET) + blocks("loss", "toml")[0]
    _, (first, last) = copy.train(config)
    assert list(first) == ["step", "seconds", "learning_rate", "triplet"]
    assert last["triplet"] < 0.8 * first["triplet"]
    shutil.rmtree(copy.folder / "exp")
    copy.train(config, "--set", "loss.layer=pool_norm", "--set", "training.n_steps=3")
    words = ("--features", "features", "--config", "conf.toml", "--out", "other", "--set", "loss.kind=triple")
    done = copy.run("recipes/train_embedding.py", *words)
    assert done.returncode == 2
    assert "[loss]: unknown loss 'triple'; known: triplet, embedding, cross-entropy, " in done.stderr


def test_a_network(copy_with):
    copy = copy_with("network")
    copy.lint("network")
    (network,) = blocks("network", "toml")
    model, curve = copy.train(TRAINING.format(n_mels=N_MELS, network=network.split("\n", 1)[1]))
    assert curve[-1]["arcface"] < curve[0]["arcface"]
    assert 'family = "narrow"' in (model / "config.toml").read_text()
    copy.do("-m", "diarize", "run", "egs/demo/meeting.flac", "-o", "out", "--model", model)
    assert "SPEAKER meeting 1 " in (copy.folder / "out" / "meeting.rttm").read_text()
    assert re.search(r"\b2 passed", copy.test("networks/test_contract.py", "narrow"))


def test_a_clusterer(copy_with):
    copy = copy_with("clusterer")
    copy.lint("clusterer")
    copy.follow("clusterer")
    turns = (copy.folder / "out" / "meeting.rttm").read_text().splitlines()
    assert len({turn.split()[7] for turn in turns}) == 4
    assert re.search(r"\b\d+ passed", copy.test("clustering/test_clustering.py", "components"))


def test_a_format(copy_with):
    copy = copy_with("annotation format")
    copy.lint("annotation format")
    (copy.folder / "out").mkdir()
    _, scored = copy.follow("annotation format")
    first = (copy.folder / "out" / "meeting.bars").read_text().splitlines()[0]
    assert re.fullmatch(r"\d+\.\d{3}\|\d+\.\d{3}\|\S+", first)
    assert re.search(r"^\| TOTAL +\| 0\.00 \|", scored, re.MULTILINE), "what was converted is the reference"
    (copy.folder / "wrong.bars").write_text("0.5|1.5|Ann\n0.5;1.5\n")
    done = copy.run("-m", "diarize", "convert", "wrong.bars", "-o", "right.rttm")
    assert done.returncode == 2
    assert "wrong.bars, line 2: needs start, end and speaker, separated by |" in done.stderr
