"""The command that serves pages of results, jobs of others, or live streams."""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from diarize.cli import console
from diarize.cli.options import (
    Assignments,
    ConfigFile,
    Device,
    MaxSpeakers,
    ModelName,
    Preset,
    Quiet,
    Threads,
    Verbose,
    as_settings,
)
from diarize.cli.report import (
    Audio,
    Collar,
    EmbeddingTable,
    ReferenceFile,
    ScoredRegions,
    check_page_options,
)
from diarize.errors import ConfigError, DiarizeError

TOKEN_VARIABLE = "DIARIZE_TOKEN"
_LOCAL = "127.0.0.1"


def serve(
    results: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RESULT",
            help="Results whose pages are shown: of diarize run, other annotation files, folders of them.",
            show_default=False,
        ),
    ] = None,
    audio: Audio = None,
    reference: ReferenceFile = None,
    uem: ScoredRegions = None,
    collar: Collar = 0.0,
    embeddings: EmbeddingTable = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Instead of RESULT: take recordings as jobs over HTTP; results are kept in this folder.",
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Instead of RESULT, or beside --output: label live streams.")
    ] = False,
    latency: Annotated[
        float, typer.Option(help="With --live: seconds between what is said and its turn, 1 to 8.")
    ] = 2.0,
    max_streams: Annotated[int, typer.Option(min=1, help="With --live: streams at a time.")] = 2,
    jobs: Annotated[int, typer.Option(min=1, help="With --output: processes that label recordings.")] = 1,
    max_size: Annotated[float, typer.Option(min=0.001, help="With --output: megabytes of an upload.")] = 1000,
    max_duration: Annotated[
        float, typer.Option(min=1, help="With --output: seconds of audio in a recording.")
    ] = 14_400,
    max_time: Annotated[float, typer.Option(min=1, help="With --output: seconds that a job may run.")] = 3600,
    max_queue: Annotated[int, typer.Option(min=1, help="With --output: jobs that may wait.")] = 100,
    max_uploads: Annotated[int, typer.Option(min=1, help="With --output: uploads at a time.")] = 16,
    keep: Annotated[
        float, typer.Option(min=0.001, help="With --output: hours until a job that has ended is removed.")
    ] = 24,
    grace: Annotated[
        float,
        typer.Option(min=0, help="Seconds that running requests and jobs have left when the server stops."),
    ] = 5,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="With --output or --live: address to listen on, such as 0.0.0.0 for other machines; needs a "
            "token of your own.",
        ),
    ] = _LOCAL,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="With --output or --live: a name by which clients call the server, such as "
            "labels.example.org; repeatable.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"With --output or --live: file with the token; default: the variable {TOKEN_VARIABLE}, or "
            "a new random one.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; by default, a free one.")
    ] = 0,
    max_speakers: MaxSpeakers = None,
    model: ModelName = None,
    device: Device = "auto",
    threads: Threads = None,
    preset: Preset = None,
    config: ConfigFile = None,
    settings: Assignments = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Serve results, jobs or live streams, at the address that is printed.

    With RESULT, the pages of recordings, which write corrections back to their files. With --output, uploads
    that become jobs. With --live, a page that labels what is said. Ctrl-C ends the server.
    """
    console.start_logging(quiet, verbose)
    if results and (output is not None or live):
        raise ConfigError("RESULT shows pages of results; leave it out with --output and --live")
    if not results and output is None and not live:
        raise ConfigError("name results to show, a folder for jobs with --output, or --live")
    if results:
        if host != _LOCAL or names or token_file:
            raise ConfigError("--host, --name and --token-file need --output or --live")
        check_page_options(audio, False, reference, uem, collar)
        _serve_pages(results, audio, reference, uem, collar, embeddings, port)
        return
    if any((audio, reference, uem, collar, embeddings)):
        raise ConfigError("--audio, --reference, --uem, --collar and --embeddings need RESULT")
    given = _find_token(token_file)
    if host != _LOCAL and given is None:
        raise ConfigError(
            f"--host {host} lets other machines in; give a token with --token-file or {TOKEN_VARIABLE}"
        )
    chosen = console.load_settings(config, settings, as_settings(max_speakers=max_speakers), preset)
    _require_packages()
    from diarize.batch.labelling import Labelling
    from diarize.service.limits import Limits
    from diarize.service.run import Place, Service

    limits = Limits(
        max_bytes=round(max_size * 1e6),
        max_duration=max_duration,
        max_seconds=max_time,
        max_queue=max_queue,
        max_uploads=max_uploads,
        max_streams=max_streams,
        keep=keep * 3600,
        grace=grace,
    )
    how = Labelling(chosen, model, device)
    service = Service(how, limits, output, jobs, latency if live else None, threads)
    service.run(Place(host, port, tuple(names or ()), given), lambda address: console.say(f"{address}\n"))


def _serve_pages(
    results: list[Path],
    audio: Path | None,
    reference: Path | None,
    uem: Path | None,
    collar: float,
    embeddings: Path | None,
    port: int,
) -> None:
    """Show the pages of recordings."""
    from diarize.report.page_sources import find_sources
    from diarize.report.server import PageServer

    sources = find_sources(
        results, audio=audio, reference=reference, uem=uem, collar=collar, embeddings=embeddings
    )
    with PageServer(sources, port) as server:
        console.say(f"{server.address}{'0/' if len(sources) == 1 else ''}\n")
        with suppress(KeyboardInterrupt):  # the way to end it
            server.serve_forever()


def _find_token(file: Path | None) -> str | None:
    """The token that the user gives, in a file or the environment: on a command line, others could read it.

    Raises
    ------
    DiarizeError
        If the file cannot be read.
    """
    if file is None:
        return os.environ.pop(TOKEN_VARIABLE, None) or None  # the workers, which decode, do not see it
    from diarize.files.text import read_text

    return str(read_text(file)).strip()


def _require_packages() -> None:
    """Check that the packages of the extra are there.

    Raises
    ------
    DiarizeError
        If one is missing.
    """
    for name in ("starlette", "uvicorn", "websockets"):
        if find_spec(name) is None:
            raise DiarizeError(f"a server needs {name}; install it: pip install 'diarize-toolkit[serve]'")
