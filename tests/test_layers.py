"""The library in reading order: a file imports only from those above it."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LIBRARY = REPOSITORY / "diarize"

# A file, or a folder of equal members, which may import each other.
ORDER = [
    "errors",
    "quiet_imports",
    "machine",
    "folders",
    "sessions",
    "segments",
    "windows",
    "toml",
    "settings",
    "config",
    "catalog",
    "pieces",
    "clock",
    "arrays",
    "sources",
    "joined",
    "wav",
    "mpeg",
    "containers",
    "decoders",
    "mixing",
    "audio",
    "formats",
    "channel_options",
    "embeddings",
    "features",
    "vad",
    "networks",
    "losses",
    "augment",
    "simulation",
    "sounds",
    "batches",
    "objectives",
    "checkpoints",
    "segmentation",
    "activity",
    "crosstalk",
    "channels",
    "optimizers",
    "training",
    "backend",
    "models",
    "encoders",
    "embedder",
    "baselines",
    "clustering",
    "clustering_metrics",
    "clustering_evaluation",
    "verification",
    "metrics",
    "timeline",
    "report",
    "diarization",
    "resegmentation",
    "one_voice",
    "labels",
    "pipeline",
    "batch",
    "console",
    "targets",
    "doctor",
    "options",
    "cli",
    "__main__",
]
FRONT_DOOR = LIBRARY / "__init__.py"  # loads whatever is asked of it
MODULES = sorted(path for path in LIBRARY.rglob("*.py") if path != FRONT_DOOR)


def layer(module: Path) -> str:
    """errors for diarize/errors.py, formats for diarize/formats/rttm.py."""
    return module.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imports(module: Path) -> set[str]:
    """The dotted names that a file imports anywhere, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: a relative import hides its layer"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_module_imports_only_from_those_above_it(module):
    assert layer(module) in ORDER, f"{module.name} has no place yet: give it one in ORDER"
    above = ORDER[: ORDER.index(layer(module))]
    own = [f"{name}.".split(".") for name in imports(module) if name.split(".")[0] == "diarize"]
    allowed = [*above, layer(module), "__version__"]
    below = {name[1] for name in own if name[1] not in allowed}
    assert not below, f"{module.name} imports from below: {sorted(below)}"


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_heavy_packages_stay_where_they_belong(module):
    roots = {name.split(".")[0] for name in imports(module)}
    if ORDER.index(layer(module)) < ORDER.index("features"):
        assert not roots & {"torch", "torchaudio"}, "torch is loaded from features on"
    assert "resemblyzer" not in roots, "its weights are read from its folder, its code is not run"
    if layer(module) != "features":
        assert "torchaudio" not in roots, "features is the only user of torchaudio"


@pytest.mark.parametrize("name", ORDER)
def test_the_order_names_what_exists(name):
    assert (LIBRARY / f"{name}.py").is_file() or (LIBRARY / name / "__init__.py").is_file()


@pytest.mark.parametrize(
    "script",
    sorted((REPOSITORY / "recipes").rglob("*.py")),
    ids=lambda path: path.name,
)
def test_recipes_import_no_other_script(script):
    others = {path.stem for path in (REPOSITORY / "recipes").rglob("*.py")}
    assert not {name.split(".")[0] for name in imports(script)} & (others | {"recipes", "egs", "tests"})
