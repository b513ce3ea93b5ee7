"""The command that writes pages of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diarize.cli import console
from diarize.cli.options import Force, Quiet, Verbose
from diarize.errors import ConfigError, DiarizeError

if TYPE_CHECKING:
    from diarize.report.page_sources import PageSource

Results = Annotated[
    list[Path],
    typer.Argument(
        metavar="RESULT",
        help="Results of diarize run, other annotation files, and folders of them.",
        show_default=False,
    ),
]
Audio = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="The recording, or a folder of recordings, which are found by their names."
    ),
]
ReferenceFile = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="True turns, to show errors: an annotation file, or a folder of them."),
]
ScoredRegions = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="With --reference: UEM file or folder with the regions to score; default: all time from 0 "
        "to the last turn.",
    ),
]
Collar = Annotated[
    float,
    typer.Option(min=0, help="With --reference: seconds left out on each side of a reference boundary."),
]
EmbeddingTable = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Embeddings of windows, as `diarize embed` writes them, for a map of them."
    ),
]


def report(
    results: Results,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Folder for the pages or, for one recording, a file such as page.html; default: beside the "
            "results.",
        ),
    ] = None,
    audio: Audio = None,
    embed_audio: Annotated[
        bool,
        typer.Option(
            "--embed-audio",
            help="Put a compressed copy of the audio into the page, some 18 MB an hour; by default, the page "
            "plays the file from where it is.",
        ),
    ] = False,
    reference: ReferenceFile = None,
    uem: ScoredRegions = None,
    collar: Collar = 0.0,
    embeddings: EmbeddingTable = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a page for each recording, to see, hear and correct its turns.

    A page is one HTML file that opens in any browser and loads nothing.
    """
    console.start_logging(quiet, verbose)
    check_page_options(audio, embed_audio, reference, uem, collar)
    from diarize.files.text import write_text
    from diarize.report.page_sources import find_sources

    sources = find_sources(
        results, audio=audio, reference=reference, uem=uem, collar=collar, embeddings=embeddings
    )
    pages = _pages(sources, output)
    console.refuse_existing(pages, force)
    failed = 0
    for page, source in pages.items():
        try:
            console.make_folder(page.parent)
            write_text(source.format(page, embed_audio=embed_audio), page)
        except DiarizeError as error:
            console.complain(error)
            failed += 1
        else:
            if not quiet:
                console.say(f"written: {page}\n")
    if failed:
        raise typer.Exit(2)


def check_page_options(
    audio: Path | None, embed_audio: bool, reference: Path | None, uem: Path | None, collar: float
) -> None:
    """Check that options which need another one have it."""
    if embed_audio and audio is None:
        raise ConfigError("--embed-audio needs --audio, the recording or a folder of recordings")
    for name, given in (("--uem", uem is not None), ("--collar", collar > 0)):
        if given and reference is None:
            raise ConfigError(f"{name} needs --reference, the true turns")


def _pages(sources: list[PageSource], output: str | None) -> dict[Path, PageSource]:
    """The file of each page.

    Raises
    ------
    DiarizeError
        If one file is named for several pages, or two pages have the same file.
    """
    from diarize.cli.targets import names_folder
    from diarize.files.folders import check_file_name, refuse_outside

    if output is not None and output.lower().endswith((".html", ".htm")) and not names_folder(output):
        if len(sources) != 1:
            raise DiarizeError(
                f"{output}: one file takes one recording, {len(sources)} are given; give a folder"
            )
        return {Path(output): sources[0]}
    pages: dict[Path, PageSource] = {}
    for source in sources:
        try:
            check_file_name(source.recording)
        except DiarizeError as error:
            raise DiarizeError(f"{source.path}: {error}") from error
        folder = source.path.parent if output is None else Path(output)
        page = folder / f"{source.recording}.html"
        refuse_outside([page], folder)
        other = pages.setdefault(page, source)
        if other is not source:
            raise DiarizeError(
                f"{source.path} and {other.path} would both be written as {page}; give one of them"
            )
    return pages
