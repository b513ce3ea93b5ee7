"""Recordings of every format come back as the tone that was written, or as a clear error."""

import logging
import os
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from diarize.audio import (
    AUDIO_SUFFIXES,
    SAMPLE_RATE,
    AudioInfo,
    audio_info,
    find_audio,
    load_audio,
    recording_id,
    regroup,
    stream_audio,
)
from diarize.errors import AudioError

AMPLITUDE = 0.4
SECONDS = 1.5


def tone(rate=16000, frequency=440.0, seconds=SECONDS):
    t = np.arange(round(seconds * rate)) / rate
    return (AMPLITUDE * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def write_with_av(path, codec, samples, rate, bit_rate=64000):
    """A file through FFmpeg's encoder, from samples ``(n,)`` or ``(n_channels, n)``."""
    av = pytest.importorskip("av")
    table = np.atleast_2d(samples)
    try:
        av.Codec(codec, "w")
    except av.error.FFmpegError:
        pytest.skip(f"FFmpeg has no encoder {codec}")
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono" if len(table) == 1 else "stereo")
        stream.bit_rate = bit_rate
        for start in range(0, table.shape[1], 1000):
            piece = np.ascontiguousarray(table[:, start : start + 1000])
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=stream.codec_context.layout.name)
            frame.sample_rate, frame.pts = rate, start
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def assert_tone(samples, frequency=440.0, seconds=SECONDS, within=0.005, relative=0.05):
    """The samples are the tone: its length, its frequency and its amplitude."""
    assert samples.dtype == np.float32
    assert len(samples) / SAMPLE_RATE == pytest.approx(seconds, abs=within)
    middle = samples[4000:20000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(middle) == pytest.approx(frequency, abs=1.5)
    assert np.sqrt(2) * middle.std() == pytest.approx(AMPLITUDE, rel=relative)


# ---- formats


@pytest.mark.parametrize(
    ("container", "subtype", "relative"),
    [
        ("WAV", "PCM_U8", 0.02),
        ("WAV", "PCM_16", 0.001),
        ("WAV", "PCM_24", 0.001),
        ("WAV", "PCM_32", 0.001),
        ("WAV", "FLOAT", 0.001),
        ("WAV", "DOUBLE", 0.001),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("WAVEX", "PCM_16", 0.001),
        ("FLAC", "PCM_16", 0.001),
        ("FLAC", "PCM_24", 0.001),
        ("NIST", "PCM_16", 0.001),
        ("NIST", "ULAW", 0.02),
        ("AIFF", "PCM_16", 0.001),
        ("OGG", "VORBIS", 0.05),
        ("OGG", "OPUS", 0.05),
        ("MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_formats_of_soundfile(tmp_path, container, subtype, relative):
    path = tmp_path / "tone.audio"  # the suffix does not decide
    soundfile.write(path, tone(), 16000, format=container, subtype=subtype)
    assert_tone(load_audio(path), relative=relative)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "within"),
    [
        ("tone.m4a", "aac", 44100, 0.024),
        ("tone.mp4", "aac", 16000, 0.065),
        ("tone.mkv", "aac", 48000, 0.03),
        ("tone.webm", "libopus", 48000, 0.01),
        ("tone.wma", "wmav2", 44100, 0.06),
        ("tone.amr", "libopencore_amrnb", 8000, 0.03),
        ("tone.mka", "flac", 32000, 0.005),
    ],
)
def test_formats_of_ffmpeg(tmp_path, name, codec, rate, within):
    bit_rate = 12200 if codec.endswith("amrnb") else 64000
    path = write_with_av(tmp_path / name, codec, tone(rate), rate, bit_rate)
    assert audio_info(path).decoder == "PyAV"
    assert_tone(load_audio(path), within=within, relative=0.2 if rate == 8000 else 0.05)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000])
def test_any_rate(tmp_path, rate):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(rate), rate, subtype="FLOAT")
    assert_tone(load_audio(path), within=2 / SAMPLE_RATE, relative=0.002)


def test_what_16_khz_cannot_hold_does_not_fold_back():
    assert np.abs(load_audio(tone(48000, 9000.0), rate=48000)[100:-100]).max() < 1e-3


def test_16_khz_is_not_touched(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(), 16000, subtype="FLOAT")
    assert np.array_equal(load_audio(path), tone())


# ---- channels


def eight_channels(rate=16000):
    """Channel c (from 1) is a tone of 200 c Hz."""
    return np.stack([tone(rate, 200.0 * c) for c in range(1, 9)], axis=1)


def test_one_of_eight_channels(tmp_path):
    path = tmp_path / "array.wav"
    soundfile.write(path, eight_channels(), 16000, subtype="FLOAT")
    assert audio_info(path).n_channels == 8
    for channel in (1, 4, 8):
        assert_tone(load_audio(path, channel=channel), 200.0 * channel)


