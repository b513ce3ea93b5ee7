"""Clips that are not of their speaker's voice: planted ones, by a small network that hears the spectrum."""

import numpy as np
import pytest
import soundfile
from helpers import REPOSITORY
from scripts import call, message
from small_onnx import write_model

from diarize.audio import SAMPLE_RATE
from diarize.formats.kaldi import read_data_folder, write_data_folder
from diarize.segments import Segment

SCRIPT = REPOSITORY / "recipes" / "drop_doubtful_clips.py"
VOICES = {
    "ann": ["deep", "deep", "high", "deep"],
    "bob": ["high", "deep", "high"],
    "cid": ["deep"],
    "dot": ["high", "high"],
}


def sound(voice: str, random: np.random.Generator) -> np.ndarray:
    """A second of noise whose power lies low or high."""
    noise = random.normal(0, 0.1, SAMPLE_RATE)
    return np.cumsum(noise) / 20 if voice == "deep" else np.diff(noise, prepend=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    wav_scp, utt2spk, utt2corpus = {}, {}, {}
    for corpus, gain in (("loud", 1.0), ("soft", 0.01)):
        for speaker, voices in VOICES.items():
            for index, voice in enumerate(voices):
                name = f"{corpus}-{speaker}-{index}-{voice}"
                soundfile.write(folder / f"{name}.wav", gain * sound(voice, random), SAMPLE_RATE)
                wav_scp[name] = str(folder / f"{name}.wav")
                utt2spk[name], utt2corpus[name] = f"{corpus}-{speaker}", corpus
    write_data_folder(folder, wav_scp, utt2spk)
    text = "".join(f"{name} {corpus}\n" for name, corpus in sorted(utt2corpus.items()))
    (folder / "utt2corpus").write_text(text)
    (folder / "spk2gender").write_text("loud-ann f\n")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))


def test_the_clips_unlike_their_speakers_others_are_left_out(folder, model, tmp_path, monkeypatch, capsys):
    call(monkeypatch, SCRIPT, "--data", folder, "--model", model, "--out", tmp_path)
    kept = read_data_folder(tmp_path)
    dropped = set(read_data_folder(folder).utt2spk) - set(kept.utt2spk)
    assert dropped == {
        f"{corpus}-{name}" for corpus in ("loud", "soft") for name in ("ann-2-high", "bob-1-deep")
    }
    assert (tmp_path / "utt2corpus").read_text().split()[::2] == sorted(kept.utt2spk)
    assert (tmp_path / "spk2gender").read_text() == "loud-ann f\n"
    assert "16 of 20 clips; 4 speakers lost some" in capsys.readouterr().out


def test_a_corpus_can_be_left_out_and_any_voice_kept(folder, model, tmp_path, monkeypatch):
    arguments = ("--data", folder, "--model", model, "--out", tmp_path, "--skip", "soft", "--cosine", -1)
    call(monkeypatch, SCRIPT, *arguments)
    assert set(read_data_folder(tmp_path).utt2spk.values()) == {f"loud-{name}" for name in VOICES}
    assert len(read_data_folder(tmp_path).utt2spk) == 10


def test_a_folder_without_whole_clips_is_told(folder, model, tmp_path, monkeypatch):
    told = message(
        monkeypatch, SCRIPT, "--data", folder, "--model", model, "--out", tmp_path, "--skip", "loud", "soft"
    )
    assert told.endswith("no clips are left; check --skip")
    data = read_data_folder(folder)
    name = next(iter(data.wav_scp))
    write_data_folder(tmp_path, {name: data.wav_scp[name]}, {"a": "x"}, {"a": (name, Segment(0.0, 0.5))})
    told = message(monkeypatch, SCRIPT, "--data", tmp_path, "--model", model, "--out", tmp_path / "out")
    assert "needs whole recordings" in told
