"""Samples from a microphone, by sounddevice, which is imported only here and only when it is used."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from diarize.audio.pieces import Samples
from diarize.audio.pipe import ByteQueue, stream_pcm
from diarize.errors import AudioError

logger = logging.getLogger(__name__)

DEFAULT = "default"
"""The name of the system's default input device."""


class Microphone:
    """An input device, found but not yet open.

    Parameters
    ----------
    name : str
        `DEFAULT`, the number of a device, or a part of its name.

    Raises
    ------
    AudioError
        If sounddevice or its PortAudio is missing, or there is no such input device.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        self._sounddevice = _import_sounddevice()
        device = _find_device(self._sounddevice, name)
        self.name, self.rate = str(device["name"]), float(device["default_samplerate"])
        self._index = device["index"]

    def stream(self) -> Iterator[Samples]:
        """Its first channel, as blocks (n,) at 16 kHz as they come, until the device is gone.

        Raises
        ------
        AudioError
            If it cannot be opened.
        """
        blocks = ByteQueue()

        def take(block: Any, n_samples: int, time: Any, status: Any) -> None:
            if status:
                logger.warning("microphone %s: samples were lost (%s)", self.name, status)
            blocks.put(bytes(block))

        options = {"samplerate": self.rate, "device": self._index, "channels": 1, "dtype": "int16"}
        try:
            with self._sounddevice.RawInputStream(
                **options, callback=take, finished_callback=lambda: blocks.put(b"")
            ):
                yield from stream_pcm(blocks, self.rate, f"microphone {self.name}")
        except self._sounddevice.PortAudioError as error:
            raise AudioError(
                f"microphone {self.name}: cannot be opened ({error}); end other programs that use it"
            ) from error


def _import_sounddevice() -> Any:
    try:
        return import_module("sounddevice")
    except ImportError as error:
        raise AudioError(
            "a microphone needs sounddevice; install it: pip install 'diarize-toolkit[live]'"
        ) from error
    except OSError as error:  # its wheel for Linux has no PortAudio
        raise AudioError(
            f"a microphone needs PortAudio ({error}); install it, on Debian: apt-get install libportaudio2"
        ) from error


def _find_device(sounddevice: Any, name: str) -> dict[str, Any]:
    """The description of an input device.

    Raises
    ------
    AudioError
        If there is none or, with that name, none or several.
    """
    inputs = [each for each in sounddevice.query_devices() if each["max_input_channels"] > 0]
    if not inputs:
        raise AudioError("no microphone: the system has no input device; connect one, or pipe samples in")
    named = ", ".join(f"{each['index']} ({each['name']})" for each in inputs)
    if name == DEFAULT:
        try:
            chosen: dict[str, Any] = sounddevice.query_devices(kind="input")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise AudioError(f"no default microphone; give one of these to --microphone: {named}") from error
        return chosen
    found = [each for each in inputs if str(each["index"]) == name or each["name"] == name]
    found = found or [each for each in inputs if name.lower() in each["name"].lower()]
    if len(found) != 1:
        many = "several input devices have" if found else "no input device has"
        raise AudioError(f"microphone {name!r}: {many} that name; known: {named}")
    return found[0]
