"""Registries: classes by name, each in a module that is imported when its name is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from diarize.errors import ConfigError

Registry = Mapping[str, tuple[str, str]]
"""Module and class, by name."""


def find_class(registry: Registry, name: Any, kind: str) -> Any:
    """The class of that name; `kind` says in the error what has such names.

    Raises
    ------
    ConfigError
        For an unknown name, with the known ones.
    """
    if not isinstance(name, str) or name not in registry:
        raise ConfigError(f"unknown {kind} '{name}'; known: {', '.join(registry)}")
    module, found = registry[name]
    return getattr(import_module(module), found)
