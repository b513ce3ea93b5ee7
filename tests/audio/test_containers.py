"""Containers: their tracks, and times that are those of their clock."""

import os
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from command_line import call, complaint, environment
from helpers import write_small_model
from make_containers import write_container

from diarize.audio import SAMPLE_RATE, audio_info, load_audio, stream_audio
from diarize.errors import AudioError
from diarize.speech.detect import speech_segments

DATA = Path(__file__).parent.parent / "data"
SECONDS = 12.0


@pytest.fixture(scope="module")
def speech(demo_recording):
    """The first 12 s of the demo; the files in data/ were made from them."""
    return load_audio(demo_recording)[: round(SECONDS * SAMPLE_RATE)]


def starts(source, **options):
    return [segment.start for segment in speech_segments(stream_audio(source, **options))]


def lag(heard, speech, start, end):
    """Seconds by which what lies from start to end of the speech comes later in what was heard."""
    part = speech[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    n = 1 << (len(heard) + len(part)).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(heard, n) * np.conj(np.fft.rfft(part, n)), n)
    return int(np.argmax(correlation[: len(heard) - len(part) + 1])) / SAMPLE_RATE - start


def lags(path, speech, **options):
    """Of a part before 6 s, and of one behind it."""
    heard = load_audio(path, **options)
    return [lag(heard, speech, 0.5, 2.5), lag(heard, speech, 8.0, 11.9)]


def gap(time):
    return time if time < 6 else time + 6


def late(time):
    return time + 4


# ---- files in data/


def test_sound_that_begins_behind_its_pictures(speech):
    """The sound of a video was taken to begin with it, and all turns were 4 s early."""
    expected = [start + 4.0 for start in starts(speech, rate=SAMPLE_RATE)]
    assert starts(DATA / "audio_starts_at_4s.mp4") == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("name", ["gap_no_duration.webm", "gap_with_duration.webm"])
def test_what_a_live_recording_lacks(name, speech, caplog):
    """Without a duration in the header, a gap was closed without a word."""
    assert lags(DATA / name, speech) == pytest.approx([0.0, 6.0], abs=0.02)
    assert len(load_audio(DATA / name)) / SAMPLE_RATE == pytest.approx(18.0, abs=0.05)
    assert "6.0 s of sound lost and read as silence, first at 6.0 s" in caplog.text


def test_mp3_that_becomes_stereo(speech, caplog):
    """Another layout within a stream was refused."""
    heard = load_audio(DATA / "mono_then_stereo.mp3")
    assert len(heard) / SAMPLE_RATE == pytest.approx(12.0, abs=0.1)
    assert lags(DATA / "mono_then_stereo.mp3", speech) == pytest.approx([0.0, 0.0], abs=0.05)
    assert not caplog.records


def test_the_default_track_is_read(speech, caplog):
    """The first track was read, whichever the file marks as default."""
    path = DATA / "two_tracks_second_default.mkv"
    assert lag(load_audio(path), speech, 0.5, 2.5) == pytest.approx(0.0, abs=0.07)
    assert "2 audio tracks; track 2 (the default) is read; --track N or track=N reads another" in caplog.text
    caplog.clear()
    assert np.array_equal(load_audio(path, track=2), load_audio(path))
    assert not starts(path, track=1)
    with pytest.raises(AudioError, match=rf"^{path}: has 2 audio tracks, no track 9; choose another$"):
        load_audio(path, track=9)


# ---- late, gaps, clocks that begin somewhere


@pytest.mark.parametrize(
    ("name", "codec", "video", "move", "expected"),
    [
        ("a.mp4", "aac", 0, late, [4.0, 4.0]),
        ("a.mov", "aac", 0, late, [4.0, 4.0]),
        ("a.mkv", "aac", 0, late, [4.0, 4.0]),
        ("a.mkv", "flac", 0, late, [4.0, 4.0]),
        ("a.ts", "mp2", 0, late, [4.0, 4.0]),
        ("a.m4a", "aac", None, late, [4.0, 4.0]),
        ("a.mka", "aac", None, late, [4.0, 4.0]),
        ("a.ts", "mp2", None, late, [0.0, 0.0]),  # its clock begins anywhere
        ("a.mkv", "aac", 20, lambda t: t + 24, [4.0, 4.0]),  # cut out of a longer one
        ("a.mp4", "aac", None, gap, [0.0, 6.0]),
        ("a.mkv", "aac", None, gap, [0.0, 6.0]),
        ("a.mka", "pcm_s16le", None, gap, [0.0, 6.0]),
        ("a.ts", "mp2", None, gap, [0.0, 6.0]),
        ("a.ts", "mp2", None, lambda t: t + 95430, [0.0, 0.0]),  # 33 bits run over
        ("a.mkv", "aac", None, lambda t: t if t < 6 else t + 86400, [0.0, 0.0]),
        ("a.mka", "aac", None, lambda t: t + 86400, [0.0, 0.0]),
    ],
)
def test_times_are_those_of_the_clock(tmp_path, speech, name, codec, video, move, expected):
    path = write_container(tmp_path / name, speech, codec, move, video)
    assert lags(path, speech) == pytest.approx(expected, abs=0.1)


