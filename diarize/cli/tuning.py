"""The commands that choose settings on labelled recordings, and that say how stable results are."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarize.cli import console
from diarize.cli.options import (
    AllowPipes,
    Assignments,
    ConfigFile,
    Device,
    Force,
    Inputs,
    Quiet,
    Threads,
    Verbose,
)
from diarize.cli.signals import status_of, told
from diarize.errors import ConfigError

if TYPE_CHECKING:
    from diarize.batch.jobs import Job

JOURNAL = ".scores.jsonl"
"""Suffix of the file beside the output that keeps the scores until the end."""

Presets = Annotated[
    list[str] | None,
    typer.Option("--preset", metavar="NAME", help="Preset to start from; repeatable. Default: default."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of what is random.")]


def tune(
    inputs: Inputs,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="TOML file to write, for --config of diarize run."
        ),
    ],
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="True turns: an annotation file or a folder of them; default: the files beside the audio.",
        ),
    ] = None,
    uem: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="UEM file or folder with the regions to score; default: the files beside the audio.",
        ),
    ] = None,
    collar: Annotated[
        float, typer.Option(min=0, help="Seconds left out on each side of a reference boundary.")
    ] = 0.0,
    skip_overlap: Annotated[
        bool, typer.Option("--skip-overlap", help="Leave out overlapping speech; by default, it is scored.")
    ] = False,
    preset: Presets = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N|TIME",
            help="Most settings to try, such as 100, or most time, such as 30m or 2h; default: no limit.",
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Choose settings on labelled recordings.

    Settings given with --config or --set keep their values. After Ctrl-C, the same command goes on.
    """
    console.start_logging(quiet, verbose)
    if output.suffix.lower() != ".toml":
        raise ConfigError(f"{output}: settings are a TOML file; name it {output.stem}.toml")
    console.refuse_existing([output], force)
    most, seconds = _read_budget(budget)
    bases = {name: console.load_settings(config, settings, {}, name) for name in preset or ["default"]}
    console.make_folder(output.parent)
    from diarize.files.atomic import remove_leftovers
    from diarize.files.folders import refuse_outside
    from diarize.files.text import write_text
    from diarize.tuning import find_recordings
    from diarize.tuning.bench import Bench
    from diarize.tuning.search import tune as choose

    recordings = find_recordings(
        inputs, reference, uem, collar=collar, skip_overlap=skip_overlap, allow_pipes=allow_pipes
    )
    # What the log says of settings that are only tried does not concern the user.
    console.start_logging(quiet or not verbose, verbose)
    journal = output.with_name(output.name + JOURNAL)
    refuse_outside([journal], output.parent)
    remove_leftovers([output, journal])
    if force:
        journal.unlink(missing_ok=True)
    progress = _Line(quiet)
    try:
        outcome = choose(
            recordings,
            bases=bases,
            fixed=_fixed(config, settings),
            bench=Bench(device=device, threads=threads),
            journal=journal,
            most=most,
            seconds=seconds,
            seed=seed,
            report=lambda step, n: progress.show(f"{step}: {n} settings tried"),
        )
    except KeyboardInterrupt as error:
        progress.clear()
        console.complain(f"{told(error)}; the scores are kept in {journal}, and the same command goes on")
        raise typer.Exit(status_of(error)) from error
    progress.clear()
    write_text(outcome.to_toml(inputs), output)
    journal.unlink(missing_ok=True)
    console.say(outcome.summary())
    console.say(f"written: {output}\n")


def stability(
    inputs: Inputs,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Preset; the results of further ones are compared with the first; repeatable.",
        ),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    threads: Threads = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say which results to check, without references.

    Each recording is labelled again under small changes that should not matter: noise, other windows, halves.
    The less the results agree, the higher a recording is in the list.
    """
    # What the log says of a changed version does not concern the recording.
    console.start_logging(quiet or not verbose, verbose)
    configs = {name: console.load_settings(config, settings, {}, name) for name in preset or ["default"]}
    from diarize.batch.jobs import find_jobs
    from diarize.tuning.bench import Bench
    from diarize.tuning.recordings import Recording
    from diarize.tuning.stability import Stability, format_table, measure_stability

    jobs = find_jobs(inputs, allow_pipes=allow_pipes)
    found: list[Stability] = []
    progress, bench = _Line(quiet), Bench(device=device, threads=threads)

    def measure(job: Job) -> None:
        progress.show(f"{len(found) + 1} of {len(jobs)}: {job.recording}")
        try:
            found.append(measure_stability(Recording(job, []), configs, bench, seed=seed))
        finally:
            progress.clear()
            bench.forget()

    complete = console.run_jobs(jobs, measure)
    if found:
        console.say(format_table(found))
    if not complete:
        raise typer.Exit(2)


class _Line:
    """A line on stderr that is written over, if that is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self.shown = sys.stderr.isatty() and not quiet

    def show(self, text: str) -> None:
        if self.shown:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self.show("")


def _read_budget(text: str | None) -> tuple[int | None, float | None]:
    """The number of settings, or the seconds, of --budget."""
    if text is None:
        return None, None
    found = re.fullmatch(r"(\d{1,9})([smh]?)", text)
    if not found or not int(found[1]):
        raise ConfigError(f"--budget {text}: write a number of settings, such as 100, or a time, such as 30m")
    if not found[2]:
        return int(found[1]), None
    return None, int(found[1]) * {"s": 1.0, "m": 60.0, "h": 3600.0}[found[2]]


def _fixed(config: Path | None, assignments: list[str] | None) -> set[str]:
    """The names of the settings in a TOML file and in assignments."""
    from diarize.config import load_toml

    tables = load_toml(config) if config is not None else {}
    given = {f"{section}.{name}" for section, table in tables.items() for name in table}
    given |= {each.partition("=")[0].strip() for each in assignments or []}
    return {name.replace(".num_speakers", ".n_speakers") for name in given}
