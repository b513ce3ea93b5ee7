#!/usr/bin/env python3
"""Make conversations with known turns from clips of single speakers.

DATA is a Kaldi data folder with utt2spk. OUT gets audio/*.flac, rttm/*.rttm and uem/*.uem. The turns are the
speech that is detected in the clips. Pauses of one speaker of at most half a second are part of a turn, as
human annotators do it. No clip is used twice in one conversation, which may therefore end early; with
--again, no clip is used twice at one speed and tone. The conditions alternate: clean, room (one impulse
response for all), noise (5 to 20 dB below the speech), telephone. The same arguments give the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import soundfile

from diarize.audio import SAMPLE_RATE, find_audio
from diarize.cli.script import run_script
from diarize.errors import DiarizeError
from diarize.files.atomic import atomic_path
from diarize.formats import write_rttm, write_uem
from diarize.formats.kaldi import read_corpora, read_data_folder
from diarize.segments import Segment, speech_of
from diarize.training.conversation_set import ConversationSet, Shape
from diarize.training.conversations import GOES_ON, PAUSE_MEDIAN


def number_range(text: str) -> tuple[int, int]:
    """(1, 6) for 1-6, (2, 2) for 2."""
    low, _, high = text.partition("-")
    numbers = int(low), int(high or low)
    if not 0 <= numbers[0] <= numbers[1]:
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
    """An integer of at least 1."""
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
    parser.add_argument("--n", type=int, default=24, help="number of conversations (default: %(default)s)")
    parser.add_argument(
        "--seconds",
        type=seconds_range,
        default=(60.0, 60.0),
        help="approximate length of each: 60 (default), or a range such as 3-60, log-uniformly distributed",
    )
    parser.add_argument(
        "--longest-phrase",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds; a longer clip is cut at its pauses (default: %(default)s)",
    )
    parser.add_argument(
        "--speakers", type=number_range, default=(1, 6), help="number of speakers: 1-6 (default), 2, or 0"
    )
    parser.add_argument(
        "--overlap", type=float, default=0.1, help="share of the speech that overlaps (default: %(default)s)"
    )
    parser.add_argument(
        "--again",
        type=at_least_one,
        default=1,
        metavar="N",
        help="use a clip up to N times (default: %(default)s)",
    )
    parser.add_argument(
        "--goes-on",
        type=float,
        default=GOES_ON,
        metavar="P",
        help="probability that the same speaker may continue after a pause (default: %(default)s)",
    )
    parser.add_argument(
        "--pause",
        type=float,
        default=PAUSE_MEDIAN,
        metavar="S",
        help="median, seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--dominant", type=float, default=0.0, metavar="SHARE", help="of the speech, that of one speaker"
    )
    parser.add_argument(
        "--interjections", type=float, default=0.0, metavar="SHARE", help="of the phrases that get one"
    )
    parser.add_argument(
        "--levels",
        type=float,
        default=6.0,
        metavar="DB",
        help="a speaker's level differs from the mean by at most this (default: %(default)s)",
    )
    parser.add_argument("--alike", action="store_true", help="the speakers of one corpus (utt2corpus)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="CONDITION", help="clean, room, noise or tel"
    )
    parser.add_argument(
        "--noise", type=Path, help="folder of noises; without it, there is no condition of noise"
    )
    parser.add_argument(
        "--rooms", type=Path, help="folder of impulse responses; without it, there is no condition of rooms"
    )
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Make the conversations, and print a line for each."""
    arguments = parse_arguments()
    data = read_data_folder(arguments.data)
    if not data.utt2spk:
        raise DiarizeError(f"{arguments.data}: no utt2spk; it is needed to know the speakers")
    shape = Shape(
        seconds=arguments.seconds,
        n_speakers=arguments.speakers,
        overlap=arguments.overlap,
        longest_phrase=arguments.longest_phrase,
        n_uses=arguments.again,
        goes_on=arguments.goes_on,
        pause=arguments.pause,
        dominant=arguments.dominant,
        interjections=arguments.interjections,
        level_spread=arguments.levels,
    )
    rooms = find_audio(arguments.rooms) if arguments.rooms else []
    noises = find_audio(arguments.noise) if arguments.noise else []
    corpora = read_corpora(arguments.data, data.utt2spk) if arguments.alike else None
    conversation = ConversationSet(data, shape, rooms, noises, arguments.seed, corpora, arguments.only)

    for index in range(arguments.n):
        name, samples, turns = conversation(index)
        with atomic_path(arguments.out / "audio" / f"{name}.flac", alone=True) as path:
            soundfile.write(path, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        write_rttm(turns, arguments.out / "rttm" / f"{name}.rttm")
        whole = Segment(0.0, len(samples) / SAMPLE_RATE)
        write_uem({name: [whole]}, arguments.out / "uem" / f"{name}.uem")
        speech = sum(segment.duration for segment in speech_of(turns))
        share = sum(turn.segment.duration for turn in turns) / speech - 1 if turns else 0.0
        print(f"{name}: {whole.duration:.1f} s, {len(turns)} turns, overlap {share:.0%} of the speech")


if __name__ == "__main__":
    run_script(main)
