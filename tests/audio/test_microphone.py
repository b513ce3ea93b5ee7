"""Microphones: sounddevice's own module is replaced, since a test has no hardware."""

import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import call, complaint, demo_samples

from diarize.audio.microphone import Microphone
from diarize.errors import AudioError
from diarize.formats import read_turns

RATE = 48_000
SPEAKERS = {"name": "Loudspeaker", "max_input_channels": 0, "default_samplerate": 44_100.0}
DESK = {"name": "Desk microphone", "max_input_channels": 1, "default_samplerate": float(RATE)}
HEADSET = {"name": "USB headset", "max_input_channels": 2, "default_samplerate": 16_000.0}


class PortAudioError(Exception):
    """As in sounddevice."""


def install(monkeypatch, devices, sound=b"", default=None, broken=None):
    """Put a sounddevice in place with these devices; gives the options of the streams that are opened."""
    known = [{**device, "index": index} for index, device in enumerate(devices)]
    opened = []

    def query_devices(device=None, kind=None):
        if device is None and kind is None:
            return known
        assert (device, kind) == (None, "input")
        if default is None:
            raise PortAudioError("Error querying device -1")
        return known[default]

    class RawInputStream:
        """Calls back from a thread of its own, as PortAudio does; then the device is gone."""

        def __init__(self, *, callback, finished_callback, **options):
            if broken:
                raise PortAudioError(broken)
            opened.append(options)
            self.thread = threading.Thread(target=self.record, args=(callback, finished_callback))

        def record(self, callback, finished_callback):
            for start in range(0, len(sound), 2_000):
                part = sound[start : start + 2_000]
                callback(memoryview(part), len(part) // 2, None, None)
            finished_callback()

        def __enter__(self):
            self.thread.start()
            return self

        def __exit__(self, *_):
            self.thread.join()

    fake = SimpleNamespace(
        query_devices=query_devices, RawInputStream=RawInputStream, PortAudioError=PortAudioError
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return opened


def tone(rate: int) -> np.ndarray:
    """A second of 440 Hz."""
    return np.sin(2 * np.pi * 440 * np.arange(rate) / rate) / 2


@pytest.mark.parametrize("name", ["default", "1", "Desk microphone", "desk"])
def test_a_microphone_is_opened_at_its_own_rate_and_heard_at_16_khz(monkeypatch, name):
    sound = (tone(RATE) * 32767).astype("<i2").tobytes()
    opened = install(monkeypatch, [SPEAKERS, DESK, HEADSET], sound, default=1)
    heard = np.concatenate(list(Microphone(name).stream()))
    assert opened == [{"samplerate": RATE, "device": 1, "channels": 1, "dtype": "int16"}]
    assert abs(len(heard) - 16_000) < 10
    assert np.abs(heard[1000:15_000] - tone(16_000)[1000:15_000]).max() < 1e-3


@pytest.mark.parametrize(
    ("devices", "name", "told"),
    [
        ([], "default", "no microphone: the system has no input device; connect one, or pipe samples in"),
        ([SPEAKERS], "Loudspeaker", "no microphone: the system has no input device"),
        (
            [SPEAKERS, DESK, HEADSET],
            "Loud",
            r"microphone 'Loud': no input device has that name; known: 1 \(Desk microphone\), 2 ",
        ),
        ([DESK, HEADSET], "e", "microphone 'e': several input devices have that name; known: 0 "),
        ([DESK], "7", r"microphone '7': no input device has that name; known: 0 \(Desk microphone\)"),
        (
            [DESK],
            "default",
            r"no default microphone; give one of these to --microphone: 0 \(Desk microphone\)",
        ),
    ],
)
def test_a_microphone_that_is_not_there_is_an_error_that_lists_those_that_are(
    monkeypatch, devices, name, told
):
    install(monkeypatch, devices)
    with pytest.raises(AudioError, match=f"^{told}"):
        Microphone(name)


def test_a_microphone_that_cannot_be_opened_is_an_error(monkeypatch):
    install(monkeypatch, [DESK], broken="Device unavailable [PaErrorCode -9985]")
    with pytest.raises(AudioError, match=r"^microphone Desk microphone: cannot be opened \(Device unavail"):
        list(Microphone("desk").stream())


def test_without_the_extra_or_its_library_one_line_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # its import fails
    told = complaint(call("live", "--microphone", "default"))
    assert told == "a microphone needs sounddevice; install it: pip install 'diarize-toolkit[live]'"
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    told = complaint(call("live", "--microphone", "default"))
    assert told.startswith("a microphone needs PortAudio (PortAudio library not found); install it, ")


@pytest.mark.parametrize("more", [("x.wav",), ("--rate", 8000)])
def test_a_microphone_replaces_the_input(more):
    told = complaint(call("live", "--microphone", "default", *more))
    assert told == "--microphone replaces INPUT and --rate; leave them out"


def test_the_command_labels_what_a_microphone_hears(monkeypatch, tmp_path):
    install(monkeypatch, [HEADSET], (demo_samples(3.0) * 32767).astype("<i2").tobytes(), default=0)
    out = tmp_path / "heard.rttm"
    done = call("live", "--microphone", "default", "-o", out)
    assert (done.status, done.err) == (0, "")
    (turn,) = read_turns(out)
    assert (turn.recording, turn.segment.end) == ("heard", 3.0)
    assert done.out == f"0:00:0{turn.segment.start:.2f} - 0:00:03.00  SPEAKER_00\n"
