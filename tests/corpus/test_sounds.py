"""What samples say, and from which value on it is a finding."""

import numpy as np
import pytest
import soundfile
import soxr
from command_line import demo_samples

from diarize.corpus.facts import Examination, Facts, glance, listen
from diarize.corpus.layout import Recording, Utterance
from diarize.corpus.sounds import check_sounds

SPEECH = demo_samples(4.0)
TELEPHONE = soxr.resample(soxr.resample(SPEECH, 16000, 8000), 8000, 16000)
NOISE = np.random.default_rng(0).normal(0, 0.1, 64000).astype(np.float32)


def kinds(samples, seconds=None, rate=16000, kind="speakers", beside=(SPEECH, SPEECH)):
    """The kinds of findings of samples, in a corpus of some other recordings."""
    facts = [Facts(len(each) / 16000, 16000, sound=listen(each)) for each in beside]
    samples = np.asarray(samples, np.float32)
    facts.append(Facts(len(samples) / 16000 if seconds is None else seconds, rate, sound=listen(samples)))
    recordings = [Recording(str(i)) for i in range(len(facts))]
    return [each.kind for each in check_sounds(recordings, facts, kind) if each.place == str(len(beside))]


def sine(amplitude, frequency=200.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(64000) / 16000)


def test_speech_and_noise_are_fine():
    assert kinds(SPEECH) == []
    assert kinds(NOISE, beside=()) == []
    assert kinds(0.2 * SPEECH) == []


@pytest.mark.parametrize(
    ("kind", "samples"),
    [
        ("silent", np.zeros(64000)),
        ("silent", np.full(64000, 1e-6)),
        ("silent", np.append(np.zeros(64000), 0.9)),
        ("quiet", 1e-3 * NOISE),
        ("quiet", np.where(np.arange(64000) < 32000, 0, 1e-2 * NOISE)),
        ("quiet", sine(1e-3) + 1e-4 * NOISE),
        ("level", 0.05 * SPEECH),
        ("level", 0.03 * NOISE),
        ("clipped", np.clip(10 * SPEECH, -1, 1)),
        ("clipped", np.clip(SPEECH, -0.3 * np.abs(SPEECH).max(), 0.3 * np.abs(SPEECH).max())),
        ("clipped", np.sign(NOISE)),
        ("offset", SPEECH + 0.05),
        ("offset", SPEECH - 0.02),
        ("offset", np.abs(NOISE)),
        ("narrow-band", TELEPHONE),
        ("narrow-band", 0.3 * TELEPHONE),
        ("narrow-band", TELEPHONE + 1e-5 * NOISE),
        ("short", SPEECH[10000:25000]),
        ("short", NOISE[:1601]),
        ("short", SPEECH[20000:28000]),
    ],
)
def test_a_fault_is_found(kind, samples):
    assert kind in kinds(samples)


def test_an_undamaged_tone_is_not_clipped():
    assert listen(sine(0.9, 100.0).astype(np.float32)).clipped < 0.001


def test_lengths_and_rates():
    assert kinds(SPEECH, seconds=0.05) == ["empty"]
    assert kinds(SPEECH, seconds=1801) == ["long"]
    assert kinds(SPEECH, seconds=1801, kind="annotated") == []
    assert kinds(SPEECH, rate=8000) == ["low-rate"]
    assert kinds(TELEPHONE, rate=8000) == ["low-rate"], "which says enough"


def test_levels_are_those_of_physics():
    sound = listen(sine(0.1).astype(np.float32))
    assert sound.peak == pytest.approx(-20, abs=0.01)
    assert sound.level == pytest.approx(-23.01, abs=0.01)
    assert abs(sound.offset) < 1e-6


UNREADABLE = {
    "empty.wav": (lambda path: path.write_bytes(b""), "empty file (0 bytes); copy or record it again"),
    "text.wav": (lambda path: path.write_text("no sound"), "not audio that FFmpeg can read"),
    "none.wav": (lambda path: soundfile.write(path, np.zeros(0), 16000), "0 samples; record or export it"),
    "nan.wav": (
        lambda path: soundfile.write(path, np.full(99, np.nan), 16000, subtype="FLOAT"),
        "the sample at 0.000 s is nan; export it again",
    ),
}


@pytest.mark.parametrize("read", [glance, Examination(None, embeds=False)], ids=["quick", "full"])
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_a_fact(tmp_path, name, read, capsys):
    write, message = UNREADABLE[name]
    write(tmp_path / name)
    facts = read(Recording(str(tmp_path / name), utterances=(Utterance("x"),)))
    assert facts.error.startswith(message)
    (finding,) = check_sounds([Recording("a")], [facts], "speakers")
    assert finding.kind == "unreadable"
    assert capsys.readouterr().err == ""


def test_what_is_read_in_part_is_a_finding(tmp_path, caplog):
    path = tmp_path / "a.flac"
    soundfile.write(path, SPEECH, 16000)
    path.write_bytes(path.read_bytes()[:20000])
    facts = Examination(None, embeds=False)(Recording(str(path)))
    assert facts.warnings[0].startswith("decoding stopped at ")
    assert [each.kind for each in check_sounds([Recording(str(path))], [facts], "speakers")] == ["partial"]
    assert not caplog.records, "it is a finding, not a message"


def test_the_quick_form_takes_the_length_of_the_header(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.repeat(SPEECH[:, None], 2, axis=1), 16000)
    soundfile.write(tmp_path / "b.mp3", SPEECH, 16000)
    for name, rate in (("a.wav", 16000), ("b.mp3", 16000)):
        facts = glance(Recording(str(tmp_path / name)))
        assert (facts.seconds, facts.rate) == (pytest.approx(4.0, abs=0.1), rate)
        assert facts.sound is None
