"""Samples that arrive through a pipe."""

import io
import os
import threading

import numpy as np
import pytest
import soundfile

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.pipe import stream_container, stream_pcm
from diarize.errors import AudioError


@pytest.fixture
def pipe():
    """A function that puts bytes into a pipe, some at a time, and returns its other end."""
    threads, files = [], []

    def put(data: bytes, step: int = 999) -> io.RawIOBase:
        read, write = os.pipe()

        def feed() -> None:
            with os.fdopen(write, "wb", 0) as file:
                for start in range(0, len(data), step):
                    file.write(data[start : start + step])

        threads.append(threading.Thread(target=feed))
        threads[-1].start()
        files.append(io.FileIO(read))
        return files[-1]

    yield put
    for file in files:
        file.close()
    for thread in threads:
        thread.join()


def noise(n_channels: int = 1, seconds: float = 2.0, rate: int = SAMPLE_RATE) -> np.ndarray:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), n_channels))
    return (samples * 32768).round() / 32768


@pytest.mark.parametrize("step", [1, 999, 10**6])
def test_raw_samples_are_those_that_were_sent(pipe, step):
    samples = noise(seconds=0.2)[:, 0]
    data = (samples * 32768).astype("<i2").tobytes()
    found = np.concatenate(list(stream_pcm(pipe(data + b"\1", step), SAMPLE_RATE)))
    assert found.tolist() == samples.tolist(), "half a sample at the end is left out"


def test_raw_samples_of_another_rate_are_resampled(pipe):
    tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    found = np.concatenate(list(stream_pcm(pipe((tone * 32767).astype("<i2").tobytes()), 8000)))
    assert len(found) == SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(found))
    assert np.argmax(spectrum) == 440


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "AIFF"])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_file_in_a_pipe_is_the_file(pipe, tmp_path, format, n_channels):
    path = tmp_path / "file"
    soundfile.write(path, noise(n_channels), SAMPLE_RATE, format=format)
    found = np.concatenate(list(stream_container(pipe(path.read_bytes()))))
    expected = load_audio(path, channel=tuple(range(1, n_channels + 1)))
    assert len(found) == len(expected)
    assert np.allclose(found, expected, atol=1e-3)


def test_an_mp3_in_a_pipe_has_its_length(pipe, tmp_path):
    path = tmp_path / "file.mp3"
    soundfile.write(path, noise(), SAMPLE_RATE)
    found = sum(map(len, stream_container(pipe(path.read_bytes()))))
    assert abs(found - 2 * SAMPLE_RATE) <= 2 * 1152, "without its index, two frames more"


def test_a_header_of_a_recorder_that_still_runs_is_read_to_the_end(pipe):
    """arecord cannot know the length, and writes the largest one."""
    data = io.BytesIO()
    soundfile.write(data, noise(), SAMPLE_RATE, format="WAV")
    header = data.getvalue().replace((2 * 2 * SAMPLE_RATE).to_bytes(4, "little"), b"\xff\xff\xff\x7f")
    assert sum(map(len, stream_container(pipe(header)))) == 2 * SAMPLE_RATE


@pytest.mark.parametrize("data", [b"", b"no audio" * 1000])
def test_what_is_no_audio_is_reported(pipe, data):
    with pytest.raises(AudioError, match=r"^stdin: not audio that FFmpeg can read"):
        list(stream_container(pipe(data)))


def test_a_pipe_without_samples_is_reported(pipe):
    with pytest.raises(AudioError, match=r"^stdin: 0 samples"):
        list(stream_pcm(pipe(b""), SAMPLE_RATE))


@pytest.mark.parametrize("format", ["FLAC", "AU", "AIFF"])
def test_a_stream_that_ends_early_is_read_up_to_there(pipe, format, caplog):
    """An interrupted sender was a traceback."""
    file = io.BytesIO()
    soundfile.write(file, noise(), SAMPLE_RATE, format=format, subtype="PCM_16")
    content = file.getvalue()
    found = np.concatenate(list(stream_container(pipe(content[: len(content) // 2]))))
    assert len(found) == pytest.approx(SAMPLE_RATE, abs=4096)
    assert "stdin: decoding stopped at" in caplog.text


def test_a_stream_with_an_impossible_header_is_told(pipe):
    file = io.BytesIO()
    soundfile.write(file, noise(seconds=0.5), 500, format="WAV")
    with pytest.raises(AudioError, match="stdin: its header says 500 Hz"):
        list(stream_container(pipe(file.getvalue())))
    soundfile.write(file := io.BytesIO(), noise(seconds=0.5), SAMPLE_RATE, format="AU")
    with pytest.raises(AudioError, match="stdin: 0 samples"):
        list(stream_container(pipe(file.getvalue()[:24])))
