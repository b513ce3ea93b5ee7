"""How often a recording's novelty shows that it is unlike the training speech, by kind, as a Markdown table.

    python benchmarks/novelty.py --choose SET SET ... --report SET SET ... --sounds DIR/music DIR/noise

A set has audio/. The limit of 5 % false alarms is chosen on the recordings of --choose, each set with the
same weight. The table has the share of recordings above it, and above the default limit, among those of
--report: as they are, and changed. Every second file of a folder of --sounds counts as sound without speech
that is taken for speech, and is mixed into the recordings as loud as these. The first seconds of each
recording are used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from printing import header, table
from scipy import signal

from diarize.audio import SAMPLE_RATE, Samples, find_audio, load_audio
from diarize.audio.features import log_mel_tensor
from diarize.config import ClusteringConfig, Config
from diarize.embedding.embedder import Embedder
from diarize.embedding.running import RunningEncoder
from diarize.networks.attacks import away_from, pgd
from diarize.pipeline.stages import embed, hear, label
from diarize.segments import Segment

FALSE_ALARMS = 0.05
PIECE = 1.5  # seconds that are attacked at once
NOT_HEARD = -1.0
"""The novelty of a recording without enough speech."""


class Novelties:
    """The novelty of samples by the default settings."""

    def __init__(self, model: str | None) -> None:
        self.embedder, self.config = Embedder(model, device="cpu", threads=1), Config()

    def __call__(self, samples: Samples, all_speech: bool = False) -> float:
        """That of samples (n_samples,); with `all_speech`, nothing is detected."""
        everything = [Segment(0.0, len(samples) / SAMPLE_RATE)] if all_speech else None
        heard = hear([samples], self.config.speech, everything, 1)
        voices = embed(heard, [samples], self.embedder, self.config)
        backend, verifier = self.embedder.backend, self.embedder.verifier
        evidence = label(voices, heard, backend, self.config, verifier=verifier).evidence
        found = evidence.get("novelty") if evidence else None
        return NOT_HEARD if found is None else found["score"]


def passband(low: float | None, high: float) -> Callable[[Samples], Samples]:
    """A filter without any noise behind it, in Hz."""
    edges, kind = (high, "lowpass") if low is None else ([low, high], "bandpass")
    filters = signal.butter(8, edges, kind, fs=SAMPLE_RATE, output="sos")
    return lambda samples: signal.sosfiltfilt(filters, samples)


def at_speed(up: int, down: int) -> Callable[[Samples], Samples]:
    """The samples read at another rate: played faster if up < down."""
    return lambda samples: signal.resample_poly(samples, up, down)


def clipped(samples: Samples) -> Samples:
    """Recorded 30 dB too loud."""
    return np.clip(samples * 10**1.5 / np.abs(samples).max(), -1, 1)


def mixed(samples: Samples, sound: Samples) -> Samples:
    """With a sound that is as loud."""
    longer = np.resize(sound, len(samples))
    return samples + longer * np.sqrt((samples**2).mean() / ((longer**2).mean() + 1e-12))


def attacked(model: Embedder, samples: Samples, decibel: float = 30.0, n_steps: int = 5) -> Samples:
    """Attacked by PGD piece by piece, so that no piece keeps its speaker."""
    encoder = model.encoders[0]
    assert isinstance(encoder, RunningEncoder)
    features, network = encoder.model.features, encoder.network
    n = round(PIECE * SAMPLE_RATE)
    whole = len(samples) // n * n
    pieces = torch.from_numpy(samples[:whole].reshape(-1, n))
    level = pieces.square().mean(dim=1, keepdim=True).sqrt().clamp_min(1e-4)
    random, done = torch.Generator().manual_seed(0), []
    for x, loud in zip((pieces / level).split(8), level.split(8), strict=True):

        def of_scaled(x: torch.Tensor, loud: torch.Tensor = loud) -> torch.Tensor:
            return network(log_mel_tensor(x * loud, features))

        with torch.no_grad():
            target = of_scaled(x)
        done.append(pgd(away_from(of_scaled, target), x, 10 ** (-decibel / 20), n_steps, random) * loud)
    return torch.cat(done).flatten().numpy()


def kinds(
    samples: Samples, sounds: dict[str, list[Samples]], number: int, model: Embedder
) -> Iterator[tuple[str, Samples]]:
    """A recording changed in every way, by name."""
    random = np.random.default_rng(number)
    changes: dict[str, Callable[[Samples], Samples]] = {
        "only below 4 kHz": passband(None, 3999),
        "only 300 to 3400 Hz": passband(300, 3400),
        "only below 2 kHz": passband(None, 2000),
        "one and a half times as fast": at_speed(2, 3),
        "twice as fast": at_speed(1, 2),
        "three quarters as fast": at_speed(4, 3),
        "half as fast": at_speed(2, 1),
        "clipped, 30 dB too loud": clipped,
        "white noise, 0 dB": lambda x: mixed(x, random.standard_normal(len(x))),
    }
    for name, change in changes.items():
        yield name, change(samples)
    for name, files in sounds.items():
        yield f"{name}, 0 dB", mixed(samples, files[number % len(files)])
    yield "attacked (PGD, 30 dB below)", attacked(model, samples)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--choose", type=Path, nargs="+", required=True, metavar="SET")
    parser.add_argument("--report", type=Path, nargs="+", required=True, metavar="SET")
    parser.add_argument("--sounds", type=Path, nargs="+", default=[], metavar="DIR")
    parser.add_argument("--model", help="model folder, or the name of a bundled model")
    parser.add_argument("--seconds", type=float, default=40.0, help="of a recording (default: %(default)s)")
    parser.add_argument(
        "--every", type=int, default=2, help="change every n-th recording (default: %(default)s)"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    novelties = Novelties(arguments.model)

    def read(path: Path) -> Samples:
        return load_audio(path)[: round(arguments.seconds * SAMPLE_RATE)]

    usual = [
        np.array([novelties(read(path)) for path in find_audio(folder / "audio")])
        for folder in arguments.choose
    ]
    chosen = weighted_quantile([each[each != NOT_HEARD] for each in usual], 1 - FALSE_ALARMS)
    default = ClusteringConfig().novelty_limit

    found: dict[str, list[float]] = {"speech as it is": []}
    sounds = {folder.name: [read(path) for path in find_audio(folder)[1::2]] for folder in arguments.sounds}
    for name, files in sounds.items():
        found[f"{name} alone, taken for speech"] = [novelties(samples, all_speech=True) for samples in files]
        found[f"{name} alone"] = [novelties(samples) for samples in files]
    paths = [path for folder in arguments.report for path in find_audio(folder / "audio")]
    for number, path in enumerate(paths):
        samples = read(path)
        found["speech as it is"].append(novelties(samples))
        if number % arguments.every == 0:
            for name, changed in kinds(samples, sounds, number, novelties.embedder):
                score = novelties(np.ascontiguousarray(changed, np.float32))
                found.setdefault(name, []).append(score)

    print(header(f"The first {arguments.seconds:g} s. Limits: {chosen:.2f} (5 % false alarms), {default:g}"))
    rows = []
    for name, scores in found.items():
        heard = np.array([score for score in scores if score != NOT_HEARD])
        shares = [
            f"{100 * (heard > limit).mean():.0f} %" if len(heard) else "-" for limit in (chosen, default)
        ]
        median = f"{np.median(heard):.2f}" if len(heard) else "-"
        rows.append((name, str(len(scores)), str(len(scores) - len(heard)), median, *shares))
    columns = (
        "recordings",
        "number",
        "too little speech",
        "median novelty",
        f"above {chosen:.2f}",
        f"above {default:g}",
    )
    print(table(columns, rows), end="")


def weighted_quantile(groups: list[NDArray[np.floating]], share: float) -> float:
    """The value that a share of the values reaches at most, each group with the same weight."""
    values = np.concatenate(groups)
    weights = np.concatenate([np.full(len(group), 1 / len(group)) for group in groups])
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(below, share)])


if __name__ == "__main__":
    main()
