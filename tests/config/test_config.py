"""Settings: one error for whatever is wrong in them, in one line that names the remedy."""

import re

import pytest
from pydantic import ValidationError

from diarize.audio.features import FeatureConfig
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
from diarize.embedding.onnx import OnnxConfig
from diarize.errors import ConfigError
from diarize.networks import build_network
from diarize.pipeline.labels import make_clusterer
from diarize.training.optimizers import TrainingConfig


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
            "unknown setting 'embedding.windows'; known: model, precision, window, hop",
        ),
        (
            "[embeddings]\nwindow = 1\n",
            "unknown setting 'embeddings'; "
            "known: speech, embedding, clustering, resegmentation, turns, channels, known",
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
            "setting 'speech.detector': input should be 'local', 'silero', 'activity' or 'energy', "
            "got 'ears'",
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
        (
            "embedding.windows",
            "settings: unknown setting 'embedding.windows'; known: model, precision, window, hop",
        ),
        (
            "windows",
            "settings: unknown setting 'windows'; "
            "known: speech, embedding, clustering, resegmentation, turns, channels, known",
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
    known = f"known: {', '.join(RECIPE_TABLES)}"
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


# Relations between settings

RANGE = "setting 'seconds': input should be the shortest and the longest, both above 0, got "


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (FeatureConfig, {"n_fft": 256, "window": 400}, "window = 400 is more than n_fft = 256"),
        (
            FeatureConfig,
            {"n_fft": 256, "window": 400, "convention": "kaldi"},
            "window = 400 is more than n_fft = 256",
        ),
        (FeatureConfig, {"n_fft": 256}, "window = 400 is more than n_fft = 256"),
        (FeatureConfig, {"hop": 401}, "hop = 401 is more than window = 400"),
        (FeatureConfig, {"f_min": 4000, "f_max": 3000}, "f_min = 4000 is not less than f_max = 3000"),
        (FeatureConfig, {"f_min": 3000, "f_max": 3000}, "f_min = 3000 is not less than f_max = 3000"),
        (FeatureConfig, {"f_min": 7600.5}, "f_min = 7600.5 is not less than f_max = 7600"),
        (
            FeatureConfig,
            {"f_max": 8001},
            "setting 'f_max': input should be less than or equal to 8000, got 8001",
        ),
        (FeatureConfig, {"n_mels": 258}, "n_mels = 258 is more than n_fft / 2 + 1 = 257, the frequencies"),
        (
            FeatureConfig,
            {"n_fft": 2**17},
            "setting 'n_fft': input should be less than or equal to 65536, got 131072",
        ),
        (
            EmbeddingConfig,
            {"hop": 1e-9},
            "setting 'hop': input should be greater than or equal to 0.01, got 1e-09",
        ),
        (TrainingConfig, {"seconds": [2.2, 1.0]}, RANGE + "[2.2, 1.0]"),
        (TrainingConfig, {"seconds": [0, 1.0]}, RANGE + "[0, 1.0]"),
        (TrainingConfig, {"seconds": [0, 0]}, RANGE + "[0, 0]"),
        (TrainingConfig, {"seconds": [-1, 1]}, RANGE + "[-1, 1]"),
        (
            TrainingConfig,
            {"seed": 2**32},
            "setting 'seed': input should be less than or equal to 4294967295, got 4294967296",
        ),
        (
            TrainingConfig,
            {"n_steps": True},
            "setting 'n_steps': input should be a number or a text, got true",
        ),
        (
            TrainingConfig,
            {"seconds": [True, 1]},
            "setting 'seconds': input should be a number or a text, got [true, 1]",
        ),
        (
            Config,
            {"clustering": {"n_speakers": True}},
            "setting 'clustering.n_speakers': input should be a number or a text, got true",
        ),
        (
            OnnxConfig,
            {"input": "a", "output": "b", "dim": 1, "min_seconds": 2, "max_seconds": 1},
            "min_seconds = 2 is more than max_seconds = 1",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_when_read(model, values, message):
    with pytest.raises(ConfigError) as error:
        validate(model, values, "conf.toml")
    assert str(error.value).replace("True", "true") == f"conf.toml: {message}"


def test_settings_at_their_limits_are_taken():
    FeatureConfig(n_fft=400, window=400, hop=400, f_min=0, f_max=8000, n_mels=201)
    EmbeddingConfig(window=1.0, hop=1.0)
    assert TrainingConfig(seconds=(0.4, 0.4)).seconds == (0.4, 0.4)
    assert Config.model_validate({"clustering": {"evidence": False, "options": {"any": True}}})


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("spectral", {"min_neighbors": 0}, "min_neighbors is an integer from 1, got 0"),
        ("spectral", {"max_neighbors": 1.5}, "max_neighbors is a number from 0 to 1, got 1.5"),
        ("spectral", {"max_neighbors": -1}, "max_neighbors is a number from 0 to 1, got -1"),
        ("spectral", {"n_graphs": 2.5}, "n_graphs is an integer, got 2.5"),
        ("spectral", {"max_items": 0}, "max_items is an integer from 2, got 0"),
        ("agglomerative", {"one_speaker": float("nan")}, "one_speaker is a number, got nan"),
        ("agglomerative", {"min_cluster_size": "x"}, "min_cluster_size is an integer, got 'x'"),
        ("agglomerative", {"linkage": ["ward"]}, "linkage is a text, got ['ward']"),
        ("dominant-sets", {"affinity": {"a": 1}}, "affinity is a text, got {'a': 1}"),
        ("agglomerative", {"one_speaker": -2}, "one_speaker is a number from -1, got -2"),
        ("dominant-sets", {"coarseness": -0.1}, "coarseness is a number from 0, got -0.1"),
        ("dominant-sets", {"theta": True}, "theta is a number, got True"),
        ("dominant-sets", {"epsilon": -1e-6}, "epsilon is a number from 0, got -1e-06"),
        ("density", {"min_samples": [1]}, "min_samples is an integer, got [1]"),
    ],
)
def test_impossible_parameters_of_a_clusterer_are_told_before_any_work(method, options, message):
    config = load_config(overrides={"clustering.method": method, "clustering.options": options})
    with pytest.raises(ConfigError) as error:
        make_clusterer(config)
    assert str(error.value) == f"clusterer '{method}': {message}"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"family": "resnet", "heads": 0}, "network 'resnet': heads is a positive integer, got 0"),
        ({"family": "resnet", "dim": -5}, "network 'resnet': dim is a positive integer, got -5"),
        ({"family": "resnet", "dim": True}, "network 'resnet': dim is a positive integer, got True"),
        ({"family": "resnet", "channels": []}, "network 'resnet': channels are three numbers, got []"),
        (
            {"family": "resnet", "channels": [8, 0, 8]},
            "network 'resnet': channels is a list of positive integers, got [8, 0, 8]",
        ),
        (
            {"family": "resnet", "channels": 8},
            "network 'resnet': channels is a list of positive integers, got 8",
        ),
        ({"family": "tdnn", "separable": 1}, "network 'tdnn': separable is true or false, got 1"),
        ({"family": "cnn"}, "network 'cnn': needs the setting 'n_speakers'"),
        (
            {"family": "blstm", "n_speakers": 2, "scale": 0},
            "network 'blstm': scale is a positive number, got 0",
        ),
        ({"family": "blstm", "n_speakers": 2, "hidden": 2**62}, "network 'blstm': "),
        ({"family": ["resnet"]}, "unknown network '['resnet']'; known: "),
    ],
)
def test_impossible_networks_are_one_line(parameters, message):
    with pytest.raises(ConfigError) as error:
        build_network(**parameters)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# The number of speakers by both of its names


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        ("num_speakers = 3", {}, 3),
        ("num_speakers = 3\nn_speakers = 3", {}, 3),
        ("", {"clustering.num_speakers": 4}, 4),
        ("num_speakers = 3", {"clustering.n_speakers": 4}, 4),
        ("n_speakers = 3", {"clustering.num_speakers": 4}, 4),
    ],
)
def test_num_speakers_is_n_speakers(text, overrides, expected, tmp_path):
    config = load_config(write(tmp_path, f"[clustering]\n{text}\n"), overrides)
    assert config.clustering.n_speakers == expected
    assert "num_speakers" not in config.model_dump()["clustering"]
    assert Config.model_validate({"clustering": {"num_speakers": 2}}).clustering.n_speakers == 2


def test_two_numbers_of_speakers_are_refused(tmp_path):
    path = write(tmp_path, "[clustering]\nn_speakers = 2\nnum_speakers = 3\n")
    reason = "setting 'clustering': n_speakers and num_speakers are one setting; give one of them"
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value) == f"{path}: {reason}"
    with pytest.raises(ConfigError) as error:
        validate(Config, {"clustering": {"n_speakers": 2, "num_speakers": 3}}, "a")
    assert str(error.value) == f"a: {reason}"


def test_options_of_one_config_are_not_those_of_the_next():
    Config().clustering.options["p"] = 1
    assert Config().clustering.options == {}
