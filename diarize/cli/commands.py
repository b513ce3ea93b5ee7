"""The command line, thin: every command calls the library."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    MaxSpeakers,
    MinSpeakers,
    ModelName,
    NumSpeakers,
    Output,
    Quiet,
    SpeechFile,
    Threads,
    Threshold,
    Track,
    Verbose,
    as_settings,
)

if TYPE_CHECKING:
    from diarize.batch.jobs import Job


app = typer.Typer(
    cls=console.Commands,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Who spoke when: speaker diarization, offline and trainable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    inputs: Inputs,
    output: Output = "-",
    format: Formats = None,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    clusterer: ClustererName = None,
    threshold: Threshold = None,
    speech: SpeechFile = None,
    channel: Channel = None,
    channels: Channels = None,
    channel_names: ChannelNames = None,
    track: Track = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Label recordings: who spoke when.

    One bad recording is reported and the rest goes on; the exit status is then 2.
    """
    console.start_logging(quiet, verbose)
    given = as_settings(
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        clusterer=clusterer,
        threshold=threshold,
    )
    chosen = console.load_settings(config, settings, given)
    names = console.channel_names(channels, channel, channel_names, chosen)

    from diarize.batch.jobs import find_jobs, open_source, read_speech
    from diarize.cli.targets import find_target

    target = find_target(output, format or [])
    jobs = find_jobs(inputs, allow_pipes=allow_pipes, speech=speech)
    target.check_jobs(jobs)

    from diarize.pipeline.diarizer import Diarizer

    diarizer = Diarizer(model, config=chosen, device=device, threads=threads)
    progress = console.ProgressBar(quiet)

    def label(job: Job) -> None:
        paths = target.paths(job, force)
        # As bounds: a recording too short for the number of its data folder is reported and labelled.
        number = job.n_speakers if chosen.clustering.n_speakers is None and channels is None else None
        started = time.perf_counter()
        with open_source(job) as source, progress:
            diarization = diarizer(
                source,
                channel=channel,
                channels=channels,
                channel_names=names,
                track=track,
                min_speakers=number,
                max_speakers=number,
                speech=read_speech(speech, job.recording) if speech else job.speech,
                recording=job.recording,
                hook=progress,
            )
        seconds = time.perf_counter() - started
        if channels is not None and job.n_speakers not in (None, len(diarization.speakers)):
            said = f"reco2num_spk says {job.n_speakers} speakers"
            console.complain(f"{job.recording}: {said}, {len(diarization.speakers)} channels hold speech")
        for path in paths:
            console.write_result(diarization, path)
        if not paths:
            console.say(console.result_text(diarization, target.formats[0]))
        elif not quiet:
            console.say(console.describe(diarization, paths, seconds))

    if not console.run_jobs(jobs, label):
        raise typer.Exit(2)


