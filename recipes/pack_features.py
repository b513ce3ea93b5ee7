"""Pack the log-mel frames of a training set into one file: each recording clean and in augmented copies.

Each copy has a speed (another speed counts as another speaker) and may be augmented with noise, babble,
rooms, telephone and level. Reads a Kaldi data folder; writes OUT/mel.f16, OUT/index.npz, OUT/utterances.txt
and OUT/speakers.txt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from diarize.audio import Samples, find_audio, load_audio
from diarize.audio.features import FeatureConfig, Frames
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import read_whole_recordings
from diarize.machine.processes import map_in_processes
from diarize.training.augment import Augmenter
from diarize.training.copies import Copies, PackConfig
from diarize.training.packed import pack

N_BABBLE_VOICES = 300


def load_folder(folder: Path | None) -> list[Samples]:
    """Every recording of a folder; none if no folder is given."""
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
    start = partial(Copies, pack_config, features, augmenter, arguments.seed)

    def clips() -> Iterator[tuple[int, int, Frames]]:
        recordings = [(clip, data.wav_scp[utterance]) for clip, utterance in enumerate(utterances)]
        made = map_in_processes(start, recordings, arguments.nj, chunksize=16)
        for clip, copies in enumerate(made):
            speaker = number[data.utt2spk[utterances[clip]]]
            for speed, mel in copies:
                yield clip, speaker + len(speakers) * speeds.index(speed), mel
            if clip % 1000 == 999:
                print(f"{clip + 1} of {len(recordings)} recordings", flush=True)

    pack(clips(), arguments.out)
    with atomic_path(arguments.out / "utterances.txt", alone=True) as path:
        path.write_text("".join(f"{utterance}\n" for utterance in utterances))
    with atomic_path(arguments.out / "speakers.txt", alone=True) as path:
        path.write_text("".join(f"{speaker}@{speed}\n" for speed in speeds for speaker in speakers))
    print(f"{arguments.out}: {len(utterances)} recordings, {len(speakers)} speakers, speeds {speeds}")


if __name__ == "__main__":
    run_script(main)
