"""Attack a model's embeddings, and print how far attacks reach and which statistics notice them.

DATA is a Kaldi data folder with utt2spk. Of each speaker with two clips, a segment of the first is attacked:
it is to lose its speaker (hide: away from its embedding), or to take on another one (imitate: towards the
embedding of the next speaker's first clip). The log-mel spectrogram changes by at most a size in the unit of
the features, or the samples by at most a sign noise so many dB below the speech. The first table compares
attacked segments with the second clips: the share of pairs that pass the threshold which 5 % of unattacked
pairs of two speakers pass. The second table has the share of attacked segments that a statistic notices at 5
% false alarms. Thresholds and their directions are chosen on half of the speakers; the shares are those of
the other half.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import FeatureConfig, log_mel_tensor
from diarize.cli.script import run_script
from diarize.embedding.models import load_model
from diarize.embedding.running import RunningEncoder
from diarize.errors import DiarizeError
from diarize.formats.kaldi import read_whole_recordings
from diarize.networks.attacks import Objective, away_from, fgsm, pgd, towards
from diarize.networks.frame_network import FrameNetwork
from diarize.networks.tracing import feature_response, local_entropy
from diarize.scoring.tables import markdown_table

SECONDS = 1.5
BATCH = 16  # segments
FEWEST = 10  # speakers
FALSE_ALARMS = 0.05

Statistics = dict[str, NDArray[np.floating]]
"""Values (n_segments,) by name."""


class Attacked(NamedTuple):
    """Embeddings (n, dim) and statistics of segments after an attack; the spectrograms are not kept."""

    vectors: Tensor
    statistics: Statistics


def read_segments(data: Path, n_speakers: int) -> tuple[Tensor, Tensor]:
    """The middles (n_speakers, n_samples) of the first and of the second clip of speakers."""
    folder, n = read_whole_recordings(data), round(SECONDS * SAMPLE_RATE)
    found: list[list[Tensor]] = []
    clips_of: dict[str, list[str]] = {}
    for clip, speaker in folder.utt2spk.items():
        clips_of.setdefault(speaker, []).append(clip)
    for clips in clips_of.values():
        if len(clips) < 2 or len(found) == n_speakers:
            continue
        pair = [load_audio(folder.wav_scp[clip]) for clip in clips[:2]]
        if min(map(len, pair)) >= n:
            found.append([torch.from_numpy(one[(len(one) - n) // 2 :][:n]) for one in pair])
    if len(found) < FEWEST:
        have = f"{len(found)} speakers have two clips of {SECONDS} s"
        raise DiarizeError(f"{data}: {have}, {FEWEST} are needed")
    first, second = zip(*found, strict=True)
    return torch.stack(first), torch.stack(second)


def measure(network: FrameNetwork, mel: Tensor) -> Attacked:
    """Embeddings of spectrograms (n, frames, mels), and what may show that these were attacked."""
    with torch.no_grad():
        vectors = network(mel)
    # Neighbouring values of a spectrogram are alike, those of an attack are not.
    rough = mel.diff(dim=1, n=2).diff(dim=2, n=2).abs().flatten(1).median(dim=1).values
    statistics = {
        "entropy of responses": local_entropy(feature_response(network.frames, mel)),
        "roughness of the spectrogram": rough,
    }
    return Attacked(vectors, {name: values.numpy() for name, values in statistics.items()})


def in_batches(attack: Callable[[Tensor, Tensor], Attacked], x: Tensor, targets: Tensor) -> Attacked:
    """The attack on all segments, some at once."""
    parts = [attack(*each) for each in zip(x.split(BATCH), targets.split(BATCH), strict=True)]
    statistics = {
        name: np.concatenate([part.statistics[name] for part in parts]) for name in parts[0].statistics
    }
    return Attacked(torch.cat([part.vectors for part in parts]), statistics)


def attacks(
    network: FrameNetwork, features: FeatureConfig, arguments: argparse.Namespace
) -> Iterator[tuple[str, str, Callable[[Tensor, Tensor], Attacked]]]:
    """Name, aim (hide or imitate) and function of each attack on samples (n, n_samples)."""
    random = torch.Generator().manual_seed(arguments.seed)

    def on_mel(x: Tensor, objective: Objective, size: float, n_steps: int) -> Tensor:
        mel = log_mel_tensor(x, features)
        mel = mel + size / 100 * torch.randn(
            mel.shape, generator=random
        )  # hide: the gradient is 0 at the start
        return pgd(objective, mel, size, n_steps, random) if n_steps > 1 else fgsm(objective, mel, size)

    def on_samples(x: Tensor, objective: Objective, decibel: float, n_steps: int) -> Tensor:
        level = x.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-4)

        def of_scaled(scaled: Tensor) -> Tensor:
            return objective(log_mel_tensor(scaled * level, features))

        size, scaled = 10 ** (-decibel / 20), x / level
        scaled = scaled + size / 100 * torch.randn(x.shape, generator=random)
        changed = (
            pgd(of_scaled, scaled, size, n_steps, random) if n_steps > 1 else fgsm(of_scaled, scaled, size)
        )
        return log_mel_tensor(changed * level, features)

    ways = [(f"spectrogram, {size:g}", on_mel, size) for size in arguments.sizes]
    ways += [(f"samples, {decibel:g} dB below", on_samples, decibel) for decibel in arguments.decibels]
    for title, change, size in ways:
        for aim, objective in (("hide", away_from), ("imitate", towards)):
            for name, n_steps in (("FGSM", 1), ("PGD", arguments.steps)):

                def attack(
                    x: Tensor,
                    target: Tensor,
                    change: Callable[..., Tensor] = change,
                    objective: Callable[..., Objective] = objective,
                    size: float = size,
                    n_steps: int = n_steps,
                ) -> Attacked:
                    return measure(network, change(x, objective(network, target), size, n_steps))

                yield f"{name}, {title}", aim, attack


def noticed(clean: NDArray[np.floating], attacked: NDArray[np.floating]) -> float:
    """The share of attacked segments beyond a threshold; it and its side are chosen on the first half."""
    half = len(clean) // 2
    low, high = np.quantile(clean[:half], [FALSE_ALARMS, 1 - FALSE_ALARMS])
    above = (attacked[:half] > high).mean() >= (attacked[:half] < low).mean()
    return float((attacked[half:] > high).mean() if above else (attacked[half:] < low).mean())


def main() -> None:
    """Read the command line, attack, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder of clips")
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    parser.add_argument("--speakers", type=int, default=80, help="default: %(default)s")
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.1, 0.3], help="default: %(default)s")
    parser.add_argument("--decibels", type=float, nargs="*", default=[40, 30], help="default: %(default)s")
    parser.add_argument("--steps", type=int, default=7, help="steps of PGD (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    model = load_model(arguments.model)
    network = RunningEncoder(model).network
    first, second = read_segments(arguments.data, arguments.speakers)
    clean = in_batches(lambda x, _: measure(network, log_mel_tensor(x, model.features)), first, first)
    with torch.no_grad():
        enrolled = torch.cat([network(log_mel_tensor(x, model.features)) for x in second.split(BATCH)])

    def passing(vectors: Tensor, others: Tensor) -> str:
        return f"{100 * ((vectors * others).sum(dim=1) > threshold).float().mean():.0f} %"

    scores = (clean.vectors @ enrolled.T)[~torch.eye(len(first), dtype=torch.bool)]
    threshold = float(scores.quantile(1 - FALSE_ALARMS))
    reach = [("attack", "aim", "pairs that pass before", "after")]
    shares = [("attack", "aim", *clean.statistics)]
    for name, aim, attack in attacks(network, model.features, arguments):
        moved = 0 if aim == "hide" else 1  # the target: its own embedding, or the next speaker's
        found = in_batches(attack, first, clean.vectors.roll(-moved, dims=0))
        expected = enrolled.roll(-moved, dims=0)
        reach.append((name, aim, passing(clean.vectors, expected), passing(found.vectors, expected)))
        rates = [noticed(clean.statistics[each], found.statistics[each]) for each in clean.statistics]
        shares.append((name, aim, *(f"{100 * rate:.0f} %" for rate in rates)))
    print(f"{model.name}, {len(first)} segments of {SECONDS} s\n")
    print("\n".join([*markdown_table(reach), "", *markdown_table(shares)]))


if __name__ == "__main__":
    run_script(main)
