"""How stable the result of a recording is under small changes that should not matter, without a reference.

The DER between the result and that of each changed version says how much the two disagree::

    result          |=====A=====|=====B=====|==A==|
    with noise      |=====A=====|=====B=====|==A==|     0 %
    other windows   |=====A======|====B=====|==A==|     2 %
    one half        |=====A=====|===B|                  0 %    of that half

Results that agree may still be wrong in the same way. Results that disagree cannot all be right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.kept import KeptBlocks
from diarize.config import Config
from diarize.config.changes import with_settings
from diarize.scoring.der import score_diarization
from diarize.scoring.tables import markdown_table
from diarize.segments import Segment, Turn, crop
from diarize.tuning.bench import Audio, Bench

NOISE = 30.0
"""dB by which the recording is louder than the noise."""
SHORTER_HOP = 0.85
"""Factor of the hop of windows, so that other windows are embedded."""
N_PARTS = 2
"""Parts of a recording that are labelled by themselves."""
SHORTEST_PART = 10.0
"""Seconds; no shorter part is labelled by itself."""


@dataclass(frozen=True)
class Stability:
    """How much results of a recording disagree.

    Attributes
    ----------
    recording : str
    disagreement : mapping from str to float
        By change: the DER of its result against that of the unchanged recording. 0: they agree.
    n_speakers : list of int
        Speakers in the unchanged result, then in the others; without those of parts, which may have fewer.
    seconds : float
        Seconds of speech in the unchanged result; a second with two speakers counts twice.
    """

    recording: str
    disagreement: Mapping[str, float]
    n_speakers: list[int]
    seconds: float

    @property
    def mean(self) -> float:
        """The mean disagreement; 0 without speech."""
        return float(np.mean(list(self.disagreement.values()))) if self.disagreement else 0.0


@dataclass(frozen=True, eq=False)
class _Version:
    """A version of a recording that a `Bench` can label."""

    name: str
    samples: KeptBlocks

    def blocks(self) -> KeptBlocks:
        """The samples, mono at 16 kHz."""
        return self.samples


def measure_stability(
    recording: Audio,
    configs: Mapping[str, Config] | None = None,
    bench: Bench | None = None,
    *,
    seed: int = 0,
) -> Stability:
    """The disagreement of the results of a recording under small changes.

    The changes are: white noise; other windows; the settings after the first; and each half of the recording
    by itself.

    Parameters
    ----------
    recording : Audio
        Its `name` and its `blocks` of samples, mono at 16 kHz.
    configs : mapping from str to Config, optional
        Settings by name. The result of the first is compared with all others; by default, the default
        settings alone.
    bench : Bench, optional
        By default, one on the CPU.
    seed : int
        Of the noise.

    Raises
    ------
    AudioError
        If the recording cannot be read.
    """
    configs = configs or {"default": Config()}
    bench = bench or Bench()
    config, *others = configs.values()
    original = _Version(recording.name, KeptBlocks(lambda: iter(recording.blocks())))
    result = bench.turns(original, config)
    n_seconds = bench.hear(original, config.speech).n_seconds
    found: dict[str, list[Turn]] = {}
    noisy = _Version(recording.name, KeptBlocks(lambda: _with_noise(original, seed)))
    found["noise"] = bench.turns(noisy, config)
    hop = round(SHORTER_HOP * config.embedding.hop, 3)
    found["windows"] = bench.turns(original, with_settings(config, {"embedding.hop": hop}))
    for name, other in zip(list(configs)[1:], others, strict=True):
        found[name] = bench.turns(original, other)
    disagreement = {name: _disagreement(result, turns) for name, turns in found.items()}
    n_speakers = [len({turn.speaker for turn in turns}) for turns in (result, *found.values())]
    length = n_seconds / N_PARTS
    for number in range(N_PARTS if length >= SHORTEST_PART else 0):
        span = Segment(number * length, (number + 1) * length)
        part = _Version(recording.name, KeptBlocks(lambda span=span: _within(original, span)))  # type: ignore[misc]
        turns = [_shifted(turn, span.start) for turn in bench.turns(part, config)]
        disagreement[f"part {number + 1}"] = _disagreement(crop(result, [span]), turns)
    seconds = sum(turn.segment.duration for turn in result)
    return Stability(recording.name, disagreement, n_speakers, seconds)


def _disagreement(result: Sequence[Turn], other: Sequence[Turn]) -> float:
    """The DER of other turns against those of a result; 0 if neither has any, 1 if only `other` has."""
    if not result:
        return float(bool(other))
    return score_diarization(result, other).der


def _shifted(turn: Turn, seconds: float) -> Turn:
    segment = Segment(turn.segment.start + seconds, turn.segment.end + seconds)
    return Turn(turn.recording, segment, turn.speaker)


def _with_noise(version: _Version, seed: int) -> Iterator[Samples]:
    """The blocks with white noise, `NOISE` dB below the mean power of the recording."""
    power, n_samples = 0.0, 0
    for block in version.samples:
        power += float(np.square(block, dtype=np.float64).sum())
        n_samples += len(block)
    level = np.sqrt(power / max(n_samples, 1) * 10 ** (-NOISE / 10))
    random = np.random.default_rng(seed)
    for block in version.samples:
        yield (block + level * random.standard_normal(len(block), dtype=np.float32)).astype(np.float32)


def _within(version: _Version, span: Segment) -> Iterator[Samples]:
    """The samples of a span."""
    first, behind = round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)
    start = 0
    for block in version.samples:
        part = block[max(first - start, 0) : max(behind - start, 0)]
        if len(part):
            yield part
        start += len(block)


def format_table(found: Sequence[Stability]) -> str:
    """A Markdown table in %, with a row for each recording, the least stable first."""
    names = list(dict.fromkeys(name for each in found for name in each.disagreement))
    rows: list[tuple[str, ...]] = [("recording", "mean", *names, "speakers", "speech in s")]
    for each in sorted(found, key=lambda each: (-each.mean, each.recording)):
        rates = (each.mean, *(each.disagreement.get(name, np.nan) for name in names))
        counts = sorted(set(each.n_speakers))
        speakers = str(counts[0]) if len(counts) == 1 else f"{counts[0]}-{counts[-1]}"
        cells = ("-" if np.isnan(rate) else f"{100 * rate:.1f}" for rate in rates)
        rows.append((each.recording, *cells, speakers, f"{each.seconds:.0f}"))
    head = "disagreement with the unchanged result, as DER in %, collar 0"
    return "\n".join([head, "", *markdown_table(rows), ""])
