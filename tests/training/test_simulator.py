"""Conversations simulated from clips: voices where they are said to be, and the same for the same seed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small_onnx import write_segmentation

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import FeatureConfig
from diarize.errors import DiarizeError
from diarize.formats import read_rttm
from diarize.formats.kaldi import DataFolder, read_data_folder, write_data_folder
from diarize.segments import Segment, Turn, speech_of
from diarize.training.conversation_set import ConversationSet, Shape
from diarize.training.conversations import Phrase, Placed, choose_speakers
from diarize.training.simulator import (
    ConversationFeatures,
    LocalFeatures,
    Simulator,
    load_clip,
    teach,
    who_speaks,
)


@pytest.fixture(scope="module")
def data(demo_recording, tmp_path_factory) -> DataFolder:
    """The demo's turns, four speakers, a file each."""
    folder, samples = tmp_path_factory.mktemp("clips"), load_audio(demo_recording)
    paths, speakers = {}, {}
    for number, turn in enumerate(read_rttm(demo_recording.with_suffix(".rttm"))):
        name = f"{turn.speaker}_{number:02d}"
        start, end = (round(time * SAMPLE_RATE) for time in (turn.segment.start, turn.segment.end))
        soundfile.write(folder / f"{name}.flac", samples[start:end], SAMPLE_RATE)
        paths[name], speakers[name] = str(folder / f"{name}.flac"), turn.speaker
    write_data_folder(folder, paths, speakers)
    return read_data_folder(folder)


@pytest.fixture(scope="module")
def simulate(data) -> Simulator:
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    room = (np.exp(-np.arange(4000) / 800) * random.normal(0, 0.1, 4000)).astype(np.float32)
    return Simulator(data, [noise], [[room]], seconds=4.0)


def test_speech_in_a_clip_is_where_its_energy_is(tmp_path, demo_recording):
    samples = load_audio(demo_recording)[: 6 * SAMPLE_RATE].copy()
    samples[2 * SAMPLE_RATE : 4 * SAMPLE_RATE] = 0
    soundfile.write(tmp_path / "clip.flac", samples, SAMPLE_RATE)
    heard, speech = load_clip(str(tmp_path / "clip.flac"))
    assert len(heard) == len(samples)
    assert speech
    assert not any(one.intersection(Segment(2.05, 3.95)) for one in speech)
    reference = speech_of(read_rttm(demo_recording.with_suffix(".rttm")))
    for one in speech:
        assert any(one.intersection(segment) for segment in reference)


def test_who_speaks_is_told_every_20_ms():
    two = Phrase(np.zeros(SAMPLE_RATE, np.float32), (Segment(0, 0.4), Segment(0.6, 1.0)))
    placed = [Placed(0.1, "a", two), Placed(0.3, "b", two)]
    voices = who_speaks(placed, 1.0)
    expected = np.zeros(50, int)
    for start, end, bit in ((5, 25, 1), (35, 55, 1), (15, 35, 2), (45, 65, 2)):
        expected[start:end] |= bit
    assert voices.tolist() == expected.tolist()


def test_a_conversation_depends_on_its_random_numbers_alone(simulate):
    counts = []
    for seed in range(12):
        samples, voices = simulate(np.random.default_rng(seed))
        again, same_voices = simulate(np.random.default_rng(seed))
        assert np.array_equal(samples, again)
        assert np.array_equal(voices, same_voices)
        assert (samples.shape, samples.dtype) == ((4 * SAMPLE_RATE,), np.float32)
        assert np.array_equal(samples * 32768, np.round(samples * 32768)), "as 16 bits hold it"
        assert np.abs(samples).max() <= 1
        assert (voices.shape, voices.dtype) == ((200,), np.uint8)
        counts.append(int(np.bitwise_count(voices).max()))
    assert min(counts) == 0, "nobody speaks in some"
    assert max(counts) >= 2, "two at once in others"


def test_half_of_the_conversations_of_several_corpora_have_speakers_of_one(data, simulate, monkeypatch):
    monkeypatch.setattr("diarize.training.simulator.ENOUGH_SPEAKERS", 2)
    chosen: list[list[str]] = []

    def choose(names: list[str], *rest: object) -> dict[str, list[Phrase]]:
        chosen.append(names)
        return choose_speakers(names, *rest)

    monkeypatch.setattr("diarize.training.simulator.choose_speakers", choose)
    speakers = sorted(set(data.utt2spk.values()))
    of = {name: "one" if name in speakers[:2] else "two" for name in speakers}
    corpora = {utterance: of[name] for utterance, name in data.utt2spk.items()}
    varied = Simulator(data, simulate.noises, simulate.rooms, 4.0, (0, 0, 1), corpora)
    for seed in range(40):
        varied(np.random.default_rng(seed))
    assert {tuple(each) for each in chosen} == {tuple(speakers), tuple(speakers[:2]), tuple(speakers[2:])}
    assert 10 <= chosen.count(speakers) <= 30


