"""Every setting of the pipeline: its name, its default, its unit, in this one place.

A TOML file has one table a section, and any part of it may be left out::

    [speech]
    threshold = 0.3
    [clustering]
    method = "spectral"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from diarize.config.toml import load_toml, parse_value
from diarize.config.validation import Settings, validate
from diarize.errors import ConfigError
from diarize.segments import MOST_SPEAKERS

DETECTOR_THRESHOLDS = {"silero": 0.5, "activity": 0.9, "energy": 0.5}
"""Of each detector, where none is given."""


def _at_least_a_frame(seconds: float) -> float:
    if seconds < 0.01:
        raise ValueError("input should be at least 0.01")
    return seconds


class SpeechConfig(Settings):
    """Speech detection (``speech/``); how the defaults were chosen: docs/choices.md."""

    detector: Literal["silero", "activity", "energy"] = Field(
        "silero", description="silero; activity: our network on top of it; energy: no network"
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="speech begins with this probability; none: the detector's own",
    )
    release: float = Field(0.25, ge=0, description="speech ends this far below the threshold")
    min_speech: float = Field(0.1, ge=0, description="seconds; shorter speech is dropped")
    min_silence: float = Field(0.3, ge=0, description="seconds; shorter pauses are bridged")
    padding: float = Field(0.05, ge=0, description="seconds added on each side of speech")
    overlap: float = Field(
        0.7,
        ge=0,
        le=1,
        description="several speak where our network's probability reaches this; not with energy; 1: never",
    )
    mixed: float = Field(
        0.6, ge=0, le=1, description="with this probability of overlap no vector hears it; 1: all is heard"
    )
    model: str | None = Field(
        None, description="of our network a folder, of another FILE.onnx; none: the bundled one"
    )

    @property
    def onset(self) -> float:
        """The threshold that counts."""
        return DETECTOR_THRESHOLDS[self.detector] if self.threshold is None else self.threshold


class ChannelsConfig(Settings):
    """Channels that are a speaker each (``channels.py``, ``crosstalk.py``)."""

    crosstalk: bool = Field(
        True, description="other channels' speakers are left out of a channel; false: never"
    )
    margin: float = Field(
        9.0,
        ge=0,
        description="dB by which an own speaker is louder than others in a channel; less: more overlap",
    )


class EmbeddingConfig(Settings):
    """Windows and the network that embeds them (``embedder.py``)."""

    window: float = Field(1.5, gt=0, description="seconds a window")
    hop: float = Field(0.75, ge=0.01, description="seconds between the starts of windows")

    _long_enough = field_validator("window")(_at_least_a_frame)


class ClusteringConfig(Settings):
    """From embeddings to speakers (``clustering/``)."""

    method: str = Field("agglomerative", description="a name in diarize.clustering.CLUSTERERS")
    evidence: bool = Field(
        True, description="the number by the evidence, for models with a back end; false: the clusterer's own"
    )
    speaker_cost: float = Field(0.0, description="nats of evidence a speaker costs; more: fewer speakers")
    long_speaker_cost: float = Field(
        8.0, ge=0, description="nats that a speaker costs on top in a recording e times seconds_in_full long"
    )
    one_speaker_cost: float = Field(
        5.0,
        description="nats of evidence that one speaker alone costs, before the second look",
    )
    second_speaker_rate: float = Field(
        2.5,
        ge=0,
        description="nats a second of speech beyond 25 s that several speakers must win over one",
    )
    overlap_gain: float = Field(
        40.0, ge=0, description="nats by which a second of overlapped speech tells against one voice"
    )
    seconds_a_sample: float = Field(
        3.5, gt=0, description="seconds of speech that tell as much of a voice as one independent window"
    )
    seconds_in_full: float = Field(
        60.0, gt=0, description="seconds of speech up to which samples add up to tell the number of speakers"
    )
    threshold: float | None = Field(None, description="the clusterer's own threshold; none: its default")
    n_speakers: int | None = Field(
        None, ge=1, le=MOST_SPEAKERS, description="exact number of speakers, when it is known"
    )
    min_speakers: int = Field(1, ge=1, le=MOST_SPEAKERS, description="at least this many speakers")
    max_speakers: int | None = Field(None, ge=1, le=MOST_SPEAKERS, description="at most this many speakers")
    options: dict[str, Any] = Field(default_factory=dict, description="further parameters of the clusterer")

    @model_validator(mode="before")
    @classmethod
    def _spell(cls, values: Any) -> Any:
        return _spell_numbers(values) if isinstance(values, Mapping) else values


class ResegmentationConfig(Settings):
    """Who speaks in short windows, once the speakers are found (``resegmentation.py``)."""

    enabled: bool = Field(True, description="for models with a back end; false: the windows' own labels stay")
    window: float = Field(0.75, gt=0, description="seconds a window")
    hop: float = Field(0.25, ge=0.01, description="seconds between the starts of windows")
    change_cost: float = Field(2.0, ge=0, description="nats that a change of speaker costs")

    _long_enough = field_validator("window")(_at_least_a_frame)


class TurnConfig(Settings):
    """From labelled windows to turns (``turns.py``)."""

    smoothing: int = Field(
        1, ge=1, le=101, description="windows in the majority vote over labels, odd; 1: none"
    )
    min_turn: float = Field(0.0, ge=0, description="seconds; shorter turns go to a neighbour")
    min_gap: float = Field(0.7, ge=0, description="seconds; shorter pauses within a turn are closed")

    @field_validator("smoothing")
    @classmethod
    def _is_odd(cls, n: int) -> int:
        if n % 2 == 0:
            raise ValueError("input should be odd")
        return n


class Config(Settings):
    """All settings of the pipeline."""

    speech: SpeechConfig = SpeechConfig()
    embedding: EmbeddingConfig = EmbeddingConfig()
    clustering: ClusteringConfig = Field(default_factory=ClusteringConfig)  # its options can be changed
    resegmentation: ResegmentationConfig = ResegmentationConfig()
    turns: TurnConfig = TurnConfig()
    channels: ChannelsConfig = ChannelsConfig()


MODEL_TABLES = ("features", "network", "about")
"""Of a model's config.toml."""
RECIPE_TABLES = (
    *("features", "pack", "network", "loss", "training", "evaluation"),
    *("baseline", "about", "paper", "identification"),
)
"""The tables of the TOML files by which the recipes pack features, train, evaluate and compare."""


