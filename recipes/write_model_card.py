"""Write the model card of a trained model, and [about] of its config.toml, which `diarize models` shows.

Facts about the data come from a Markdown file (--data-notes), all others from the recipe's own files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from safetensors import safe_open

from diarize.cli.script import run_script
from diarize.config import MODEL_TABLES, RECIPE_TABLES, load_tables, validate
from diarize.embedding.catalog import About
from diarize.embedding.models import write_config
from diarize.embedding.onnx import ONNX_TABLES
from diarize.files.text import read_lines, read_text, write_text
from diarize.formats.kaldi import read_data_folder
from diarize.networks import DEFAULT_FAMILY, network_class
from diarize.speakers.enrolment import verifier_file
from diarize.speakers.plda import backend_file
from diarize.training.embedding_objective import EmbeddingLossConfig as LossConfig
from diarize.training.optimizers import TrainingConfig

BACK_END = """
A back end, `backend.safetensors`, models how much windows differ within a speaker and between speakers. It is
trained by `recipes/train_backend.py` on windows of the same training clips, without those that the teacher
finds unlike the other clips of their speaker (Resemblyzer as a teacher is not asked).
"""


VERIFIER = """
A verifier, `verifier.safetensors`, scores whether two recordings are of one person. It is trained by
`recipes/train_verifier.py` on windows of training clips as they are, over a made-up telephone and from afar,
and calibrated on development speakers.
"""

TEACHERS = {
    "campplus": "CAM++ of 3D-Speaker, Chinese and English",
    "resemblyzer": "Resemblyzer's open network",
}
"""Names in the card."""


def name_corpora(notes: str) -> str:
    """The first cells of the table of corpora, without the text in brackets."""
    rows = [line.strip("|").split("|")[0] for line in notes.splitlines() if line.startswith("| ")]
    return ", ".join(row.partition(" (")[0].strip() for row in rows[1:])


def name_teacher(teacher: str) -> str:
    """The name of the teacher in the card."""
    if teacher in TEACHERS:
        return TEACHERS[teacher]
    return str(
        load_tables(Path(teacher).with_suffix(".toml"), ONNX_TABLES)["about"].get("description", teacher)
    )


def main() -> None:
    """Read the command line, write MODEL_CARD.md into the model folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder that gets the card")
    parser.add_argument("--name", required=True)
    parser.add_argument("--license", default="", help="licence of the weights")
    parser.add_argument("--command", required=True, help="the command that makes the model")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True, help="Kaldi data folder of the training set")
    parser.add_argument("--curve", type=Path, required=True, help="curve.tsv of the training")
    parser.add_argument("--scores", type=Path, required=True, help="JSON of recipes/score_verification.py")
    parser.add_argument(
        "--data-notes", type=Path, required=True, help="Markdown on the data and its licences"
    )
    parser.add_argument(
        "--teacher", default="campplus", help="teacher of the distillation, as for embed_teacher.py"
    )
    parser.add_argument("--seed", type=int, help="seed of the training (default: that of the config)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the training (default: %(default)s)"
    )
    parser.add_argument("--run", type=Path, required=True, help="run.json of the recipe: date, machine")
    arguments = parser.parse_args()

    tables = load_tables(arguments.config, RECIPE_TABLES)
    config = validate(TrainingConfig, tables["training"], str(arguments.config))
    loss = validate(LossConfig, tables["loss"], str(arguments.config))
    data = read_data_folder(arguments.train)
    header, *lines = (line.text.split("\t") for line in read_lines(arguments.curve) if line.text)
    seed = config.seed if arguments.seed is None else arguments.seed
    threads = "one thread" if arguments.threads == 1 else f"{arguments.threads} threads"
    minutes = float(dict(zip(header, lines[-1], strict=True))["seconds"]) / 60
    n_speakers = len(set(data.utt2spk.values()))
    shortest, longest = config.seconds
    weights = arguments.model / "weights.safetensors"
    with safe_open(weights, "np") as file:
        n_parameters = sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118
    run = json.loads(read_text(arguments.run))
    table = read_text(arguments.scores.with_suffix(".md")).strip()
    notes = read_text(arguments.data_notes).strip()
    settings = load_tables(arguments.model / "config.toml", MODEL_TABLES)
    kind = network_class(settings["network"].get("family", DEFAULT_FAMILY)).__name__
    about = About(
        description=f"{kind} for windows of about 1.5 s, {n_parameters / 1e6:.2f} million numbers",
        license=arguments.license,
        trained_on=f"{n_speakers} speakers" + (f" of {corpora}" if (corpora := name_corpora(notes)) else ""),
    )
    write_config(arguments.model, settings | {"about": about.model_dump()})

    taught = ""
    if loss.distillation:
        taught = (
            f",\nand distillation from {name_teacher(arguments.teacher)} with weight {loss.distillation:g}"
        )
    back_end = BACK_END if backend_file(arguments.model).is_file() else ""
    back_end += VERIFIER if verifier_file(arguments.model).is_file() else ""
    write_text(
        f"""# Model card: {arguments.name}

A speaker-embedding network: a {kind} whose convolutions pad nothing in time, with attentive statistics
pooling. {n_parameters / 1e6:.2f} million numbers, {weights.stat().st_size / 1e6:.1f} MB, 16 kHz speech in,
one embedding for each window of about 1.5 s out. Its purpose is to distinguish the speakers of one recording.

Made by `{arguments.command}` on {run["date"]}, seed {seed}, {run["machine"]}.

## Training

{len(data.wav_scp)} recordings of {n_speakers} speakers; {config.n_steps} steps of {config.n_speakers}
speakers with {config.n_segments} segments of {shortest:g} to {longest:g} s each; {minutes:.0f} minutes on
{threads}. Losses: ArcFace over the training speakers (speeds 0.9 and 1.1 count as other speakers) with
weight {loss.arcface:g}, a prototypical loss with weight {loss.prototypical:g}{taught}.
Augmentation: noise, babble, rooms, telephone band, GSM, Opus and MP3, band limits, clipping, levels, spectral
tilt and masks.
{back_end}
{notes}

## Error on unseen speakers

Equal error rate in %, with the 95 % interval by bootstrap over speakers. Trials are pairs of recordings
within one language or corpus, all of one speaker and up to four times as many of different speakers. "MFCC
statistics" are mean and standard deviation of 19 coefficients. Set `test`: other speakers of the training
corpora; set `unseen`: corpora without any speaker in training. Resemblyzer's rates on LibriSpeech are too
low, because its authors trained on all of it.

{table}

## Limits

The network is trained on read and isolated speech, mostly with one microphone for each speaker, so embeddings
depend on the channel as well as on the voice. Whispering, singing, shouting and overlapping speech were not
measured; children only in speechocean762, where half of the speakers are children.
Do not use it to identify or verify a person, or to find out who a contributor to its training data is.
""",
        arguments.model / "MODEL_CARD.md",
    )
    print(f"{arguments.model / 'MODEL_CARD.md'}: written")


if __name__ == "__main__":
    run_script(main)
