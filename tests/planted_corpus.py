"""A corpus of the demo's turns: four synthetic voices, a folder each."""

from pathlib import Path

import numpy as np
import soundfile
from command_line import REPOSITORY

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.formats import read_rttm

DEMO = REPOSITORY / "egs" / "demo" / "meeting.flac"


def turns_by_speaker(shortest: float = 1.5) -> dict[str, list[np.ndarray]]:
    """The samples of each turn of the demo, by speaker: kal, ked, rms, slt."""
    samples = load_audio(DEMO)
    found: dict[str, list[np.ndarray]] = {}
    for turn in read_rttm(DEMO.with_suffix(".rttm")):
        if turn.segment.duration >= shortest:
            start, end = (round(time * SAMPLE_RATE) for time in (turn.segment.start, turn.segment.end))
            found.setdefault(turn.speaker, []).append(samples[start:end])
    return dict(sorted(found.items()))


def write_corpus(folder: Path, **more: np.ndarray) -> Path:
    """The corpus, SPEAKER/NUMBER.wav, with more files, such as `kal_x=samples` for kal/x.wav."""
    for speaker, clips in turns_by_speaker().items():
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        for number, clip in enumerate(clips):
            soundfile.write(folder / speaker / f"{number}.wav", clip, SAMPLE_RATE)
    for name, samples in more.items():
        speaker, _, file = name.partition("_")
        (folder / speaker).mkdir(exist_ok=True)
        soundfile.write(folder / speaker / f"{file}.wav", samples, SAMPLE_RATE, subtype="FLOAT")
    return folder
