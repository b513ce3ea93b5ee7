"""Pack the log-mel frames of a training set into one file: every recording clean, then in augmented copies.

Each copy has a speed (another speed is another speaker) and may be augmented with noise, babble, rooms,
telephone and level. Reads a Kaldi data folder; writes OUT/mel.f16, OUT/index.npz, OUT/utterances.txt and
OUT/speakers.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from pydantic import field_validator

from diarize.audio import Samples, find_audio, load_audio
from diarize.audio.features import FeatureConfig, Frames, log_mel
from diarize.config import RECIPE_TABLES, Settings, load_tables, validate
from diarize.errors import ConfigError, DiarizeError
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import read_whole_recordings
from diarize.training.augment import Augmenter, change_speed
from diarize.training.packed import pack

N_BABBLE_VOICES = 300


class PackConfig(Settings):
    """The [pack] table: one copy a speed, augmented or not."""

    speeds: tuple[float, ...] = (1.0, 1.0, 1.0, 0.9, 1.1)
    augmented: tuple[bool, ...] = (False, True, True, True, True)

    @field_validator("speeds")
    @classmethod
    def _are_speeds(cls, speeds: tuple[float, ...]) -> tuple[float, ...]:
        if not speeds or not all(0.1 <= speed <= 10 for speed in speeds):
            raise ValueError("input should be numbers from 0.1 to 10")
        return speeds


class Worker:
    """What a process needs to make the copies of a recording."""

    def __init__(
        self, pack_config: PackConfig, features: FeatureConfig, augmenter: Augmenter, seed: int
    ) -> None:
        self.pack_config, self.features, self.augmenter, self.seed = pack_config, features, augmenter, seed

    def copies(self, clip: int, path: str) -> list[tuple[float, Frames]]:
        """(speed, log-mel (n_frames, n_mels)) of each copy of recording number `clip`."""
        samples = load_audio(path)
        made = []
        for copy, (speed, augmented) in enumerate(
            zip(self.pack_config.speeds, self.pack_config.augmented, strict=True)
        ):
            changed = samples if speed == 1.0 else change_speed(samples, speed)
            if augmented:
                changed = self.augmenter(changed, np.random.default_rng([self.seed, clip, copy]))
            made.append((speed, log_mel(changed, self.features).astype(np.float16)))
        return made


def start_worker(worker: Worker) -> None:
    """Keep the worker of this process; one thread each."""
    global _worker
    torch.set_num_threads(1)
    _worker = worker


def make_copies(task: tuple[int, str]) -> tuple[int, list[tuple[float, Frames]]]:
    """The copies of one recording, in a worker process."""
    return task[0], _worker.copies(*task)


def load_folder(folder: Path | None) -> list[Samples]:
    """Every recording of a folder; none for no folder."""
    return [load_audio(path) for path in find_audio(folder)] if folder else []


def main() -> None:
    """Read the command line, pack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder")
    parser.add_argument("--config", type=Path, required=True, help="TOML with [features] and [pack]")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--noise", type=Path, help="folder of background recordings")
    parser.add_argument("--rooms", type=Path, help="folder of impulse responses")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    tables = load_tables(arguments.config, RECIPE_TABLES)
    pack_config = validate(PackConfig, tables["pack"], str(arguments.config))
    features = validate(FeatureConfig, tables["features"], str(arguments.config))
    if len(pack_config.speeds) != len(pack_config.augmented):
        raise ConfigError(f"{arguments.config}: [pack] needs as many speeds as augmented")
    data = read_whole_recordings(arguments.data)
    utterances = sorted(data.wav_scp, key=str.encode)
    speakers = sorted(set(data.utt2spk.values()), key=str.encode)
    number = {speaker: index for index, speaker in enumerate(speakers)}
    speeds = sorted(set(pack_config.speeds))

    random = np.random.default_rng(arguments.seed)
    chosen = random.choice(len(utterances), min(N_BABBLE_VOICES, len(utterances)), replace=False)
    babble = chosen if any(pack_config.augmented) else []
    voices = [load_audio(data.wav_scp[utterances[index]]) for index in babble]
    augmenter = Augmenter(load_folder(arguments.noise), load_folder(arguments.rooms), voices)
    worker = Worker(pack_config, features, augmenter, arguments.seed)

    def clips(executor: ProcessPoolExecutor) -> Iterator[tuple[int, int, Frames]]:
        tasks = [(clip, data.wav_scp[utterance]) for clip, utterance in enumerate(utterances)]
        for clip, copies in executor.map(make_copies, tasks, chunksize=16):
            speaker = number[data.utt2spk[utterances[clip]]]
            for speed, mel in copies:
                yield clip, speaker + len(speakers) * speeds.index(speed), mel
            if clip % 1000 == 999:
                print(f"{clip + 1} of {len(tasks)} recordings", flush=True)

    with ProcessPoolExecutor(arguments.nj, initializer=start_worker, initargs=(worker,)) as executor:
        pack(clips(executor), arguments.out)
    with atomic_path(arguments.out / "utterances.txt") as path:
        path.write_text("".join(f"{utterance}\n" for utterance in utterances))
    with atomic_path(arguments.out / "speakers.txt") as path:
        path.write_text("".join(f"{speaker}@{speed}\n" for speed in speeds for speaker in speakers))
    print(f"{arguments.out}: {len(utterances)} recordings, {len(speakers)} speakers, speeds {speeds}")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"pack_features.py: {error}") from error
