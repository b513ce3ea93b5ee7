"""How commands end and what they show: exit statuses, logging, progress, summaries, the files to write."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from diarize.errors import ConfigError, DiarizeError, FormatError
from diarize.formats import FORMATS, render_turns, write_turns
from diarize.formats.rows import is_one_word

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from diarize.batch.jobs import Job
    from diarize.config import Config
    from diarize.pipeline.result import Diarization


_STAGES = {
    "hear": "detect speech",
    "embed": "embed windows",
    "label": "cluster",
    "resegment": "resegment",
    "turns": "make turns",
}
"""What the command line calls the stages of the pipeline."""


class Commands(TyperGroup):
    """The commands; what ends one early is an exit status and at most one line on stderr.

    2 for what the user gave wrong, and as shells have it 130 after Ctrl-C, 141 when nobody reads stdout.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except DiarizeError as error:
            complain(error)
            raise typer.Exit(2) from error
        except typer.BadParameter as error:
            if type(error) is not typer.BadParameter:  # a missing one: with how the command is used
                raise
            complain(error.format_message())
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            complain("interrupted")
            raise typer.Exit(130) from error
        except BrokenPipeError as error:
            raise typer.Exit(141) from error
        finally:
            settle_stdout()


class Log(logging.Handler):
    """Messages on stderr, each once: a recording is read twice, and would be warned of twice."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message on what stderr is now: while a bar is shown, that is above it."""
        message = record.getMessage()
        if message not in self.shown:
            self.shown.add(message)
            print(message, file=sys.stderr)


def start_logging(quiet: bool, verbose: bool) -> None:
    """Send the library's log to stderr: warnings, with `verbose` more, with `quiet` errors alone."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, handlers=[Log()], force=True)
    logging.getLogger("diarize").setLevel(level)


def complain(error: Exception | str) -> None:
    """Print an error as one line on stderr."""
    print("diarize: " + " ".join(str(error).split()), file=sys.stderr)


def say(text: str) -> None:
    """Print on stdout, now; what its encoding lacks is written as an escape.

    Raises
    ------
    BrokenPipeError
        When its reader has left.
    DiarizeError
        When it cannot be written, as on a full disk.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), end="", flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DiarizeError(f"stdout cannot be written ({error.strerror})") from error


def settle_stdout() -> None:
    """Drop what stdout did not take, or Python would try to write it once more as it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load_settings(config: Path | None, assignments: Sequence[str] | None, options: dict[str, Any]) -> Config:
    """The settings: defaults, over them the TOML file, then `name=value` assignments, then options.

    Values are read as TOML where they are TOML, otherwise as text.

    Raises
    ------
    ConfigError
        For an unknown setting (with the known ones) or an impossible value.
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
    return load_config(config, overrides)


def channel_names(
    channels: str | None, channel: int | None, names: str | None, config: Config | None = None
) -> list[str] | None:
    """The names of `--channel-names`, once what is asked of the channels is checked, before any work.

    Raises
    ------
    ConfigError
        When something is unknown, contradicts another option or, in `config`, a number of speakers.
    """
    from diarize.speech.channel_options import check_channels, refuse_numbers

    checked = check_channels(channels, channel, None if names is None else names.split(","))
    if channels is not None and config is not None:
        refuse_numbers(config.clustering)
    return checked


def check_table_names(output: Path, names: Sequence[str] | None) -> None:
    """Check before any work that a table's format can hold the speakers' names.

    Raises
    ------
    FormatError
        Naming the first one with a blank, for Kaldi's files.
    """
    blank = [name for name in names or [] if not is_one_word(name)]
    if blank and output.suffix.lower() in (".ark", ".scp"):
        raise FormatError(f"{output}: no name with blanks, such as {blank[0]!r}; .npz and .parquet hold it")


def make_folder(folder: Path) -> None:
    """Make a folder that can be written to, where there is none.

    Raises
    ------
    DiarizeError
        When that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiarizeError(f"{folder}: no folder for results can be made there ({error.strerror})") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DiarizeError(f"{folder}: nothing may be written there; choose another folder")


def refuse_existing(paths: Iterable[Path], force: bool) -> None:
    """Stop where output would be overwritten without `force`.

    Raises
    ------
    DiarizeError
        Naming the first file that exists.
    """
    for path in paths:
        if os.path.lexists(path) and not force:
            raise DiarizeError(f"{path}: exists; give --force to overwrite it")


def write_result(diarization: Diarization, path: Path) -> None:
    """Write a diarization in the format that the path's suffix tells; JSON holds all of it."""
    if path.suffix.lower() == FORMATS["json"].suffix:
        diarization.to_json(path)
    else:
        write_turns(diarization.turns, path)


def result_text(diarization: Diarization, format: str) -> str:
    """A diarization as text in the named format."""
    if format == "json":
        return diarization.to_json()
    return render_turns(diarization.turns, format, diarization.recording)


def describe(diarization: Diarization, paths: Sequence[Path], seconds: float) -> str:
    """A summary for a person: the turns, the speakers and why, the time it took, where the files lie."""
    lines = [f"{diarization.recording}"]
    lines += [
        f"  {_clock(turn.segment.start)} - {_clock(turn.segment.end)}  {turn.speaker}"
        for turn in diarization.turns
    ]
    lines.append(f"speakers: {len(diarization.speakers)}")
    lines.append(f"why: {diarization.evidence['reason']}")
    stages = ", ".join(f"{_STAGES[stage]} {value:.2f} s" for stage, value in diarization.seconds.items())
    lines.append(f"{diarization.duration:.1f} s of audio in {seconds:.2f} s: {stages}")
    lines.append(f"real-time factor {seconds / diarization.duration:.4f}")
    return "\n".join(lines + [f"written: {path}" for path in paths]) + "\n"


def run_jobs(jobs: Sequence[Job], work: Callable[[Job], None]) -> bool:
    """Do the work of each job; one that fails is reported, the others go on. True: all went well."""
    failed = 0
    for job in jobs:
        try:
            work(job)
        except DiarizeError as error:
            complain(error)
            failed += 1
    if failed and len(jobs) > 1:
        complain(f"{failed} of {len(jobs)} recordings failed, see above")
    return not failed


class ProgressBar:
    """A bar on stderr while a recording is worked on; nothing where stderr is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self.shown = sys.stderr.isatty() and not quiet
        self.progress: Progress | None = None
        self.task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        if self.shown:
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(stderr=True), transient=True)
            self.progress.start()
            self.task = self.progress.add_task("", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def __call__(self, stage: str, record: object) -> None:
        """Show how far a stage has come: the bar is a hook of the pipeline."""
        from diarize.audio.progress import Progress

        if self.progress is not None and self.task is not None:
            done, total = record if isinstance(record, Progress) else (1, 1)  # the stage has ended
            self.progress.update(self.task, description=_STAGES[stage], completed=done, total=total)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:d}:{minutes:02d}:{rest:05.2f}"
