"""Presets: named sets of settings, each a TOML file in ``presets/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from diarize.config.toml import load_toml
from diarize.config.validation import Settings, validate
from diarize.errors import ConfigError

PRESETS = Path(__file__).parent / "presets"
DEFAULT_PRESET = "default"


class About(Settings):
    """The description of a preset: the table [preset] of its file."""

    description: str = Field("", description="the preset in one line")
    networks: str = Field("", description="its networks, their size and their licence, in one line")
    error: str = Field("", description="diarization error rates in %, in one line")
    speed: str = Field("", description="seconds for an hour of audio, in one line")


def preset_names() -> list[str]:
    """The names of the presets, the default one first."""
    return sorted(
        (path.stem for path in PRESETS.glob("*.toml")), key=lambda name: (name != DEFAULT_PRESET, name)
    )


def load_preset(name: str) -> tuple[About, dict[str, Any]]:
    """The description of a preset, and its settings by section.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    if name not in preset_names():
        raise ConfigError(f"no preset '{name}'; presets: {', '.join(preset_names())}")
    path = PRESETS / f"{name}.toml"
    values = load_toml(path)
    return validate(About, values.pop("preset", {}), str(path)), values
