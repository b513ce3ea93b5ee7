"""Settings: one error for whatever is wrong in them, in one line that names the remedy."""

import re

import pytest
from pydantic import ValidationError

from diarize.config import (
    RECIPE_TABLES,
    Config,
    EmbeddingConfig,
    SpeechConfig,
    load_config,
    load_tables,
    load_toml,
    validate,
)
from diarize.errors import ConfigError


def write(folder, text):
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_there_are_the_defaults():
    assert load_config() == Config()
    assert load_config().embedding == EmbeddingConfig(window=1.5, hop=0.75)


def test_a_file_changes_what_it_names(tmp_path):
    path = write(
        tmp_path, '[clustering]\nmethod = "spectral"\noptions = {p = 3}\n[speech]\nthreshold = 0.4\n'
    )
    config = load_config(path)
    assert config.clustering.method == "spectral"
    assert config.clustering.options == {"p": 3}
    assert config.speech == SpeechConfig(threshold=0.4)
    assert config.embedding == EmbeddingConfig()


def test_overrides_win_over_the_file(tmp_path):
    path = write(tmp_path, "[embedding]\nwindow = 2.0\nhop = 1.0\n")
    config = load_config(path, {"embedding.hop": 0.5, "clustering.n_speakers": 3, "clustering.options.p": 1})
    assert config.embedding == EmbeddingConfig(window=2.0, hop=0.5)
    assert config.clustering.n_speakers == 3
    assert config.clustering.options == {"p": 1}


def test_what_is_dumped_is_loaded():
    config = load_config(overrides={"turns.min_gap": 0.1, "clustering.max_speakers": 5})
    assert validate(Config, config.model_dump(), "settings") == config


def test_settings_are_fixed_once_made():
    with pytest.raises(ValidationError, match="frozen"):
        Config().embedding.window = 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[embedding]\nwindows = 1\n",
            "unknown setting 'embedding.windows'; known: window, hop",
        ),
        (
            "[embeddings]\nwindow = 1\n",
            "unknown setting 'embeddings'; "
            "known: speech, channels, embedding, clustering, resegmentation, turns",
        ),
        (
            "[embedding]\nwindow = 0\n",
            "setting 'embedding.window': input should be greater than 0, got 0",
        ),
        (
            "[speech]\nthreshold = 1.5\n",
            "setting 'speech.threshold': input should be less than or equal to 1, got 1.5",
        ),
        (
            '[embedding]\nhop = "wide"\n',
            "setting 'embedding.hop': input should be a valid number, unable to parse string as a number, "
            "got 'wide'",
        ),
        (
            '[speech]\ndetector = "ears"\n',
            "setting 'speech.detector': input should be 'silero', 'activity' or 'energy', got 'ears'",
        ),
        (
            "[clustering]\nn_speakers = 0\n",
            "setting 'clustering.n_speakers': input should be greater than or equal to 1, got 0",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_config(path)


def test_a_section_is_no_value(tmp_path):
    path = write(tmp_path, "speech = 3\n")
    with pytest.raises(ConfigError, match=r"setting 'speech': .*, got 3$"):
        load_config(path)


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path):
    path = write(tmp_path, "[speech]\nthreshold = 0.3\nrelease 0.1\n")
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: not TOML: .*line 3"):
        load_config(path)


def test_a_file_that_is_no_text_is_told(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: not TOML: "):
        load_toml(path)


def test_a_file_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: cannot be read \(No such file"):
        load_config(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embedding.windows", "settings: unknown setting 'embedding.windows'; known: window, hop"),
        (
            "windows",
            "settings: unknown setting 'windows'; "
            "known: speech, channels, embedding, clustering, resegmentation, turns",
        ),
    ],
)
def test_an_unknown_override_is_told(name, message):
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        load_config(overrides={name: 1})


def test_an_override_below_a_value_is_told(tmp_path):
    path = write(tmp_path, "speech = 3\n")
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: 'speech' is a section, not a value$"):
        load_config(path, {"speech.threshold": 0.3})


def test_every_setting_is_described():
    for section in Config.model_fields.values():
        for name, field in section.annotation.model_fields.items():
            assert field.description, name


# The tables of the recipes


def test_a_later_file_goes_over_an_earlier_one_and_what_is_set_over_both(tmp_path):
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text('[training]\nn_steps = 10\nseed = 1\n[network]\nfamily = "cnn"\n')
    second.write_text("[training]\nn_steps = 20\naverage = 0.5\n")
    known = ("network", "training", "loss")
    tables = {
        "network": {"family": "cnn"},
        "training": {"n_steps": 20, "seed": 1, "average": 0.5},
        "loss": {},
    }
    assert load_tables([first, second], known) == tables
    tables["training"]["n_steps"] = 10
    assert load_tables([second, first], known) == tables
    assert load_tables(first, known)["training"] == load_tables(str(first), known)["training"]
    given = load_tables([first, second], known, ["training.n_steps=30", "loss.margin = 0.1"])
    assert given["training"] == {"n_steps": 30, "seed": 1, "average": 0.5}
    assert given["loss"] == {"margin": 0.1}
    assert first.read_text().startswith("[training]\nn_steps = 10")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("0.5", 0.5),
        ("[0.4, 0.4]", [0.4, 0.4]),
        ("true", True),
        ("'text'", "text"),
        ("utterance", "utterance"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_what_is_set_is_toml_or_else_text(text, value):
    assert load_tables([], ["a"], [f"a.x={text}"]) == {"a": {"x": value}}


@pytest.mark.parametrize("text", ["a", "a=1", "a.=1", "a.x", ".x:1"])
def test_what_is_set_needs_a_table_and_a_setting(text):
    message = f"'{text}': write table.setting=value, such as training.n_steps=500"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        load_tables([], ["a"], [text])


def test_an_unknown_table_is_told_with_its_source(tmp_path):
    path = write(tmp_path, "[losses]\nmargin = 1\n")
    known = "known: features, pack, network, loss, training, evaluation"
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{path}: unknown table ')}'losses'; {known}$"):
        load_tables(path, RECIPE_TABLES)
    with pytest.raises(ConfigError, match=f"^'losses.margin=1': unknown table 'losses'; {known}$"):
        load_tables([], RECIPE_TABLES, ["losses.margin=1"])


def test_a_table_is_no_value(tmp_path):
    path = write(tmp_path, "loss = 1\n")
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: 'loss' is a table, not a value$"):
        load_tables(path, RECIPE_TABLES)


def test_files_that_cannot_be_read_are_told(tmp_path):
    path = tmp_path / "none.toml"
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}: cannot be read"):
        load_tables([write(tmp_path, ""), path], RECIPE_TABLES)
