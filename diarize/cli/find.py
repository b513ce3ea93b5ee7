"""The command that searches recordings for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from diarize.cli import console
from diarize.cli.link import Audio
from diarize.cli.options import (
    AllowPipes,
    Assignments,
    ConfigFile,
    Device,
    KnownVoices,
    ModelName,
    Preset,
    Quiet,
    Threads,
    Verbose,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diarize.batch.jobs import Job
    from diarize.batch.voices import Hit
    from diarize.segments import Turn
    from diarize.speakers.voice_table import VoiceTable


def find(
    person: Annotated[
        str,
        typer.Argument(
            metavar="PERSON",
            help="A recording of the person, a folder of such recordings or, with --known, a name.",
            show_default=False,
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Recordings and folders of recordings, which are labelled; JSON results, folders of them.",
            show_default=False,
        ),
    ],
    known: KnownVoices = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also list recordings in which the person is not found.")
    ] = False,
    format: Annotated[
        Literal["text", "csv"], typer.Option("--format", help="text, or csv with a line for each turn.")
    ] = "text",
    audio: Audio = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    preset: Preset = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find where a person speaks, the most likely recording first.

    A recording that fails is reported, and the others are searched; the exit status is then 2.
    """
    console.start_logging(quiet, verbose)
    chosen = console.load_settings(config, settings, {}, preset)

    from diarize.batch.jobs import find_jobs
    from diarize.batch.result_voices import ResultReader, find_results, holds_results
    from diarize.batch.sources import open_source
    from diarize.batch.voices import find_person
    from diarize.pipeline.diarizer import Diarizer
    from diarize.pipeline.enrolment import enroll, recordings_of
    from diarize.pipeline.recognition import find_verifier, open_known
    from diarize.segments import normal_name

    results = find_results([Path(each) for each in inputs if holds_results(Path(each))])
    sounds = [each for each in inputs if not holds_results(Path(each))]
    jobs = find_jobs(sounds, allow_pipes=allow_pipes) if sounds else []
    diarizer = Diarizer(model, config=chosen, device=device, threads=threads)
    embedder, verifier = diarizer.embedder, find_verifier(diarizer.embedder)
    if known is not None:
        table = open_known(known, embedder)
        table.check_name(person)
        sought = table.rows(table.name == normal_name(person))
    else:
        sought = enroll(
            {"person": [str(path) for path in recordings_of(Path(person))]}, embedder, config=chosen
        )
    read = ResultReader(embedder, chosen, audio)
    searched: list[tuple[str, list[Turn], VoiceTable]] = [
        (str(result.path), result.turns, result.voices) for result in (read(*each) for each in results)
    ]
    progress = console.ProgressBar(quiet)

    def search(job: Job) -> None:
        with open_source(job) as source, progress:
            diarization: Any = diarizer(source, recording=job.recording, speech=job.speech, hook=progress)
        searched.append((job.source, diarization.turns, diarization.voices))

    complete = console.run_jobs(jobs, search)
    hits = find_person(searched, sought, verifier, chosen.known.false_alarms)
    shown = hits if every else [hit for hit in hits if hit.found]
    if format == "csv":
        console.say(render_table(shown))
    else:
        needed = verifier.threshold(chosen.known.false_alarms, 1)
        n_found = sum(hit.found for hit in hits)
        console.say("".join(describe(hit) for hit in shown))
        console.say(
            f"found in {n_found} of {len(searched)} recordings; {needed:.1f} nats are needed "
            f"({chosen.known.false_alarms:.2%} false alarms)\n"
        )
    if not complete:
        raise typer.Exit(2)


def describe(hit: Hit) -> str:
    """The score, the recording, the speaker and the times of a hit."""
    times = ", ".join(f"{console.clock(each.start)}-{console.clock(each.end)}" for each in hit.turns)
    seconds = sum(each.duration for each in hit.turns)
    mark = "" if hit.found else " (not found)"
    return f"{hit.score:7.1f}  {hit.recording}  {hit.speaker}  {seconds:.1f} s{mark}: {times}\n"


def render_table(hits: Sequence[Hit]) -> str:
    """A line of CSV for each turn: score, found, recording, speaker, start, end."""
    from diarize.formats.csv_format import render_csv

    return render_csv(
        ("score", "found", "recording", "speaker", "start", "end"),
        (
            (*who, f"{each.start:.3f}", f"{each.end:.3f}")
            for hit in hits
            for who in [(f"{hit.score:.2f}", int(hit.found), hit.recording, hit.speaker)]
            for each in hit.turns
        ),
    )
