"""The packages of the library in their order: each imports only from those on its left, none in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
LIBRARY = REPOSITORY / "diarize"

_GROUPS = """
errors segments timelines access config files machine
audio formats words networks
clustering speakers scoring experiments
speech embedding corpus
pipeline training
report batch tuning service
cli __main__
"""
ORDER = _GROUPS.split()
EXPERIMENTS = {"report", "experiments", "cli"}
"""The packages that may use the research line; the product does not."""
WITH_TRAINING = {"training"}
"""Neither the product nor a report needs what networks are trained with."""
WITHOUT_TORCH = {
    "errors",
    "segments",
    "timelines",
    "config",
    "files",
    "formats",
    "words",
    "clustering",
    "speakers",
    "scoring",
}
WITH_TORCH = {"machine/threads.py", "machine/devices.py", "audio/features.py"}
"""Alone in their packages."""
FRONT_DOOR = LIBRARY / "__init__.py"  # loads whatever is asked of it
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path != FRONT_DOOR)
SHARED = sorted(
    path for path in (REPOSITORY / "recipes").rglob("*") if path.suffix in {".py", ".sh", ".toml"}
)
SCRIPTS = sorted((REPOSITORY / "recipes").rglob("*.py"))


def package(module: Path) -> str:
    """errors for diarize/errors.py, formats for diarize/formats/rttm.py."""
    return module.relative_to(LIBRARY).parts[0].removesuffix(".py")


def dotted(module: Path) -> str:
    """diarize.formats.rttm for diarize/formats/rttm.py."""
    return ".".join(module.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def imports(module: Path) -> set[str]:
    """The dotted names that a file imports anywhere, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import hides its package"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_a_module_imports_only_from_packages_on_its_left(module):
    assert package(module) in ORDER, f"{module.name} has no place yet: give it one in ORDER"
    left = ORDER[: ORDER.index(package(module)) + 1]
    own = [f"{each}.".split(".")[1] for each in imports(module) if each.split(".")[0] == "diarize"]
    right = {each for each in own if each not in [*left, "__version__"]}
    assert not right, f"{name(module)} imports from the right: {sorted(right)}"
    assert package(module) in EXPERIMENTS or "experiments" not in own, "the product uses no experiments"
    assert package(module) in WITH_TRAINING or "training" not in own, "only recipes and benchmarks train"


def test_no_module_imports_itself_by_way_of_others():
    """The package's own file counts as a module: what it hands on must not import it."""
    known = {dotted(module): module for module in MODULES}
    graph = {
        each: {
            next(part for part in (found, found.rpartition(".")[0], "") if part in known or not part)
            for found in imports(module)
            if found.startswith("diarize.")
        }
        - {""}
        for each, module in known.items()
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_heavy_packages_stay_where_they_belong(module):
    roots = {each.split(".")[0] for each in imports(module)}
    place = str(module.relative_to(LIBRARY))
    if package(module) in WITHOUT_TORCH or (
        package(module) in {"machine", "audio"} and place not in WITH_TORCH
    ):
        assert not roots & {"torch", "torchaudio"}, "it is used where torch is not needed"
    assert "resemblyzer" not in roots, "its weights are read from its folder, its code is not run"
    if place != "audio/features.py":
        assert "torchaudio" not in roots, "audio/features.py is the only user of torchaudio"


def test_packages_that_open_sockets_are_imported_only_where_they_are_asked_for():
    """In functions of these modules alone, so that nothing else, such as a local run, loads them."""
    users = {"dask": set(), "distributed": {"batch/cluster.py", "batch/cluster_worker.py"}}
    users |= {"fsspec": {"files/remote.py"}, "s3fs": set(), "gcsfs": set(), "aiohttp": set()}
    for module in (*MODULES, FRONT_DOOR):
        place = str(module.relative_to(LIBRARY))
        roots = {each.split(".")[0] for each in imports(module)} & set(users)
        assert all(place in users[root] for root in roots), f"{place} imports {sorted(roots)}"
        top = {
            alias.name.split(".")[0] if isinstance(node, ast.Import) else str(node.module).split(".")[0]
            for node in ast.parse(module.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert not top & set(users), f"{place} imports {sorted(top & set(users))} when it is imported"


@pytest.mark.parametrize("each", ORDER)
def test_the_order_names_what_exists(each):
    assert (LIBRARY / f"{each}.py").is_file() or (LIBRARY / each / "__init__.py").is_file()


@pytest.mark.parametrize("file", SHARED, ids=name)
def test_what_fits_any_corpus_names_none(file):
    """A recipe of egs/ calls what lies in recipes/, never the other way round."""
    lines = file.read_text(encoding="utf-8").splitlines()
    named = [number for number, line in enumerate(lines, 1) if "egs/" in line]
    assert not named, f"{name(file)} names egs/ in lines {named}"


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_recipes_import_no_other_script(script):
    others = {path.stem for path in SCRIPTS}
    assert not {each.split(".")[0] for each in imports(script)} & (others | {"recipes", "egs", "tests"})
