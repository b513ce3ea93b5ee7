"""Options of recordings in which each channel is one speaker: checks, and the speakers' names."""

from __future__ import annotations

from collections.abc import Sequence

from diarize.config import ClusteringConfig
from diarize.errors import AudioError, ConfigError
from diarize.formats.rows import one_line, one_word
from diarize.segments import normal_name

SPEAKERS = "speakers"
"""The only value of the option: each channel is one speaker."""


def check_channels(
    channels: str | None, channel: int | None = None, names: Sequence[str] | None = None
) -> list[str] | None:
    """The names for the speakers of the channels, checked by `check_names`.

    Raises
    ------
    ConfigError
        If `channels` is unknown, is given together with one channel, or is missing although there are names.
    """
    if channels is None:
        if names is not None:
            raise ConfigError(f"channel names need channels={SPEAKERS!r}; add --channels {SPEAKERS}")
        return None
    if channels != SPEAKERS:
        raise ConfigError(f"channels {channels!r} is unknown; known: {SPEAKERS}")
    if channel is not None:
        raise ConfigError(f"channel {channel} and channels {SPEAKERS!r} contradict each other; leave one out")
    return check_names(names)


def check_names(names: Sequence[str] | None) -> list[str] | None:
    """The names in the form in which names are compared, without blanks around them; None if none are given.

    Raises
    ------
    ConfigError
        If a name is empty, or two become the same in a format without blanks.
    """
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"channel names are a list of names, got {names!r}")
    cleaned = [one_line(name) if name.strip() else "" for name in map(normal_name, names)]
    numbers: dict[str, int] = {}
    for number, name in enumerate(cleaned, 1):
        if not name:
            raise ConfigError(f"the name of channel {number} is empty; give each channel a name")
        other = numbers.setdefault(one_word(name), number)
        if other != number:
            raise ConfigError(f"channels {other} and {number} are both called {name!r}; give each its own")
    return cleaned


def name_channels(n_channels: int, names: Sequence[str] | None, recording: str) -> list[str]:
    """The speaker of each channel: the given name, otherwise CHANNEL_1, CHANNEL_2, ...

    Raises
    ------
    AudioError
        If there is only one channel, or the number of names is not that of the channels.
    """
    if n_channels < 2:
        raise AudioError(f"{recording}: has one channel, not one for each speaker; leave --channels out")
    if names is None:
        return [f"CHANNEL_{number}" for number in range(1, n_channels + 1)]
    if len(names) != n_channels:
        given = "1 name was" if len(names) == 1 else f"{len(names)} names were"
        raise AudioError(f"{recording}: has {n_channels} channels and {given} given; give one for each")
    return list(names)


def refuse_numbers(asked: ClusteringConfig) -> None:
    """Check that no number of speakers is set, because the channels decide it.

    Raises
    ------
    ConfigError
        If one is set; the message names the setting.
    """
    given = {"n_speakers": asked.n_speakers, "max_speakers": asked.max_speakers}
    if asked.min_speakers > 1:
        given["min_speakers"] = asked.min_speakers
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name}={value}: each channel is one speaker; leave one of the two out")
