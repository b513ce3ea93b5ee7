"""Conversations simulated from clips of single speakers, to train networks of speech and speakers on.

Each has no, one or several speakers, each with their own level and distance, with interruptions and
interjections, a background, and sounds other than speech.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.config import SpeechConfig
from diarize.formats.kaldi import DataFolder
from diarize.networks.pyannet import FIELD, STEP, PyanNet, load_pyannet
from diarize.segments import Segment
from diarize.speech.activity import OUTPUT_LENGTH, silero_of_frames
from diarize.speech.detect import speech_probabilities, speech_segments
from diarize.speech.hysteresis import Hysteresis
from diarize.speech.segmentation import Segmentation
from diarize.training.augment import clip, coloured_noise, limit_band, reverberate, set_level, telephone
from diarize.training.conversations import (
    Phrase,
    Placed,
    choose_speakers,
    cut_phrases,
    interject,
    mix,
    speakers_by_corpus,
    take_turns,
)
from diarize.training.sounds import SOUNDS

LENIENT = SpeechConfig(
    detector="silero", threshold=0.3, release=0.15, min_speech=0.1, min_silence=0.1, padding=0.03
)
LOUD = 35.0  # dB; largest difference between the loud frames of a clip and its speech
BRIDGED, SHORTEST = 0.2, 0.06  # seconds; shorter pauses and shorter segments of speech are ignored
ENERGY_FRAME = 160  # samples

N_VOICES = (0.12, 0.22, 0.30, 0.21, 0.15)  # probability of 0, 1, ... speakers
MANY_VOICES = (0.06, 0.20, 0.30, 0.22, 0.14, 0.08)  # the same for networks of local speakers
ENOUGH_SPEAKERS = 20  # of one corpus, for conversations among them
PAUSES = (0.15, 1.2)  # seconds; medians of the pauses of varied conversations
TEACHER_WINDOW, TARGET_SAMPLES = 10 * SAMPLE_RATE, 640  # of PyanNet, and of each 40 ms of its targets


@cache
def load_clip(path: str) -> tuple[Samples, tuple[Segment, ...]]:
    """A clean clip, and its segments of speech."""
    samples = load_audio(path)
    whole = len(samples) // ENERGY_FRAME
    energy = samples[: whole * ENERGY_FRAME].reshape(whole, -1).astype(np.float64).var(axis=1)
    decibel = 10 * np.log10(np.convolve(energy, np.ones(3) / 3, "same") + 1e-12)
    score = np.zeros(whole)
    frame = ENERGY_FRAME / SAMPLE_RATE
    for segment in speech_segments([samples], LENIENT):
        inside = slice(round(segment.start / frame), round(segment.end / frame))
        score[inside] = decibel[inside] > np.percentile(decibel, 95) - LOUD
    tight = SpeechConfig(threshold=0.5, release=0, min_speech=SHORTEST, min_silence=BRIDGED, padding=0)
    return samples, tuple(Hysteresis.of(tight).segments(score, frame, whole * frame))


class Simulator:
    """Conversations of `seconds`, from clips, noises and rooms; `n_voices` are probabilities of 0, 1, ...

    With `corpora`, the corpus of each utterance, conversations vary more: half have speakers of one corpus,
    whose microphones are alike, in half the same speaker may go on more often, and pauses are long or short.
    """

    def __init__(
        self,
        data: DataFolder,
        noises: Sequence[Samples],
        rooms: Sequence[Sequence[Samples]],
        seconds: float,
        n_voices: Sequence[float] = N_VOICES,
        corpora: Mapping[str, str] | None = None,
    ) -> None:
        self.seconds, self.noises, self.rooms, self.n_voices = seconds, noises, rooms, n_voices
        self.paths: dict[str, list[str]] = {}
        for utterance, speaker in data.utt2spk.items():
            self.paths.setdefault(speaker, []).append(data.wav_scp[utterance])
        self.names = sorted(self.paths)
        self.alike = speakers_by_corpus(data.utt2spk, corpora, ENOUGH_SPEAKERS) if corpora else []

    def __call__(self, random: Generator) -> tuple[Samples, NDArray[np.uint8]]:
        """Samples (n_samples,), and who speaks in every 20 ms: a bit for each speaker."""
        n_samples = round(self.seconds * SAMPLE_RATE)
        placed = self._talk(random)
        speakers = list(dict.fromkeys(one.speaker for one in placed))
        loudest = random.uniform(-40, -14)
        level = {name: loudest - 25 * random.random() ** 1.5 for name in speakers}
        if speakers:
            level[speakers[int(random.integers(len(speakers)))]] = loudest
        room = (
            self.rooms[int(random.integers(len(self.rooms)))]
            if self.rooms and random.random() < 0.55
            else None
        )
        samples = np.zeros(n_samples, dtype=np.float32)
        for name in speakers:
            voice = mix([one for one in placed if one.speaker == name], level, np.zeros_like(samples))
            if room is not None and voice.any():
                voice = reverberate(voice, room[int(random.integers(len(room)))])
            samples += voice
        quietest = min(level.values(), default=random.uniform(-50, -20))
        samples += self._background(quietest, n_samples, random)
        if random.random() < 0.6:
            self._add_sounds(samples, loudest, random)
        channel = random.random()
        if channel < 0.14:
            samples = telephone(samples)
        elif channel < 0.28:
            samples = limit_band(samples, random)
        elif channel < 0.31 and speakers:
            samples = clip(samples, random)
        samples *= 0.99 / max(0.99, float(np.abs(samples).max()))
        rounded: Samples = np.round(samples * 32768).astype(np.float32) / np.float32(32768)
        return rounded, who_speaks(placed, self.seconds)

    def _talk(self, random: Generator) -> list[Placed]:
        n_voices = int(random.choice(len(self.n_voices), p=self.n_voices))
        if not n_voices:
            return []
        longest = random.uniform(0.4, 8.0)

        def load(name: str) -> list[Phrase]:
            clips = [load_clip(self.paths[name][i]) for i in random.permutation(len(self.paths[name]))[:6]]
            return [phrase for samples, speech in clips for phrase in cut_phrases(samples, speech, longest)]

        names, manner = self.names, {}
        if self.alike:
            if n_voices > 1 and random.random() < 0.5:
                names = self.alike[int(random.integers(len(self.alike)))]
            if random.random() < 0.5:
                manner["goes_on"] = random.uniform(0.2, 0.8)
            manner["pause"] = float(np.exp(random.uniform(*np.log(PAUSES))))
        speakers = choose_speakers(names, load, n_voices, self.seconds / n_voices / 3, random)
        placed = take_turns(speakers, self.seconds, random.uniform(0, 0.5), random, **manner)
        return interject(placed, random.uniform(0, 0.6), random.uniform(0.3, 1.2), random)

    def _background(self, level: float, n_samples: int, random: Generator) -> Samples:
        """The room's own noise, and in most rooms more, relative to the level of the quietest speaker."""
        floor = coloured_noise(n_samples, random)
        background = set_level(floor, min(level - 5, random.uniform(-90, -50)))
        if random.random() < 0.75:
            kind = random.random()
            if kind < 0.12:
                noise = coloured_noise(n_samples, random)
            elif kind < 0.22:
                noise = self._babble(n_samples, random)
            else:
                noise = self.noises[int(random.integers(len(self.noises)))]
            background += set_level(_loop(noise, n_samples, random), level - random.uniform(-1, 32))
        return background

    def _babble(self, n_samples: int, random: Generator) -> Samples:
        """Seven to twelve speakers at once, as background babble."""
        babble = np.zeros(n_samples, dtype=np.float32)
        for _ in range(random.integers(7, 13)):
            paths = self.paths[self.names[int(random.integers(len(self.names)))]]
            samples, _ = load_clip(paths[int(random.integers(len(paths)))])
            babble += _loop(set_level(samples, -20), n_samples, random)
        return babble

    def _add_sounds(self, samples: Samples, level: float, random: Generator) -> None:
        """Add one to eight sounds other than speech, with peaks relative to a level in dB, to the samples."""
        for _ in range(random.integers(1, 9)):
            sound = SOUNDS[int(random.integers(len(SOUNDS)))](random)
            if self.rooms and random.random() < 0.5:
                room = self.rooms[int(random.integers(len(self.rooms)))]
                sound = np.pad(sound, (0, SAMPLE_RATE // 2))
                sound = reverberate(sound, room[int(random.integers(len(room)))])
                sound /= max(float(np.abs(sound).max()), 1e-9)
            start = random.integers(len(samples))
            part = samples[start : start + len(sound)]
            part += sound[: len(part)] * 10 ** ((level + random.uniform(-22, 16)) / 20)


class ConversationFeatures:
    """The training data of a conversation: frames, probabilities by Silero and a teacher, speakers.

    Each process makes its own, because a teacher cannot be sent from one process to another.
    """

    def __init__(self, simulate: Simulator, features: FeatureConfig, seed: int, teacher: Path | None) -> None:
        self.simulate, self.features, self.seed = simulate, features, seed
        self.teacher = Segmentation(teacher) if teacher else None

    def __call__(self, index: int) -> dict[str, NDArray[Any]]:
        """The arrays of conversation number `index` by name; they depend on the seed and the number alone.

        ``mel`` (n_frames, n_mels) and ``silero`` (n_frames,) every 10 ms; ``voices``, the number
        of speakers, (n_frames / 2,) and, with a teacher, ``teacher`` (n_frames / 2, 2) every 20 ms.
        """
        samples, speakers = self.simulate(np.random.default_rng([self.seed, index]))
        n_frames = round(self.simulate.seconds * self.features.frame_rate)
        silero = silero_of_frames(speech_probabilities([samples])[0], 0, 0, n_frames)
        made: dict[str, NDArray[Any]] = {
            "mel": log_mel(samples, self.features)[:n_frames],
            "silero": silero,
            "voices": np.bitwise_count(speakers),
        }
        return {**made, "teacher": self.teacher(samples)} if self.teacher else made


class LocalFeatures:
    """The training data of a conversation for networks of local speakers.

    Each process makes its own, because a teacher cannot be sent from one process to another.
    """

    def __init__(self, simulate: Simulator, features: FeatureConfig, seed: int, *, teacher: bool) -> None:
        self.simulate, self.features, self.seed = simulate, features, seed
        self.teacher = load_pyannet() if teacher else None

    def __call__(self, index: int) -> dict[str, NDArray[Any]]:
        """The arrays of conversation number `index` by name; they depend on the seed and the number alone.

        ``mel`` (n_frames, n_mels) every 10 ms; ``speakers``, bits, (n_frames / 2,) every 20 ms and, with a
        teacher, ``teacher`` (n_windows, 250, 7), its probabilities of `pyannet.CLASSES` every 40 ms of each
        ten seconds.
        """
        samples, speakers = self.simulate(np.random.default_rng([self.seed, index]))
        n_frames = round(self.simulate.seconds * self.features.frame_rate)
        made: dict[str, NDArray[Any]] = {
            "mel": log_mel(samples, self.features)[:n_frames],
            "speakers": speakers,
        }
        return {**made, "teacher": teach(self.teacher, samples)} if self.teacher else made


@torch.inference_mode()
def teach(teacher: PyanNet, samples: Samples) -> NDArray[np.float32]:
    """The teacher's probabilities (n_windows, 250, 7) for each ten seconds, a mean of each 40 ms."""
    windows = torch.from_numpy(samples).unflatten(0, (-1, TEACHER_WINDOW))
    classes = teacher(windows).exp()
    middles = np.arange(classes.shape[1]) * STEP + FIELD // 2
    n_targets = TEACHER_WINDOW // TARGET_SAMPLES
    middles[-1] = TEACHER_WINDOW - 1  # the last target holds the middle of no frame
    frame = torch.from_numpy(middles // TARGET_SAMPLES)
    sums = torch.zeros(len(windows), n_targets, classes.shape[2]).index_add_(1, frame, classes)
    means: NDArray[np.float32] = (sums / frame.bincount(minlength=n_targets)[:, None]).numpy()
    return means


def _loop(samples: Samples, n_samples: int, random: Generator) -> Samples:
    """Samples (n_samples,) from a random start, repeated."""
    return np.resize(np.roll(samples, random.integers(len(samples))), n_samples)


def who_speaks(placed: list[Placed], seconds: float) -> NDArray[np.uint8]:
    """The speakers who speak at the middle of every 20 ms, as bits, in the order in which they are placed."""
    speaking = np.zeros(round(seconds / OUTPUT_LENGTH), dtype=np.uint8)
    bits = {name: 1 << k for k, name in enumerate(dict.fromkeys(one.speaker for one in placed))}
    for one in placed:
        for segment in one.phrase.speech:
            first, behind = np.round([(one.start + t) / OUTPUT_LENGTH for t in (segment.start, segment.end)])
            speaking[int(first) : int(behind)] |= bits[one.speaker]
    return speaking
