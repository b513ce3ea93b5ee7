"""Model folders: what is saved is loaded, and whatever is wrong with one is told in one line."""

import json
import re
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from helpers import SMALL, small_network, write_small_model
from planted import N_FRAMES, N_MELS, TINY, tiny_network
from safetensors.torch import load_file, save_file

from diarize.audio.features import FeatureConfig
from diarize.embedding.embedder import Embedder
from diarize.embedding.models import DEFAULT_MODEL, SegmentsConfig, bundled_models, load_model, save_model
from diarize.errors import ConfigError, ModelError


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_small_model(tmp_path / "small")


def test_what_is_saved_is_loaded(folder):
    model = load_model(folder)
    network = small_network()
    assert sorted(path.name for path in folder.iterdir()) == [
        "MODEL_CARD.md",
        "config.toml",
        "weights.safetensors",
    ]
    assert model.features == FeatureConfig()
    assert model.name == "small"
    assert model.fingerprint == sha256((folder / "weights.safetensors").read_bytes()).hexdigest()[:12]
    assert not model.network.training
    state = model.network.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    mel = torch.randn(2, 80, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.network(mel), network(mel))


@pytest.mark.parametrize("family", ["cnn", "blstm"])
@pytest.mark.parametrize("output", ["linear", "cosine"])
def test_a_classifier_comes_back_with_its_speakers(tmp_path, family, output):
    network = tiny_network(family, output).eval()
    table = {"family": family, **TINY[family], "output": output}
    save_model(tmp_path, network, FeatureConfig(n_mels=N_MELS), table, "")
    model = load_model(tmp_path)
    assert isinstance(model.network, type(network))
    mel = torch.randn(3, N_FRAMES, N_MELS, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layers, expected = model.network.layers(mel), network.layers(mel)
    assert list(layers) == list(expected)
    for name in layers:
        torch.testing.assert_close(layers[name], expected[name])


@pytest.mark.parametrize(("family", "kind"), [("cnn", "CNN"), ("blstm", "BLSTM")])
def test_a_network_of_segments_without_their_length_is_refused(tmp_path, family, kind):
    table = {"family": family, **TINY[family]}
    save_model(tmp_path / "net", tiny_network(family), FeatureConfig(n_mels=N_MELS), table, "")
    message = (
        f"model net: its config.toml does not tell how long the segments of a {kind} are; "
        "add the table [segments] with seconds and layer"
    )
    for model in (tmp_path / "net", load_model(tmp_path / "net")):
        with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
            Embedder(model, device="cpu")


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        ({"seconds": 0.2, "layer": "dense9"}, "the network has no layer 'dense9'; known: dense1, "),
        ({"seconds": 0.3}, "segments have 30 frames, the network takes 20"),
    ],
)
def test_impossible_segments_are_refused(tmp_path, segments, message):
    table, features = {"family": "cnn", **TINY["cnn"]}, FeatureConfig(n_mels=N_MELS)
    save_model(tmp_path / "net", tiny_network("cnn"), features, table, "", SegmentsConfig(**segments))
    with pytest.raises(ModelError, match=f"^model net: \\[segments\\] in its config.toml: {message}"):
        Embedder(tmp_path / "net")


def test_an_unknown_setting_of_segments_is_refused(tmp_path):
    table = {"family": "blstm", **TINY["blstm"]}
    segments = SegmentsConfig(seconds=0.4, layer="lstm2")
    save_model(tmp_path, tiny_network("blstm"), FeatureConfig(n_mels=N_MELS), table, "", segments)
    assert load_model(tmp_path).segments == segments
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace("seconds =", "length ="))
    with pytest.raises(ConfigError, match="length"):
        load_model(tmp_path)


def test_features_and_network_stand_in_the_config(tmp_path):
    features = FeatureConfig(n_mels=16, f_min=50, window_shape="hamming", preemphasis=0.97)
    table = {"channels": (4, 4, 8), "heads": 2, "dim": 8, "n_mels": 16}
    network = small_network().__class__(**table)
    save_model(tmp_path, network, features, table, "# card\n")
    tables = tomllib.loads((tmp_path / "config.toml").read_text())
    assert tables == {"features": features.model_dump(), "network": json.loads(json.dumps(table))}
    model = load_model(tmp_path)
    assert model.features == features
    assert model.network.dim == 8
    assert (tmp_path / "MODEL_CARD.md").read_text() == "# card\n"