def load_tables(
    paths: str | Path | Sequence[str | Path], known: Sequence[str], overrides: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """The known tables of TOML files, a later file over an earlier one, empty where none has one.

    Over them come `overrides` such as ``training.n_steps=500``, with values as TOML writes them; what TOML
    cannot read is taken as text.

    Raises
    ------
    ConfigError
        When a file cannot be read or is not TOML, and for anything else in it.
    """
    tables: dict[str, dict[str, Any]] = {name: {} for name in known}
    for path in [paths] if isinstance(paths, str | Path) else paths:
        _merge(tables, load_toml(path), str(path))
    for override in overrides:
        name, equals, value = override.partition("=")
        table, dot, key = name.strip().partition(".")
        if not (equals and dot and key):
            raise ConfigError(f"'{override}': write table.setting=value, such as training.n_steps=500")
        source = f"{table}.{key}"
        _merge(tables, {table: {key: parse_value(value, source)}}, f"'{override}'")
    return tables


def _merge(tables: dict[str, dict[str, Any]], content: Mapping[str, Any], source: str) -> None:
    for name, value in content.items():
        if name not in tables:
            raise ConfigError(f"{source}: unknown table '{name}'; known: {', '.join(tables)}")
        if not isinstance(value, dict):
            raise ConfigError(f"{source}: '{name}' is a table, not a value")
        tables[name] |= value


def load_config(path: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> Config:
    """The pipeline's settings: defaults, over them a TOML file, over it ``{"section.key": value}``.

    Raises
    ------
    ConfigError
        For an unreadable file, an unknown setting or an impossible value.

    Examples
    --------
    >>> load_config(overrides={"clustering.n_speakers": 2}).clustering.n_speakers
    2
    """
    values: dict[str, Any] = load_toml(path) if path is not None else {}
    source = str(path) if path is not None else "settings"
    if isinstance(values.get("clustering"), dict):
        try:
            values["clustering"] = _spell_numbers(values["clustering"])
        except ValueError as error:
            raise ConfigError(f"{source}: setting 'clustering': {error}") from error
    for name, value in (overrides or {}).items():
        name = "clustering.n_speakers" if name == "clustering.num_speakers" else name
        *sections, key = name.split(".")
        table = values
        for section in sections:
            table = table.setdefault(section, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{source}: '{section}' is a section, not a value")
        table[key] = value
    return validate(Config, values, source)


def _spell_numbers(table: Mapping[str, Any]) -> dict[str, Any]:
    """The clustering's settings with ``num_speakers``, which users know as well, under its name here."""
    values = dict(table)
    if "num_speakers" in values:
        number = values.pop("num_speakers")
        if values.setdefault("n_speakers", number) != number:
            raise ValueError("n_speakers and num_speakers are one setting; give one of them")
    return values
