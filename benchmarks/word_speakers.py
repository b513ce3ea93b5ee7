"""Errors in the speakers of words, by the rule that gives words to speakers, as a Markdown table.

    python benchmarks/word_speakers.py --data SET [SET ...] [--score wder] [--jitter 0.1] [--seed 0]

SET is a folder with audio/, rttm/ and uem/, each with one file for each recording. The words are made up:
each reference turn is filled with words of about 0.3 s, twelve a sentence, and their times are off by a
normal deviation, as a recogniser's are. So it is known who says each word. The turns are those of the default
settings, and those of the reference. The score is WDER, the share of words with a wrong speaker, or cpWER, in
which a wrong speaker is a deletion and an insertion.

Rules: "largest share" is that of WhisperX: a word goes to who has most of it, and to nobody in silence; "its
own time" is `assign_speakers(..., mend=False)`, "sentences mended" the default.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from meetings import HELD_OUT, read_sets
from printing import header, percent, table

from diarize.config import load_config
from diarize.errors import DiarizeError
from diarize.scoring.words import concatenated_word_errors, word_diarization_error
from diarize.segments import Turn
from diarize.tuning import Recording
from diarize.tuning.bench import Bench, known
from diarize.words import Word, assign_speakers

WORD, SENTENCE = 0.3, 12
"""Seconds of a word; words of a sentence."""

N_WORDS = 1000
"""Different words."""


def make_words(recording: Recording, jitter: float, random: np.random.Generator) -> list[Word]:
    """Words in the reference turns of a recording, turn by turn, each with its true speaker."""
    words = []
    (spelling,) = random.spawn(1)
    for number, turn in enumerate(recording.turns):
        n = max(1, round(turn.segment.duration / WORD))
        edges = np.linspace(turn.segment.start, turn.segment.end, n + 1)
        ends = (np.arange(1, n + 1) % SENTENCE == 0) | (np.arange(1, n + 1) == n)
        for start, end, ends_sentence in zip(edges[:-1], edges[1:], ends, strict=True):
            off = float(random.normal(0, jitter)) if jitter else 0.0
            text = f"word{spelling.integers(N_WORDS)}{'.' if ends_sentence else ''}"
            words.append(Word(text, float(start) + off, float(end) + off, turn.speaker, number))
    return words


def error(truth: Sequence[Word], speakers: Sequence[str | None], score: str) -> float:
    """The error rate of words that get these speakers."""
    if score == "wder":
        return word_diarization_error([word.speaker or "" for word in truth], speakers)
    given = [replace(word, speaker=who) for word, who in zip(truth, speakers, strict=True)]
    return concatenated_word_errors(truth, given).rate


def largest_share(words: Sequence[Word], turns: Sequence[Turn]) -> list[str | None]:
    """The speakers of words by the rule of WhisperX: who has most of the word, of equals who began first.

    A word that no turn reaches has none. It is written out here, so that the rules of `diarize.words` play no
    part in it.
    """
    ordered = sorted(turns)
    speakers: list[str | None] = []
    for word in words:
        shares: dict[str, float] = {}
        for turn in ordered:
            common = min(turn.segment.end, word.end) - max(turn.segment.start, word.start)
            if common > 0:
                shares[turn.speaker] = shares.get(turn.speaker, 0.0) + common
        speakers.append(max(shares, key=shares.__getitem__) if shares else None)
    return speakers


def main() -> None:
    """Label the recordings, give their words to speakers, count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", type=Path, required=True, metavar="SET")
    parser.add_argument("--model", help="embedding model: a folder, or the name of a bundled one")
    parser.add_argument("--held-out", nargs="*", default=HELD_OUT, metavar="ID")
    parser.add_argument("--score", choices=["wder", "cpwer"], default="wder")
    parser.add_argument("--jitter", type=float, default=0.1, help="seconds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    sets = read_sets(arguments.data, arguments.held_out)
    bench, config = Bench(arguments.model), load_config()
    columns = ["turns", "rule", *(f"{name} ({len(recordings)})" for name, recordings in sets.items())]
    rows: dict[tuple[str, str], list[str]] = {}
    for recordings in sets.values():
        errors: dict[tuple[str, str], list[float]] = {}
        counts: list[int] = []
        for number, recording in enumerate(recordings):
            words = make_words(recording, arguments.jitter, np.random.default_rng((arguments.seed, number)))
            if not words:
                continue
            blank = [replace(word, speaker=None) for word in words]
            counts.append(len(words))
            found = bench.turns(recording, known(config, recording.n_speakers))
            for source, turns in (("reference", recording.turns), ("diarize, number known", found)):
                rules = {
                    "largest share": largest_share(blank, turns),
                    "its own time": [word.speaker for word in assign_speakers(blank, turns, mend=False)],
                    "sentences mended": [word.speaker for word in assign_speakers(blank, turns)],
                }
                for rule, speakers in rules.items():
                    errors.setdefault((source, rule), []).append(error(words, speakers, arguments.score))
        for key, rates in errors.items():
            rows.setdefault(key, []).append(percent(float(np.average(rates, weights=counts))))
    name = {"wder": "WDER", "cpwer": "cpWER"}[arguments.score]
    conditions = f"{name} in %; times off by {arguments.jitter:g} s; embeddings: {bench.description}"
    print(header(conditions))
    print(table(columns, [[*key, *values] for key, values in rows.items()], n_text=2))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"word_speakers.py: {error}") from error