def test_saving_again_overwrites_and_the_fingerprint_tells(folder):
    before = load_model(folder).fingerprint
    write_small_model(folder)
    assert load_model(folder).fingerprint == before
    network = small_network()
    torch.nn.init.zeros_(network.embedding.bias)
    save_model(folder, network, FeatureConfig(), SMALL, "")
    assert load_model(folder).fingerprint != before


def test_a_model_is_a_path_or_its_text_or_the_model_itself(folder):
    path, text = load_model(folder), load_model(str(folder))
    assert path.fingerprint == text.fingerprint
    assert Embedder(path).model is path
    assert Embedder(str(folder)).model.fingerprint == path.fingerprint
    assert Embedder(folder).dim == 32


def test_a_model_may_lie_in_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert load_model("small").name == "small"


def refused(folder: str | Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_told_with_the_bundled_ones(tmp_path):
    bundled = ", ".join(bundled_models())
    refused(tmp_path / "none", ModelError, f"no model folder {tmp_path / 'none'}; bundled models: {bundled}")
    refused("voces", ModelError, f"no model folder voces; bundled models: {bundled}")


def test_the_default_model_is_asked_for_by_name():
    assert DEFAULT_MODEL == "voices"


@pytest.mark.parametrize("name", ["config.toml", "weights.safetensors"])
def test_a_missing_part_is_told(folder, name):
    (folder / name).unlink()
    refused(folder, ModelError, f"model folder {folder}: no {name}")


def test_a_missing_card_does_not_matter(folder):
    (folder / "MODEL_CARD.md").unlink()
    load_model(folder)


def edit(folder: Path, old: str, new: str) -> Path:
    path = folder / "config.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(("old", "new"), [("dim = 32", "dim = 48"), ("[8, 8, 16]", "[8, 16, 16]")])
def test_weights_that_do_not_fit_the_config_are_told(folder, old, new):
    edit(folder, old, new)
    refused(
        folder,
        ModelError,
        f"{folder / 'weights.safetensors'}: weights do not fit config.toml (size mismatch for ",
    )


def test_missing_and_strange_weights_are_told(folder):
    weights = load_file(folder / "weights.safetensors")
    del weights["embedding.bias"]
    save_file(weights, folder / "weights.safetensors")
    refused(
        folder, ModelError, f"{folder / 'weights.safetensors'}: weights do not fit config.toml (Missing key"
    )
    save_file(
        weights | {"embedding.bias": torch.zeros(32), "more": torch.zeros(1)}, folder / "weights.safetensors"
    )
    refused(
        folder,
        ModelError,
        f"{folder / 'weights.safetensors'}: weights do not fit config.toml (Unexpected key",
    )


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      "])
def test_a_corrupt_file_of_weights_is_told(folder, content):
    (folder / "weights.safetensors").write_bytes(content)
    refused(folder, ModelError, f"{folder / 'weights.safetensors'}: weights do not fit config.toml (")


def test_half_a_file_of_weights_is_told(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(folder, ModelError, f"{folder / 'weights.safetensors'}: weights do not fit config.toml (")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[features]", "[feature]", "unknown table 'feature'; known: features, network"),
        ("heads = 4", "head = 4", "network 'resnet': unknown setting 'head'; known: n_mels, channels"),
        ('"resnet"', '"lstm"', "unknown network 'lstm'; known: resnet"),
        ("n_mels = 64", "mels = 64", "unknown setting 'mels'; known: n_fft, window, hop"),
        ("n_mels = 64", "n_mels = 0", "setting 'n_mels': input should be greater than or equal to 1, got 0"),
        ("heads = 4", "n_mels = 32", "[network] takes 32 mels, [features] has 64"),
        ("n_mels = 64", "n_mels = 20", "network 'resnet': n_mels is a multiple of 8, got 20"),
        ("[8, 8, 16]", "[8, 8]", "network 'resnet': channels are three numbers, got [8, 8]"),
        ("heads = 4", "heads = 5", "network 'resnet': heads divide the 128 features, got 5"),
        ("n_fft = 512", "n_fft 512", "not TOML: "),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_config_is_told(folder, old, new, message):
    path = edit(folder, old, new)
    refused(folder, ConfigError, f"{path}: {message}")
