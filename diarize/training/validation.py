"""Validation of a training: held-out recordings of its speakers, and verification of other speakers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.errors import DiarizeError
from diarize.files.text import read_text
from diarize.formats.kaldi import read_utt2spk, read_whole_recordings
from diarize.machine.devices import mixed_precision
from diarize.networks import Network
from diarize.scoring.verification import crop_middle, equal_error_rate, make_trials, score_trials
from diarize.training.packed import PackedFeatures

DEV_SECONDS = 1.5


class DevSet:
    """The equal error rate of a network on 1.5 s from the middle of each recording of a data folder.

    Raises
    ------
    DiarizeError
        If the folder has no pairs of one speaker, or no pairs of two speakers, within a group of utt2group.
    """

    def __init__(self, folder: Path, features: FeatureConfig) -> None:
        data = read_whole_recordings(folder)
        utterances = sorted(data.wav_scp, key=str.encode)
        groups = read_utt2spk(folder / "utt2group")
        self.trials, self.same = make_trials(
            [data.utt2spk[u] for u in utterances], [groups[u] for u in utterances]
        )
        if self.same.all() or not self.same.any():
            raise DiarizeError(f"{folder}: needs pairs of one speaker and pairs of two; give another --dev")
        length = round(DEV_SECONDS * SAMPLE_RATE)
        crops = [crop_middle(load_audio(data.wav_scp[u]), DEV_SECONDS) for u in utterances]
        self.mel = [
            log_mel(np.resize(crop, length), features) for crop in crops
        ]  # a short recording is repeated

    @torch.inference_mode()
    def __call__(self, step: int, network: Network) -> dict[str, float]:
        """The column for the curve."""
        mel = torch.from_numpy(np.stack(self.mel)).to(next(network.parameters()).device)
        with mixed_precision(mel.device.type):
            vectors = torch.cat([network(part) for part in mel.split(64)]).float().cpu().numpy()
        return {"dev_eer": equal_error_rate(score_trials(vectors, self.trials), self.same)}


def hold_out(
    packed: PackedFeatures, utterances: Path, held_out: Path
) -> tuple[PackedFeatures, PackedFeatures]:
    """Packed features without, and with only, the recordings that a list names.

    `utterances` lists the packed recordings in the order of their numbers.

    Raises
    ------
    DiarizeError
        If the list names a recording that is not packed, or names all recordings or none.
    """
    names = read_text(utterances).split()
    chosen = set(read_text(held_out).split())
    if unknown := sorted(chosen - set(names)):
        raise DiarizeError(f"{held_out}: {unknown[0]} is not in {utterances}; pack the features again")
    mask = np.array([name in chosen for name in names])[packed.clip]
    if mask.all() or not mask.any():
        raise DiarizeError(
            f"{held_out}: names {'all' if mask.all() else 'no'} recordings; name only some of them"
        )
    return packed.select(~mask), packed.select(mask)
