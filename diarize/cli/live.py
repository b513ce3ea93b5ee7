"""The command that labels a stream while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from diarize.cli import console
from diarize.cli.options import (
    Assignments,
    ConfigFile,
    Device,
    Force,
    MaxSpeakers,
    ModelName,
    Preset,
    Quiet,
    Threads,
    Verbose,
    as_settings,
)
from diarize.errors import DiarizeError

if TYPE_CHECKING:
    from diarize.audio import Samples
    from diarize.pipeline.live import LiveEvent


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="- for stdin, in a format that FFmpeg reads without seeking, or a recording.",
        ),
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File for the turns, written at the end; its suffix names the format, such as .rttm.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=1000,
            metavar="HZ",
            help="stdin holds raw samples of this rate: 16 bits, little endian, one channel.",
        ),
    ] = None,
    microphone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Listen to an input device instead of INPUT: a part of its name, its number, or default. "
            "Needs the extra `live`.",
        ),
    ] = None,
    latency: Annotated[float, typer.Option(help="Seconds between what is said and its turn, 1 to 8.")] = 2.0,
    events: Annotated[
        Literal["text", "jsonl"],
        typer.Option(help="text: a line for each turn that has ended; jsonl: a JSON object for each event."),
    ] = "text",
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
    """Label a stream while it runs.

    Turns are printed as soon as they have ended, and again if later speech shows another speaker. Ctrl-C ends
    the stream.
    """
    console.start_logging(quiet, verbose)
    chosen = console.load_settings(config, settings, as_settings(max_speakers=max_speakers), preset)
    if output is not None:
        from diarize.formats import find_format

        find_format(output)  # an unknown suffix is an error before any work
        console.refuse_existing([output], force)
        console.make_folder(output.parent)
    if microphone is not None and (source != "-" or rate is not None):
        raise DiarizeError("--microphone replaces INPUT and --rate; leave them out")
    if rate is not None and source != "-":
        raise DiarizeError(f"--rate is the rate of raw samples on stdin, not of a file such as {source}")
    name = "live" if output is None else output.stem

    from diarize.pipeline.live import LiveDiarizer

    diarizer = LiveDiarizer(
        model, config=chosen, latency=latency, recording=name, device=device, threads=threads
    )
    blocks = _blocks(source, rate) if microphone is None else _microphone_blocks(microphone)
    render = _json if events == "jsonl" else _text
    try:
        for block in blocks:
            console.say("".join(map(render, diarizer.push(block))))
    except KeyboardInterrupt:  # the usual end of a stream
        pass
    console.say("".join(map(render, diarizer.finish())))
    if output is not None:
        from diarize.formats import write_turns

        write_turns(diarizer.turns, output)


def _blocks(source: str, rate: float | None) -> Iterator[Samples]:
    """The samples of the stream as they arrive."""
    from diarize.audio import stream_audio
    from diarize.audio.pipe import open_stdin, stream_container, stream_pcm

    if source != "-":
        return stream_audio(source, block=0.5)
    return stream_container(open_stdin()) if rate is None else stream_pcm(open_stdin(), rate)


def _microphone_blocks(name: str) -> Iterator[Samples]:
    """The samples of an input device as they arrive."""
    from diarize.audio.microphone import Microphone

    return Microphone(name).stream()


def _text(event: LiveEvent) -> str:
    """A line for a turn that has ended, and for each turn of a correction; nothing for one that begins."""
    if event.kind == "begin":
        return ""
    note = "  (corrected)" if event.kind == "correct" else ""
    return "".join(
        f"{console.clock(turn.segment.start)} - {console.clock(turn.segment.end)}  {turn.speaker}{note}\n"
        for turn in event.turns
    )


def _json(event: LiveEvent) -> str:
    """A line of JSON for an event."""
    return event.to_json() + "\n"
