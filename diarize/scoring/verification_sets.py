"""Equal error rates of systems on data folders of speakers, by corpus, sex and language, and their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diarize.audio import Samples, load_audio
from diarize.formats.kaldi import read_utt2spk, read_whole_recordings
from diarize.scoring.verification import (
    bootstrap_interval,
    crop_middle,
    equal_error_rate,
    make_trials,
    score_trials,
)

LENGTHS: dict[str, float | None] = {"whole": None, "3 s": 3.0, "1.5 s": 1.5}
SMALLEST_PART = 5  # speakers

Row = dict[str, Any]
System = Callable[[list[Samples]], NDArray[np.floating]]
"""Samples of n recordings to vectors (n, dim) that are compared by their cosine."""


def find_parts(
    sexes: Sequence[str], languages: Sequence[str], speakers: Sequence[str]
) -> dict[str, list[int]]:
    """The numbers of women's recordings, of men's, and of each language, where there are enough speakers."""
    parts = {name: [i for i, sex in enumerate(sexes) if sex == name[0]] for name in ("female", "male")}
    for language in sorted(set(languages) - {""}):
        parts[language] = [i for i, spoken in enumerate(languages) if spoken == language]
    return {name: p for name, p in parts.items() if len({speakers[i] for i in p}) >= SMALLEST_PART}


def score_systems(folder: Path, systems: Mapping[str, System], model: str) -> list[Row]:
    """Equal error rates with their intervals: a row for each corpus, system and length, by names of columns.

    For the system `model` also a row for each part and length: women, men, and languages of enough speakers.
    The folder has utt2group (which recordings are compared), utt2corpus and, where it is known, spk2gender.
    """
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
    rows: list[Row] = []
    for length, seconds in LENGTHS.items():
        crops = recordings if seconds is None else [crop_middle(one, seconds) for one in recordings]
        for name, system in systems.items():
            vectors = system(crops)
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
            titled = [("corpus", *pair) for pair in of.items()]
            titled += [("part", *pair) for pair in parts.items() if name == model]
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


def format_table(rows: Sequence[Row], kind: str) -> str:
    """Markdown: a row a corpus and system, or a part, a column a length; per cent, interval in brackets."""
    titles = ["set", f"{kind} (speakers)", *["system"] * (kind == "corpus")]
    cells: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if kind in row:
            low, high = row["interval"]
            cell = f"{100 * row['eer']:.1f} ({100 * low:.1f}-{100 * high:.1f})"
            label = (str(row["set"]), f"{row[kind]} ({row['n_speakers']})", str(row["system"]))
            cells.setdefault(label[: len(titles)], []).append(cell)
    lines = [[*titles, *LENGTHS], ["---"] * (len(titles) + len(LENGTHS))]
    lines += [[*label, *row] for label, row in sorted(cells.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
