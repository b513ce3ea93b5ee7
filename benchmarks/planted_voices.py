"""How often `diarize check` reports voices, in a corpus as it is and with planted faults, as a table.

    python benchmarks/planted_voices.py --data CORPUS [--list FILE ...] [--exclude NAME ...] [--nj 2]

CORPUS has a folder for each speaker; with --list, only these speakers count. Two faults are planted, each in
half of the speakers with three recordings or more: a recording of another speaker of the same collection, and
half of the recordings moved to another name.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from printing import header, table

from diarize.corpus.facts import Examination, Facts
from diarize.corpus.layout import Recording, Utterance, read_corpus
from diarize.corpus.voices import ONE_VOICE, TWO_VOICES, check_voices, require_backend
from diarize.errors import DiarizeError
from diarize.experiments.speaker_sets import read_list
from diarize.machine.processes import map_in_processes
from diarize.speakers.plda import Backend

SPLIT = "+"
"""Behind the second name of a speaker who was given two."""


def speaker_of(recording: Recording) -> str:
    """The speaker of a recording of one speaker."""
    return recording.utterances[0].speaker


def renamed(recording: Recording, speaker: str) -> Recording:
    """The recording as one of another speaker."""
    return replace(recording, utterances=(Utterance(speaker),))


def reported(
    recordings: Sequence[Recording], facts: Sequence[Facts], backend: Backend
) -> tuple[set[str], set[tuple[str, str]]]:
    """The names that are reported as two voices, and the pairs of names that are reported as one."""
    findings = list(check_voices(recordings, facts, backend))
    two = {each.place for each in findings if each.kind == "two-voices"}
    return two, {(each.place, each.other) for each in findings if each.kind == "one-voice"}


def plant_swaps(recordings: list[Recording], random: np.random.Generator) -> tuple[list[Recording], set[str]]:
    """The recordings, of which some have another name; and the speakers who got one."""
    of_speaker: dict[str, list[int]] = defaultdict(list)
    for index, recording in enumerate(recordings):
        of_speaker[speaker_of(recording)].append(index)
    many = sorted(speaker for speaker, rows in of_speaker.items() if len(rows) > 2)
    planted, changed = list(recordings), set()
    for speaker in random.permutation(many)[: len(many) // 2]:
        collection = recordings[of_speaker[speaker][0]].collection
        others = [
            each
            for each in many
            if each != speaker and recordings[of_speaker[each][0]].collection == collection
        ]
        if others:
            index = int(random.choice(of_speaker[str(random.choice(others))]))
            planted[index] = renamed(recordings[index], str(speaker))
            changed.add(str(speaker))
    return planted, changed


def plant_splits(
    recordings: list[Recording], random: np.random.Generator
) -> tuple[list[Recording], set[tuple[str, str]]]:
    """The recordings, of which some have a second name of their speaker; and these pairs of names."""
    n_each = Counter(map(speaker_of, recordings))
    many = sorted(speaker for speaker, count in n_each.items() if count > 2)
    chosen = {str(speaker) for speaker in random.permutation(many)[: len(many) // 2]}
    seen: Counter[str] = Counter()
    planted = []
    for recording in recordings:
        speaker = speaker_of(recording)
        seen[speaker] += 1
        second = speaker in chosen and seen[speaker] % 2 == 0
        planted.append(renamed(recording, speaker + SPLIT) if second else recording)
    return planted, {(speaker, speaker + SPLIT) for speaker in chosen}


def main() -> None:
    """Embed, plant, count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="CORPUS")
    parser.add_argument("--list", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--exclude", action="append", default=[], metavar="NAME")
    parser.add_argument("--model", help="embedding model with a back end; default: the bundled one")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    backend = require_backend(arguments.model)
    recordings = read_corpus([arguments.data], excluded=arguments.exclude).recordings
    listed = {speaker for path in arguments.list for speaker in read_list(path)}
    recordings = [each for each in recordings if not arguments.list or speaker_of(each) in listed]
    start = partial(Examination, arguments.model)
    facts = list(map_in_processes(start, recordings, arguments.nj, chunksize=8))
    two, one = reported(recordings, facts, backend)
    swapped, with_strange = plant_swaps(recordings, np.random.default_rng(arguments.seed))
    two_swapped, _ = reported(swapped, facts, backend)
    split, pairs = plant_splits(recordings, np.random.default_rng(arguments.seed))
    _, one_split = reported(split, facts, backend)

    rows = []
    for collection in sorted({each.collection for each in recordings}):
        members = [speaker_of(each) for each in recordings if each.collection == collection]
        n_each = Counter(members)
        several = {speaker for speaker, count in n_each.items() if count > 1}
        strange = with_strange & set(members)
        halves = {pair for pair in pairs if pair[0] in n_each}
        rows.append(
            [
                collection or arguments.data.name,
                f"{len(n_each)}, {len(members)}",
                f"{len(two & several)} of {len(several)}",
                f"{len(two_swapped & strange)} of {len(strange)}",
                str(sum(first in n_each for first, _ in one)),
                f"{len(one_split & halves)} of {len(halves)}",
            ]
        )
    print(header(f"Limits {TWO_VOICES:g} and {ONE_VOICE:g} nats, seed {arguments.seed}"))
    columns = [
        "collection",
        "speakers, recordings",
        "two voices reported",
        "of planted",
        "one voice reported",
        "of planted",
    ]
    print(table(columns, rows))


if __name__ == "__main__":
    try:
        main()
    except DiarizeError as error:
        raise SystemExit(f"planted_voices.py: {error}") from error
