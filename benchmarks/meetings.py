"""Sets of recordings with references, without those that are held out, and combinations of settings."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from diarize.audio import find_audio
from diarize.errors import ConfigError, DiarizeError
from diarize.tuning import Recording, find_recordings

HELD_OUT = ("EN2006a", "EN2006b", "ES2003a", "ES2003b")
"""AMI meetings on whose excerpts no setting is chosen; the ids of the excerpts begin with these."""


def read_set(folder: Path) -> list[Recording]:
    """The recordings of a folder with audio/, rttm/ and uem/, each with one file for each recording.

    Raises
    ------
    DiarizeError
        If a file is missing or cannot be read.
    """
    recordings = find_recordings([folder])
    if len(recordings) < len(find_audio(folder / "audio")):
        raise DiarizeError(f"{folder}: a recording has no RTTM or no UEM")
    return recordings


def read_sets(folders: Iterable[Path], held_out: Iterable[str]) -> dict[str, list[Recording]]:
    """The recordings of several folders by folder name, without those whose ids begin with a `held_out` one.

    Raises
    ------
    DiarizeError
        If two folders have the same name, or a file is missing or cannot be read.
    """
    folders = list(folders)
    names = [folder.name for folder in folders]
    if twice := next((folder for folder in folders if names.count(folder.name) > 1), None):
        raise DiarizeError(f"{twice}: another set is also called {twice.name}; rename one")
    return {
        folder.name: [each for each in read_set(folder) if not begins_with(each, held_out)]
        for folder in folders
    }


def begins_with(recording: Recording, starts: Iterable[str]) -> bool:
    """Whether the id of a recording begins with one of the starts."""
    return recording.name.startswith(tuple(starts))


def combinations(vary: list[str]) -> dict[str, dict[str, Any]]:
    """Every combination of the values of settings, by its name, as overrides of the defaults."""
    settings = []
    for text in vary:
        name, equals, values = text.partition("=")
        try:
            settings.append([(name, value) for value in tomllib.loads(f"values = [{values}]")["values"]])
        except ValueError:  # not TOML, or a number of thousands of digits
            equals = ""
        if not equals or not values:
            raise ConfigError(f"--vary {text}: write SETTING=VALUE,VALUE with values in TOML")
    return {
        ", ".join(f"{name} {value}" for name, value in chosen): dict(chosen)
        for chosen in itertools.product(*settings)
    }
