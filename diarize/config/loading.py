"""How settings are loaded: from presets and TOML files, with overrides by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diarize.config.preset import load_preset
from diarize.config.sections import Config, spell_numbers
from diarize.config.toml import load_toml, parse_value, shown
from diarize.config.validation import validate
from diarize.errors import ConfigError

MODEL_TABLES = ("features", "network", "segments", "about")
"""The tables of a model's config.toml."""
RECIPE_TABLES = (
    *("features", "pack", "sets", "network", "loss", "training", "evaluation"),
    *("baseline", "about", "paper", "identification"),
)
"""The tables of the TOML files with which the recipes pack features, train, evaluate and compare."""


def load_tables(
    paths: str | Path | Sequence[str | Path], known: Sequence[str], overrides: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The known tables of TOML files; a table that no file has is empty.

    A later file overrides an earlier one. `overrides`, such as ``training.n_steps=500``, override all files;
    their values are read as TOML, otherwise as text.

    Raises
    ------
    ConfigError
        If a file cannot be read, is not TOML, or holds an unknown table or a value outside a table.
    """
    tables: dict[str, dict[str, Any]] = {name: {} for name in known}
    for path in [paths] if isinstance(paths, str | Path) else paths:
        _merge(tables, load_toml(path), str(path))
    for override in overrides:
        name, equals, value = override.partition("=")
        table, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(f"{shown(override)}: write table.setting=value, such as training.n_steps=500")
        source = f"{table}.{key}"
        _merge(tables, {table: {key: parse_value(value, source)}}, shown(override))
    return tables


def _merge(tables: dict[str, dict[str, Any]], content: Mapping[str, Any], source: str) -> None:
    for name, value in content.items():
        if name not in tables:
            raise ConfigError(f"{source}: unknown table {shown(name)}; known: {', '.join(tables)}")
        if not isinstance(value, dict):
            raise ConfigError(f"{source}: {shown(name)} is a table, not a value")
        tables[name] |= value


def load_config(
    path: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    preset: str | None = None,
) -> Config:
    """The pipeline's settings: a preset, overridden by a TOML file, then by ``{"section.key": value}``.

    Raises
    ------
    ConfigError
        If the file cannot be read, a preset or setting is unknown, or a value is impossible.

    Examples
    --------
    >>> load_config(overrides={"clustering.n_speakers": 2}).clustering.n_speakers
    2
    """
    values: dict[str, Any] = load_toml(path) if path is not None else {}
    source = str(path) if path is not None else "settings"
    if isinstance(values.get("clustering"), dict):
        try:
            values["clustering"] = spell_numbers(values["clustering"])
        except ValueError as error:
            raise ConfigError(f"{source}: setting 'clustering': {error}") from error
    for section, chosen in (load_preset(preset)[1] if preset else {}).items():
        given = values.get(section, {})
        values[section] = chosen | given if isinstance(given, dict) else given
    override(values, overrides or {}, source)
    return validate(Config, values, source)


def override(values: dict[str, Any], overrides: Mapping[str, Any], source: str) -> None:
    """Put values by name, ``{"section.key": value}``, into nested tables, in place.

    Raises
    ------
    ConfigError
        If a name goes through a value as if it were a section.
    """
    for name, value in overrides.items():
        name = "clustering.n_speakers" if name == "clustering.num_speakers" else name
        *sections, key = name.split(".")
        table = values
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{source}: {shown(section)} is a section, not a value")
        table[key] = value
