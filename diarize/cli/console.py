"""Output of the commands: exit statuses, logging, progress, summaries, and checks of files to write."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import typer
from typer.core import TyperGroup

from diarize.cli.signals import raised, status_of, told
from diarize.errors import ConfigError, DiarizeError, FormatError, OutputError
from diarize.files.folders import make_folder as make_folder
from diarize.files.locations import Location, exists
from diarize.formats.rows import is_one_word

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

    from diarize.batch.jobs import Job
    from diarize.config import Config


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
STAGES = {
    "hear": "detect speech",
    "embed": "embed windows",
    "label": "cluster",
    "resegment": "resegment",
    "turns": "make turns",
    "check": "read recordings",
}
"""Names of the stages on the command line."""


class Commands(TyperGroup):
    """The group of commands. A command that ends early gives an exit status and at most one line on stderr.

    The status is 2 for wrong input and, as in shells, 130 after Ctrl-C, 143 after SIGTERM and 141 if the
    reader closed stdout.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the requested command."""
        try:
            with raised():
                return super().invoke(ctx)
        except DiarizeError as error:
            complain(error)
            raise typer.Exit(2) from error
        except typer.BadParameter as error:
            if (
                type(error) is not typer.BadParameter
            ):  # its subclasses, such as a missing argument, show the usage
                raise
            complain(error.format_message())
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            complain(told(error))
            raise typer.Exit(status_of(error)) from error
        except BrokenPipeError as error:
            raise typer.Exit(141) from error
        finally:
            settle_stdout()


class Log(logging.Handler):
    """Messages on stderr, each once, because a recording is read twice and would cause each warning twice."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message on the current stderr; while a progress bar is shown, that is above the bar."""
        message = record.getMessage()
        if message not in self.shown:
            self.shown.add(message)
            print(printable(message), file=sys.stderr)


def start_logging(quiet: bool, verbose: bool) -> None:
    """Send the library's log to stderr: warnings, more with `verbose`, only errors with `quiet`."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, handlers=[Log()], force=True)
    logging.getLogger("diarize").setLevel(level)


def complain(error: Exception | str) -> None:
    """Print an error as one line on stderr."""
    print("diarize: " + printable(" ".join(str(error).split())), file=sys.stderr)


def printable(text: str) -> str:
    """A text without control characters but tabs and line breaks: a name could give a terminal orders."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say(text: str) -> None:
    """Print on stdout at once. Control characters, and those that its encoding lacks, are written as escapes.

    Raises
    ------
    BrokenPipeError
        If the reader of stdout has closed it.
    DiarizeError
        If stdout cannot be written, for example because the disk is full.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(printable(text).encode(encoding, "backslashreplace").decode(encoding), end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DiarizeError(f"stdout cannot be written ({error.strerror})") from error


def settle_stdout() -> None:
    """Discard unwritten output of stdout; otherwise Python tries to write it again when it exits."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load_settings(
    config: Path | None,
    assignments: Sequence[str] | None,
    options: dict[str, Any],
    preset: str | None = None,
) -> Config:
    """The settings: the preset, overridden by the TOML file, then by `name=value`, then by options.

    Values are read as TOML, otherwise as text.

    Raises
    ------
    ConfigError
        If a preset or setting is unknown (the message lists the known ones) or a value is impossible.
    """
    from diarize.config import load_config
    from diarize.config.toml import parse_value

    overrides: dict[str, Any] = {}
    for assignment in assignments or []:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: write it as NAME=VALUE, for example speech.threshold=0.3")
        overrides[name.strip()] = parse_value(text, f"--set {name.strip()}")
    overrides |= {name: value for name, value in options.items() if value is not None}
    return load_config(config, overrides, preset=preset)


def channel_names(
    channels: str | None, channel: int | None, names: str | None, config: Config | None = None
) -> list[str] | None:
    """The names in `--channel-names`, after a check of the channel options, before any work.

    Raises
    ------
    ConfigError
        If a value is unknown, or contradicts another option or a number of speakers in `config`.
    """
    from diarize.speech.channel_options import check_channels, refuse_numbers

    checked = check_channels(channels, channel, None if names is None else names.split(","))
    if channels is not None and config is not None:
        refuse_numbers(config.clustering)
    return checked


def check_table_names(output: Path, names: Sequence[str] | None) -> None:
    """Check, before any work, that a table's format can hold the speakers' names.

    Raises
    ------
    FormatError
        If the format is Kaldi's and a name has a blank.
    """
    blank = [name for name in names or [] if not is_one_word(name)]
    if blank and output.suffix.lower() in (".ark", ".scp"):
        raise FormatError(
            f"{output}: cannot hold a name with blanks, such as {blank[0]!r}; write .npz or .parquet"
        )


def refuse_existing(paths: Iterable[Location], force: bool) -> None:
    """Check that no file would be overwritten without `force`.

    Raises
    ------
    DiarizeError
        If a file exists; the message names the first one.
    """
    for path in paths:
        if not force and exists(path):
            raise DiarizeError(f"{path}: exists; give --force to overwrite it")


def refuse_same(sources: Iterable[Path], targets: Iterable[Sequence[Path]]) -> None:
    """Check that no file would be replaced by what is made from it.

    Raises
    ------
    DiarizeError
        If one would.
    """
    for source, paths in zip(sources, targets, strict=True):
        for path in paths:
            if path.exists() and source.exists() and path.samefile(source):
                raise DiarizeError(f"{path}: this is an input; name another folder with --output")


def run_jobs(jobs: Sequence[Job], work: Callable[[Job], None]) -> bool:
    """Do the work of each job. A job that fails is reported, and the others go on. True if none failed.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    failed = 0
    for job in jobs:
        try:
            work(job)
        except OutputError:
            raise
        except DiarizeError as error:
            complain(error)
            failed += 1
    if failed and len(jobs) > 1:
        complain(f"{failed} of {len(jobs)} recordings failed, see above")
    return not failed


class ProgressBar:
    """A progress bar on stderr, if that is a terminal, while a recording is processed."""

    def __init__(self, quiet: bool) -> None:
        self.shown = sys.stderr.isatty() and not quiet
        self.progress: Progress | None = None
        self.task: TaskID | None = None

    def __enter__(self) -> Self:
        if self.shown:
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(*self.columns(), console=Console(stderr=True), transient=True)
            self.progress.start()
            self.task = self.progress.add_task("", total=None)
        return self

    def columns(self) -> Sequence[ProgressColumn]:
        """What is shown from left to right."""
        from rich.progress import Progress

        return Progress.get_default_columns()

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def __call__(self, stage: str, record: object) -> None:
        """Show the progress of a stage, as a hook of the pipeline."""
        from diarize.audio.progress import Progress

        if self.progress is not None and self.task is not None:
            done, total = record if isinstance(record, Progress) else (1, 1)  # the stage has ended
            self.progress.update(self.task, description=STAGES[stage], completed=done, total=total)


def clock(seconds: float) -> str:
    """A time as h:mm:ss.ss."""
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:d}:{minutes:02d}:{rest:05.2f}"