def test_the_mean_of_channels(tmp_path):
    path = tmp_path / "array.wav"
    soundfile.write(path, eight_channels(), 16000, subtype="FLOAT")
    assert load_audio(path) == pytest.approx(eight_channels().mean(axis=1), abs=1e-6)


def test_channels_are_the_same_in_both_decoders(tmp_path):
    stereo = eight_channels(44100)[:, :2]
    path = write_with_av(tmp_path / "stereo.m4a", "aac", stereo.T, 44100, 192000)
    assert_tone(load_audio(path, channel=1), 200.0, within=0.024)
    assert_tone(load_audio(path, channel=2), 400.0, within=0.024)
    left, right = load_audio(path, channel=1), load_audio(path, channel=2)
    assert load_audio(path) == pytest.approx((left + right) / 2, abs=1e-5)


@pytest.mark.parametrize("name", ["mono.wav", "mono.mka"])
def test_a_channel_that_is_not_there(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".wav":
        soundfile.write(path, tone(), 16000)
    else:
        write_with_av(path, "flac", tone(), 16000)
    with pytest.raises(AudioError, match=rf"^{path}: has 1 channel, no channel 2; choose another$"):
        load_audio(path, channel=2)


# ---- blocks


@pytest.mark.parametrize("block", [1 / SAMPLE_RATE * 37, 0.1, 0.333, 0.512, 1.0, 1.5, 30.0])
@pytest.mark.parametrize("source", ["wav", "m4a", "array"])
def test_blocks_join_to_the_whole(tmp_path, source, block):
    samples = tone(44100) + np.random.default_rng(0).normal(0, 0.1, round(SECONDS * 44100)).astype(np.float32)
    options = {}
    if source == "wav":
        audio = tmp_path / "a.wav"
        soundfile.write(audio, samples, 44100, subtype="FLOAT")
    elif source == "m4a":
        audio = write_with_av(tmp_path / "a.m4a", "aac", samples, 44100)
    else:
        audio, options = samples, {"rate": 44100}
    blocks = list(stream_audio(audio, block=block, **options))
    assert {len(b) for b in blocks[:-1]} <= {round(block * SAMPLE_RATE)}
    assert 0 < len(blocks[-1]) <= round(block * SAMPLE_RATE)
    assert np.array_equal(np.concatenate(blocks), load_audio(audio, **options))


def test_regroup_takes_blocks_of_any_size():
    given = [np.arange(0, 5), np.arange(5, 5), np.arange(5, 6), np.arange(6, 13)]
    assert [list(b) for b in regroup(given, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12]]
    assert list(regroup([], 4)) == []


def test_streaming_is_lazy():
    blocks = stream_audio(np.zeros(60 * SAMPLE_RATE, np.float32), rate=SAMPLE_RATE, block=1.0)
    assert len(next(blocks)) == SAMPLE_RATE


# ---- arrays


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
def test_integers_are_divided_by_full_scale(dtype):
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    samples = np.array([least, 0, most // 2 + 1, most], dtype)
    assert load_audio(samples, rate=16000) == pytest.approx([-1.0, 0.0, 0.5, 1.0], abs=1e-4)


def test_unsigned_bytes_are_silent_at_half_scale():
    assert list(load_audio(np.array([0, 128, 192], np.uint8), rate=16000)) == [-1.0, 0.0, 0.5]


def test_an_array_equals_its_file(tmp_path):
    samples = (eight_channels(48000)[:, :2] * 32767).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 48000)
    assert np.array_equal(load_audio(samples, rate=48000), load_audio(tmp_path / "a.wav"))
    assert_tone(load_audio(samples, rate=48000, channel=2), 400.0)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (np.zeros(9), {}, "an array needs its rate in Hz, got rate=None"),
        (np.zeros(9), {"rate": 0}, "got rate=0"),
        (np.zeros((2, 16000)), {"rate": 16000}, r"\(n_samples, n_channels\), got \(2, 16000\)"),
        (np.zeros((2, 2, 2)), {"rate": 16000}, r"got \(2, 2, 2\)"),
        (np.zeros(9, complex), {"rate": 16000}, "floats or integers, got complex128"),
        (np.zeros(9), {"rate": 16000, "channel": 0}, "channels count from 1, got channel=0"),
        (np.zeros(9), {"rate": 16000, "block": 0.0}, "at least one sample, got block=0.0"),
        ("a.wav", {"rate": 16000}, "a file knows its own rate, got rate=16000"),
    ],
)
def test_impossible_arguments(source, options, message):
    with pytest.raises(ValueError, match=message):
        stream_audio(source, **options)


