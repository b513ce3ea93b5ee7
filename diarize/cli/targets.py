"""Where the command line writes results: to stdout, into one file, or into a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diarize.batch.jobs import Job, refuse_recording, result_paths
from diarize.cli.console import make_folder, refuse_existing
from diarize.errors import ConfigError, DiarizeError
from diarize.files.folders import refuse_outside
from diarize.files.locations import Location
from diarize.files.remote import check_writable, is_url
from diarize.formats import FORMATS, READABLE, find_format


@dataclass(frozen=True)
class Target:
    """The place and the formats of the results; see `find_target`."""

    path: Location | None
    """The file or the folder, or its URL; None for stdout."""
    formats: tuple[str, ...]
    is_file: bool = False

    @property
    def folder(self) -> Location | None:
        """The folder, if it is one."""
        return None if self.is_file else self.path

    def check_jobs(self, jobs: Sequence[Job]) -> None:
        """Check, before any work, that all results can be written.

        Raises
        ------
        DiarizeError
            If there are several recordings and the target is one file.
        """
        if self.is_file and len(jobs) > 1:
            raise DiarizeError(
                f"{self.path}: one file takes one recording, {len(jobs)} are given; give a folder"
            )

    def paths(self, job: Job, force: bool) -> list[Location]:
        """The files for the results of a recording; none for stdout.

        Raises
        ------
        DiarizeError
            If one exists and `force` is false.
        """
        if self.path is None:
            return []
        paths = [self.path] if self.is_file else result_paths(job, self.path, self.formats)
        refuse_existing(paths, force)
        if isinstance(self.path, Path) and not self.is_file:
            refuse_outside([path for path in paths if isinstance(path, Path)], self.path)
        refuse_recording(job, paths)
        return paths


def find_target(output: str, formats: Sequence[str]) -> Target:
    """The target for the values of --output and --format. Its folder is made.

    "-" is stdout. A name with the suffix of a format is a file, unless a folder has that name or it ends in a
    slash. Any other name is a folder. Without `formats`, a folder gets RTTM and JSON, and stdout RTTM.

    Raises
    ------
    DiarizeError
        If a format is unknown or does not fit the file, there are several for stdout or a file, or the folder
        cannot be made.
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
    path = check_writable(output) if is_url(output) else Path(output)
    unwritable = {known.suffix for known in READABLE.values()} | {".uem"}
    unwritable -= {known.suffix for known in FORMATS.values()}
    if path.suffix.lower() in unwritable and not names_folder(output):
        written = ", ".join(known.suffix for known in FORMATS.values())
        raise ConfigError(f"{output}: {path.suffix} cannot be written; known: {written}")
    told = None if names_folder(output) else _format_of(path)
    if told is None:
        if isinstance(path, Path):
            make_folder(path)
        return Target(path, asked or ("rttm", "json"))
    if wrong := [name for name in asked if name != told]:
        raise ConfigError(f"{output}: the suffix is that of {told}, --format says {wrong[0]}; give a folder")
    if isinstance(path, Path):
        make_folder(path.parent)
    return Target(path, (told,), is_file=True)


def names_folder(output: str) -> bool:
    """Whether a name is that of a folder: the folder exists, or the name ends in a slash."""
    return output.endswith(("/", os.sep)) or os.path.isdir(output)  # noqa: PTH112, for a name too long


def check_table(output: str) -> Path:
    """The path of a table of embeddings.

    Raises
    ------
    DiarizeError
        If it names a folder.
    """
    if names_folder(output):
        example = Path(output) / "embeddings.parquet"
        raise DiarizeError(f"{output}: a folder; a table is one file, such as {example}")
    return Path(output)


def _format_of(path: Location) -> str | None:
    """The name of the format that a suffix belongs to."""
    suffix = path.suffix.lower()
    return next((name for name, known in FORMATS.items() if known.suffix.lower() == suffix), None)