def test_what_is_learned_of_a_conversation(simulate, tmp_path):
    features = FeatureConfig(n_mels=16)
    teacher = write_segmentation(tmp_path / "teacher.onnx")
    made = ConversationFeatures(simulate, features, 7, teacher)(3)
    shapes = {name: array.shape for name, array in made.items()}
    assert shapes == {"mel": (400, 16), "silero": (400,), "voices": (200,), "teacher": (200, 2)}
    _, voices = simulate(np.random.default_rng([7, 3]))
    assert np.array_equal(made["voices"], np.bitwise_count(voices))
    untaught = ConversationFeatures(simulate, features, 7, None)(3)
    assert untaught.keys() == {"mel", "silero", "voices"}
    assert all(np.array_equal(array, made[name]) for name, array in untaught.items())


def test_what_is_learned_of_local_speakers(simulate):
    made = LocalFeatures(simulate, FeatureConfig(n_mels=16), 7, teacher=False)(3)
    assert {name: array.shape for name, array in made.items()} == {"mel": (400, 16), "speakers": (200,)}
    assert np.array_equal(made["speakers"], simulate(np.random.default_rng([7, 3]))[1])


def test_the_teacher_s_targets_are_means_of_its_frames():
    class Ramp:
        def __call__(self, windows: torch.Tensor) -> torch.Tensor:
            frames = (windows.shape[1] - 991) // 270 + 1
            return (torch.arange(1, frames + 1) / frames).log().repeat(len(windows), 7, 1).transpose(1, 2)

    found = teach(Ramp(), np.zeros(20 * SAMPLE_RATE, np.float32))
    assert found.shape == (2, 250, 7)
    np.testing.assert_allclose(found[0, :, 0], np.linspace(0, 1, 250), atol=0.01)


def test_a_set_of_conversations_takes_its_conditions_in_turn(data, tmp_path):
    noise: Path = tmp_path / "noise.wav"
    soundfile.write(noise, np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE), SAMPLE_RATE)
    shape = Shape(seconds=(12, 18), n_speakers=(2, 3), overlap=0.1, longest_phrase=10.0, n_uses=2)
    conversation = ConversationSet(data, shape, [], [noise], seed=1)
    for index, condition in enumerate(("clean", "noise", "tel", "clean")):
        name, samples, turns = conversation(index)
        n_speakers = len({turn.speaker for turn in turns})
        assert name == f"sim{index:03d}_{n_speakers}spk_{condition}"
        assert 2 <= n_speakers <= 3
        assert np.abs(samples).max() <= 1
        assert all(isinstance(turn, Turn) and turn.recording == name for turn in turns)
        assert turns[-1].segment.end < len(samples) / SAMPLE_RATE
    other = ConversationSet(data, shape, [], [], seed=1)
    assert other(0)[2] == conversation(0)[2]
    assert list(other.conditions) == ["clean", "tel"]


def test_a_set_may_have_some_conditions_speakers_of_one_corpus_or_nobody(data):
    shape = Shape(seconds=(8, 8), n_speakers=(2, 2), overlap=0.1, longest_phrase=4.0, interjections=1.0)
    calls = ConversationSet(data, shape, [], [], seed=1, only=["tel"])
    assert {calls(index)[0].split("_")[2] for index in range(3)} == {"tel"}
    speakers = sorted(set(data.utt2spk.values()))
    corpora = {utterance: str(name in speakers[:2]) for utterance, name in data.utt2spk.items()}
    alike = ConversationSet(data, shape, [], [], 1, corpora)
    found = {tuple(sorted({turn.speaker for turn in alike(index)[2]})) for index in range(8)}
    assert found == {tuple(speakers[:2]), tuple(speakers[2:])}
    name, samples, turns = ConversationSet(data, replace(shape, n_speakers=(0, 0)), [], [], 1)(0)
    assert (name, len(samples), turns) == ("sim000_0spk_clean", 8 * SAMPLE_RATE, [])
    with pytest.raises(DiarizeError, match="no condition 'calls'; there are clean, tel"):
        ConversationSet(data, shape, [], [], 1, only=["calls"])
    with pytest.raises(DiarizeError, match="no corpus has 3 speakers; lower --speakers"):
        ConversationSet(data, replace(shape, n_speakers=(3, 3)), [], [], 1, corpora)


def test_levels_spread_as_asked(data):
    shape = Shape((8, 8), (2, 2), overlap=0.0, longest_phrase=4.0)
    even, spread = (
        ConversationSet(data, replace(shape, level_spread=decibel), [], [], seed=1) for decibel in (0.0, 20.0)
    )
    assert loudness(even, 0) == pytest.approx((-26, -26), abs=0.5)
    assert np.ptp(loudness(spread, 0)) > 3


def loudness(conversations: ConversationSet, index: int) -> tuple[float, ...]:
    """The level of each speaker in dB of full scale."""
    _, samples, turns = conversations(index)
    said: dict[str, list[np.ndarray]] = {}
    for turn in turns:
        start, end = (round(time * SAMPLE_RATE) for time in (turn.segment.start, turn.segment.end))
        said.setdefault(turn.speaker, []).append(samples[start:end])
    return tuple(10 * np.log10(np.mean(np.concatenate(parts) ** 2)) for parts in said.values())
