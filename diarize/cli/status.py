"""The command that shows how far a folder of results is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from diarize.cli import console

if TYPE_CHECKING:
    from diarize.batch.status import Status


def status(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of results of `diarize run`.", show_default=False)
    ],
    format: Annotated[
        Literal["text", "json"], typer.Option("--format", help="Format of the output.")
    ] = "text",
) -> None:
    """Show how far a folder of results is.

    Prints the number of recordings in each state, the speed, the time left if a run writes into it, and the
    recordings that failed.
    """
    from diarize.batch.status import read_status

    found = read_status(folder)
    console.say(_as_json(found) if format == "json" else _as_text(found))


def _as_text(status: Status) -> str:
    width = max(len(f"{n}") for n in status.states.values())
    lines = [f"{state:<11}  {n:>{width}}" for state, n in status.states.items() if n]
    if status.work_seconds:
        pace = status.audio_seconds / status.work_seconds
        lines.append(
            f"{status.audio_seconds / 3600:.2f} hours of audio, {pace:.1f} s a second in each process"
        )
    if status.audio_per_second is not None:
        runs = "1 run" if status.n_running == 1 else f"{status.n_running} runs"
        known = status.seconds_left is not None
        left = f", {console.clock(status.seconds_left or 0.0)[:-3]} left" if known else ""
        lines.append(f"{runs} now: {status.audio_per_second:.1f} s of audio a second{left}")
    lines += [f"failed: {failure.recording}: {failure.error}" for failure in status.failures]
    return "\n".join(lines) + "\n"


def _as_json(status: Status) -> str:
    import json
    from dataclasses import asdict

    return json.dumps(asdict(status), indent=2) + "\n"
