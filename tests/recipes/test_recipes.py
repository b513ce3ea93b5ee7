"""The recipes, on the recording that ships with the repository."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import scripts
import soundfile

from diarize.formats import read_rttm, read_uem
from diarize.formats.kaldi import read_data_folder, write_data_folder
from diarize.segments import Turn, close_pauses, merge_turns, speech_of

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPT = "simulate_conversations.py"


def run_recipe(*arguments: object) -> subprocess.CompletedProcess[str]:
    return scripts.run(REPOSITORY / "recipes" / SCRIPT, *arguments)


@pytest.fixture(scope="module")
def clips(demo_recording, tmp_path_factory) -> Path:
    """A data folder of the demo's turns that nobody else speaks in."""
    folder = tmp_path_factory.mktemp("data")
    turns = read_rttm(demo_recording.with_suffix(".rttm"))
    alone = [a for a in turns if not any(a != b and a.segment.intersection(b.segment) for b in turns)]
    utterances = {f"{turn.speaker}-{i:02d}": turn for i, turn in enumerate(alone)}
    write_data_folder(
        folder,
        wav_scp={"meeting": str(demo_recording)},
        utt2spk={name: turn.speaker for name, turn in utterances.items()},
        segments={name: ("meeting", turn.segment) for name, turn in utterances.items()},
    )
    return folder


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory) -> Path:
    """rooms/ with an impulse response whose direct sound comes late, and noise/ with noise."""
    folder = tmp_path_factory.mktemp("backgrounds")
    random = np.random.default_rng(0)
    response = random.normal(0, 0.05, 4000) * np.exp(-np.arange(4000) / 800)
    response[:500], response[500] = 0, 1
    for name, samples in (("rooms", response), ("noise", random.normal(0, 0.1, 16000))):
        (folder / name).mkdir()
        soundfile.write(folder / name / "a.wav", samples, 16000)
    return folder


@pytest.fixture(scope="module")
def simulated(clips, backgrounds, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("simulated")
    run = run_recipe(
        *("--data", clips, "--out", out, "--n", 4, "--seconds", 20, "--speakers", "2-3", "--overlap", 0.15),
        *("--rooms", backgrounds / "rooms", "--noise", backgrounds / "noise", "--seed", 5),
    )
    assert run.returncode == 0, run.stderr
    assert len(run.stdout.splitlines()) == 4
    return out


def turns_by_recording(out: Path) -> dict[str, list[Turn]]:
    return {path.stem: read_rttm(path) for path in sorted((out / "rttm").iterdir())}


def test_each_conversation_has_its_audio_turns_and_scored_region(simulated):
    conversations = turns_by_recording(simulated)
    assert [name.split("_")[2] for name in conversations] == ["clean", "room", "noise", "tel"]
    for name, turns in conversations.items():
        info = soundfile.info(simulated / "audio" / f"{name}.flac")
        assert (info.samplerate, info.channels) == (16000, 1)
        (scored,) = read_uem(simulated / "uem" / f"{name}.uem")[name]
        assert scored.end == pytest.approx(info.duration, abs=1e-3)
        assert turns[-1].segment.end < info.duration
        assert len({turn.speaker for turn in turns}) == int(name.split("_")[1][0])
        assert merge_turns(turns) == turns, "nobody speaks over themselves"
        assert close_pauses(turns, 0.499) == turns, "a turn runs through half a second"


def test_the_overlap_is_about_what_was_asked(simulated):
    spoken = heard = 0.0
    for turns in turns_by_recording(simulated).values():
        spoken += sum(turn.segment.duration for turn in turns)
        heard += sum(segment.duration for segment in speech_of(turns))
    assert spoken / heard - 1 == pytest.approx(0.15, abs=0.07)


def test_the_speech_lies_in_the_turns(simulated):
    for name, turns in turns_by_recording(simulated).items():
        samples, rate = soundfile.read(simulated / "audio" / f"{name}.flac")
        speaks = np.zeros(len(samples), bool)
        for segment in speech_of(turns):
            speaks[round(segment.start * rate) : round(segment.end * rate)] = True
        gain = 10 * np.log10(np.mean(samples[speaks] ** 2) / np.mean(samples[~speaks] ** 2))
        assert gain > 5, name


def test_the_same_seed_gives_the_same_bytes(clips, tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = run_recipe(
            "--data",
            clips,
            "--out",
            tmp_path / folder,
            "--n",
            1,
            "--seconds",
            8,
            "--speakers",
            2,
            "--seed",
            seed,
        )
        assert run.returncode == 0, run.stderr

    def content(folder: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((tmp_path / folder).rglob("*.*"))]

    assert len(content("a")) == 3
    assert content("a") == content("b")
    assert content("a") != content("c")


def test_clips_used_again_make_a_longer_conversation(clips, tmp_path):
    arguments = ("--n", 1, "--seconds", 90, "--speakers", 4, "--again", 3)
    run = run_recipe("--data", clips, "--out", tmp_path, *arguments)
    assert run.returncode == 0, run.stderr
    (turns,) = turns_by_recording(tmp_path).values()
    there_is = sum(segment.duration for _, segment in read_data_folder(clips).segments.values())
    assert sum(turn.segment.duration for turn in turns) > 1.5 * there_is
    run = run_recipe("--data", clips, "--out", tmp_path, "--again", 0)
    assert run.returncode == 2
    assert "argument --again: invalid" in run.stderr


def test_too_few_speakers_are_told_in_one_line(clips, tmp_path):
    run = run_recipe("--data", clips, "--out", tmp_path, "--speakers", 5, "--seconds", 10)
    assert run.returncode == 2
    assert run.stderr == (
        "simulate_conversations.py: only 4 speakers have 1.0 s of speech, 5 are needed; "
        "lower --speakers or --seconds, or give more clips\n"
    )
