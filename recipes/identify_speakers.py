"""Identify the speakers of held-out recordings by a model a speaker: the share that is right, as JSON.

A speaker's model is learnt from the recordings of the data folder that `held_out` does not name. Identified
are the held-out recordings, and all of a speaker's together; each goes to the model of the greatest mean
log-likelihood. The intervals are Wilson's, 95 %.

Stadelmann and Freisleben, "Unfolding speaker clustering potential: a biomimetic approach", ACM MM 2009.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from diarize.audio import load_audio
from diarize.baselines.gmm import Likelihoods, fit_mixtures
from diarize.baselines.parts import read_split
from diarize.clustering_metrics import wilson_interval
from diarize.errors import DiarizeError
from diarize.features import Frames, mfcc
from diarize.formats.text import write_text


def load_frames(files: dict[str, list[str]]) -> dict[str, list[Frames]]:
    """MFCC 1 to 19 of each speaker's files."""
    return {speaker: [mfcc(load_audio(file)) for file in own] for speaker, own in files.items()}


def score(right: list[bool]) -> dict[str, object]:
    """How many were identified, the share that is right, and its interval."""
    n_right = sum(right)
    return {
        "n": len(right),
        "n_right": n_right,
        "accuracy": n_right / len(right),
        "interval": wilson_interval(n_right, len(right)),
    }


def identify_by_gmm(folder: Path) -> dict[str, object]:
    """Scores of single recordings and of whole parts, by 32 mixtures a speaker."""
    train, test = (load_frames(files) for files in read_split(folder))
    speakers = sorted(train)
    likelihoods = Likelihoods([fit_mixtures(np.concatenate(train[speaker])) for speaker in speakers])

    def is_right(frames: Frames, speaker: str) -> bool:
        return speakers[int(likelihoods(frames).argmax())] == speaker

    return {
        "n_speakers": len(speakers),
        "recordings": score([is_right(one, speaker) for speaker in speakers for one in test[speaker]]),
        "parts": score([is_right(np.concatenate(test[speaker]), speaker) for speaker in speakers]),
    }


def main() -> None:
    """Read the command line, identify, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", choices=("gmm",), required=True)
    parser.add_argument("--data", type=Path, required=True, help="Kaldi data folder with held_out")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()

    started = time.monotonic()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        scores = identify_by_gmm(arguments.data)
    seconds = round(time.monotonic() - started, 1)
    report = json.dumps({"system": arguments.system, **scores, "seconds": seconds}, indent=1)
    write_text(report + "\n", arguments.out)
    print(report)


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"identify_speakers.py: {error}") from error
