"""The command that lists the doubtful turns of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from diarize.cli import console
from diarize.cli.options import Force, Quiet, Verbose
from diarize.cli.report import Audio, Results
from diarize.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diarize.report.doubtful import DoubtfulTurn

COLUMNS = (
    *("recording", "start", "end", "speaker", "confidence", "expected_wrong", "alternative"),
    *("left_out", "result", "audio"),
)


def review(
    results: Results,
    audio: Audio = None,
    clips: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="With --audio: folder for the sound of each listed turn, as 001.wav, 002.wav, ...",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many turns.")] = 20,
    format: Annotated[
        Literal["text", "json", "csv"], typer.Option("--format", help="Format of the list.")
    ] = "text",
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """List the turns to check first: those in which the most seconds are expected to be wrong.

    That is the duration of a turn times one less its confidence.
    """
    console.start_logging(quiet, verbose)
    if clips is not None and audio is None:
        raise ConfigError("--clips needs --audio, the recording or a folder of recordings")
    from diarize.report.doubtful import list_doubtful, write_clips
    from diarize.report.page_sources import find_sources

    turns = list_doubtful(find_sources(results, audio=audio))
    listed = turns[:limit]
    if clips is not None:
        paths = [clips / f"{number:03d}.wav" for number in range(1, len(listed) + 1)]
        console.refuse_existing(paths, force)
        write_clips(listed, paths)
    rows = [as_row(each) for each in listed]
    if format == "json":
        console.say(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    elif format == "csv":
        from diarize.formats.csv_format import render_csv

        console.say(
            render_csv(COLUMNS, (["" if cell is None else cell for cell in row.values()] for row in rows))
        )
    else:
        console.say(describe(turns, len(listed)))


def as_row(each: DoubtfulTurn) -> dict[str, Any]:
    """A turn as the values of `COLUMNS`; None for what is not known."""
    turn, audio = each.turn, each.source.audio
    values = (
        *(turn.recording, round(turn.segment.start, 3), round(turn.segment.end, 3), turn.speaker),
        *(each.certainty.confidence, round(each.wrong, 3), each.certainty.alternative, each.left_out),
        *(str(each.source.path), None if audio is None else str(audio)),
    )
    return dict(zip(COLUMNS, values, strict=True))


def describe(turns: Sequence[DoubtfulTurn], n_listed: int) -> str:
    """The table of the first turns, and what all of them are expected to have wrong."""
    from diarize.scoring.tables import markdown_table

    rows = [("", "recording", "start", "seconds", "speaker", "or", "confidence", "seconds wrong")]
    for number, each in enumerate(turns[:n_listed], 1):
        segment, sure = each.turn.segment, each.certainty
        speaker = f"({each.turn.speaker})" if each.left_out else each.turn.speaker
        times = (console.clock(segment.start), f"{segment.duration:.2f}")
        shown = (f"{sure.confidence:.2f}", f"{each.wrong:.2f}")
        rows.append((str(number), each.turn.recording, *times, speaker, sure.alternative or "-", *shown))
    total = sum(each.turn.segment.duration for each in turns)
    wrong = sum(each.wrong for each in turns)
    share = sum(each.wrong for each in turns[:n_listed]) / wrong if wrong else 1.0
    of = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
    told = [
        f"expected to be wrong: {wrong:.1f} s of {total:.1f} s in {of}; {share:.0%} of it in these {n_listed}"
    ]
    if any(each.left_out for each in turns[:n_listed]):
        told.append("in brackets: left out of the result, because of turns.min_confidence")
    return "\n".join([*markdown_table(rows), "", *told, ""])
