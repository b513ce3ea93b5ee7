"""What a training is validated on: which recordings are held out, and the error rate of dev speakers."""

import re

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from diarize.audio.features import FeatureConfig
from diarize.errors import DiarizeError
from diarize.formats.kaldi import write_data_folder
from diarize.training.packed import PackedFeatures, pack
from diarize.training.validation import DevSet, hold_out


@pytest.fixture
def packed(tmp_path) -> PackedFeatures:
    """Four recordings of two speakers, two copies of each."""
    random = np.random.default_rng(0)
    clips = ((clip // 2, clip // 4, random.random((12, 8), np.float32)) for clip in range(8))
    pack(clips, tmp_path / "features")
    (tmp_path / "utterances.txt").write_text("a-0\na-1\nb-0\nb-1\n")
    return PackedFeatures.load(tmp_path / "features")


def test_every_copy_of_a_recording_is_held_out(packed, tmp_path):
    (tmp_path / "held_out").write_text("b-1\na-0\n")
    kept, held = hold_out(packed, tmp_path / "utterances.txt", tmp_path / "held_out")
    assert kept.clip.tolist() == [1, 1, 2, 2]
    assert held.clip.tolist() == [0, 0, 3, 3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a-0\nc-9\n", "held_out: c-9 is not in "),
        ("a-0\na-1\nb-0\nb-1\n", "held_out: names all recordings; name only some of them"),
        ("", "held_out: names no recordings; name only some of them"),
    ],
)
def test_a_list_that_leaves_nothing_is_told(packed, tmp_path, text, told):
    (tmp_path / "held_out").write_text(text)
    with pytest.raises(DiarizeError, match=re.escape(told)):
        hold_out(packed, tmp_path / "utterances.txt", tmp_path / "held_out")


class Loudest(nn.Module):
    """The band of the most energy, as a vector of length 1; or the same vector for everything."""

    def __init__(self, deaf: bool) -> None:
        super().__init__()
        self.scale, self.deaf = nn.Parameter(torch.ones(())), deaf

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        band = mel.mean(dim=1).argmax(dim=1) * (not self.deaf)
        return nn.functional.one_hot(band, mel.shape[2]).float() * self.scale


def test_the_error_rate_is_that_of_the_network(tmp_path):
    wav, speakers = {}, {}
    for speaker, hertz in (("low", 200), ("high", 3000)):
        for take, seconds in enumerate((0.7, 2.5)):  # shorter and longer than what is heard
            name = f"{speaker}-{take}"
            wave = 0.1 * np.sin(2 * np.pi * hertz * np.arange(round(16000 * seconds)) / 16000)
            soundfile.write(tmp_path / f"{name}.wav", wave, 16000)
            wav[name], speakers[name] = str(tmp_path / f"{name}.wav"), speaker
    write_data_folder(tmp_path, wav, speakers)
    (tmp_path / "utt2group").write_text("".join(f"{name} all\n" for name in sorted(wav)))
    dev = DevSet(tmp_path, FeatureConfig(n_mels=16))
    assert dev(1, Loudest(deaf=False)) == {"dev_eer": 0.0}
    assert dev(1, Loudest(deaf=True)) == {"dev_eer": 0.5}
