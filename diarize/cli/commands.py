"""The commands of the command line, each a thin layer over the library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from diarize.cli import console
from diarize.cli.check import check
from diarize.cli.embeddings import embed
from diarize.cli.enroll import enroll
from diarize.cli.find import find
from diarize.cli.link import link
from diarize.cli.live import live
from diarize.cli.options import Force
from diarize.cli.report import report
from diarize.cli.review import review
from diarize.cli.run import run
from diarize.cli.serve import serve
from diarize.cli.status import status
from diarize.cli.transcripts import words
from diarize.cli.tuning import stability, tune
from diarize.errors import ConfigError
from diarize.machine.memory import collect_rarely

app = typer.Typer(
    cls=console.Commands,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Who spoke when: speaker diarization, offline and trainable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


app.command()(run)
app.command()(status)
app.command()(live)
app.command()(embed)


@app.command()
def score(
    reference: Annotated[
        Path,
        typer.Argument(
            metavar="REFERENCE",
            help="True turns: an annotation file, or a folder of such files.",
            show_default=False,
        ),
    ],
    hypothesis: Annotated[
        Path,
        typer.Argument(
            metavar="HYPOTHESIS",
            help="Turns to score: an annotation file, or a folder of such files.",
            show_default=False,
        ),
    ],
    uem: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="UEM file or folder with the regions to score; default: all time from 0 to the last turn.",
        ),
    ] = None,
    collar: Annotated[
        float, typer.Option(min=0, help="Seconds left out on each side of a reference boundary.")
    ] = 0.0,
    skip_overlap: Annotated[
        bool, typer.Option("--skip-overlap", help="Leave out overlapping speech; by default, it is scored.")
    ] = False,
    utterances: Annotated[
        bool,
        typer.Option(
            "--utterances",
            help="Score the labels of utterances instead: both files have lines of 'utterance speaker' "
            "(Kaldi's utt2spk). Prints MR, purity, ARI, V and NMI.",
        ),
    ] = False,
    coverage: Annotated[
        bool,
        typer.Option(
            "--coverage",
            help="Print how wrong the surest turns are, by how many are kept. HYPOTHESIS is JSON of `run`.",
        ),
    ] = False,
    costs: Annotated[
        str | None,
        typer.Option(
            metavar="MISSED,FALSE,CONFUSED",
            help="With --coverage: costs of a second, such as 1,1,3; prints which turns to leave out.",
        ),
    ] = None,
    format: Annotated[
        Literal["text", "json"], typer.Option("--format", help="With --coverage: format of the output.")
    ] = "text",
) -> None:
    """Compare a result with a reference.

    Prints DER with its parts and JER, for each recording and in total.
    """
    for name, given in (("--costs", costs is not None), ("--format", format != "text")):
        if given and not coverage:
            raise ConfigError(f"{name} needs --coverage")
    if coverage:
        if utterances or skip_overlap:
            raise ConfigError("--coverage scores all turns; leave out --utterances and --skip-overlap")
        from diarize.cli.coverage import score_coverage

        console.say(score_coverage(reference, hypothesis, uem, collar, costs, format))
        return
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
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Annotation file to read.", show_default=False)
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="File to write, whose suffix names the format, or a folder; - for stdout.",
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Format to write, instead of the suffix's; needed for a folder. Default on stdout: rttm.",
        ),
    ] = None,
    source_format: Annotated[
        str | None,
        typer.Option("--from", metavar="FORMAT", help="Format to read, instead of the suffix's."),
    ] = None,
    per_speaker: Annotated[
        bool,
        typer.Option("--per-speaker", help="Into a folder: a file for each speaker, for tracks of Audacity."),
    ] = False,
    force: Force = False,
) -> None:
    """Convert annotations between formats.

    Into a folder, one file is written for each recording.
    """
    from diarize.formats import convert_turns, read_turns, render_turns, write_turns

    if output == "-":
        if per_speaker:
            raise ConfigError("--per-speaker writes several files; give a folder with --output")
        console.say(render_turns(read_turns(source, source_format), format or "rttm", source.stem))
        return
    converted = convert_turns(
        source, output, source_format=source_format, format=format, per_speaker=per_speaker
    )
    console.refuse_existing(converted, force)
    for path, turns in converted.items():
        write_turns(turns, path, format)
        console.say(f"{path}\n")


app.command()(words)
app.command()(enroll)
app.command()(link)
app.command()(find)
app.command()(report)
app.command()(serve)
app.command()(review)
app.command()(tune)
app.command()(stability)
app.command()(check)


@app.command()
def models(
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="Format of the list.")] = "text",
) -> None:
    """List the presets and the embedding models.

    Each has its description, licence and error rates, a preset its speed, a model its training data.
    """
    from diarize.embedding import catalog

    entries = catalog.list_models()
    console.say(catalog.format_json(entries) if format == "json" else catalog.format_text(entries))


@app.command()
def doctor() -> None:
    """Print what a bug report needs.

    These are versions, decoders, models and threads, but nothing about you or your recordings.
    """
    from diarize.cli.doctor import describe_installation

    console.say(describe_installation() + "\n")


def main() -> None:
    """Run the command line."""
    collect_rarely()
    app(prog_name="diarize")


if __name__ == "__main__":
    main()
