"""Whatever holds a recording is read as the file is, and twice."""

import io
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from diarize.audio import load_audio, source_id
from diarize.audio.sources import resolve_source
from diarize.errors import AudioError


@pytest.fixture(scope="module")
def content(demo_recording):
    return demo_recording.read_bytes()


@pytest.fixture(scope="module")
def expected(demo_recording):
    return load_audio(demo_recording)


class Pipe:
    """A stream that can be read once."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def read(self, size=-1):
        return self._content.read(size)


@pytest.mark.parametrize(
    "make",
    [
        lambda path, content: str(path),
        lambda path, content: path,
        lambda path, content: os.fsencode(path),
        lambda path, content: content,
        lambda path, content: bytearray(content),
        lambda path, content: memoryview(content),
        lambda path, content: io.BytesIO(content),
        lambda path, content: path.open("rb"),
        lambda path, content: Pipe(content),
        lambda path, content: {"audio": path, "uri": "x"},
        lambda path, content: {"audio": io.BytesIO(content)},
    ],
)
def test_every_source_is_read_twice(make, demo_recording, content, expected):
    resolved = resolve_source(make(demo_recording, content))
    for _ in range(2):
        assert np.array_equal(load_audio(resolved), expected)


@pytest.mark.parametrize(
    "source",
    [
        lambda x: {"waveform": torch.from_numpy(x)[None], "sample_rate": 16000},
        lambda x: {"waveform": x, "sample_rate": torch.tensor(16000)},
        lambda x: {"array": x, "sampling_rate": 16000, "path": None},
        lambda x: {"raw": x, "sampling_rate": 16000},
    ],
)
def test_mappings_with_samples(source, expected):
    assert np.array_equal(load_audio(source(expected)), expected)
    assert np.array_equal(load_audio(source(expected), rate=16000), expected)
    with pytest.raises(ValueError, match="contradict each other"):
        load_audio(source(expected), rate=8000)


def test_an_open_file_keeps_its_position_and_stays_open(content, expected):
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    assert np.array_equal(load_audio(file), expected)
    assert file.tell() == len(content)


def test_files_of_the_system(demo_recording, content, expected, tmp_path):
    with tempfile.NamedTemporaryFile(suffix=".flac") as file:
        file.write(content)  # and not flushed
        assert np.array_equal(load_audio(file), expected)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        assert np.array_equal(load_audio(file), expected)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("talk.flac", content)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive, archive.open("talk.flac") as file:
        assert source_id(resolve_source(file)) == "talk"
        assert np.array_equal(load_audio(file), expected)


def test_a_long_stream_leaves_no_file(content, expected, monkeypatch, tmp_path):
    monkeypatch.setattr("diarize.audio.sources._IN_MEMORY", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    resolved = resolve_source(Pipe(content))
    assert np.array_equal(load_audio(resolved), expected)
    assert np.array_equal(load_audio(resolved), expected)
    del resolved
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "recording"),
    [
        ("/data/My meeting.v2.wav", "My_meeting.v2"),
        (b"/data/a.wav", "a"),
        (b"\0\0", "recording"),
        (io.BytesIO(b""), "recording"),
        ({"audio": "a.wav", "uri": "Sitzung 1.2"}, "Sitzung_1.2"),
        ({"waveform": np.zeros(9), "sample_rate": 8000, "uri": "b"}, "b"),
    ],
)
def test_the_name_of_a_source(source, recording):
    assert source_id(resolve_source(source)) == recording


@pytest.mark.parametrize("source", [None, 3, ["a.wav"], [0.1, 0.2], ("a.wav",), object()])
def test_what_is_no_recording(source):
    with pytest.raises(TypeError, match="a recording is a path, an open binary file, bytes, an array"):
        load_audio(source)


def test_what_is_nearly_a_recording(tmp_path):
    with pytest.raises(TypeError, match="open it with 'rb'"):
        load_audio(io.StringIO("words"))
    with pytest.raises(ValueError, match=r"a mapping holds .* got \['wave'\]"):
        load_audio({"wave": np.zeros(9)})
    with pytest.raises(TypeError, match="'waveform' holds an array or a tensor, got str"):
        load_audio({"waveform": "a.wav", "sample_rate": 8000})
    with pytest.raises(ValueError, match="needs its rate in Hz, got rate=None"):
        load_audio({"waveform": np.zeros(9)})
    with pytest.raises(ValueError, match="a file knows its own rate"):
        load_audio(io.BytesIO(b"x"), rate=8000)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "bytes: empty file"),
        (io.BytesIO(b""), "file object: empty file"),
        (b"nowhere.wav", "nowhere.wav: no such file"),
        (bytes(9999), "bytes: not audio that FFmpeg can read"),
        (Path("a\0b.wav"), "'a\\\\x00b.wav': not a valid file name"),
    ],
)
def test_sources_without_audio(source, message):
    with pytest.raises(AudioError, match=f"^{message}"):
        load_audio(source)


@pytest.mark.parametrize(
    ("source", "options", "kind"),
    [
        (np.zeros(9), {"rate": 10**400}, ValueError),
        ({"waveform": np.zeros(9), "sample_rate": 16000, "uri": 3}, {}, ValueError),
        ({"waveform": np.zeros(9), "sample_rate": 16000, "uri": "a\0b"}, {}, ValueError),
        ({"audio": {"audio": "a.wav"}}, {}, TypeError),
        (np.zeros(9), {"rate": 16000, "channel": "1"}, TypeError),
    ],
)
def test_impossible_values_are_named(source, options, kind):
    with pytest.raises(kind, match=r"rate=|'uri' is the id|not a mapping|a channel is a number"):
        load_audio(source, **options)


def test_rows_of_datasets_that_are_not_decoded(demo_recording):
    """The path names the recording, also if the content is there; either may be missing."""
    content = demo_recording.read_bytes()
    path = str(demo_recording)
    expected = load_audio(path)
    for row, name in (
        ({"bytes": None, "path": path}, "meeting"),
        ({"bytes": content, "path": "calls/a b.flac"}, "a_b"),
        ({"bytes": content, "path": None, "uri": "c"}, "c"),
    ):
        assert source_id(resolve_source(row)) == name
        np.testing.assert_array_equal(load_audio(row), expected)
    with pytest.raises(ValueError, match="a file knows its own rate"):
        resolve_source({"bytes": content, "path": None}, 16000)
