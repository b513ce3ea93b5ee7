"""Where the command line writes results: on stdout, into one file, or into a folder of files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.batch.jobs import Job
from diarize.cli.console import make_folder, refuse_existing
from diarize.errors import ConfigError, DiarizeError
from diarize.formats import FORMATS, READABLE, find_format


@dataclass(frozen=True)
class Target:
    """Where the results of recordings go, and in which formats; see `find_target`."""

    path: Path | None
    """The file or the folder; none: stdout."""
    formats: tuple[str, ...]
    is_file: bool = False

    def check_jobs(self, jobs: Sequence[Job]) -> None:
        """Check before any work that the results of these recordings have a place.

        Raises
        ------
        DiarizeError
            When there are several for one file.
        """
        if self.is_file and len(jobs) > 1:
            raise DiarizeError(
                f"{self.path}: one file takes one recording, {len(jobs)} are given; give a folder"
            )

    def paths(self, job: Job, force: bool) -> list[Path]:
        """The files that a recording's results are written to; none for stdout.

        Raises
        ------
        DiarizeError
            When one exists and `force` is not given.
        """
        if self.path is None:
            return []
        names = [f"{job.recording}{FORMATS[name].suffix}" for name in self.formats]
        paths = [self.path] if self.is_file else [self.path / job.folder / name for name in names]
        refuse_existing(paths, force)
        for path in paths:
            if path.exists() and os.path.exists(job.source) and path.samefile(job.source):  # noqa: PTH110, a command
                raise DiarizeError(f"{path}: this is the recording itself; name another output")
        return paths


def find_target(output: str, formats: Sequence[str]) -> Target:
    """The target that --output names, with the formats that --format names; makes the folder.

    A name with the suffix of a format is a file, unless there is a folder of that name or it ends in a slash;
    any other name is a folder, "-" is stdout. Without `formats`, a folder gets RTTM and JSON, stdout RTTM.

    Raises
    ------
    DiarizeError
        When a format is unknown, does not fit the file, or there are several for stdout or a file, or the
        folder cannot be made.
    """
    for name in formats:
        find_format("", name)
    asked = tuple(dict.fromkeys(formats))
    if output == "-":
        if len(asked) > 1:
            raise ConfigError("several formats need a folder; give one with --output")
        return Target(None, asked or ("rttm",))
    if not output:
        raise ConfigError("--output is empty; name a folder or a file, or - for stdout")
    path = Path(output)
    unwritable = {known.suffix for known in READABLE.values()} | {".uem"}
    unwritable -= {known.suffix for known in FORMATS.values()}
    if path.suffix.lower() in unwritable and not names_folder(output):
        written = ", ".join(known.suffix for known in FORMATS.values())
        raise ConfigError(f"{output}: {path.suffix} is not written; written are {written}")
    told = None if names_folder(output) else _format_of(path)
    if told is None:
        make_folder(path)
        return Target(path, asked or ("rttm", "json"))
    if wrong := [name for name in asked if name != told]:
        raise ConfigError(f"{output}: the suffix is that of {told}, --format says {wrong[0]}; give a folder")
    make_folder(path.parent)
    return Target(path, (told,), is_file=True)


def names_folder(output: str) -> bool:
    """Whether a name can only be that of a folder: there is one, or it ends in a slash."""
    return output.endswith(("/", os.sep)) or os.path.isdir(output)  # noqa: PTH112, for a name too long


def check_table(output: str) -> Path:
    """The path of a table of embeddings.

    Raises
    ------
    DiarizeError
        When it is a folder.
    """
    if names_folder(output):
        example = Path(output) / "embeddings.parquet"
        raise DiarizeError(f"{output}: a folder; a table is one file, name it, such as {example}")
    return Path(output)


def _format_of(path: Path) -> str | None:
    """The name of the format that a suffix belongs to."""
    suffix = path.suffix.lower()
    return next((name for name, known in FORMATS.items() if known.suffix.lower() == suffix), None)
