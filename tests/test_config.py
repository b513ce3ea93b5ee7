"""Settings: one error for whatever is wrong in them, in one line that names the remedy."""

import re

import pytest
from pydantic import ValidationError

from diarize.config import Config, EmbeddingConfig, SpeechConfig, load_config, load_toml, validate
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
    config = load_config(overrides={"turns.overlap_margin": 0.1, "clustering.max_speakers": 5})
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
            "unknown setting 'embeddings'; known: speech, embedding, clustering, turns",
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
            "setting 'speech.detector': input should be 'silero' or 'energy', got 'ears'",
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
        ("windows", "settings: unknown setting 'windows'; known: speech, embedding, clustering, turns"),
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
