"""What may be asked of channels that are a speaker each, and how their speakers are called."""

from __future__ import annotations

from collections.abc import Sequence

from diarize.config import ClusteringConfig
from diarize.errors import AudioError, ConfigError
from diarize.formats.rows import one_line, one_word
from diarize.segments import normal_name

SPEAKERS = "speakers"
"""The one thing that channels can be."""


def check_channels(
    channels: str | None, channel: int | None = None, names: Sequence[str] | None = None
) -> list[str] | None:
    """The names for the speakers of the channels, checked by `check_names`.

    Raises
    ------
    ConfigError
        When channels are asked to be something unknown, one channel is asked for beside that, or there are
        names for channels that are no speakers.
    """
    if channels is None:
        if names is not None:
            raise ConfigError("channel names need channels that are a speaker each; add --channels speakers")
        return None
    if channels != SPEAKERS:
        raise ConfigError(f"channels {channels!r} is unknown; known: {SPEAKERS}")
    if channel is not None:
        raise ConfigError(f"channel {channel} and channels {SPEAKERS!r} contradict each other; leave one out")
    return check_names(names)


def check_names(names: Sequence[str] | None) -> list[str] | None:
    """Names as they are compared, without blanks around them; None where there are none.

    Raises
    ------
    ConfigError
        When a name is empty, or two would be the same in a format without blanks.
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
    """The speaker of each channel: as given, otherwise CHANNEL_1, CHANNEL_2, ...

    Raises
    ------
    AudioError
        When there is one channel, or not a name for each.
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
    """Stop where a number of speakers is asked for, which the channels decide.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    given = {"n_speakers": asked.n_speakers, "max_speakers": asked.max_speakers}
    if asked.min_speakers > 1:
        given["min_speakers"] = asked.min_speakers
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name}={value}: each channel is one speaker; leave one of both out")
