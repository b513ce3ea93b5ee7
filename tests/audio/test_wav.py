"""Headers that do not know how much their file holds."""

import struct

import numpy as np
import pytest
import soundfile

from diarize.audio import SAMPLE_RATE, audio_info, load_audio
from diarize.errors import AudioError


@pytest.fixture(scope="module")
def speech(demo_recording):
    return load_audio(demo_recording)[: 12 * SAMPLE_RATE]


def assert_same(heard, speech):
    assert len(heard) == len(speech)
    assert np.abs(heard - speech).max() < 1e-4


def patch(path, mark, offset, value, form="<I"):
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(mark) + offset, value)
    path.write_bytes(content)


@pytest.mark.parametrize("said", [0, 96000 * 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF])
def test_wav_sizes(tmp_path, speech, said, caplog):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech, SAMPLE_RATE)
    patch(path, b"data", 4, said)
    assert_same(load_audio(path), speech)
    assert ("its header gives 6.0 s, but the file holds 12.0 s" in caplog.text) == (said == 192000)


@pytest.mark.parametrize(
    "tail", [b"LIST\x04\0\0\0abcd" + b"id3 \x88\x13\0\0" + bytes(5000), b"TAG" + bytes(125)]
)
def test_what_follows_the_samples_is_no_sound(tmp_path, speech, tail, caplog):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech, SAMPLE_RATE)
    path.write_bytes(path.read_bytes() + tail)
    assert len(load_audio(path)) == len(speech)
    assert not caplog.records


@pytest.mark.parametrize(
    ("format", "mark", "offset", "value", "form"),
    [
        ("RF64", b"ds64", 16, 0, "<Q"),
        ("AU", b".snd", 8, 0xFFFFFFFF, ">I"),
        ("CAF", b"data", 4, 2**64 - 1, ">Q"),
        ("W64", b"data\xf3\xac", 16, 2**63 - 1, "<Q"),
        ("AIFF", b"SSND", 4, 0xFFFFFFFF, ">I"),
    ],
)
def test_other_unknown_lengths(tmp_path, speech, format, mark, offset, value, form):
    path = tmp_path / "a"
    soundfile.write(path, speech, SAMPLE_RATE, format=format, subtype="PCM_16")
    patch(path, mark, offset, value, form)
    assert_same(load_audio(path), speech)


@pytest.mark.parametrize("more", [1, 1000])
def test_a_flac_total_that_is_too_large_loses_nothing(tmp_path, speech, more):
    """libsndfile refuses the whole last piece; the sound before its end is in the file."""
    path = tmp_path / "a.flac"
    soundfile.write(path, speech, SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    fields = int.from_bytes(content[18:26], "big") + more
    content[18:26] = fields.to_bytes(8, "big")
    path.write_bytes(content)
    assert len(load_audio(path)) == len(speech)


@pytest.mark.parametrize(("total", "seconds"), [(0, None), (96000, 6.0)])
def test_flac_totals(tmp_path, speech, total, seconds, caplog):
    """A FLAC file from a pipe lost its end, with a warning of 576460752303423.5 s."""
    path = tmp_path / "a.flac"
    soundfile.write(path, speech, SAMPLE_RATE)
    content = bytearray(path.read_bytes())
    fields = int.from_bytes(content[18:26], "big") >> 36 << 36 | total
    path.write_bytes(content[:18] + fields.to_bytes(8, "big") + content[26:])
    assert_same(load_audio(path), speech)
    assert audio_info(path).seconds == seconds
    assert bool(caplog.records) == (total > 0)


@pytest.mark.parametrize("rate", [1, 100, 999, 1_000_001, 2**31 - 1])
@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "CAF", "W64", "RF64"])
def test_impossible_rates(tmp_path, rate, format):
    """An hour of "audio" at 1 Hz took a minute of work."""
    path = tmp_path / "a"
    soundfile.write(path, [0.0] * 9999, 8000, format=format, subtype="PCM_16")
    try:
        soundfile.write(path, [0.0] * 9999, rate, format=format, subtype="PCM_16")
    except soundfile.LibsndfileError:
        pytest.skip("this format has no such rate")
    for read in (load_audio, audio_info):
        with pytest.raises(
            AudioError, match=rf"^{path}: its header says .* Hz; a recording has 1000 to 1000000 Hz"
        ):
            read(path)


def test_impossible_channels(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, [0.0] * 9999, 8000)
    patch(path, b"fmt ", 10, 0, "<H")
    with pytest.raises(AudioError, match=rf"^{path}: its header says 0 channels; a recording has 1 to 1024"):
        load_audio(path)


@pytest.mark.parametrize(
    ("format", "mark", "offset", "form", "is_read"),
    [
        ("CAF", b"data", 4, ">Q", True),
        ("CAF", b"desc", 4, ">Q", False),
        ("W64", b"fmt \xf3", 16, "<Q", False),
        ("W64", b"data\xf3", 16, "<Q", True),
        ("RF64", b"ds64", 16, "<Q", True),
    ],
)
@pytest.mark.parametrize("size", [2**62, 2**63 - 20])
def test_sizes_beyond_what_a_file_system_can_seek(tmp_path, format, mark, offset, form, size, is_read, capfd):
    """They were a traceback, or lines by soundfile and PyAV on stderr."""
    path = tmp_path / "a"
    soundfile.write(path, np.zeros(800), SAMPLE_RATE, format=format, subtype="PCM_16")
    patch(path, mark, offset, size, form)
    for source in (path, path.read_bytes()):
        if is_read and (format, size) != ("CAF", 2**63 - 20):
            assert len(load_audio(source)) == 800
        else:
            with pytest.raises(AudioError, match="not audio that FFmpeg can read"):
                load_audio(source)
    assert capfd.readouterr().err == ""
