"""Make a small corpus of synthetic voices: OUT/<speaker>/<sentence>.wav; half of the voices are female.

The same names give the same samples every time. It has no recordings of people. With --data, it is also a
Kaldi data folder with two parts of each speaker.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import soundfile
from synthesis import RATE, make_voice, say

from diarize.cli.script import run_script
from diarize.experiments.speaker_sets import write_speaker_set
from diarize.files.atomic import atomic_path


def main() -> None:
    """Read the command line, write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--speakers", type=int, default=16)
    parser.add_argument("--sentences", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2.5, help="length of a sentence")
    parser.add_argument("--data", type=Path, help="data folder to write")
    arguments = parser.parse_args()

    speakers: dict[str, dict[str, str]] = {}
    for number in range(arguments.speakers):
        female = number % 2 == 0
        speaker = f"{'f' if female else 'm'}{number // 2 + 1:02d}"
        voice = make_voice(speaker, female)
        for sentence in range(1, arguments.sentences + 1):
            path = arguments.out / speaker / f"{speaker}_{sentence:02d}.wav"
            samples = say(voice, path.stem, arguments.seconds)
            with atomic_path(path, alone=True) as temporary:
                soundfile.write(temporary, samples, RATE, format="WAV", subtype="PCM_16")
            speakers.setdefault(speaker, {})[path.stem] = str(path)
    if arguments.data:
        write_speaker_set(arguments.data, speakers, hold_out=True)
    print(f"{arguments.out}: {arguments.speakers} speakers, {arguments.sentences} sentences each")


if __name__ == "__main__":
    run_script(main)
