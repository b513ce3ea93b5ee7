"""The command that makes and changes a table of known voices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarize.cli import console
from diarize.cli.options import (
    Assignments,
    Channel,
    ConfigFile,
    Device,
    ModelName,
    Preset,
    Quiet,
    Threads,
    Track,
    Verbose,
)
from diarize.errors import ConfigError, DiarizeError

if TYPE_CHECKING:
    from diarize.audio import Source
    from diarize.config import Config
    from diarize.embedding.embedder import Embedder
    from diarize.speakers.voice_table import VoiceTable


def enroll(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Table of known voices to write, FILE.parquet."),
    ],
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT",
            help="Recordings of one person each, and folders with recordings of one person each.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the person; by default that of the file or folder."),
    ] = None,
    turns: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Who speaks when in the recording: a result or another annotation file."
        ),
    ] = None,
    speaker: Annotated[
        str | None,
        typer.Option(
            metavar="SPEAKER",
            help="With --turns: the speaker to enroll, such as SPEAKER_01; default: all who have a name.",
        ),
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add to the table; a person in it gets one more recording.")
    ] = False,
    remove: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Delete a person from the table; repeatable."),
    ] = None,
    channel: Channel = None,
    track: Track = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    preset: Preset = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Overwrite the table; with --add, replace a person's recording of the same name."
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a table of known voices, for `diarize run --known`.

    The table holds an embedding of each person in each recording: biometric data, kept where you write it.
    """
    console.start_logging(quiet, verbose)
    from diarize.speakers.voice_table import VoiceTable, check_suffix

    check_suffix(output)
    given = list(inputs or [])
    if not given and not remove:
        raise ConfigError("nobody to enroll; name recordings, or --remove NAME")
    _check_options(given, name, turns, speaker)
    changes = add or remove is not None
    if not changes:
        console.refuse_existing([output], force)
    table = VoiceTable.load(output) if remove is not None or (add and output.exists()) else None
    if table is not None and remove is not None:
        table = table.without(remove)
    if given:
        chosen = console.load_settings(config, settings, {}, preset)
        from diarize.embedding.configured import configured_embedder
        from diarize.pipeline.enrolment import enroll as enroll_people
        from diarize.pipeline.enrolment import person_of, recordings_of, warn_of_alike_names, warn_of_little
        from diarize.pipeline.recognition import find_verifier

        people: dict[str, list[Source]] = {}
        if turns is None:
            for path in given:
                person = person_of(path) if name is None else name
                people.setdefault(person, []).extend(map(str, recordings_of(path)))
        embedder = configured_embedder(chosen, model, device=device, threads=threads)
        find_verifier(embedder)  # a table that no model can compare is of no use
        if table is not None:
            table.check_model(embedder.made_by, output)
        if turns is None:
            options = {"channel": channel, "track": track}
            added = enroll_people({**people}, embedder, config=chosen, **options)
        else:
            added = _from_turns(given[0], turns, speaker, name, embedder, chosen, channel, track)
        table = added if table is None else table.with_rows(added, replace=force)
        warn_of_little(table)
        warn_of_alike_names(table)
    assert table is not None
    console.make_folder(output.parent)
    table.save(output)
    if not quiet:
        for person in table.names:
            rows = table.name == person
            n, seconds = int(rows.sum()), float(table.seconds[rows].sum())
            console.say(f"{person}: {seconds:.1f} s of speech in {n} recording{'s' * (n != 1)}\n")
        n_people = len(table.names)
        console.say(f"{output}: {n_people} {'person' if n_people == 1 else 'people'}, biometric data\n")


def _check_options(given: list[Path], name: str | None, turns: Path | None, speaker: str | None) -> None:
    """Check that the options fit each other."""
    if speaker is not None and turns is None:
        raise ConfigError(f"--speaker {speaker} needs --turns, a file that says when this speaker speaks")
    if turns is not None and len(given) != 1:
        raise ConfigError(f"--turns is for one recording, {len(given)} are given")
    if turns is not None and name is not None and speaker is None:
        raise ConfigError(f"--name {name} with --turns needs --speaker, to say who that is")


def _from_turns(
    source: Path,
    turns: Path,
    speaker: str | None,
    name: str | None,
    embedder: Embedder,
    config: Config,
    channel: int | None,
    track: int | None,
) -> VoiceTable:
    """The voices of the speakers of a labelled recording."""
    from diarize.audio import recording_id
    from diarize.embedding.voices import voices_of
    from diarize.formats import read_recording
    from diarize.pipeline.enrolment import embed_speakers
    from diarize.segments import normal_name
    from diarize.speakers.voice_table import is_numbered, person_name

    recording = recording_id(source)
    spoken = read_recording(turns, recording)
    known = list(dict.fromkeys(turn.speaker for turn in spoken))
    wanted = [each for each in known if not is_numbered(each)]
    if speaker is not None:
        wanted = [normal_name(speaker)]
        if wanted[0] not in known:
            raise DiarizeError(f"{turns}: no speaker {speaker!r}; known: {', '.join(known)}")
    if not wanted:
        raise DiarizeError(f"{turns}: nobody has a name; give --speaker and --name")
    names = {each: person_name(each if name is None else name) for each in wanted}
    windows = embed_speakers(str(source), spoken, embedder, config, channel=channel, track=track)
    voices = voices_of(windows, embedder.made_by, recording)
    return voices.rows([voices.names.index(each) for each in wanted]).renamed(names)
