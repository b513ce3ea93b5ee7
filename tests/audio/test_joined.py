"""Files joined end to end are read to the end, each as it would be alone."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from make_containers import write_container

from diarize.audio import SAMPLE_RATE, audio_info, joined, load_audio
from diarize.audio.joined import find_parts
from diarize.audio.wav import unread_samples

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture(scope="module")
def speech(demo_recording):
    return load_audio(demo_recording)[: 12 * SAMPLE_RATE]


def join(path, speech, *parts):
    """The halves of the speech in files of these rates, channels and subtypes, one behind the other."""
    content = b""
    for half, (rate, n_channels, format, subtype) in zip(np.split(speech, 2), parts, strict=True):
        samples = half if rate == SAMPLE_RATE else np.repeat(half, 2)
        soundfile.write(path, np.stack([samples] * n_channels, 1), rate, format=format, subtype=subtype)
        content += path.read_bytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("RF64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "PCM_16"),
        ("CAF", "PCM_16"),
        ("W64", "PCM_16"),
        ("NIST", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
    ],
)
@pytest.mark.parametrize("second", [(SAMPLE_RATE, 1), (2 * SAMPLE_RATE, 2)])
def test_all_of_them_are_read(tmp_path, speech, format, subtype, second):
    if subtype == "OPUS" and second[0] == 32000:
        pytest.skip("Opus has no such rate")
    path = join(tmp_path / "joined", speech, (SAMPLE_RATE, 1, format, subtype), (*second, format, subtype))
    heard = load_audio(path)
    assert len(heard) / SAMPLE_RATE == pytest.approx(12.0, abs=0.01)
    for half in (slice(0, 96000), slice(96000, 190000)):
        assert np.corrcoef(heard[half], speech[half])[0, 1] > 0.98
    assert audio_info(path).seconds is None


def test_a_chain_of_ogg(speech, caplog):
    """Of two streams joined, only the first was read, without a word."""
    heard = load_audio(DATA / "chained.ogg")
    assert len(heard) == 12 * SAMPLE_RATE
    assert np.corrcoef(heard, speech)[0, 1] > 0.98
    assert not caplog.records


def test_codecs_may_change_in_a_chain(tmp_path, speech):
    path = join(
        tmp_path / "a.ogg", speech, (SAMPLE_RATE, 1, "OGG", "VORBIS"), (SAMPLE_RATE, 1, "OGG", "OPUS")
    )
    assert np.corrcoef(load_audio(path), speech)[0, 1] > 0.98


def test_a_channel_of_files_joined(tmp_path, speech):
    path = join(
        tmp_path / "a.wav", speech, (SAMPLE_RATE, 2, "WAV", "PCM_16"), (SAMPLE_RATE, 1, "WAV", "PCM_16")
    )
    assert np.abs(load_audio(path, channel=2) - speech).max() < 1e-4


def test_words_that_look_like_a_header_are_sound(tmp_path):
    samples = np.frombuffer(b"RIFF" + bytes(4) + b"WAVE" + bytes(4), np.int16)
    soundfile.write(tmp_path / "a.wav", np.tile(samples, 1000), SAMPLE_RATE)
    assert len(load_audio(tmp_path / "a.wav")) == 8000


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libopus"), ("a.mka", "flac")])
@pytest.mark.parametrize("n_files", [2, 3])
def test_matroska_and_webm(tmp_path, speech, name, codec, n_files, caplog):
    """Of three files FFmpeg alone read less than all."""
    content = b""
    for part in np.array_split(speech, n_files):
        write_container(tmp_path / name, part, codec, lambda time: time, rate=48000)
        content += (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content)
    heard = load_audio(tmp_path / name)
    assert len(heard) / SAMPLE_RATE == pytest.approx(12.0, abs=0.05)
    assert np.corrcoef(heard[3200:60000], speech[3200:60000])[0, 1] > 0.95
    assert not caplog.records


@pytest.mark.parametrize(("options", "is_searched"), [({}, False), ({"live": "1"}, True)])
def test_a_whole_matroska_file_is_not_searched_for_others(
    tmp_path, speech, options, is_searched, monkeypatch
):
    """Large videos were read once more at each opening; only a live recording does not know its size."""
    path = write_container(
        tmp_path / "a.webm", speech, "libopus", lambda time: time, rate=48000, options=options
    )
    searches = []
    search = joined._headers
    monkeypatch.setattr(joined, "_headers", lambda *given: searches.append(1) or search(*given))
    assert len(load_audio(path)) / SAMPLE_RATE == pytest.approx(12.0, abs=0.05)
    assert bool(searches) == is_searched


class Shortened(io.BytesIO):
    """A file that loses its end after its size was asked for."""

    def seek(self, offset, whence=io.SEEK_SET):
        return super().seek(offset, whence) + 100 * (whence == io.SEEK_END)


@pytest.mark.parametrize("head", [b"OggS" + bytes(23), bytes(3) + b"\x1bftypM4A " + bytes(15)])
@pytest.mark.parametrize("more", [0, 7])
def test_a_file_that_becomes_shorter_while_its_parts_are_looked_for(head, more):
    content = head + head[:more]
    assert find_parts(Shortened(content), content) == [(0, len(content) + 100)]


@pytest.mark.parametrize("more", [0, 7])
def test_a_wav_file_that_becomes_shorter_while_its_chunks_are_looked_for(more):
    content = b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0" + bytes(16 + more)
    assert unread_samples(Shortened(content), content, 2) is None
