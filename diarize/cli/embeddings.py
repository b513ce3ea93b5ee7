"""The command that writes tables of embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    ConfigFile,
    Device,
    Force,
    Inputs,
    MaxSpeakers,
    MinSpeakers,
    ModelName,
    NumSpeakers,
    Preset,
    Quiet,
    SpeechFile,
    Threads,
    Track,
    Verbose,
    as_settings,
)
from diarize.errors import ConfigError, FormatError

if TYPE_CHECKING:
    from diarize.batch.jobs import Job
    from diarize.segments import Turn


def embed(
    inputs: Inputs,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Table to write; its suffix is .parquet, .npz, .tsv, .ark or .scp.",
        ),
    ],
    per: Annotated[
        Literal["windows", "turns", "utterances", "speakers", "recordings"],
        typer.Option(
            metavar="UNIT",
            help="What has a row: windows of speech, turns, speakers, utterances of Kaldi data folders, or "
            "recordings.",
        ),
    ] = "windows",
    turns: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Who speaks when: an annotation file, or a folder of them; by default, turns are found.",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Layer of a network of this project, instead of its embeddings."),
    ] = None,
    projector: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Also write the table for TensorBoard's embedding projector, as two TSV."
        ),
    ] = None,
    window: Annotated[float | None, typer.Option(help="Length of a window in seconds; default 1.5.")] = None,
    hop: Annotated[
        float | None, typer.Option(help="Seconds between the starts of windows; default 0.75.")
    ] = None,
    num_speakers: NumSpeakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    speech: SpeechFile = None,
    channel: Channel = None,
    channels: Channels = None,
    channel_names: ChannelNames = None,
    track: Track = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    preset: Preset = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    allow_pipes: AllowPipes = False,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write embeddings of windows, turns, speakers, utterances or recordings.

    After an interruption, the same command goes on.
    """
    console.start_logging(quiet, verbose)
    given = as_settings(
        window=window,
        hop=hop,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
    )
    chosen = console.load_settings(config, settings, given, preset)
    names = console.channel_names(channels, channel, channel_names)
    _check(per, turns, speech, channels, layer)

    from diarize.batch.jobs import find_jobs, read_speech
    from diarize.batch.sources import open_source
    from diarize.cli.targets import check_table
    from diarize.embedding.table import table_paths

    path = check_table(output)
    results = [
        *table_paths(path),
        *([projector / "vectors.tsv", projector / "metadata.tsv"] if projector else []),
    ]
    console.refuse_existing(results, force)
    console.check_table_names(path, names)
    console.make_folder(path.parent)
    jobs = find_jobs(inputs, allow_pipes=allow_pipes, speech=speech)
    units = _find_units(per, turns, inputs)

    from diarize.embedding.embedder import Embedder
    from diarize.embedding.kept_tables import KeptTables
    from diarize.files.atomic import remove_leftovers
    from diarize.pipeline.diarizer import Diarizer
    from diarize.pipeline.embeddings import embed_per

    diarizer = Diarizer(model, config=chosen, device=device, threads=threads)
    embedder = diarizer.embedder
    if layer is not None:
        embedder = Embedder(model or chosen.embedding.model, device=device, threads=threads, layer=layer)
    made_by = {
        "per": per,
        "layer": layer,
        "model": embedder.made_by,
        "settings": chosen.model_dump(),
        "files": [file and _stamp(file) for file in (turns, speech)],
        "channels": [channel, channels, names, track],
    }
    kept = KeptTables(path, made_by, anew=force)
    remove_leftovers(results)
    progress = console.ProgressBar(quiet)
    done: list[str] = []

    def add(job: Job) -> None:
        key = f"{job.folder}/{job.recording} {_stamp(Path(job.source))}"
        if key not in kept:
            heard = read_speech(speech, job.recording) if speech else job.speech
            with open_source(job) as source, progress:
                if channels is not None:
                    table = embedder(
                        source,
                        channels=channels,
                        channel_names=names,
                        track=track,
                        speech=heard,
                        config=chosen,
                        recording=job.recording,
                        whole=per != "windows",
                        hook=progress,
                    )
                else:
                    found, ids = units(job.recording)
                    table = embed_per(
                        source,
                        per,
                        diarizer,
                        turns=found,
                        utterances=ids,
                        embedder=embedder,
                        n_speakers=job.n_speakers,
                        channel=channel,
                        track=track,
                        speech=heard,
                        recording=job.recording,
                        hook=progress,
                    )
            kept[key] = table
            if not quiet:
                console.say(f"{job.recording}: {len(table)} embeddings of {table.dim} dimensions\n")
        done.append(key)

    complete = console.run_jobs(jobs, add)
    if done:
        kept.finish(done, projector)
    else:
        kept.remove()
    if not complete:
        raise typer.Exit(2)


def _stamp(path: Path) -> str:
    """A text that changes with a file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # a command, or a file that is reported when it is opened
        return str(path)
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _check(
    per: str, turns: Path | None, speech: Path | None, channels: str | None, layer: str | None
) -> None:
    """Refuse options that contradict each other.

    Raises
    ------
    ConfigError
        The message names them.
    """
    if channels is not None and (per in ("turns", "utterances") or turns is not None):
        raise ConfigError("--channels speakers needs --per windows, speakers or recordings, and no --turns")
    if turns is not None and speech is not None:
        raise ConfigError("--turns says where speech is; leave out --speech")
    if turns is not None and per == "utterances":
        raise ConfigError("--per utterances takes the turns of Kaldi data folders; leave out --turns")
    if layer is not None and not layer:
        raise ConfigError("--layer is empty; name a layer")


Units = Callable[[str], tuple["list[Turn] | None", "list[str] | None"]]
"""From a recording to its turns and their ids, where they are known."""


def _find_units(per: str, turns: Path | None, inputs: Sequence[str]) -> Units:
    """The turns of recordings from annotation files, or the utterances of Kaldi data folders.

    Raises
    ------
    FormatError
        If a file cannot be read, or an input has no utterances.
    """
    from diarize.scoring.inputs import turns_by_recording

    if per == "utterances":
        return _find_utterances(inputs)
    if turns is None:
        return lambda recording: (None, None)
    known = turns_by_recording(turns)

    def of(recording: str) -> tuple[list[Turn], None]:
        if recording not in known:
            raise FormatError(f"{turns}: no turns of recording {recording} in it")
        return known[recording], None

    return of


def _find_utterances(inputs: Sequence[str]) -> Units:
    from diarize.formats.kaldi import read_data_folder
    from diarize.segments import Turn

    found: dict[str, list[tuple[Turn, str]]] = {}
    for item in inputs:
        if not Path(item, "wav.scp").is_file():
            raise FormatError(f"{item}: no Kaldi data folder with wav.scp; --per utterances needs one")
        data = read_data_folder(item, allow_pipes=True)  # nothing is run here
        if not data.segments:
            raise FormatError(f"{item}: no segments; for whole recordings, use --per recordings")
        for utterance, (recording, segment) in data.segments.items():
            speaker = data.utt2spk.get(utterance, utterance)
            found.setdefault(recording, []).append((Turn(recording, segment, speaker), utterance))

    def of(recording: str) -> tuple[list[Turn], list[str]]:
        own = found.get(recording, [])
        return [turn for turn, _ in own], [utterance for _, utterance in own]

    return of