# ---- what is just audio, and what is not


def test_clipped_and_constant_samples_are_audio():
    samples = np.concatenate([np.full(800, 1.7), np.zeros(800), np.full(800, -2.0)]).astype(np.float32)
    assert np.array_equal(load_audio(samples, rate=16000), samples)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_that_are_not_finite(tmp_path, bad):
    samples = np.zeros(16000)
    samples[12000] = bad
    path = tmp_path / "bad.wav"
    soundfile.write(path, samples, 8000, subtype="DOUBLE")
    with pytest.raises(AudioError, match=rf"^{path}: the sample at 1.500 s is -?(nan|inf); export it again$"):
        load_audio(path)
    with pytest.raises(AudioError, match=r"^array: the sample at 1.500 s"):
        load_audio(samples, rate=8000)


def test_only_the_chosen_channel_must_be_finite():
    samples = np.zeros((100, 2))
    samples[50, 1] = np.nan
    assert not load_audio(samples, rate=16000, channel=1).any()


def test_no_samples(tmp_path):
    path = tmp_path / "meeting.wav"
    soundfile.write(path, np.zeros(0), 16000)
    with pytest.raises(AudioError, match=rf"^{path}: 0 samples; record or export it again$"):
        load_audio(path)
    with pytest.raises(AudioError, match=r"^array: 0 samples"):
        load_audio(np.zeros(0), rate=16000)


SHORTEN = b"NIST_1A\n   1024\nsample_rate -i 16000\nsample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere.wav", None, "no such file; check the path"),
        ("empty.wav", b"", "empty file (0 bytes); copy or record it again"),
        ("text.wav", b"these are words\n" * 99, "not audio that FFmpeg can read ("),
        ("notes.txt", b"these are words\n" * 99, "no audio in this file; export the sound to WAV or FLAC"),
        ("a.raw", bytes(3200), "headerless samples; convert them: sox"),
        (
            "a.sph",
            SHORTEN.ljust(1024) + b"ajkg\x02" + bytes(5000),
            "SPHERE compressed with shorten; expand it: sph2pipe",
        ),
    ],
)
def test_files_that_are_no_audio(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    for read in (load_audio, audio_info):
        with pytest.raises(AudioError) as caught:
            read(str(path))
        assert str(caught.value).startswith(f"{path}: {message}")
        assert "\n" not in str(caught.value)


def test_places_that_are_no_files(tmp_path):
    with pytest.raises(AudioError, match=rf"^{tmp_path}: a folder, not a recording; name the files in it$"):
        load_audio(tmp_path)
    with pytest.raises(AudioError, match=r"^/dev/null: not a regular file; save the stream to a file first$"):
        load_audio("/dev/null")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret.wav"
    soundfile.write(path, tone(), 16000)
    path.chmod(0)
    with pytest.raises(AudioError, match=rf"^{path}: permission denied; make it readable"):
        load_audio(path)


def test_a_playlist_opens_no_socket(tmp_path):
    path = tmp_path / "list.m3u8"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n")
        with pytest.raises(AudioError):
            load_audio(path)
        with pytest.raises(BlockingIOError):
            server.accept()


# ---- damaged files: what they hold, and a warning


def cut_file(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("name", "container", "subtype"),
    [
        ("a.wav", "WAV", "PCM_16"),
        ("a.wav", "WAV", "FLOAT"),
        ("a.sph", "NIST", "PCM_16"),
        ("a.flac", "FLAC", "PCM_16"),
    ],
)
def test_a_cut_file_gives_what_it_holds(tmp_path, caplog, name, container, subtype):
    path = tmp_path / name
    noise = np.random.default_rng(0).normal(0, 0.1, 160000).astype(np.float32)
    soundfile.write(path, noise, 16000, format=container, subtype=subtype)
    cut_file(path, 0.4)
    samples = load_audio(path)
    assert len(samples) / SAMPLE_RATE == pytest.approx(4.0, abs=0.6)
    assert samples == pytest.approx(noise[: len(samples)], abs=1e-4)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        f"{path}: decoding stopped at {len(samples) / SAMPLE_RATE:.1f} s of 10.0 s ("
    )
    assert audio_info(path).seconds == 10.0


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_cut_ogg_is_told_by_its_missing_end(tmp_path, caplog, subtype):
    path = tmp_path / "a.ogg"
    noise = np.random.default_rng(0).normal(0, 0.1, 160000)
    soundfile.write(path, noise, 16000, format="OGG", subtype=subtype)
    cut_file(path, 0.6)
    assert 2 < len(load_audio(path)) / SAMPLE_RATE < 9
    assert "the end of the file is missing" in caplog.text


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.mkv", "aac"), ("a.wma", "wmav2")])
def test_a_cut_compressed_file_gives_what_it_holds(tmp_path, caplog, name, codec):
    path = write_with_av(tmp_path / name, codec, tone(44100, seconds=10.0), 44100)
    cut_file(path, 0.5)
    assert 3 < len(load_audio(path)) / SAMPLE_RATE < 7
    assert f"{path}: decoding stopped at " in caplog.text


