"""Simulate conversations to train networks of speech and overlap or of local speakers on, and pack them.

Each of the N conversations lasts --seconds and has 0 to 4 speakers of DATA, each with their own level and
distance, with interruptions and interjections, a background, and sounds other than speech. Writes OUT/mel.npy
(n, n_frames, n_mels) and OUT/silero.npy (n, n_frames), both float16, with a frame every 10 ms, and
OUT/voices.npy (n, n_frames / 2), the number of speakers who speak in every 20 ms. The speech in a clean clip
is found by its energy, within the speech that Silero finds at a low threshold; pauses of 0.2 s or more
count. With --teacher, it also writes the probabilities of that network, OUT/teacher.npy (n, n_frames / 2, 2),
float16, of speech and of overlapping speech.

With --local, for the networks of local speakers, there are 0 to 5 speakers, in half of the conversations of
one corpus (utt2corpus), no silero.npy, and speakers.npy (n, n_frames / 2) instead of voices.npy: who speaks,
a bit for each speaker. With --local-teacher, teacher.npy holds the probabilities of pyannote's segmentation
3.0 (n, n_windows, 250, 7), for every 40 ms of each ten seconds.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap

from diarize.audio import Samples, find_audio, load_audio
from diarize.audio.features import FeatureConfig
from diarize.cli.script import run_script
from diarize.config import RECIPE_TABLES, load_tables, validate
from diarize.files.atomic import atomic_path
from diarize.formats.kaldi import read_corpora, read_whole_recordings
from diarize.machine.processes import map_in_processes
from diarize.networks.pyannet import CLASSES, load_pyannet
from diarize.speech.segmentation import Segmentation
from diarize.training.simulator import (
    MANY_VOICES,
    ConversationFeatures,
    LocalFeatures,
    Simulator,
)


def load_rooms(folder: Path | None) -> list[list[Samples]]:
    """Impulse responses by room: file names of one room are the same up to the last underscore."""
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
    parser.add_argument("--n", type=int, default=5000, help="number of conversations (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each (default: %(default)s)")
    parser.add_argument("--noise", type=Path, nargs="+", required=True, help="folders of noise and music")
    parser.add_argument("--rooms", type=Path, help="folder of impulse responses")
    parser.add_argument("--teacher", type=Path, help="FILE.onnx of recipes/export_teacher.py segmentation")
    parser.add_argument("--local", action="store_true", help="for networks of local speakers")
    parser.add_argument("--local-teacher", action="store_true", help="the same, with segmentation 3.0")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    features = validate(
        FeatureConfig, load_tables(arguments.config, RECIPE_TABLES)["features"], str(arguments.config)
    )
    data = read_whole_recordings(arguments.data)
    noises = [load_audio(path) for folder in arguments.noise for path in find_audio(folder)]
    local = arguments.local or arguments.local_teacher
    rooms = load_rooms(arguments.rooms)
    if local:
        corpora = read_corpora(arguments.data, data.utt2spk)
        simulate = Simulator(data, noises, rooms, arguments.seconds, MANY_VOICES, corpora)
    else:
        simulate = Simulator(data, noises, rooms, arguments.seconds)
    n_frames = round(arguments.seconds * features.frame_rate)

    n = arguments.n
    kinds = {"mel": (np.float16, (n, n_frames, features.n_mels))}
    if local:
        kinds["speakers"] = (np.uint8, (n, n_frames // 2))
        if arguments.local_teacher:
            load_pyannet()  # reports a missing teacher here, not in a subprocess
            kinds["teacher"] = (np.float16, (n, n_frames // 1000, 250, len(CLASSES)))
        start = partial(LocalFeatures, simulate, features, arguments.seed, teacher=arguments.local_teacher)
    else:
        kinds |= {"silero": (np.float16, (n, n_frames)), "voices": (np.uint8, (n, n_frames // 2))}
        if arguments.teacher:
            Segmentation(arguments.teacher)  # the same
            kinds["teacher"] = (np.float16, (n, n_frames // 2, 2))
        start = partial(ConversationFeatures, simulate, features, arguments.seed, arguments.teacher)
    with ExitStack() as stack:
        arrays = {
            name: open_memmap(stack.enter_context(atomic_path(path, alone=True)), "w+", *kind)
            for name, kind in kinds.items()
            for path in [arguments.out / f"{name}.npy"]
        }
        made = map_in_processes(start, range(n), arguments.nj, chunksize=8)
        for index, arrays_of_one in enumerate(made):
            for name, array in arrays.items():
                array[index] = arrays_of_one[name]
            if index % 500 == 499:
                print(f"{index + 1} of {n} conversations", flush=True)
    voices = np.bitwise_count(arrays["speakers"]) if local else arrays["voices"]
    speech, overlap = (voices > 0).mean(), (voices > 1).mean()
    print(f"{arguments.out}: {n} conversations, speech {speech:.1%}, overlap {overlap / speech:.1%} of it")


if __name__ == "__main__":
    run_script(main)
