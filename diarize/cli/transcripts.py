"""The command that gives the words of a transcript to speakers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from diarize.cli import console
from diarize.cli.options import (
    Assignments,
    ConfigFile,
    Device,
    Force,
    MaxSpeakers,
    MinSpeakers,
    ModelName,
    NumSpeakers,
    Preset,
    Quiet,
    Threads,
    Verbose,
    as_settings,
)
from diarize.errors import FormatError


def words(
    transcript: Annotated[
        Path,
        typer.Argument(
            metavar="TRANSCRIPT",
            help="Words of a recording: JSON of Whisper and its relatives, SRT, VTT or CTM.",
            show_default=False,
        ),
    ],
    who: Annotated[
        Path,
        typer.Argument(
            metavar="TURNS|AUDIO",
            help="Who speaks when: an annotation file, or the recording, which is then labelled.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write: .srt, .vtt, .json, .ctm, .md or .txt; - for stdout.",
        ),
    ] = "-",
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="srt, vtt, json, seglst, ctm, md or txt; by default that of the suffix, on stdout txt.",
        ),
    ] = None,
    max_gap: Annotated[
        float,
        typer.Option(min=0, help="Seconds between a word and the nearest turn, above which nobody says it."),
    ] = 2.0,
    exact: Annotated[
        bool,
        typer.Option("--exact", help="Decide each word by its own time; by default, sentences are mended."),
    ] = False,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
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
    """Put speakers to the words of a transcript.

    The transcript comes from a speech recogniser; the words are not changed.
    """
    console.start_logging(quiet, verbose)
    from diarize.formats import READABLE, read_recording
    from diarize.words import assign_speakers, read_words, render_words

    path = None if output == "-" else Path(output)
    format = _format(path, format)
    if path is not None:
        console.refuse_existing([path], force)
    spoken = read_words(transcript, transcript.stem)
    if who.suffix.lower() in {known.suffix.lower() for known in READABLE.values()}:
        turns = read_recording(who, transcript.stem, "the transcript")
    else:
        given = as_settings(num_speakers=num_speakers, min_speakers=min_speakers, max_speakers=max_speakers)
        chosen = console.load_settings(config, settings, given, preset)
        from diarize.pipeline.diarizer import Diarizer

        progress = console.ProgressBar(quiet)
        with progress:
            diarization: Any = Diarizer(model, config=chosen, device=device, threads=threads)(
                who, hook=progress
            )
        turns = diarization.turns
    named = assign_speakers(spoken, turns, max_gap=max_gap, mend=not exact)
    text = render_words(named, format, transcript.stem)
    if path is None:
        console.say(text)
        return
    from diarize.files.text import write_text

    console.make_folder(path.parent)
    write_text(text, path)
    if not quiet:
        speakers = {word.speaker for word in named if word.speaker is not None}
        nobody = sum(word.speaker is None for word in named)
        rest = f", {nobody} of nobody" if nobody else ""
        console.say(f"{path}: {len(named)} words of {len(speakers)} speakers{rest}\n")


def _format(path: Path | None, asked: str | None) -> str:
    """The format of the output: the one asked for, that of the suffix, or text on stdout."""
    from diarize.words import WRITERS

    suffix = "txt" if path is None else path.suffix.lower().removeprefix(".")
    chosen = asked or suffix
    if path is not None and not chosen:
        raise FormatError(f"{path}: no suffix names a format; write {path.name}.srt, or give --format")
    if chosen not in WRITERS:
        raise FormatError(f"{path or 'stdout'}: no format {chosen!r} of words; known: {', '.join(WRITERS)}")
    return chosen
