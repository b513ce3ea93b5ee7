"""Nothing that is read can run code: no pickle, no evaluated text, no shell but for --allow-pipes."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("diarize", "recipes", "egs", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py"))

ANYWHERE = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "joblib.load"}
ANYWHERE |= {
    f"{module}.{name}" for module in ("pickle", "marshal", "shelve", "dill") for name in ("load", "loads")
}
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
"""Calls that must have this argument."""
SHELL = ("diarize/formats/kaldi.py",)
"""Where a command of the user is run."""


def calls(tree: ast.AST):
    """The calls of a file, each with its name as it is written."""
    return [(_name(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def wrong_calls(source: str, file: str) -> list[str]:
    """The calls of a file that could run what it reads."""
    wrong = []
    for name, node in calls(ast.parse(source)):
        given = {each.arg: getattr(each.value, "value", None) for each in node.keywords}
        argument, value = SAFE.get(name.replace("numpy.", "np."), (None, None))
        if (
            name in ANYWHERE
            or (argument and given.get(argument) is not value)
            or ("shell" in given and file not in SHELL)
        ):
            wrong.append(f"{file}, line {node.lineno}: {name}")
    return wrong


def test_nothing_that_is_read_can_run_code():
    assert len(FILES) > 300
    names = {path: str(path.relative_to(REPOSITORY)) for path in FILES}
    assert [
        wrong for path, name in names.items() for wrong in wrong_calls(path.read_text("utf-8"), name)
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle; pickle.load(f)", "torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p)",
        "np.load(p, allow_pickle=True)", "subprocess.run(c, shell=True)", "eval(x)", "joblib.load(p)",
    ],
)  # fmt: skip
def test_such_a_call_is_seen(source):
    assert len(wrong_calls(source, "diarize/x.py")) == 1