def test_pictures_that_go_on_behind_the_sound_are_no_loss(tmp_path, speech, caplog):
    load_audio(write_container(tmp_path / "a.mkv", speech[: 2 * SAMPLE_RATE], "aac", lambda t: t, 3.0))
    assert not caplog.records


def test_other_rates_within_a_stream(tmp_path, speech):
    parts = [
        write_container(tmp_path / f"{i}.aac", speech[i * 96000 :][:96000], "aac", lambda t: t, rate=rate)
        for i, rate in enumerate((16000, 44100))
    ]
    path = tmp_path / "joined.aac"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(load_audio(path)) / SAMPLE_RATE == pytest.approx(12.0, abs=0.2)
    assert lags(path, speech) == pytest.approx([0.03, 0.06], abs=0.15)
    assert audio_info(path).seconds is None


# ---- tracks and noise


@pytest.mark.parametrize("command", ["run", "embed"])
def test_a_track_on_the_command_line(tmp_path, command):
    model = write_small_model(tmp_path / "net")
    path = DATA / "two_tracks_second_default.mkv"
    more = ["--model", model, "-o", tmp_path / ("out" if command == "run" else "out.npz")]
    done = call(command, path, "--track", 2, *more)
    assert (done.status, done.err) == (0, ""), done
    assert complaint(call(command, path, "--track", 3, *more, "--force")).endswith(
        "has 2 audio tracks, no track 3; choose another"
    )


@pytest.mark.parametrize("n_channels", [1, 2])
def test_samples_of_64_bits(n_channels):
    """libsndfile does not read them, and PyAV does not convert them."""
    samples = np.linspace(-1, 1, 4000)[:, None] * [1, 0.5][:n_channels]
    content = (samples * 2**62).astype("<i8").tobytes()
    format = struct.pack(
        "<HHIIHH", 1, n_channels, SAMPLE_RATE, SAMPLE_RATE * 8 * n_channels, 8 * n_channels, 64
    )
    file = (
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0"
        + format
        + b"data"
        + struct.pack("<I", len(content))
        + content
    )
    np.testing.assert_allclose(load_audio(file), samples.mean(axis=1) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("suffix", "codec", "data"),
    [("m4a", "aac", None), ("mov", "alac", None), ("mp4", "aac", "bin_data"), ("ts", "mp2", "klv")],
)
def test_tracks_that_no_decoder_reads(tmp_path, suffix, codec, data):
    """Chapters, without `data`, and data: a traceback behind the last packet of the sound."""
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16000, layout="mono")
        if data is None:
            start_and_end = {"start": 0, "end": 500, "time_base": Fraction(1, 1000)}
            container.set_chapters([{"id": 1, **start_and_end, "metadata": {"title": "a"}}])
        else:
            packet = av.Packet(b"data")
            packet.stream, packet.time_base = container.add_data_stream(data), Fraction(1, 1000)
            packet.pts = packet.dts = 0
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        for converted in av.AudioResampler(stream.codec_context.format, "mono", 16000).resample(frame):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
        if data is not None:
            container.mux(packet)
    with av.open(str(path)) as container:
        assert [each.type for each in container.streams] == ["audio", "data"]
    assert 8000 <= len(load_audio(path)) < 8000 + 2048


def test_a_file_with_one_track(tmp_path, speech):
    path = tmp_path / "a.wav"
    soundfile.write(path, speech, SAMPLE_RATE)
    assert np.array_equal(load_audio(path, track=1), load_audio(path))
    with pytest.raises(AudioError, match=rf"^{path}: has 1 audio track, no track 2; choose another$"):
        load_audio(path, track=2)
    with pytest.raises(AudioError, match=r"^array: has 1 audio track, no track 2"):
        load_audio(speech, rate=SAMPLE_RATE, track=2)
    with pytest.raises(ValueError, match="audio tracks count from 1, got track=0"):
        load_audio(path, track=0)


def test_pictures_without_sound(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture) + stream.encode(None))
    with pytest.raises(AudioError, match=rf"^{path}: no audio in this file; export the sound"):
        load_audio(path)


@pytest.mark.parametrize("suffix", [".mp3", ".wav", ".bin"])
def test_no_library_writes_to_stderr(tmp_path, suffix):
    """libmpg123 did, in spite of --quiet, as soon as soundfile looked at an MP3 file."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes((DATA / "xing_size_off.mp3").read_bytes())
    code = "import sys, logging; logging.disable(); from diarize import load_audio; load_audio(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, os.fspath(path)], capture_output=True, text=True, env=environment()
    )
    assert (done.returncode, done.stderr) == (0, "")
