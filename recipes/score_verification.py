"""Equal error rates of a model on speakers it never saw, beside plain MFCC statistics, as JSON and Markdown.

Reads Kaldi data folders with utt2group (recordings to compare with each other) and utt2corpus (rows of the
table). Each system gets the same trials: whole recordings, and 3 s and 1.5 s from their middles. The
intervals are 95 % by bootstrap over speakers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from diarize.audio import SAMPLE_RATE, Samples, load_audio
from diarize.baselines.statistics import mfcc_statistics
from diarize.embedder import Embedder
from diarize.encoders.resemblyzer import ResemblyzerNetwork
from diarize.errors import DiarizeError
from diarize.features import mfcc
from diarize.formats.kaldi import read_data_folder, read_utt2spk
from diarize.formats.text import write_text
from diarize.segments import Segment
from diarize.verification import (
    bootstrap_interval,
    crop_middle,
    equal_error_rate,
    make_trials,
    score_trials,
)

LENGTHS = {"whole": None, "3 s": 3.0, "1.5 s": 1.5}
System = Callable[[list[Samples]], NDArray[np.floating]]
"""Samples of n recordings to vectors (n, dim) that are compared by their cosine."""


def network(embedder: Embedder) -> System:
    """The model's vectors: the mean over the windows of a recording."""

    def embed(recordings: list[Samples]) -> NDArray[np.floating]:
        vectors = []
        for samples in recordings:
            everything = [Segment(0.0, len(samples) / SAMPLE_RATE)]
            vectors.append(embedder(samples, rate=SAMPLE_RATE, speech=everything, whole=True).vectors[0])
        return np.stack(vectors)

    return embed


def resemblyzer() -> System:
    """The vectors of Resemblyzer: the mean over parts of a recording, as its authors take it."""
    peer = ResemblyzerNetwork()
    return lambda recordings: np.stack([peer.utterance(samples) for samples in recordings])


def score(folder: Path, systems: dict[str, System]) -> list[dict[str, object]]:
    """A row a corpus, system and length: number of speakers and trials, rate and interval."""
    data = read_data_folder(folder)
    utterances = sorted(data.wav_scp, key=str.encode)
    groups, corpora = read_utt2spk(folder / "utt2group"), read_utt2spk(folder / "utt2corpus")
    recordings = [load_audio(data.wav_scp[utterance]) for utterance in utterances]
    rows: list[dict[str, object]] = []
    for length, seconds in LENGTHS.items():
        crops = recordings if seconds is None else [crop_middle(one, seconds) for one in recordings]
        for name, system in systems.items():
            vectors = system(crops)
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            for corpus in sorted(set(corpora.values())):
                chosen = [i for i, utterance in enumerate(utterances) if corpora[utterance] == corpus]
                speakers = [data.utt2spk[utterances[i]] for i in chosen]
                trials, same = make_trials(speakers, [groups[utterances[i]] for i in chosen])
                if not same.any() or same.all():
                    continue
                scores = score_trials(vectors, np.array(chosen)[trials])
                rows.append(
                    {
                        "set": folder.name,
                        "corpus": corpus,
                        "length": length,
                        "system": name,
                        "n_speakers": len(set(speakers)),
                        "n_trials": len(same),
                        "eer": equal_error_rate(scores, same),
                        "interval": bootstrap_interval(scores, same, trials, speakers),
                    }
                )
    return rows


def format_table(rows: list[dict[str, object]]) -> str:
    """Markdown: a row a corpus and system, a column a length; per cent, interval in brackets."""
    lines = [
        f"| set | corpus (speakers) | system | {' | '.join(LENGTHS)} |",
        "|---|---|---|" + "---|" * len(LENGTHS),
    ]
    cells: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        low, high = row["interval"]  # type: ignore[misc]
        cell = f"{100 * row['eer']:.1f} ({100 * low:.1f}-{100 * high:.1f})"  # type: ignore[operator]
        label = (str(row["set"]), f"{row['corpus']} ({row['n_speakers']})", str(row["system"]))
        cells.setdefault(label, []).append(cell)
    return "\n".join([*lines, *(f"| {' | '.join([*label, *row])} |" for label, row in sorted(cells.items()))])


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="Kaldi data folders")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--peer", choices=["resemblyzer"], action="append", default=[])
    parser.add_argument("--out", type=Path, required=True, help="JSON file; the table goes beside it as .md")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    systems: dict[str, System] = {
        "MFCC statistics": lambda recordings: mfcc_statistics([mfcc(samples) for samples in recordings]),
        "model": network(Embedder(arguments.model)),
    }
    if arguments.peer:
        systems["Resemblyzer"] = resemblyzer()
    rows = [row for folder in arguments.data for row in score(folder, systems)]
    write_text(json.dumps(rows, indent=1) + "\n", arguments.out)
    table = format_table(rows)
    write_text(table + "\n", arguments.out.with_suffix(".md"))
    print(table)


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"score_verification.py: {error}") from error
