"""Equal error rates of a model on speakers it never saw, beside plain MFCC statistics, as JSON and Markdown.

Reads Kaldi data folders with utt2group (recordings to compare with each other), utt2corpus (rows of the
table) and, where there is one, spk2gender. Each system gets the same trials: whole recordings, and 3 s and
1.5 s from their middles. A second table has the model's rates among women, among men, and within each
language of enough speakers. The intervals are 95 % by bootstrap over speakers.
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
from diarize.audio.features import mfcc
from diarize.embedding.catalog import RESEMBLYZER
from diarize.embedding.embedder import Embedder
from diarize.embedding.encoders import find_network
from diarize.errors import DiarizeError
from diarize.experiments.mfcc_statistics import mfcc_statistics
from diarize.files.text import write_text
from diarize.formats.kaldi import read_utt2spk, read_whole_recordings
from diarize.scoring.verification import (
    bootstrap_interval,
    crop_middle,
    equal_error_rate,
    make_trials,
    score_trials,
)
from diarize.segments import Segment

LENGTHS = {"whole": None, "3 s": 3.0, "1.5 s": 1.5}
MODEL = "model"
SMALLEST_PART = 5  # speakers
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


def find_peer(name: str) -> tuple[str, System]:
    """Resemblyzer, the mean over parts as its authors take it, or FILE.onnx; and what it is called."""
    peer = find_network(name)
    title = "Resemblyzer" if name == RESEMBLYZER else Path(name).stem
    return title, lambda recordings: np.stack([peer.utterance(samples) for samples in recordings])


def find_parts(sexes: list[str], languages: list[str], speakers: list[str]) -> dict[str, list[int]]:
    """The numbers of women's recordings, of men's, and of each language, where there are enough speakers."""
    parts = {name: [i for i, sex in enumerate(sexes) if sex == name[0]] for name in ("female", "male")}
    for language in sorted(set(languages) - {""}):
        parts[language] = [i for i, spoken in enumerate(languages) if spoken == language]
    return {name: p for name, p in parts.items() if len({speakers[i] for i in p}) >= SMALLEST_PART}


def score(folder: Path, systems: dict[str, System]) -> list[dict[str, object]]:
    """A row a corpus, system and length, and a row a part and length for the model: its rate and interval."""
    data = read_whole_recordings(folder)
    utterances = sorted(data.wav_scp, key=str.encode)
    read = {name: read_utt2spk(folder / name) for name in ("utt2group", "utt2corpus")}
    groups, corpora = ([read[name][utterance] for utterance in utterances] for name in read)
    speakers = [data.utt2spk[utterance] for utterance in utterances]
    told = read_utt2spk(folder / "spk2gender") if (folder / "spk2gender").is_file() else {}
    of = {name: [i for i, corpus in enumerate(corpora) if corpus == name] for name in sorted(set(corpora))}
    languages = ["" if group == corpus else group for group, corpus in zip(groups, corpora, strict=True)]
    parts = find_parts([told.get(speaker, "") for speaker in speakers], languages, speakers)
    recordings = [load_audio(data.wav_scp[utterance]) for utterance in utterances]
    rows: list[dict[str, object]] = []
    for length, seconds in LENGTHS.items():
        crops = recordings if seconds is None else [crop_middle(one, seconds) for one in recordings]
        for name, system in systems.items():
            vectors = system(crops)
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            titled = [("corpus", *pair) for pair in of.items()]
            titled += [("part", *pair) for pair in parts.items() if name == MODEL]
            for kind, title, chosen in titled:
                those = [speakers[i] for i in chosen]
                trials, same = make_trials(those, [groups[i] for i in chosen])
                if not same.any() or same.all():
                    continue
                scores = score_trials(vectors, np.array(chosen)[trials])
                rows.append(
                    {
                        "set": folder.name,
                        kind: title,
                        "length": length,
                        "system": name,
                        "n_speakers": len(set(those)),
                        "n_trials": len(same),
                        "eer": equal_error_rate(scores, same),
                        "interval": bootstrap_interval(scores, same, trials, those),
                    }
                )
    return rows


def format_table(rows: list[dict[str, object]], kind: str) -> str:
    """Markdown: a row a corpus and system, or a part, a column a length; per cent, interval in brackets."""
    titles = ["set", f"{kind} (speakers)", *["system"] * (kind == "corpus")]
    cells: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if kind in row:
            low, high = row["interval"]  # type: ignore[misc]
            cell = f"{100 * row['eer']:.1f} ({100 * low:.1f}-{100 * high:.1f})"  # type: ignore[operator]
            label = (str(row["set"]), f"{row[kind]} ({row['n_speakers']})", str(row["system"]))
            cells.setdefault(label[: len(titles)], []).append(cell)
    lines = [[*titles, *LENGTHS], ["---"] * (len(titles) + len(LENGTHS))]
    lines += [[*label, *row] for label, row in sorted(cells.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Read the command line, score, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="Kaldi data folders")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--peer", action="append", default=[], metavar="PEER", help="campplus, resemblyzer, or FILE.onnx"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file; the table goes beside it as .md")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    systems: dict[str, System] = {
        "MFCC statistics": lambda recordings: mfcc_statistics([mfcc(samples) for samples in recordings]),
        MODEL: network(Embedder(arguments.model)),
    }
    systems |= dict(map(find_peer, arguments.peer))
    rows = [row for folder in arguments.data for row in score(folder, systems)]
    write_text(json.dumps(rows, indent=1) + "\n", arguments.out)
    tables = format_table(rows, "corpus")
    if any("part" in row for row in rows):
        tables += f"\n\nThe model among women, among men, within a language:\n\n{format_table(rows, 'part')}"
    write_text(tables + "\n", arguments.out.with_suffix(".md"))
    print(tables)


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"score_verification.py: {error}") from error
