#!/usr/bin/env python3
"""Make conversations with known turns out of clips of single speakers.

DATA is a Kaldi data folder with utt2spk. OUT gets audio/*.flac, rttm/*.rttm and uem/*.uem. The turns are
the speech that is detected in the clips; who goes on after a pause of at most half a second goes on with
his turn, as references that people wrote have it. No clip is used twice in one conversation, which may so
end early; with --again, not twice at one speed and tone. The conditions take turns: clean, room (one
impulse response for all), noise (5 to 20 dB below the speech), telephone. The same arguments give the same
files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import soundfile
from numpy.random import Generator

from diarize.audio import SAMPLE_RATE, Samples, find_audio, load_audio
from diarize.config import SpeechConfig
from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.formats import write_rttm, write_uem
from diarize.formats.kaldi import DataFolder, read_data_folder
from diarize.segments import Segment, close_pauses, speech_of
from diarize.speech.detect import speech_segments
from diarize.training.augment import add_noise, reverberate, telephone
from diarize.training.conversations import (
    Phrase,
    Placed,
    choose_speakers,
    cut_phrases,
    mix,
    say_again,
    take_turns,
    turns_of,
)

SPEECH = SpeechConfig(
    detector="silero", threshold=0.3, release=0.15, min_speech=0.25, min_silence=0.3, padding=0.03
)
LONGEST_PAUSE = 0.5  # seconds; references of people run through pauses of one speaker: docs/choices.md
LEVEL, LEVEL_SPREAD = -26.0, 6.0  # of a speaker, dB of full scale, and more or less
FLOOR = -75.0  # of the noise that every recording has, dB of full scale

Condition = Callable[[Samples, Generator], Samples]


def load_speaker(data: DataFolder, longest: float, speaker: str) -> list[Phrase]:
    """All phrases of a speaker, in the order of the data folder; a longer clip is cut in its pauses."""
    phrases = []
    for utterance in (name for name, who in data.utt2spk.items() if who == speaker):
        recording, segment = data.segments.get(utterance, (utterance, None))
        samples = load_audio(data.wav_scp[recording])
        if segment:
            samples = samples[round(segment.start * SAMPLE_RATE) : round(segment.end * SAMPLE_RATE)]
        phrases += cut_phrases(samples, speech_segments([samples], SPEECH), longest)
    return phrases


def mix_at_levels(placed: list[Placed], random: Generator) -> Samples:
    """The conversation as samples (n_samples,): each speaker at a level, over a faint noise."""
    n_samples = round((max(one.end for one in placed) + 0.5) * SAMPLE_RATE)
    noise = random.normal(0, 10 ** (FLOOR / 20), n_samples).astype(np.float32)
    speakers = dict.fromkeys(one.speaker for one in placed)
    level = {name: LEVEL + random.uniform(-LEVEL_SPREAD, LEVEL_SPREAD) for name in speakers}
    return mix(placed, level, noise)


def in_room(responses: list[Path], samples: Samples, random: Generator) -> Samples:
    """The conversation in one of the rooms, the direct sound in place."""
    return reverberate(samples, load_audio(responses[random.integers(len(responses))]))


def in_noise(noises: list[Path], samples: Samples, random: Generator) -> Samples:
    """The conversation in one of the noises."""
    noise = load_audio(noises[random.integers(len(noises))])
    return add_noise(samples, noise, random.uniform(5, 20), random)


def number_range(text: str) -> tuple[int, int]:
    """(1, 6) for 1-6, (2, 2) for 2."""
    low, _, high = text.partition("-")
    numbers = int(low), int(high or low)
    if not 1 <= numbers[0] <= numbers[1]:
        raise ValueError(text)
    return numbers


def seconds_range(text: str) -> tuple[float, float]:
    """(3.0, 60.0) for 3-60, (60.0, 60.0) for 60."""
    low, _, high = text.partition("-")
    seconds = float(low), float(high or low)
    if not 0 < seconds[0] <= seconds[1]:
        raise ValueError(text)
    return seconds


def at_least_one(text: str) -> int:
    """A whole number from 1 on."""
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2spk")
    parser.add_argument("--out", type=Path, required=True, help="folder for audio/, rttm/ and uem/")
    parser.add_argument("--n", type=int, default=24, help="conversations (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=seconds_range,
        default=(60.0, 60.0),
        help="of each, about, as 60 (default), or as 3-60: any length of that range as often, in logarithms",
    )
    parser.add_argument(
        "--longest-phrase",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds; a longer clip is cut in its pauses (default: %(default)s)",
    )
    parser.add_argument(
        "--speakers", type=number_range, default=(1, 6), help="number of, as 1-6 (default) or 2"
    )
    parser.add_argument(
        "--overlap", type=float, default=0.1, help="share of the speech (default: %(default)s)"
    )
    parser.add_argument(
        "--again",
        type=at_least_one,
        default=1,
        metavar="N",
        help="use a clip up to N times (default: %(default)s)",
    )
    parser.add_argument("--noise", type=Path, help="folder of noises; without it, no such condition")
    parser.add_argument(
        "--rooms", type=Path, help="folder of impulse responses; without it, no such condition"
    )
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Make the conversations, and print a line for each."""
    arguments = parse_arguments()
    data = read_data_folder(arguments.data)
    if not data.utt2spk:
        raise DiarizeError(f"{arguments.data}: no utt2spk, so nobody knows who speaks")
    names = sorted(set(data.utt2spk.values()))
    load = cache(partial(load_speaker, data, arguments.longest_phrase))
    conditions: dict[str, Condition] = {"clean": lambda samples, _: samples}
    if arguments.rooms:
        conditions["room"] = partial(in_room, find_audio(arguments.rooms))
    if arguments.noise:
        conditions["noise"] = partial(in_noise, find_audio(arguments.noise))
    conditions["tel"] = lambda samples, _: telephone(samples)

    low, high = arguments.speakers
    for index in range(arguments.n):
        random = np.random.default_rng([arguments.seed, index])
        n_speakers = int(random.integers(low, high + 1))
        condition = list(conditions)[index % len(conditions)]
        shortest, seconds = arguments.seconds
        if shortest < seconds:
            seconds = float(np.exp(random.uniform(np.log(shortest), np.log(seconds))))
        least = seconds / n_speakers / 2 / arguments.again
        speakers = choose_speakers(names, load, n_speakers, least, random)
        for phrases in speakers.values():
            again = [say_again(phrase, random) for _ in range(arguments.again - 1) for phrase in phrases]
            phrases += [again[i] for i in random.permutation(len(again))]
        placed = take_turns(speakers, seconds, arguments.overlap, random)
        samples = conditions[condition](mix_at_levels(placed, random), random)
        samples /= max(1.0, np.abs(samples).max() / 0.99)

        name = f"sim{index:03d}_{n_speakers}spk_{condition}"
        turns = close_pauses(turns_of(placed, name), LONGEST_PAUSE)
        with atomic_path(arguments.out / "audio" / f"{name}.flac") as path:
            soundfile.write(path, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        write_rttm(turns, arguments.out / "rttm" / f"{name}.rttm")
        whole = Segment(0.0, len(samples) / SAMPLE_RATE)
        write_uem({name: [whole]}, arguments.out / "uem" / f"{name}.uem")
        speech = sum(segment.duration for segment in speech_of(turns))
        share = sum(turn.segment.duration for turn in turns) / speech - 1
        print(f"{name}: {whole.duration:.1f} s, {len(turns)} turns, overlap {share:.0%} of the speech")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"simulate_conversations.py: {error}") from error
