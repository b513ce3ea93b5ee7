"""Simulate conversations for a network that finds speech and overlap, and pack what it needs of them.

Each of the N conversations lasts --seconds and has 0 to 4 voices of DATA, each at a level and a distance of
its own, with interruptions and interjections, over a background and with sounds that are no speech. Writes
OUT/mel.npy (n, n_frames, n_mels) and OUT/silero.npy (n, n_frames), both float16, a frame every 10 ms, and
OUT/voices.npy (n, n_frames / 2), the number of voices in every 20 ms. Where a clean clip holds speech is
said by its energy within what Silero finds at a low threshold: pauses of 0.2 s count. With --teacher, also
what that network hears, OUT/teacher.npy (n, n_frames / 2, 2), float16: the probabilities that somebody speaks
and that several do.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.random import Generator
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, find_audio, load_audio
from diarize.audio.features import FeatureConfig, log_mel
from diarize.config import RECIPE_TABLES, SpeechConfig, load_tables, validate
from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import DataFolder, read_whole_recordings
from diarize.segments import Segment
from diarize.speech.activity import OUTPUT_LENGTH, silero_of_frames
from diarize.speech.detect import speech_probabilities, speech_segments
from diarize.speech.hysteresis import Hysteresis
from diarize.speech.segmentation import Segmentation
from diarize.training.augment import clip, coloured_noise, limit_band, reverberate, set_level, telephone
from diarize.training.conversations import Placed, choose_speakers, cut_phrases, interject, mix, take_turns
from diarize.training.sounds import SOUNDS

LENIENT = SpeechConfig(
    detector="silero", threshold=0.3, release=0.15, min_speech=0.1, min_silence=0.1, padding=0.03
)
LOUD = 35.0  # dB; speech lies at most so far below the loud frames of its clip
BRIDGED, SHORTEST = 0.2, 0.06  # seconds; shorter pauses and shorter speech do not count
ENERGY_FRAME = 160  # samples

N_VOICES = (0.12, 0.22, 0.30, 0.21, 0.15)  # probability of 0, 1, ... voices


@cache
def load_clip(path: str) -> tuple[Samples, tuple[Segment, ...]]:
    """A clean clip, and where in it speech is."""
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
    """Conversations of `seconds`, from voices, noises and rooms."""

    def __init__(
        self, data: DataFolder, noises: Sequence[Samples], rooms: Sequence[Sequence[Samples]], seconds: float
    ) -> None:
        self.seconds, self.noises, self.rooms = seconds, noises, rooms
        self.paths: dict[str, list[str]] = {}
        for utterance, speaker in data.utt2spk.items():
            self.paths.setdefault(speaker, []).append(data.wav_scp[utterance])
        self.names = sorted(self.paths)

    def __call__(self, random: Generator) -> tuple[Samples, NDArray[np.uint8]]:
        """Samples (n_samples,), and the number of voices in every 20 ms."""
        n_samples = round(self.seconds * SAMPLE_RATE)
        placed = self._talk(random)
        speakers = list(dict.fromkeys(one.speaker for one in placed))
        loudest = random.uniform(-40, -14)
        level = {name: loudest - 25 * random.random() ** 1.5 for name in speakers}
        if speakers:
            level[speakers[random.integers(len(speakers))]] = loudest
        room = self.rooms[random.integers(len(self.rooms))] if self.rooms and random.random() < 0.55 else None
        samples = np.zeros(n_samples, dtype=np.float32)
        for name in speakers:
            voice = mix([one for one in placed if one.speaker == name], level, np.zeros_like(samples))
            if room is not None and voice.any():
                voice = reverberate(voice, room[random.integers(len(room))])
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
        return np.round(samples * 32768).astype(np.float32) / 32768, count_voices(placed, self.seconds)

    def _talk(self, random: Generator) -> list[Placed]:
        n_voices = int(random.choice(len(N_VOICES), p=N_VOICES))
        if not n_voices:
            return []
        longest = random.uniform(0.4, 8.0)

        def load(name: str) -> list:
            clips = [load_clip(self.paths[name][i]) for i in random.permutation(len(self.paths[name]))[:6]]
            return [phrase for samples, speech in clips for phrase in cut_phrases(samples, speech, longest)]

        speakers = choose_speakers(self.names, load, n_voices, self.seconds / n_voices / 3, random)
        placed = take_turns(speakers, self.seconds, random.uniform(0, 0.5), random)
        return interject(placed, random.uniform(0, 0.6), random.uniform(0.3, 1.2), random)

    def _background(self, level: float, n_samples: int, random: Generator) -> Samples:
        """The room's own noise, and in most rooms more: the level of the quietest voice says how loud."""
        floor = coloured_noise(n_samples, random)
        background = set_level(floor, min(level - 5, random.uniform(-90, -50)))
        if random.random() < 0.75:
            kind = random.random()
            if kind < 0.12:
                noise = coloured_noise(n_samples, random)
            elif kind < 0.22:
                noise = self._babble(n_samples, random)
            else:
                noise = self.noises[random.integers(len(self.noises))]
            background += set_level(loop(noise, n_samples, random), level - random.uniform(-1, 32))
        return background

    def _babble(self, n_samples: int, random: Generator) -> Samples:
        """Seven to twelve voices at once, too many to be anybody's."""
        babble = np.zeros(n_samples, dtype=np.float32)
        for _ in range(random.integers(7, 13)):
            paths = self.paths[self.names[random.integers(len(self.names))]]
            samples, _ = load_clip(paths[random.integers(len(paths))])
            babble += loop(set_level(samples, -20), n_samples, random)
        return babble

    def _add_sounds(self, samples: Samples, level: float, random: Generator) -> None:
        """Put one to eight sounds that are no speech onto the samples; their peaks hang on a level in dB."""
        for _ in range(random.integers(1, 9)):
            sound = SOUNDS[random.integers(len(SOUNDS))](random)
            if self.rooms and random.random() < 0.5:
                room = self.rooms[random.integers(len(self.rooms))]
                sound = np.pad(sound, (0, SAMPLE_RATE // 2))
                sound = reverberate(sound, room[random.integers(len(room))])
                sound /= max(float(np.abs(sound).max()), 1e-9)
            start = random.integers(len(samples))
            part = samples[start : start + len(sound)]
            part += sound[: len(part)] * 10 ** ((level + random.uniform(-22, 16)) / 20)


def start_worker(simulate: Simulator, features: FeatureConfig, seed: int, teacher: Path | None) -> None:
    """Keep what this process simulates with; one thread each."""
    global _simulate, _features, _seed, _teacher
    torch.set_num_threads(1)
    _simulate, _features, _seed = simulate, features, seed
    _teacher = Segmentation(teacher) if teacher else None


def make_conversation(index: int) -> dict[str, NDArray]:
    """What is packed of a conversation, by the name of its file, in a worker process."""
    samples, voices = _simulate(np.random.default_rng([_seed, index]))
    n_frames = round(_simulate.seconds * _features.frame_rate)
    silero = silero_of_frames(speech_probabilities([samples])[0], 0, 0, n_frames)
    made = {"mel": log_mel(samples, _features)[:n_frames], "silero": silero, "voices": voices}
    return {**made, "teacher": _teacher(samples)} if _teacher else made


def loop(samples: Samples, n_samples: int, random: Generator) -> Samples:
    """Samples (n_samples,) from a random place on, repeated."""
    return np.resize(np.roll(samples, random.integers(len(samples))), n_samples)


def count_voices(placed: list[Placed], seconds: float) -> NDArray[np.uint8]:
    """The number of voices at the middle of every 20 ms."""
    n_voices = np.zeros(round(seconds / OUTPUT_LENGTH), dtype=np.uint8)
    for one in placed:
        for segment in one.phrase.speech:
            first, behind = np.round([(one.start + t) / OUTPUT_LENGTH for t in (segment.start, segment.end)])
            n_voices[int(first) : int(behind)] += 1
    return n_voices


def load_rooms(folder: Path | None) -> list[list[Samples]]:
    """Impulse responses by room: those of one room have one name up to the last underscore."""
    rooms: dict[str, list[Samples]] = {}
    for path in find_audio(folder) if folder else []:
        rooms.setdefault(f"{path.parent}/{path.stem.rpartition('_')[0]}", []).append(load_audio(path))
    return list(rooms.values())


def main() -> None:
    """Read the command line, simulate, pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder")
    parser.add_argument("--config", type=Path, required=True, help="TOML with [features]")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=5000, help="conversations (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each (default: %(default)s)")
    parser.add_argument("--noise", type=Path, nargs="+", required=True, help="folders of noise and music")
    parser.add_argument("--rooms", type=Path, help="folder of impulse responses")
    parser.add_argument("--teacher", type=Path, help="FILE.onnx of recipes/export_teacher.py segmentation")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    features = validate(
        FeatureConfig, load_tables(arguments.config, RECIPE_TABLES)["features"], str(arguments.config)
    )
    data = read_whole_recordings(arguments.data)
    noises = [load_audio(path) for folder in arguments.noise for path in find_audio(folder)]
    simulate = Simulator(data, noises, load_rooms(arguments.rooms), arguments.seconds)
    n_frames = round(arguments.seconds * features.frame_rate)

    if arguments.teacher:
        Segmentation(arguments.teacher)  # a missing one is told here, not in a process

    n = arguments.n
    kinds = {
        "mel": (np.float16, (n, n_frames, features.n_mels)),
        "silero": (np.float16, (n, n_frames)),
        "voices": (np.uint8, (n, n_frames // 2)),
    }
    if arguments.teacher:
        kinds["teacher"] = (np.float16, (n, n_frames // 2, 2))
    with ExitStack() as stack:
        arrays = {
            name: open_memmap(stack.enter_context(atomic_path(arguments.out / f"{name}.npy")), "w+", *kind)
            for name, kind in kinds.items()
        }
        start = (simulate, features, arguments.seed, arguments.teacher)
        executor = stack.enter_context(
            ProcessPoolExecutor(arguments.nj, initializer=start_worker, initargs=start)
        )
        for index, made in enumerate(executor.map(make_conversation, range(n), chunksize=8)):
            for name, array in arrays.items():
                array[index] = made[name]
            if index % 500 == 499:
                print(f"{index + 1} of {n} conversations", flush=True)
    voices = arrays["voices"]
    speech, overlap = (voices > 0).mean(), (voices > 1).mean()
    print(f"{arguments.out}: {n} conversations, speech {speech:.1%}, overlap {overlap / speech:.1%} of it")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"pack_conversations.py: {error}") from error
