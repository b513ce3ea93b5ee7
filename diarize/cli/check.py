"""The command that examines a training corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from diarize.cli import console
from diarize.cli.options import Force, ModelName, Quiet, Verbose


def check(
    corpora: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPUS...",
            help="A folder with a folder for each speaker, a Kaldi data folder, or annotated recordings. "
            "Several are the sets of one training, such as train, dev and test.",
            show_default=False,
        ),
    ],
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--list",
            metavar="FILE",
            help="Speakers of a set, one on each line, named after the file; repeatable.",
        ),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Annotation file, or folder of such files; by default, RTTM in rttm/ beside audio/, or "
            "beside the recordings.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Folder at the top of CORPUS that is left out; repeatable."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Read headers and first seconds alone; neither samples nor voices."),
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Table of all findings to write, as TSV."),
    ] = None,
    format: Annotated[
        Literal["text", "json"],
        typer.Option("--format", help="Format on stdout: text, or json with all findings."),
    ] = "text",
    nj: Annotated[
        int | None,
        typer.Option("--nj", min=1, help="Number of processes; default: the cores, with --quick 1."),
    ] = None,
    model: ModelName = None,
    force: Force = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Examine a training corpus before a training.

    Exit status: 0 without errors, 1 with errors, which break or spoil a training, 2 for wrong input.
    """
    console.start_logging(quiet, verbose)
    from diarize.corpus.check import check_corpus
    from diarize.corpus.layout import read_corpus
    from diarize.corpus.report import render_json, render_text, render_tsv
    from diarize.experiments.speaker_sets import read_list
    from diarize.files.text import write_text

    if output is not None:
        console.refuse_existing([output], force)
        console.make_folder(output.parent)
    chosen = {path.stem: read_list(path) for path in lists or []}
    corpus = read_corpus(corpora, lists=chosen, excluded=exclude or (), annotations=annotations)
    progress = console.ProgressBar(quiet)
    with progress:
        report = check_corpus(
            corpus,
            lists=chosen,
            model=model,
            quick=quick,
            n_processes=nj or (1 if quick else _n_cores()),
            hook=progress,
        )
    if output is not None:
        write_text(render_tsv(report), output)
    name = " ".join(map(str, corpora))
    if not quiet:
        console.say(render_json(report) if format == "json" else render_text(report, name))
    if report.errors:
        more = f" (errors: {len(report.errors)}; `diarize check -o FILE` lists them)"
        console.complain(report.errors[0].sentence() + (more if len(report.errors) > 1 else ""))
        raise typer.Exit(1)


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