def test_a_cut_mp4_has_lost_its_index(tmp_path):
    path = write_with_av(tmp_path / "a.m4a", "aac", tone(44100), 44100)
    cut_file(path, 0.5)
    with pytest.raises(AudioError, match=rf"^{path}: not audio .* convert it or copy it again$"):
        load_audio(path)


def test_damage_in_the_middle_leaves_the_times_right(tmp_path, caplog):
    """Ten seconds of which the second half is loud: after damage at 2 s the step still comes at 5 s."""
    samples = tone(44100, seconds=10.0) * np.repeat([0.1, 1.0], 220500).astype(np.float32)
    path = write_with_av(tmp_path / "a.m4a", "aac", samples, 44100)
    content = bytearray(path.read_bytes())
    content[20000:24000] = np.random.default_rng(0).bytes(4000)
    path.write_bytes(content)
    heard = load_audio(path)
    assert len(heard) / SAMPLE_RATE == pytest.approx(10.0, abs=0.1)
    loud = np.flatnonzero(np.abs(heard) > AMPLITUDE * 0.7)
    assert np.median(loud) / SAMPLE_RATE == pytest.approx(7.5, abs=0.1)
    assert "lost and read as silence" in caplog.text


def test_a_file_of_damage_alone(tmp_path):
    path = write_with_av(tmp_path / "a.m4a", "aac", tone(44100), 44100)
    content = bytearray(path.read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)
    with pytest.raises(
        AudioError, match=rf"^{path}: nothing can be decoded \(\d+ damaged packets\); convert it"
    ):
        load_audio(path)


@pytest.mark.parametrize(("said", "decoder"), [(0, "PyAV"), (0xFFFFFFFF, "soundfile")])
def test_a_wav_whose_header_was_never_finished(tmp_path, caplog, said, decoder):
    path = tmp_path / "crashed.wav"
    soundfile.write(path, tone(), 16000)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"data") + 4, said)
    path.write_bytes(content)
    assert_tone(load_audio(path))
    assert audio_info(path).decoder == decoder
    assert not caplog.records


def test_mp3_files_joined_end_to_end_are_read_to_the_end(tmp_path):
    parts = [
        write_with_av(tmp_path / f"{rate}.mp3", "libmp3lame", tone(44100), 44100, rate)
        for rate in (32000, 192000)
    ]
    path = tmp_path / "joined.mp3"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len(load_audio(path)) / SAMPLE_RATE == pytest.approx(2 * SECONDS, abs=0.15)


# ---- names and folders


def test_recording_id_holds_no_blanks():
    assert recording_id("/data/My  board\tmeeting.v2.wav") == "My__board_meeting.v2"


def test_find_audio_is_sorted_and_looks_below(tmp_path):
    for name in ("b.wav", "a/c.FLAC", "a/notes.txt", "a/._c.flac", "x.wav/d.m4a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_audio(tmp_path)]
    assert names == ["a/c.FLAC", "b.wav", "x.wav/d.m4a"]
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)


def test_folders_without_audio(tmp_path):
    with pytest.raises(AudioError, match=rf"^{tmp_path}: no audio files; looked for .wav .wave .flac "):
        find_audio(tmp_path)
    with pytest.raises(AudioError, match="no such folder; check the path"):
        find_audio(tmp_path / "nowhere")


def test_audio_info(tmp_path):
    soundfile.write(tmp_path / "a.wav", eight_channels(8000), 8000)
    assert audio_info(tmp_path / "a.wav") == AudioInfo("soundfile", 8000, 8, SECONDS)
    info = audio_info(write_with_av(tmp_path / "a.m4a", "aac", tone(44100), 44100))
    assert (info.decoder, info.rate, info.n_channels) == ("PyAV", 44100, 1)
    assert info.seconds == pytest.approx(SECONDS, abs=0.05)


def test_names_with_colons_blanks_and_umlauts(tmp_path):
    path = write_with_av(tmp_path / "a.m4a", "aac", tone(44100), 44100)
    path = path.rename(tmp_path / "http:Sitzung für alle.m4a")
    assert_tone(load_audio(path), within=0.024)


def test_importing_audio_loads_neither_av_nor_torch():
    code = "import sys, diarize.audio; print({'av', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
