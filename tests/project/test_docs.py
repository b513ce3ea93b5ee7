"""The documentation against the code: settings, commands, files, dependencies."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from test_layers import ORDER
from typer.main import get_command

from diarize.cli.commands import app
from diarize.cli.console import load_settings
from diarize.cli.options import OPTION_SETTINGS
from diarize.clustering import CLUSTERERS, TRAINED_CLUSTERERS
from diarize.clustering.agglomerative import THRESHOLDS
from diarize.config import Config, Settings, load_config
from diarize.networks import build_network
from diarize.pipeline.labels import make_clusterer

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DOCS = REPOSITORY / "docs"
PAGES = [path for path in (REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))) if path.exists()]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = get_command(app).commands
OF_CONFIG = {"n_speakers", "min_speakers", "max_speakers", "threshold"}  # they have settings of their own

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    return [code for language, code in BLOCK.findall(text_of(page)) if language in languages]


def table_rows(text: str) -> list[list[str]]:
    """The cells of all Markdown tables, code marks kept."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [re.split(r"\s*\|\s*", line)[1:-1] for line in lines]


def written(value: object) -> str:
    """A default as the page of settings writes it."""
    return "none" if value is None else f"`{json.dumps(value)}`"


def settings_of(model: type[Settings], prefix: str = "") -> dict[str, str]:
    """Name and written default of each setting: {"speech.threshold": "`0.5`"}."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Settings):
            found |= settings_of(type(default), f"{prefix}{name}.")
        else:
            found[prefix + name] = written(default)
    return found


def options_of_settings() -> dict[str, str]:
    """The option of each setting that has one: {"embedding.window": "`embed --window`"}."""
    commands = {name: {param.name for param in command.params} for name, command in COMMANDS.items()}
    found = {}
    for option, setting in OPTION_SETTINGS.items():
        names = [name for name, params in commands.items() if option in params]
        found[setting] = ", ".join(f"`{name} --{option.replace('_', '-')}`" for name in names)
    return found


def commands_in(code: str) -> list[list[str]]:
    """The arguments of each call of diarize in lines of shell."""
    parts = re.split(r"\||&&|;|>|\n", re.sub(r"\\\n", " ", code))
    calls = [re.match(r"\s*(?:\$ )?(?:\S+/)?diarize (.*)", part) for part in parts]
    return [shlex.split(call[1], comments=True) for call in calls if call]


def test_the_page_of_settings_has_every_setting_with_its_default_and_option():
    text = text_of(DOCS / "settings.md").partition("## Clusterers")[0]
    page = {name.strip("`"): (default, option) for name, default, _, _, option in table_rows(text)}
    options = options_of_settings()
    assert page == {name: (value, options.get(name, "")) for name, value in settings_of(Config).items()}


@pytest.mark.parametrize("method", [*CLUSTERERS, *TRAINED_CLUSTERERS])
def test_the_page_of_settings_has_every_parameter_of_the_clusterers(method):
    text = text_of(DOCS / "settings.md")
    section = re.search(rf"^### {method}\n(.*?)(?=^##)", text, re.MULTILINE | re.DOTALL)
    assert section, f"settings.md has no section on {method}"
    page = {name.strip("`"): default for name, default, *_ in table_rows(section[1])}
    defaults = make_clusterer(load_config(None, {"clustering.method": method})).get_params(deep=False)
    assert page == {name: written(value) for name, value in defaults.items() if name not in OF_CONFIG}


def test_the_page_of_settings_has_the_thresholds_of_each_linkage():
    told = ", ".join(f"{threshold:g} with `{linkage}`" for linkage, threshold in THRESHOLDS.items())
    assert told in text_of(DOCS / "settings.md")


def test_the_settings_that_the_page_shows_are_valid(tmp_path):
    for code in blocks(DOCS / "settings.md", "toml"):
        (tmp_path / "shown.toml").write_text(code)
        config = load_config(tmp_path / "shown.toml")
        make_clusterer(config)


@pytest.mark.parametrize("name", ["window", "hop"])
def test_the_help_of_embed_gives_the_defaults_of_the_windows(name):
    (option,) = (param for param in COMMANDS["embed"].params if param.name == name)
    assert option.help.endswith(f"; default {getattr(Config().embedding, name):g}.")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_the_command_line_has_every_option(command):
    text = text_of(DOCS / "reference" / "command-line.md")
    section = re.search(rf"^## {command}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"command-line.md has no section on {command}"
    page = {name.strip("`") for names, *_ in table_rows(section[1]) for name in names.split(", ")}
    options = [param for param in COMMANDS[command].params if param.param_type_name == "option"]
    assert page == {name for param in options for name in param.opts}


@every_page
def test_commands_in_the_documentation_exist(page):
    indented = re.findall(r"^ {4}.*$", BLOCK.sub("", text_of(page)), re.MULTILINE)
    for code in (*blocks(page, "", "sh", "bash", "console"), *indented):
        for name, *arguments in commands_in(code):
            if name in ("-h", "--help"):
                continue
            assert name in COMMANDS, f"diarize {name}: no such command"
            context = COMMANDS[name].make_context(name, [each for each in arguments if each != "--help"])
            load_settings(None, context.params.get("settings"), {})


@every_page
def test_commands_named_in_a_sentence_exist(page):
    for span in re.findall(r"`(diarize [^`]+)`", re.sub(BLOCK, "", text_of(page))):
        _, name, *words = shlex.split(span)
        known = {option for command in COMMANDS.values() for param in command.params for option in param.opts}
        assert name in COMMANDS or name == "--help", span
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, span


@pytest.mark.parametrize("page", [*PAGES, *REPOSITORY.glob("C*.md")], ids=lambda path: path.name)
def test_files_named_in_the_documentation_exist(page):
    """Documentation went on to name modules that had moved."""
    named = re.findall(r"\b(?:diarize|recipes|egs|benchmarks|tests|docs)/[\w./-]*\.\w+", text_of(page))
    missing = {name for name in named if not (REPOSITORY / name).exists()}
    assert not missing, f"{page.name} names {missing}"


@every_page
def test_python_in_the_documentation_compiles(page):
    for code in blocks(page, "python"):
        compile(code, page.name, "exec")


@pytest.mark.parametrize("folder", ["diarize", "recipes", "benchmarks"])
def test_the_tree_names_the_files_that_are(folder):
    text = text_of(DOCS / "architecture.md")
    if folder == "benchmarks":
        text = text_of(REPOSITORY / folder / "README.md")
    missing = [
        path.name
        for path in sorted((REPOSITORY / folder).rglob("*.py"))
        if not re.search(rf"\b{path.name}\b", text)
    ]
    assert not missing, f"not told: {missing}"


def test_the_tree_stands_in_the_order_of_imports():
    tree = next(code for code in blocks(DOCS / "architecture.md", "") if code.startswith("diarize/\n"))
    names = re.findall(r"^  (\w+)(?:\.py|/)", tree, re.MULTILINE)
    there = {path.stem for path in (REPOSITORY / "diarize").iterdir()}
    assert [name for name in names if name in ORDER] == [name for name in ORDER if name in there]
    assert set(names) <= there, f"told, but gone: {sorted(set(names) - there)}"


def test_every_dependency_has_its_reason():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    asked = {re.split(r"[^\w.-]", line)[0] for line in sum(extras, project["dependencies"])}
    told = {name.strip("`") for name, *_ in table_rows(text_of(DOCS / "dependencies.md"))}
    assert told == asked


def test_the_figures_of_the_network_are_those_of_the_bundled_one():
    table = tomllib.loads((REPOSITORY / "egs/voices/conf/bundled.toml").read_text(encoding="utf-8"))[
        "network"
    ]
    network = build_network(**table)
    text = text_of(DOCS / "how-it-works.md")
    for told in (
        f"`context` = {network.context} frames",
        f"`stride` = {network.stride} frames",
        f"(n_outputs, {network.n_features})",
        f"(n_windows, {network.dim})",
    ):
        assert told in " ".join(text.split()), f"how-it-works.md does not say {told}"
