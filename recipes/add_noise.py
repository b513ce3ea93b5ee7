"""Make a noisy copy of a data folder: each recording with a background, room, channel and level at random.

The chain is that of the augmentation in training (diarize/training/augment.py): a room for 45 % of the
recordings, a background 3 to 30 dB below the speech for 75 %, a channel for half. Writes the recordings as
FLAC to OUT/audio, and the Kaldi files of the folder, utt2part too.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np
import soundfile

from diarize.audio import SAMPLE_RATE, find_audio, load_audio
from diarize.cli.script import run_script
from diarize.errors import ConfigError
from diarize.experiments.speaker_sets import read_list
from diarize.files.atomic import atomic_path
from diarize.files.text import write_text
from diarize.formats.kaldi import read_utt2spk, read_whole_recordings, write_data_folder
from diarize.training.augment import Augmenter


def main() -> None:
    """Read the command line, write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with utt2part")
    parser.add_argument("--speakers", type=Path, help="list of speakers; by default all")
    parser.add_argument("--noise", type=Path, help="folder of background recordings")
    parser.add_argument("--rooms", type=Path, help="folder of impulse responses")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if not (arguments.noise or arguments.rooms):
        raise ConfigError("--noise, --rooms or both are needed")

    data, parts = read_whole_recordings(arguments.data), read_utt2spk(arguments.data / "utt2part")
    speakers = read_list(arguments.speakers) if arguments.speakers else set(data.utt2spk.values())
    chosen = sorted(name for name, speaker in data.utt2spk.items() if speaker in speakers)
    noises, rooms = (
        [load_audio(path) for path in find_audio(folder)] if folder else []
        for folder in (arguments.noise, arguments.rooms)
    )
    augment = Augmenter(noises, rooms, [])
    wav_scp = {}
    for name in chosen:
        random = np.random.default_rng([arguments.seed, zlib.crc32(name.encode())])
        path = arguments.out / "audio" / f"{name}.flac"
        with atomic_path(path) as temporary:
            samples = augment(load_audio(data.wav_scp[name]), random)
            soundfile.write(temporary, samples.clip(-1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        wav_scp[name] = str(path)
    write_data_folder(arguments.out, wav_scp, {name: data.utt2spk[name] for name in chosen})
    write_text("".join(f"{name} {parts[name]}\n" for name in chosen), arguments.out / "utt2part")
    print(f"{arguments.out}: {len(chosen)} recordings")


if __name__ == "__main__":
    run_script(main)
