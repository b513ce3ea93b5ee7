"""Channels that are a speaker each: two voices of the demo, planted in channels with cross-talk."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import call, complaint
from helpers import write_small_model

from diarize import Diarizer, Embedder, Embeddings, load_audio, read_rttm
from diarize.config import load_config
from diarize.errors import AudioError, ConfigError
from diarize.formats import FORMATS, read_turns
from diarize.scoring.der import score_diarization
from diarize.segments import Segment, Turn
from diarize.speech.channel_options import check_channels, check_names, name_channels

DATA = Path(__file__).resolve().parent.parent / "data"
CALL = DATA / "call_two_channels.wav"
RATE = 16000
SAMPLES = np.stack([load_audio(CALL, channel=number) for number in (1, 2)], axis=1)
REFERENCE = [
    Turn("call", turn.segment, {"slt": "CHANNEL_1", "rms": "CHANNEL_2"}[turn.speaker])
    for turn in read_rttm(CALL.with_suffix(".rttm"))
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def diarizer(model):
    return Diarizer(model)


def hiss(decibels: float, n_channels: int = 2) -> np.ndarray:
    random = np.random.default_rng(5)
    return (10 ** (decibels / 20) * random.normal(size=(len(SAMPLES), n_channels))).astype(np.float32)


def late(samples: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([np.zeros(n, np.float32), samples[: len(samples) - n]])


def leaking(decibels: float, n: int = 0, noise: float = -80.0) -> np.ndarray:
    """The call with cross-talk of `decibels`, `n` samples late, in both channels, and some noise."""
    leak = np.stack([late(SAMPLES[:, 1], n), late(SAMPLES[:, 0], n)], axis=1)
    return SAMPLES + np.float32(10 ** (decibels / 20)) * leak + hiss(noise)


def der(diarization) -> float:
    turns = [Turn("call", turn.segment, turn.speaker) for turn in diarization.turns]
    return score_diarization(REFERENCE, turns).der


def label(diarizer, samples, **options):
    return diarizer(samples, rate=RATE, channels="speakers", recording="call", **options)


def test_a_call_in_two_channels_is_at_or_below_labelling_each_by_hand(diarizer):
    diarization = diarizer(CALL, channels="speakers", recording="call")
    assert der(diarization) <= 0.018
    assert diarization.speakers == ["CHANNEL_1", "CHANNEL_2"]
    assert diarization.evidence["n_speakers"] == 2
    assert diarization.evidence["reason"] == "2 speakers: each channel is one speaker"
    assert {turn.speaker for turn in diarization.exclusive} == {"CHANNEL_1", "CHANNEL_2"}


@pytest.mark.parametrize(
    ("decibels", "n", "noise", "highest"),
    [
        (-6, 0, -90, 0.12),
        (-12, 80, -80, 0.08),
        (-20, 0, -80, 0.06),
        (-20, 160, -60, 0.08),
        (-40, 16, -80, 0.06),
    ],
)
def test_cross_talk_is_no_speech(diarizer, decibels, n, noise, highest):
    diarization = label(diarizer, leaking(decibels, n, noise))
    assert der(diarization) <= highest
    assert "cross-talk is at most -" in diarization.evidence["reason"]


@pytest.mark.parametrize("gain", [0.03, 0.3, 3.0])
def test_gains_of_the_channels_change_little(diarizer, gain):
    samples = leaking(-20) * np.float32([1.0, gain])
    assert der(label(diarizer, samples)) <= 0.06


def test_double_talk_stays_overlap(diarizer):
    turns = label(diarizer, leaking(-20)).turns
    overlap = sum(
        common.duration
        for a in turns
        for b in turns
        if a.speaker == "CHANNEL_1" and b.speaker == "CHANNEL_2"
        if (common := a.segment.intersection(b.segment))
    )
    assert overlap == pytest.approx(1.98, abs=0.35)


def test_without_suppression_cross_talk_is_kept(model):
    diarizer = Diarizer(model, config=load_config(None, {"channels.crosstalk": False}))
    assert der(label(diarizer, leaking(-12))) > 0.5


@pytest.mark.parametrize(
    "second", [SAMPLES[:, 0] * 0, SAMPLES[:, 0] * 0 + 0.3, hiss(-30)[:, 0], 0.1 * SAMPLES[:, 0]]
)
def test_a_channel_without_a_speaker_has_none_and_it_is_said(diarizer, second, caplog):
    diarization = label(diarizer, np.stack([SAMPLES[:, 0], second], axis=1))
    assert diarization.speakers == ["CHANNEL_1"]
    assert "channel 2 holds no speech of its own; it is not a speaker" in caplog.text
    assert diarization.evidence["reason"].startswith(
        "1 speaker: each channel is one speaker, and channel 2 holds no speech of its own"
    )


def test_no_speech_at_all_is_said_once(diarizer, caplog):
    diarization = label(diarizer, np.zeros((RATE, 2), np.float32))
    assert diarization.turns == []
    assert len(diarization.embeddings) == 0
    assert diarization.evidence["reason"] == "0 speakers: no speech was found"
    assert [record.getMessage() for record in caplog.records] == ["call: no speech was found"]


@pytest.mark.parametrize(
    "second", [lambda x: x, lambda x: -x, lambda x: 0.5 * x, lambda x: late(x, 160) + hiss(-75)[:, 0]]
)
def test_one_signal_in_two_channels_is_an_error(diarizer, second):
    mono = SAMPLES.mean(axis=1)
    with pytest.raises(AudioError, match=r"call: channels 1 and 2 carry one signal \(\d\.\d dB apart\)"):
        label(diarizer, np.stack([mono, second(mono)], axis=1))


def test_channels_that_hear_the_same_people_are_warned_of(diarizer, caplog):
    label(diarizer, leaking(-2, noise=-90))
    assert "dB apart, too little to distinguish their speakers" in caplog.text


def test_many_channels_are_many_speakers(diarizer):
    n_samples, n_channels = len(SAMPLES) * 2, 6
    samples = np.zeros((n_samples, n_channels), np.float32)
    first = SAMPLES[: int(1.7 * RATE), 0]
    for i in range(n_channels):
        samples[int(2.5 * RATE * i) :][: len(first), i] = first
    samples += 0.1 * (samples.sum(axis=1, keepdims=True) - samples)
    diarization = label(diarizer, samples)
    assert diarization.speakers == [f"CHANNEL_{i + 1}" for i in range(n_channels)]
    starts = [turn.segment.start for turn in diarization.turns]
    assert starts == pytest.approx([0.5 + 2.5 * i for i in range(n_channels)], abs=0.06)


def test_given_speech_bounds_the_turns(diarizer):
    diarization = label(diarizer, SAMPLES, speech=[Segment(0.0, 1.2), Segment(5.0, 6.0)])
    assert [(t.speaker, round(t.segment.start, 2), round(t.segment.end, 2)) for t in diarization.turns] == [
        ("CHANNEL_1", 0.5, 1.2),
        ("CHANNEL_2", 1.07, 1.2),
        ("CHANNEL_2", 5.0, 5.29),
        ("CHANNEL_1", 5.0, 6.0),
    ]


@pytest.mark.parametrize("detector", ["energy", "activity"])
def test_every_detector_serves(model, detector):
    config = load_config(None, {"speech.detector": detector})
    assert der(label(Diarizer(model, config=config), leaking(-20))) < 0.15


def test_embeddings_come_from_the_own_channel_and_know_the_speaker(model):
    embedder = Embedder(model)
    table = embedder(CALL, channels="speakers", channel_names=["agent", "customer"])
    assert set(table.speaker.tolist()) == {"agent", "customer"}
    assert (np.diff(table.start) >= 0).all()
    own = table[table.speaker == "agent"]
    alone = embedder(CALL, channel=1, speech=own.segments())
    assert np.allclose(own.vectors[0], alone.vectors[0], atol=1e-5)
    whole = embedder(CALL, channels="speakers", whole=True)
    assert whole.speaker.tolist() == ["CHANNEL_1", "CHANNEL_2"]
    assert np.allclose(np.linalg.norm(whole.vectors, axis=1), 1, atol=1e-5)


def test_names_are_put_in_normal_form():
    assert check_names(["A\u0308nne ", " Bob Ross", "c\td"]) == ["Änne", "Bob Ross", "c_d"]
    assert name_channels(3, None, "call") == ["CHANNEL_1", "CHANNEL_2", "CHANNEL_3"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", ""], "the name of channel 2 is empty"),
        (["a", " \t"], "the name of channel 2 is empty"),
        (["a", "b", "a"], "channels 1 and 3 are both called 'a'"),
        (["Ä", "A\u0308"], "channels 1 and 2 are both called 'Ä'"),
        (["a", "a\u200b"], "channels 1 and 2 are both called 'a'"),
        (["a", "\u200e"], "the name of channel 2 is empty"),
        (["a b", "a_b"], "channels 1 and 2 are both called 'a_b'"),
        ("agent", "channel names are a list of names, got 'agent'"),
    ],
)
def test_names_that_name_nobody_are_refused(names, said):
    with pytest.raises(ConfigError, match=said):
        check_names(names)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channels": "speaker"}, "channels 'speaker' is unknown; known: speakers"),
        ({"channels": "speakers", "channel": 1}, "channel 1 and channels 'speakers' contradict each other"),
        ({"channel_names": ["a", "b"]}, "channel names need channels='speakers'"),
        ({"channels": "speakers", "n_speakers": 2}, "n_speakers=2: each channel is one speaker"),
        ({"channels": "speakers", "min_speakers": 2}, "min_speakers=2: each channel is one speaker"),
        ({"channels": "speakers", "max_speakers": 2}, "max_speakers=2: each channel is one speaker"),
    ],
)
def test_what_contradicts_itself_is_refused(diarizer, options, said):
    with pytest.raises(ConfigError, match=said):
        diarizer(CALL, **options)


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_a_name_for_each_channel_is_needed(diarizer, names):
    with pytest.raises(AudioError, match=f"call: has 2 channels and {len(names)} name"):
        label(diarizer, SAMPLES, channel_names=names)


def test_one_channel_is_no_speaker_each(diarizer):
    with pytest.raises(AudioError, match="call: has one channel, not one for each speaker"):
        label(diarizer, SAMPLES[:, 0])


def test_without_channels_no_name_is_checked():
    assert check_channels(None) is None


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_and_the_scores_know_the_channels_names(format, model, tmp_path):
    out = ["--output", tmp_path, "--format", format, "--model", model, "--quiet"]
    done = call("run", CALL, "--channels", "speakers", "--channel-names", "agent,Ann Lee", *out)
    assert (done.status, done.err) == (0, "")
    result = tmp_path / f"call_two_channels{FORMATS[format].suffix}"
    blanks = format not in ("rttm", "lab")
    assert {turn.speaker for turn in read_turns(result)} == {"agent", "Ann Lee" if blanks else "Ann_Lee"}
    done = call("score", CALL.with_suffix(".rttm"), result)
    assert float(done.out.splitlines()[-1].split("|")[2]) <= 1.8


def test_the_document_says_why(model, tmp_path):
    call("run", CALL, "--channels", "speakers", "-o", tmp_path, "--format", "json", "--model", model)
    document = json.loads((tmp_path / "call_two_channels.json").read_text())
    assert document["evidence"]["reason"] == "2 speakers: each channel is one speaker"
    assert document["settings"]["channels"] == {"crosstalk": True, "margin": 9.0}
    jsonschema = pytest.importorskip("jsonschema")
    schema = Path(__file__).resolve().parent.parent.parent / "docs" / "diarization.schema.json"
    jsonschema.validate(document, json.loads(schema.read_text()))


def test_a_folder_goes_on_after_a_mono_recording(model, tmp_path):
    soundfile.write(tmp_path / "a.wav", SAMPLES[:, 0], RATE)
    soundfile.write(tmp_path / "b.wav", SAMPLES, RATE)
    done = call("run", tmp_path, "--channels", "speakers", "-o", tmp_path / "out", "--model", model)
    assert done.status == 2
    assert "diarize: a: has one channel" in done.err
    assert (tmp_path / "out" / "b.rttm").exists()
    assert not (tmp_path / "out" / "a.rttm").exists()


def test_a_data_folder_gives_no_number_of_speakers(model, tmp_path):
    (tmp_path / "wav.scp").write_text(f"call {CALL}\n")
    (tmp_path / "reco2num_spk").write_text("call 3\n")
    done = call("run", tmp_path, "--channels", "speakers", "--model", model)
    assert done.status == 0
    assert {line.split()[7] for line in done.out.splitlines()} == {"CHANNEL_1", "CHANNEL_2"}
    assert "call: reco2num_spk says 3 speakers, 2 channels hold speech" in done.err


def test_a_table_of_embeddings_holds_the_speakers(model, tmp_path):
    names = ["--channels", "speakers", "--channel-names", "agent,customer", "--model", model, "--quiet"]
    assert call("embed", CALL, *names, "-o", tmp_path / "table.tsv").status == 0
    rows = list(csv.DictReader((tmp_path / "table.tsv").open(), delimiter="\t"))
    assert {row["speaker"] for row in rows} == {"agent", "customer"}
    assert call("embed", CALL, *names, "--per", "recordings", "-o", tmp_path / "whole.npz").status == 0
    assert Embeddings.load(tmp_path / "whole.npz").speaker.tolist() == ["agent", "customer"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--channels", "speakers", "--channel", "1"], "contradict each other"),
        (["--channels", "stereo"], "known: speakers"),
        (["--channel-names", "a,b"], "add --channels speakers"),
        (["--channels", "speakers", "--channel-names", "a,,b"], "the name of channel 2 is empty"),
        (["--channels", "speakers", "--num-speakers", "2"], "n_speakers=2: each channel is one speaker"),
        (["--channels", "speakers", "--set", "clustering.max_speakers=3"], "max_speakers=3"),
    ],
)
def test_options_that_contradict_each_other_are_one_line_before_any_work(options, said):
    done = call("run", CALL, "nowhere.wav", *options)
    assert done.status == 2
    assert said in complaint(done)


def test_names_with_blanks_are_refused_before_any_work_where_the_table_holds_none(tmp_path):
    done = call("embed", CALL, "--channels", "speakers", "--channel-names", "a b,c", "-o", tmp_path / "x.ark")
    assert done.status == 2
    assert "'a b'" in complaint(done)
