"""The checks of style and types, run as tests, so that `make test` is all there is to pass."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import which

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TOOLS = Path(sys.executable).parent
OURS = ["diarize", "recipes", "egs", "tests", "benchmarks", "docs", ".ci"]


def ours(pattern: str) -> list[Path]:
    """The files of the repository that match, at its top and in its folders."""
    found = [
        *REPOSITORY.glob(pattern),
        *(path for name in OURS for path in (REPOSITORY / name).rglob(pattern)),
    ]
    return sorted(found)


def check(*command: str) -> None:
    """Run a tool of the environment; what it says is the failure's message."""
    tool = TOOLS / command[0]
    assert tool.exists(), f"{command[0]} is missing: pip install -c constraints.txt -e '.[dev]'"
    run = subprocess.run(
        [str(tool), *command[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout}{run.stderr}"


def test_ruff():
    check("ruff", "check", "--no-cache", ".")


def test_ruff_format():
    check("ruff", "format", "--check", "--no-cache", ".")


def test_mypy():
    check("mypy")


def test_shellcheck():
    scripts = [*ours("*.sh"), REPOSITORY / ".ci" / "run"]
    check("shellcheck", "-x", *(str(path.relative_to(REPOSITORY)) for path in scripts))


@pytest.mark.parametrize("page", ours("*.md"), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_of_the_documentation_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing, f"{page.name} links to {missing}"


def test_every_requirement_is_in_the_tested_set():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["dev"], *extras["docs"]]
    pinned = re.findall(
        r"^([\w.-]+)==", (REPOSITORY / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE
    )

    def canonical(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    missing = {canonical(re.split(r"[^\w.-]", line)[0]) for line in asked} - {
        canonical(name) for name in pinned
    }
    assert not missing, f"constraints.txt does not pin {sorted(missing)}"


@pytest.mark.skipif(not which("git"), reason="needs git")
@pytest.mark.parametrize("name", [".venv", "out", "build", "exp", ".hypothesis"])
def test_git_ignores_a_link_to_a_folder_as_it_ignores_the_folder(name, tmp_path):
    """A pattern that ends in a slash matches no link: a linked .venv could be committed."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_bytes((REPOSITORY / ".gitignore").read_bytes())
    (tmp_path / name).symlink_to(tmp_path.parent)
    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(status, capture_output=True, text=True, check=True)
    assert done.stdout == "?? .gitignore\n"
