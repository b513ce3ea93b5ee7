"""Conversations with known turns as recordings to score on: clean, in rooms, in noise, by telephone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.random import Generator

from diarize.audio import SAMPLE_RATE, Samples, load_audio
from diarize.config import SpeechConfig
from diarize.errors import DiarizeError
from diarize.formats.kaldi import DataFolder
from diarize.segments import Turn, close_pauses
from diarize.speech.detect import speech_segments
from diarize.training.augment import add_noise, reverberate, telephone
from diarize.training.conversations import (
    GOES_ON,
    PAUSE_MEDIAN,
    Phrase,
    Placed,
    choose_speakers,
    cut_phrases,
    interject,
    mix,
    say_again,
    speakers_by_corpus,
    take_turns,
    turns_of,
)

SPEECH = SpeechConfig(
    detector="silero", threshold=0.3, release=0.15, min_speech=0.25, min_silence=0.3, padding=0.03
)
LONGEST_PAUSE = 0.5  # seconds; human annotators join shorter pauses of one speaker: docs/choices.md
LONGEST_INTERJECTION = 1.0  # seconds
LEVEL = -26.0  # of a speaker, dB of full scale
FLOOR = -75.0  # of the noise that every recording has, dB of full scale

Condition = Callable[[Samples, Generator], Samples]


@dataclass(frozen=True)
class Shape:
    """The properties of the conversations of a set.

    Attributes
    ----------
    seconds : (float, float)
        The shortest and the longest duration; its logarithm is uniformly distributed.
    n_speakers : (int, int)
        The smallest and the largest number.
    overlap : float
        Share of the speech that overlaps.
    longest_phrase : float
        Seconds; a longer clip is cut at its pauses.
    n_uses : int
        How often a clip may occur in a conversation, each time at another speed and tone.
    goes_on, pause, dominant : float
        Of `take_turns`.
    interjections : float
        Share of the phrases that get one (`interject`), of up to a second.
    level_spread : float
        dB; the level of a speaker differs from the mean by at most this.
    """

    seconds: tuple[float, float]
    n_speakers: tuple[int, int]
    overlap: float
    longest_phrase: float
    n_uses: int = 1
    goes_on: float = GOES_ON
    pause: float = PAUSE_MEDIAN
    dominant: float = 0.0
    interjections: float = 0.0
    level_spread: float = 6.0


class ConversationSet:
    """Conversations of the speakers of a data folder, under each condition in turn.

    Each depends on the seed and its number alone. Rooms and noise are conditions only if files are given.
    With `corpora`, those of the utterances, the speakers of a conversation are of one, so that their
    microphones are alike. `only` are the conditions to take.

    Raises
    ------
    DiarizeError
        If `only` names a condition that there is not.
    """

    def __init__(
        self,
        data: DataFolder,
        shape: Shape,
        rooms: Sequence[Path],
        noises: Sequence[Path],
        seed: int,
        corpora: Mapping[str, str] | None = None,
        only: Sequence[str] = (),
    ) -> None:
        self.shape, self.seed = shape, seed
        self.names = sorted(set(data.utt2spk.values()))
        self.alike = speakers_by_corpus(data.utt2spk, corpora, shape.n_speakers[1]) if corpora else []
        if corpora and not self.alike:
            raise DiarizeError(f"no corpus has {shape.n_speakers[1]} speakers; lower --speakers")
        self._load = cache(partial(load_speaker, data, shape.longest_phrase))
        self.conditions: dict[str, Condition] = {"clean": lambda samples, _: samples}
        if rooms:
            self.conditions["room"] = partial(_in_room, rooms)
        if noises:
            self.conditions["noise"] = partial(_in_noise, noises)
        self.conditions["tel"] = lambda samples, _: telephone(samples)
        for name in only:
            if name not in self.conditions:
                raise DiarizeError(f"no condition '{name}'; there are {', '.join(self.conditions)}")
        self.conditions = {name: how for name, how in self.conditions.items() if not only or name in only}

    def __call__(self, index: int) -> tuple[str, Samples, list[Turn]]:
        """The name, the samples (n_samples,) and the turns of conversation number `index`."""
        random = np.random.default_rng([self.seed, index])
        low, high = self.shape.n_speakers
        n_speakers = int(random.integers(low, high + 1))
        condition = list(self.conditions)[index % len(self.conditions)]
        shortest, seconds = self.shape.seconds
        if shortest < seconds:
            seconds = float(np.exp(random.uniform(np.log(shortest), np.log(seconds))))
        names = self.alike[int(random.integers(len(self.alike)))] if self.alike else self.names
        least = seconds / max(n_speakers, 1) / 2 / self.shape.n_uses
        speakers = choose_speakers(names, self._load, n_speakers, least, random) if n_speakers else {}
        for phrases in speakers.values():
            again = [say_again(phrase, random) for _ in range(self.shape.n_uses - 1) for phrase in phrases]
            phrases += [again[i] for i in random.permutation(len(again))]
        placed = self._talk(speakers, seconds, random)
        spread, end = self.shape.level_spread, max((one.end + 0.5 for one in placed), default=seconds)
        samples = self.conditions[condition](_mix_at_levels(placed, end, spread, random), random)
        samples /= max(1.0, np.abs(samples).max() / 0.99)
        name = f"sim{index:03d}_{n_speakers}spk_{condition}"
        return name, samples, close_pauses(turns_of(placed, name), LONGEST_PAUSE)

    def _talk(self, speakers: dict[str, list[Phrase]], seconds: float, random: Generator) -> list[Placed]:
        shape = self.shape
        manner = {"goes_on": shape.goes_on, "pause": shape.pause, "dominant": shape.dominant}
        placed = take_turns(speakers, seconds, shape.overlap, random, **manner)
        if not shape.interjections:
            return placed
        return interject(placed, shape.interjections, LONGEST_INTERJECTION, random)


def load_speaker(data: DataFolder, longest: float, speaker: str) -> list[Phrase]:
    """All phrases of a speaker, in the order of the data folder; a longer clip is cut at its pauses."""
    phrases = []
    for utterance in (name for name, who in data.utt2spk.items() if who == speaker):
        recording, segment = data.segments.get(utterance, (utterance, None))
        samples = load_audio(data.wav_scp[recording])
        if segment:
            samples = samples[round(segment.start * SAMPLE_RATE) : round(segment.end * SAMPLE_RATE)]
        phrases += cut_phrases(samples, speech_segments([samples], SPEECH), longest)
    return phrases


def _mix_at_levels(placed: list[Placed], seconds: float, spread: float, random: Generator) -> Samples:
    """The conversation as samples (n_samples,): each speaker at a level, over a faint noise."""
    n_samples = round(seconds * SAMPLE_RATE)
    noise = random.normal(0, 10 ** (FLOOR / 20), n_samples).astype(np.float32)
    speakers = dict.fromkeys(one.speaker for one in placed)
    level = {name: LEVEL + random.uniform(-spread, spread) for name in speakers}
    return mix(placed, level, noise)


def _in_room(responses: Sequence[Path], samples: Samples, random: Generator) -> Samples:
    """The conversation in one of the rooms; the time of the direct sound does not change."""
    return reverberate(samples, load_audio(responses[int(random.integers(len(responses)))]))


def _in_noise(noises: Sequence[Path], samples: Samples, random: Generator) -> Samples:
    """The conversation with one of the noises."""
    noise = load_audio(noises[int(random.integers(len(noises)))])
    return add_noise(samples, noise, random.uniform(5, 20), random)
