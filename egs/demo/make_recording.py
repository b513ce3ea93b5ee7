#!/usr/bin/env python3
"""Makes meeting.flac and meeting.rttm: a minute of conversation between four synthetic voices.

It also writes whisper/meeting.json, what is said, in the layout of the speech recogniser Whisper: the times
of sentences are exact, a word has a share of its sentence in proportion to its letters.

It needs two speech synthesisers: apt-get install flite festival festvox-kdlpc16k
The same versions of these give the same samples every time.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples
from diarize.files.atomic import atomic_path
from diarize.files.text import write_text
from diarize.formats import write_rttm
from diarize.segments import Segment, Turn

APT = "apt-get install flite festival festvox-kdlpc16k"
MILLISECOND = SAMPLE_RATE // 1000  # all times are multiples of it, so that RTTM's three decimals are exact
PAUSE = 0.45  # seconds between the sentences of one speaker; each sentence is a turn
SILENCE = 0.01  # share of a clip's peak; quieter ends are cut
NOISE = 10 ** (-82 / 20)  # root mean square of the noise floor; full scale is 1

# Level in dB, speed, and the command of the synthesiser. Speed 1.25 makes kal, a man, sound like a woman.
VOICES = {
    "slt": (-26.0, 1.0, ["flite", "-voice", "slt", "TEXT", "WAV"]),
    "rms": (-29.0, 1.0, ["flite", "-voice", "rms", "TEXT", "WAV"]),
    "ked": (-31.0, 1.0, ["text2wave", "-eval", "(voice_ked_diphone)", "TEXT", "-o", "WAV"]),
    "kal": (-25.0, 1.25, ["flite", "-voice", "kal16", "--setf", "duration_stretch=1.2", "TEXT", "WAV"]),
}

# Seconds of pause before the speaker begins; a negative value overlaps the previous speaker.
MEETING = [
    (0.8, "slt", "Good morning everybody. Shall we talk about the summer party first?"),
    (0.5, "rms", "Yes please. I have looked at three places, and the old boat house is the best one."),
    (0.7, "ked", "How many people can it hold? Last year we were almost ninety."),
    (0.4, "rms", "It holds one hundred and twenty."),
    (-0.6, "kal", "And is there a kitchen? I do not want cold soup again."),
    (0.6, "slt", "The soup was not that bad."),
    (0.9, "kal", "It was terrible, and you know it. My children still laugh about it."),
    (0.5, "ked", "I can ask my neighbour. She has a small restaurant near the station."),
    (0.4, "slt", "That would be wonderful. Could you bring her prices to the next meeting?"),
    (1.2, "rms", "Then there is the music. My brother plays in a band, they would come for the train fare."),
    (-0.5, "slt", "What kind of music do they play?"),
    (0.5, "rms", "Mostly jazz, and some songs for dancing later on."),
    (0.7, "kal", "Jazz is fine with me, as long as they finish before midnight."),
    (0.5, "ked", "The neighbours of the boat house will thank you for that."),
    (0.8, "slt", "So we have a place, a cook and a band. Who writes the invitation?"),
    (0.6, "kal", "Give it to me, I will do it over the weekend."),
]


def speak(text: str, voice: str) -> Samples:
    """The spoken text in a voice, at its level, without silence at the ends; shape (n_samples,)."""
    level, speed, command = VOICES[voice]
    with tempfile.TemporaryDirectory() as folder:
        files = {"TEXT": f"{folder}/text", "WAV": f"{folder}/voice.wav"}
        Path(files["TEXT"]).write_text(text, encoding="utf-8")
        subprocess.run([files.get(word, word) for word in command], check=True)
        samples, rate = soundfile.read(files["WAV"], dtype="float32")
    samples = soxr.resample(samples, rate * speed, SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1] + 1]
    samples = samples[: len(samples) // MILLISECOND * MILLISECOND]
    rms = np.sqrt(np.mean(samples**2))
    return np.asarray(samples * (10 ** (level / 20) / rms), np.float32)


def make_meeting() -> tuple[NDArray[np.int16], list[Turn]]:
    """The samples (16 bit, 16 kHz) and the turns, exact to the sample."""
    placed: list[tuple[int, Samples]] = []
    turns = []
    end = 0
    for pause, voice, text in MEETING:
        for i, sentence in enumerate(sentences(text)):
            start = end + round((PAUSE if i else pause) * 1000) * MILLISECOND
            clip = speak(sentence, voice)
            end = start + len(clip)
            placed.append((start, clip))
            turns.append(Turn("meeting", Segment(start / SAMPLE_RATE, end / SAMPLE_RATE), voice))
    mixture = np.random.default_rng(0).normal(0, NOISE, end + SAMPLE_RATE)
    for start, clip in placed:
        mixture[start : start + len(clip)] += clip
    return np.round(mixture * 32767).astype(np.int16), turns


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return re.split(r"(?<=[.?]) ", text)


def make_transcript(turns: Sequence[Turn]) -> dict[str, Any]:
    """What is said in the turns, in order, as Whisper would write it: without speakers."""
    segments = []
    spoken = iter(turns)
    for _, _, text in MEETING:
        words = []
        for sentence in sentences(text):
            segment = next(spoken).segment
            step = segment.duration / sum(map(len, sentence.split()))
            at = segment.start
            for word in sentence.split():
                times = {"start": round(at, 3), "end": round(at + len(word) * step, 3)}
                words.append({"word": f" {word}"} | times)
                at += len(word) * step
        times = {"start": words[0]["start"], "end": words[-1]["end"]}
        segments.append({"id": len(segments)} | times | {"text": f" {text}", "words": words})
    return {"text": "".join(segment["text"] for segment in segments), "segments": segments, "language": "en"}


def main() -> None:
    """Write the recording, its reference and its transcript."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, help="folder (default: beside this file)"
    )
    out = parser.parse_args().out
    if not (shutil.which("flite") and shutil.which("text2wave")):
        parser.error(f"flite or festival is missing: {APT}")
    samples, turns = make_meeting()
    with atomic_path(out / "meeting.flac") as path:
        soundfile.write(path, samples, SAMPLE_RATE, format="FLAC", compression_level=1.0)
    write_rttm(turns, out / "meeting.rttm")
    write_text(json.dumps(make_transcript(turns), indent=1) + "\n", out / "whisper" / "meeting.json")


if __name__ == "__main__":
    main()
