"""Size, operations, time and error of embedding networks for small devices, as a Markdown table.

    python benchmarks/small_models.py --sets DIR/ami DIR/simulated ... [--speakers DATA]
        --rows voices voices=exp/small/voices/int8.onnx exp/small/binary pairwise-kl ...

A row is a model folder, the name of a bundled model, or MODEL=FILE.onnx: the model with the frames' features
of an ONNX file of recipes/quantize_model.py. A set has audio/, rttm/ and uem/; DER is that of the default
settings, number unknown. Equal error rates are those of recipes/score_verification.py at 1.5 s. Seconds are
CPU seconds of one thread for the embeddings of an hour, the windows and pieces of the default settings.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from meetings import read_set
from numpy.typing import NDArray
from printing import header, percent, table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from diarize.audio import SAMPLE_RATE, Samples, load_audio
from diarize.config import Config
from diarize.embedding.embedder import Embedder, embed
from diarize.embedding.models import Model, load_model
from diarize.embedding.running import RunningEncoder
from diarize.errors import DiarizeError
from diarize.files.bundled import BUNDLED
from diarize.machine.sessions import open_session
from diarize.networks.frame_network import FrameNetwork
from diarize.networks.segment_network import SegmentNetwork
from diarize.pipeline.diarizer import Diarizer
from diarize.scoring.der import pool
from diarize.scoring.verification_sets import score_systems
from diarize.segments import Segment
from diarize.speech.detect import Heard

DEMO = Path(__file__).resolve().parent.parent / "egs" / "demo" / "meeting.flac"
LENGTH = "1.5 s"


class SessionFrames(FrameNetwork):
    """A network whose frame features an ONNX session computes."""

    def __init__(self, network: FrameNetwork, session: Any) -> None:
        super().__init__()
        self.network, self.session = network, session
        self.context, self.stride, self.dim = network.context, network.stride, network.dim
        self.attention, self.pool = network.attention, network.pool

    def frames(self, mel: Tensor) -> Tensor:
        """(batch, n_outputs, n_features); a session of segments gets all of the batch's at once."""
        if not isinstance(self.network, SegmentNetwork):
            return self._run(mel)
        segments = mel.unfold(1, self.context, self.stride).transpose(2, 3)  # (batch, n, context, n_mels)
        return self._run(segments.flatten(0, 1)).unflatten(0, segments.shape[:2])

    def _run(self, mel: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run(None, {"mel": mel.contiguous().numpy()})[0])


def load_row(row: str) -> tuple[Model, int]:
    """The model of a row, and the bytes of its weights."""
    name, _, onnx = row.partition("=")
    model = load_model(name)
    folder = BUNDLED / name if (BUNDLED / name).is_dir() else Path(name)
    if not onnx:
        return model, (folder / "weights.safetensors").stat().st_size
    network = SessionFrames(RunningEncoder(model).network, open_session(Path(onnx)))
    return replace(model, name=row, network=network), Path(onnx).stat().st_size


def count_operations(model: Model) -> float:
    """Multiplications in the network for a second of audio, in millions, without the pooling."""
    network, features = RunningEncoder(model).network, model.features
    mel = torch.zeros(1, network.context + 10 * round(features.frame_rate), features.n_mels)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.frames(mel)
    return counter.get_total_flops() / 2 / 10 / 1e6


def seconds_for_an_hour(embedder: Embedder) -> float:
    """CPU seconds of one thread for the windows and pieces of an hour: those of two minutes, 30 times."""
    demo = load_audio(DEMO)
    samples = np.resize(demo, 120 * SAMPLE_RATE)
    heard = Heard([Segment(0.0, 120.0)], [], [], 120.0)
    started = time.process_time()
    embed(heard, [samples], embedder, Config())
    return 30 * (time.process_time() - started)


def as_system(embedder: Embedder) -> Callable[[list[Samples]], NDArray[np.floating]]:
    """The embeddings of recordings: each the mean over its windows."""

    def vector(samples: Samples) -> NDArray[np.floating]:
        everything = [Segment(0.0, len(samples) / SAMPLE_RATE)]
        return embedder(samples, rate=SAMPLE_RATE, speech=everything, whole=True).vectors[0]

    return lambda recordings: np.stack([vector(samples) for samples in recordings])


def der(model: Model, folder: Path) -> float:
    """The DER of the default settings on a set."""
    diarizer = Diarizer(model, device="cpu", threads=1)
    scores = []
    for recording in read_set(folder):
        samples = np.concatenate(list(recording.blocks()))
        found = diarizer(samples, rate=SAMPLE_RATE, recording=recording.name)
        scores.append(recording.score(found.turns))
    return pool(scores).der


def main() -> None:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", required=True, metavar="MODEL[=FILE.onnx]")
    parser.add_argument("--sets", type=Path, nargs="+", default=[], metavar="SET")
    parser.add_argument("--speakers", type=Path, help="Kaldi data folder, for equal error rates")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    rows, corpora = [], []
    for name in arguments.rows:
        model, size = load_row(name)
        embedder = Embedder(model, device="cpu", threads=1)
        plain = load_model(name.partition("=")[0])
        cells = [
            f"{size / 1e6:.2f}",
            f"{count_operations(plain):.0f}",
            f"{seconds_for_an_hour(embedder):.1f}",
        ]
        if arguments.speakers:
            scored = score_systems(arguments.speakers, {"row": as_system(embedder)}, "")
            scored = [each for each in scored if each["length"] == LENGTH]
            corpora = [each["corpus"] for each in scored]
            cells += [percent(each["eer"]) for each in scored]
        cells += [percent(der(model, folder)) for folder in arguments.sets]
        rows.append((name, *cells))
    columns = ["model", "MB", "million multiplications a second of audio", "CPU s an hour"]
    columns += [f"EER {corpus}" for corpus in corpora] + [f"DER {folder.name}" for folder in arguments.sets]
    print(header("Collar 0, overlap scored, number of speakers unknown; in %. 1 thread"))
    print(table(columns, rows), end="")


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"small_models.py: {error}") from error
