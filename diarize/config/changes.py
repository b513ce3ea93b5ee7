"""Settings that differ: changed in a config, listed, and written as TOML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diarize.config.loading import override
from diarize.config.sections import Config
from diarize.config.toml import format_toml
from diarize.config.validation import validate


def with_settings(config: Config, changes: Mapping[str, Any]) -> Config:
    """The config with settings changed by name.

    Raises
    ------
    ConfigError
        If a setting is unknown, or a value is impossible.

    Examples
    --------
    >>> with_settings(Config(), {"turns.min_gap": 0.5}).turns.min_gap
    0.5
    """
    values = config.model_dump()
    override(values, changes, "settings")
    return validate(Config, values, "settings")


def differences(config: Config, base: Config | None = None) -> dict[str, Any]:
    """The settings of a config whose values are not those of another, by default not the defaults.

    Examples
    --------
    >>> differences(with_settings(Config(), {"turns.min_gap": 0.5}))
    {'turns.min_gap': 0.5}
    """
    own, others = config.model_dump(), (base or Config()).model_dump()
    return {
        f"{section}.{name}": value
        for section, table in own.items()
        for name, value in table.items()
        if value != others[section][name]
    }


def changes_as_toml(changes: Mapping[str, Any]) -> str:
    """Changes by name as TOML; a value of None is left out, because TOML has none."""
    tables: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        section, _, key = name.partition(".")
        tables.setdefault(section, {})[key] = value
    return format_toml(tables)
