"""The command that finds the same people in several results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarize.cli import console
from diarize.cli.options import (
    Assignments,
    ConfigFile,
    Device,
    Force,
    KnownVoices,
    ModelName,
    Preset,
    Quiet,
    Threads,
    Verbose,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diarize.batch.voices import Linked

TABLE = "speakers.csv"
"""The file that says who each speaker is."""

Audio = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of the recordings, for results without RECORDING.voices.parquet beside them.",
    ),
]


def link(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT",
            help="Results of `diarize run`, and folders of JSON results.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help=f"Folder for {TABLE} and the results with their new names."
        ),
    ],
    format: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Format of the new results, as for `diarize run`; repeatable. Default: rttm and json.",
        ),
    ] = None,
    known: KnownVoices = None,
    audio: Audio = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    preset: Preset = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find the same people in several results.

    SPEAKER_00 then is the same person in all of them. Two speakers of one recording are never one person.
    """
    console.start_logging(quiet, verbose)
    chosen = console.load_settings(config, settings, {}, preset)

    from diarize.batch.result_voices import ResultReader, find_results, rename_document, rename_turns
    from diarize.batch.voices import link_results
    from diarize.files.folders import refuse_outside
    from diarize.formats import FORMATS, find_format, write_turns

    formats = list(dict.fromkeys(format or ["rttm", "json"]))
    suffixes = [find_format("", name).suffix for name in formats]
    found = find_results(inputs)
    table = output / TABLE
    targets = [[output / folder / f"{path.stem}{suffix}" for suffix in suffixes] for path, folder in found]
    console.refuse_same([path for path, _ in found], targets)
    written = [table, *(path for paths in targets for path in paths)]
    console.refuse_existing(written, force)
    refuse_outside(written, output)

    from diarize.embedding.configured import configured_embedder
    from diarize.files.text import write_text
    from diarize.pipeline.recognition import find_verifier, open_known

    embedder = configured_embedder(chosen, model, device=device, threads=threads)
    verifier = find_verifier(embedder)
    voices = None if known is None else open_known(known, embedder)
    read = ResultReader(embedder, chosen, audio)
    results = [read(path, folder) for path, folder in found]
    linked = link_results(results, verifier, chosen.known.false_alarms, voices)
    rows = iter(linked)
    for result, paths in zip(results, targets, strict=True):
        names = {speaker: next(rows).person for speaker in result.speakers}
        for path in paths:
            console.make_folder(path.parent)
            document = rename_document(result.path, names) if path.suffix == FORMATS["json"].suffix else None
            if document is None:
                write_turns(rename_turns(result.turns, names), path)
            else:
                write_text(document, path)
    write_text(render_table(linked), table)
    if not quiet:
        console.say(describe(linked))
        console.say(f"{table}: {len(linked)} speakers of {len(results)} recordings\n")


def render_table(linked: Sequence[Linked]) -> str:
    """The table as CSV: recording, speaker, person, seconds, score."""
    from diarize.formats.csv_format import render_csv

    return render_csv(
        ("recording", "speaker", "person", "seconds", "score"),
        (
            (each.recording, each.speaker, each.person, f"{each.seconds:.2f}", score)
            for each in linked
            for score in ["" if each.score is None else f"{each.score:.2f}"]
        ),
    )


def describe(linked: Sequence[Linked]) -> str:
    """A line for each person: in which recordings, as which speaker."""
    people: dict[str, list[str]] = {}
    for each in linked:
        people.setdefault(each.person, []).append(f"{each.recording} {each.speaker}")
    return "".join(f"{person}: {', '.join(places)}\n" for person, places in people.items())
