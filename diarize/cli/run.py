"""The command that labels recordings: one, several into a file or stdout, or many into a folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from diarize.cli import console
from diarize.cli.options import (
    AllowPipes,
    Assignments,
    Channel,
    ChannelNames,
    Channels,
    ClustererName,
    ConfigFile,
    Device,
    Force,
    Formats,
    Inputs,
    Jobs,
    JournalFolder,
    KnownVoices,
    MaxSpeakers,
    MinConfidence,
    MinSpeakers,
    ModelName,
    NumSpeakers,
    Output,
    Preset,
    Quiet,
    SaveVoices,
    Scheduler,
    ShardName,
    SpeechFile,
    Threads,
    Threshold,
    Track,
    Verbose,
    as_settings,
)
from diarize.cli.summary import describe
from diarize.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diarize.batch.jobs import Job
    from diarize.batch.labelling import Labelling
    from diarize.cli.targets import Target


def run(
    inputs: Inputs,
    output: Output = "-",
    format: Formats = None,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    clusterer: ClustererName = None,
    threshold: Threshold = None,
    min_confidence: MinConfidence = None,
    speech: SpeechFile = None,
    known: KnownVoices = None,
    save_voices: SaveVoices = False,
    channel: Channel = None,
    channels: Channels = None,
    channel_names: ChannelNames = None,
    track: Track = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
    shard: ShardName = None,
    journal: JournalFolder = None,
    preset: Preset = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Label recordings: who spoke when.

    A recording that fails is reported, and the others are labelled; the exit status is then 2. Several
    recordings into a folder have a journal there: the same command again labels what is left.
    """
    console.start_logging(quiet, verbose)
    given = as_settings(
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        clusterer=clusterer,
        threshold=threshold,
        min_confidence=min_confidence,
    )
    chosen = console.load_settings(config, settings, given, preset)
    names = console.channel_names(channels, channel, channel_names, chosen)

    from diarize.batch.jobs import VOICES, find_jobs
    from diarize.batch.labelling import Labelling
    from diarize.batch.shards import WHOLE, parse_shard
    from diarize.cli.targets import find_target

    part = WHOLE if shard is None else parse_shard(shard)
    target = find_target(output, format or [])
    together = jobs > 1 or shard is not None or scheduler is not None
    if target.folder is None and together:
        told = "--jobs, --shard and --scheduler need a folder for the results"
        raise ConfigError(f"{told}; give one with --output")
    if jobs > 1 and scheduler is not None:
        raise ConfigError("--jobs is for this machine, --scheduler for a cluster; give one of them")
    if save_voices and target.path is None:
        raise ConfigError("--save-voices writes a file beside each result; give a folder with --output")
    found = find_jobs(inputs, allow_pipes=allow_pipes, speech=speech, urls=True)
    target.check_jobs(found)
    how = Labelling(chosen, model, device, channel, channels, names, track, speech, known)
    if target.folder is not None:
        from diarize.batch.journal import find_journals

        on_disk = journal or target.folder
        if len(found) > 1 or together or journal or (isinstance(on_disk, Path) and find_journals(on_disk)):
            from diarize.batch.records import Places
            from diarize.batch.run import Run
            from diarize.cli.many import label_many

            formats = (*target.formats, *([VOICES] if save_voices else []))
            places = Places(target.folder, formats, part, force, journal)
            run = Run(part.take(found), how, places, jobs, scheduler)
            label_many(run, threads, quiet)
            return
    _label_each(found, how, target, threads, save_voices, force, quiet)


def _label_each(
    jobs: Sequence[Job],
    how: Labelling,
    target: Target,
    threads: int | None,
    save_voices: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Label recordings one after the other, without a journal, and show their turns."""
    from diarize.batch.jobs import VOICES, voices_name
    from diarize.batch.labelling import label_job, result_content, result_text
    from diarize.files.atomic import remove_leftovers
    from diarize.files.locations import write_all

    diarizer = how.make_diarizer(threads)
    progress = console.ProgressBar(quiet)
    formats = (*target.formats, *([VOICES] if save_voices else []))

    def label(job: Job) -> None:
        paths = target.paths(job, force)
        if save_voices:
            table = paths[0].with_name(voices_name(paths[0]))
            console.refuse_existing([table], force)
            paths.append(table)
        remove_leftovers(path for path in paths if isinstance(path, Path))
        started = time.perf_counter()
        with progress:
            diarization = label_job(diarizer, job, how, progress)
        seconds = time.perf_counter() - started
        # There are no paths if the result goes to stdout.
        write_all(
            {path: result_content(diarization, name) for path, name in zip(paths, formats, strict=False)}
        )
        if not paths:
            console.say(result_text(diarization, target.formats[0]))
        elif not quiet:
            console.say(describe(diarization, paths, seconds))

    if not console.run_jobs(jobs, label):
        raise typer.Exit(2)
