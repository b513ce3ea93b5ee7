"""DER of calls in which each channel is one speaker, by amount of cross-talk, as a Markdown table.

    python benchmarks/channel_speakers.py --data DATA [--rooms DIR] [--n 6] [--margins DB ...]

DATA is a Kaldi data folder with utt2spk. Calls of 40 s are simulated from its clips, with interjections and
10 % overlap. In each row, the cross-talk between all channels (0 to 10 ms late) and the noise and gain of
each channel are drawn from the ranges in its name. Other columns have the channels without suppression of
cross-talk, and the mean of the channels with the number of speakers known.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from printing import header, percent, table

from diarize.audio import SAMPLE_RATE, find_audio, load_audio
from diarize.config import load_config
from diarize.errors import DiarizeError
from diarize.formats.kaldi import DataFolder, read_data_folder
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.result import Diarization
from diarize.scoring.der import DiarizationScore, pool, score_diarization
from diarize.segments import Turn, close_pauses
from diarize.training.augment import reverberate
from diarize.training.conversation_set import LONGEST_PAUSE, load_speaker
from diarize.training.conversations import (
    Placed,
    choose_speakers,
    interject,
    mix,
    take_turns,
    turns_of,
)

SECONDS, OVERLAP, LONGEST_PHRASE = 40.0, 0.1, 10.0
LEVEL, LEVEL_SPREAD = -26.0, 4.0  # dB of full scale: mean level of a speaker, and most deviation from it
LATEST = 160  # samples; largest delay of cross-talk

Range = tuple[float, float]


class Condition(NamedTuple):
    """How the channels of a call are simulated; ranges in dB."""

    crosstalk: Range | None
    noise: Range = (-80, -70)
    gain: Range = (0, 0)
    n_channels: int = 2
    room: bool = False
    silent: bool = False  # whether the last channel's speaker is silent


CONDITIONS = {
    "none": Condition(None),
    "-40 dB": Condition((-40, -40)),
    "-30 dB": Condition((-30, -30)),
    "-20 dB": Condition((-20, -20)),
    "-12 dB": Condition((-12, -12)),
    "-6 dB": Condition((-6, -6)),
    "-25 to -15 dB, gains -15 to 10 dB": Condition((-25, -15), gain=(-15, 10)),
    "none, noise -55 to -45 dB": Condition(None, noise=(-55, -45), gain=(-10, 10)),
    "-25 to -15 dB, noise -55 to -45 dB": Condition((-25, -15), noise=(-55, -45), gain=(-10, 10)),
    "-25 to -15 dB through a room": Condition((-25, -15), gain=(-10, 10), room=True),
    "four channels, -25 to -10 dB": Condition((-25, -10), gain=(-6, 6), n_channels=4),
    "-20 dB, one speaker silent": Condition((-20, -20), silent=True),
}


def record(
    clean: Sequence[NDArray[np.float32]], condition: Condition, rooms: Sequence[Path], random: Generator
) -> NDArray[np.float32]:
    """The recording (n_samples, n_channels) of clean channels, with cross-talk, noise and gains."""
    recorded = []
    for i, own in enumerate(clean):
        channel = own + 10 ** (random.uniform(*condition.noise) / 20) * random.normal(size=len(own))
        for other in (each for j, each in enumerate(clean) if j != i and condition.crosstalk):
            leak = other
            if condition.room:
                leak = reverberate(other, load_audio(rooms[random.integers(len(rooms))]))
            late = int(random.integers(0, LATEST))
            gain = 10 ** (random.uniform(*condition.crosstalk or (0, 0)) / 20)
            channel[late:] += gain * leak[: len(own) - late]
        recorded.append(channel * 10 ** (random.uniform(*condition.gain) / 20))
    return np.clip(np.stack(recorded, axis=1), -1, 1).astype(np.float32)


def simulate(
    data: DataFolder, condition: Condition, rooms: Sequence[Path], n: int, seed: int
) -> Iterator[tuple[NDArray[np.float32], list[Turn]]]:
    """Calls as samples (n_samples, n_channels), with their turns, which are the same in every condition."""
    names = sorted(set(data.utt2spk.values()))
    load = cache(partial(load_speaker, data, LONGEST_PHRASE))
    for index in range(n):
        random = np.random.default_rng([seed, index])
        least = SECONDS / condition.n_channels / 2
        speakers = choose_speakers(names, load, condition.n_channels, least, random)
        placed = interject(take_turns(speakers, SECONDS, OVERLAP, random), 0.3, 1.0, random)
        n_samples = round((max(one.end for one in placed) + 0.5) * SAMPLE_RATE)
        clean, turns = [], []
        for number, name in enumerate(speakers, 1):
            own: list[Placed] = [one for one in placed if one.speaker == name]
            if condition.silent and number == condition.n_channels:
                own = []
            level = LEVEL + random.uniform(-LEVEL_SPREAD, LEVEL_SPREAD)
            clean.append(mix(own, {name: level}, np.zeros(n_samples, np.float32)))
            turns += [Turn("call", turn.segment, f"CHANNEL_{number}") for turn in turns_of(own, "call")]
        yield record(clean, condition, rooms, random), close_pauses(turns, LONGEST_PAUSE)


def label(diarizer: Diarizer, samples: NDArray[np.float32]) -> Diarization:
    """The diarization of samples (n_samples, n_channels), by channel."""
    return diarizer(samples, rate=SAMPLE_RATE, channels="speakers", recording="call")


def main() -> None:
    """Simulate the calls of each condition and score them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2spk")
    parser.add_argument("--rooms", type=Path, help="folder of impulse responses; without it, no such row")
    parser.add_argument("--n", type=int, default=6, help="calls in each condition (default: %(default)s)")
    parser.add_argument("--margins", nargs="+", type=float, default=[3.0, 6.0, 9.0, 12.0], metavar="DB")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    arguments = parser.parse_args()
    data = read_data_folder(arguments.data)
    rooms = find_audio(arguments.rooms) if arguments.rooms else []
    settings = [{"channels.crosstalk": False}, *({"channels.margin": margin} for margin in arguments.margins)]
    diarizers = [Diarizer(config=load_config(None, each)) for each in settings]
    rows = []
    for name, condition in CONDITIONS.items():
        if condition.room and not rooms:
            continue
        scores: list[list[DiarizationScore]] = [[] for _ in range(len(diarizers) + 1)]
        for samples, turns in simulate(data, condition, rooms, arguments.n, arguments.seed):
            n_speakers = len({turn.speaker for turn in turns})
            told = diarizers[0](samples, rate=SAMPLE_RATE, n_speakers=n_speakers, recording="call")
            found = [label(each, samples) for each in diarizers]
            for own, diarization in zip(scores, [told, *found], strict=True):
                own.append(score_diarization(turns, diarization.turns))
        rows.append([name, *(percent(pool(each).der) for each in scores)])
        print(name, file=sys.stderr, flush=True)
    print(
        header(f"{arguments.n} calls in each row, {SECONDS:.0f} s each. Collar 0, overlap scored, DER in %")
    )
    columns = ["cross-talk", "mean of the channels", "no suppression"]
    print(table([*columns, *(f"margin {margin:g} dB" for margin in arguments.margins)], rows))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"channel_speakers.py: {error}") from error