@app.command()
def embed(
    inputs: Inputs,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Table to write: .parquet, .npz, .tsv, .ark or .scp.")
    ],
    whole: Annotated[
        bool, typer.Option("--whole", help="One vector a recording instead of one a window.")
    ] = False,
    window: Annotated[float | None, typer.Option(help="Seconds a window.")] = None,
    hop: Annotated[float | None, typer.Option(help="Seconds between the starts of windows.")] = None,
    speech: SpeechFile = None,
    channel: Channel = None,
    channels: Channels = None,
    channel_names: ChannelNames = None,
    track: Track = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Export embeddings: one row a window of speech, or one a recording."""
    console.start_logging(quiet, verbose)
    given = as_settings(window=window, hop=hop)
    chosen = console.load_settings(config, settings, given)
    names = console.channel_names(channels, channel, channel_names)

    from diarize.batch.jobs import find_jobs, open_source, read_speech
    from diarize.cli.targets import check_table
    from diarize.embedding.table import Embeddings, table_paths

    path = check_table(output)
    console.refuse_existing(table_paths(path), force)
    console.check_table_names(path, names)
    console.make_folder(path.parent)
    jobs = find_jobs(inputs, allow_pipes=allow_pipes, speech=speech)
    from diarize.embedding.embedder import Embedder

    embedder = Embedder(model, device=device, threads=threads)
    progress = console.ProgressBar(quiet)
    tables: list[Embeddings] = []

    def add(job: Job) -> None:
        heard = read_speech(speech, job.recording) if speech else job.speech
        with open_source(job) as source, progress:
            table = embedder(
                source,
                channel=channel,
                channels=channels,
                channel_names=names,
                track=track,
                speech=heard,
                config=chosen,
                recording=job.recording,
                whole=whole,
                hook=progress,
            )
        tables.append(table)
        if not quiet:
            console.say(f"{job.recording}: {len(table)} vectors of {table.dim}\n")

    complete = console.run_jobs(jobs, add)
    if tables:
        Embeddings.concatenate(tables).save(path)
    if not complete:
        raise typer.Exit(2)


@app.command()
def score(
    reference: Annotated[
        Path, typer.Argument(help="Annotation file, or folder of such files.", show_default=False)
    ],
    hypothesis: Annotated[Path, typer.Argument(help="The same, of the result to score.", show_default=False)],
    uem: Annotated[Path | None, typer.Option(help="UEM file or folder: the regions that are scored.")] = None,
    collar: Annotated[
        float, typer.Option(min=0, help="Seconds left out on each side of a reference boundary.")
    ] = 0.0,
    skip_overlap: Annotated[
        bool, typer.Option("--skip-overlap", help="Leave overlapping speech out.")
    ] = False,
    utterances: Annotated[
        bool,
        typer.Option(
            "--utterances", help="Both files are lines of 'utterance speaker' (utt2spk): clustering metrics."
        ),
    ] = False,
) -> None:
    """Score a diarization: DER and its parts, JER; or the labels of utterances: MR, purity, ARI, V, NMI."""
    if utterances:
        from diarize.scoring.clusterings import score_utterances

        for name, value in score_utterances(reference, hypothesis).items():
            console.say(f"{name}\t{value:.4f}\n" if isinstance(value, float) else f"{name}\t{value}\n")
        return
    from diarize.scoring.der import format_score_table, score

    scores = score(reference, hypothesis, uem, collar, skip_overlap)
    console.say(format_score_table(scores, collar=collar, skip_overlap=skip_overlap))


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file.", show_default=False)],
    output: Annotated[
        str, typer.Option("--output", "-o", help="File to write; its suffix tells the format; - for stdout.")
    ],
    format: Annotated[
        str | None, typer.Option("--format", help="Format to write, instead of the suffix's.")
    ] = None,
    source_format: Annotated[
        str | None, typer.Option("--from", help="Format to read, instead of the suffix's.")
    ] = None,
    force: Force = False,
) -> None:
    """Convert annotations between formats; into a folder, a file a recording."""
    from diarize.formats import convert_turns, read_turns, render_turns, write_turns

    if output == "-":
        console.say(render_turns(read_turns(source, source_format), format or "rttm", source.stem))
        return
    converted = convert_turns(source, output, source_format=source_format, format=format)
    console.refuse_existing(converted, force)
    for path, turns in converted.items():
        write_turns(turns, path, format)
        console.say(f"{path}\n")


@app.command()
def models(
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """List the embedding models: what they are, their licence and error."""
    from diarize.embedding import catalog

    entries = catalog.list_models()
    console.say(catalog.format_json(entries) if format == "json" else catalog.format_text(entries))


@app.command()
def doctor() -> None:
    """Print what a bug report needs: versions, decoders, models, threads."""
    from diarize.cli.doctor import describe_installation

    console.say(describe_installation() + "\n")


def main() -> None:
    """Run the command line."""
    app(prog_name="diarize")


if __name__ == "__main__":
    main()
