"""The recording that ships with the repository, and the script that makes it."""

import json
import runpy
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from diarize.formats import read_rttm
from diarize.segments import exclusive_turns, speech_of


@pytest.fixture(scope="module")
def reference(demo_recording: Path) -> Path:
    return demo_recording.with_suffix(".rttm")


def test_the_recording_is_what_its_page_says(demo_recording, reference):
    info = soundfile.info(demo_recording)
    assert (info.samplerate, info.channels, info.format) == (16000, 1, "FLAC")
    assert 55 < info.duration < 75
    assert demo_recording.stat().st_size < 1_000_000
    turns = read_rttm(reference)
    assert {turn.recording for turn in turns} == {demo_recording.stem}
    assert {turn.speaker for turn in turns} == {"slt", "rms", "ked", "kal"}
    assert turns[-1].segment.end < info.duration
    overlaps = [b.segment.start < a.segment.end for a, b in pairwise(turns)]
    assert sum(overlaps) == 2
    assert len(exclusive_turns(turns)) == len(turns)


def test_outside_the_turns_there_is_only_the_noise_floor(demo_recording, reference):
    samples, rate = soundfile.read(demo_recording)
    speaks = np.zeros(len(samples), bool)
    for segment in speech_of(read_rttm(reference)):
        speaks[round(segment.start * rate) : round(segment.end * rate)] = True
    quiet = samples[~speaks]
    assert 20 * np.log10(quiet.std()) == pytest.approx(-82, abs=1)
    assert np.abs(quiet).max() < 6 * quiet.std()  # not a single sample of speech
    assert 20 * np.log10(samples[speaks].std()) > -35


def test_the_transcript_is_what_is_said_in_the_turns(demo_recording, reference):
    script = runpy.run_path(str(demo_recording.parent / "make_recording.py"), run_name="loaded")
    transcript = json.loads((demo_recording.parent / "whisper" / "meeting.json").read_text())
    assert transcript == script["make_transcript"](read_rttm(reference))
    assert len(transcript["segments"]) == 16


@pytest.mark.slow
def test_the_script_makes_the_same_samples_again(demo_recording, reference, tmp_path):
    if not (shutil.which("flite") and shutil.which("text2wave")):
        pytest.skip("no speech synthesisers: apt-get install flite festival festvox-kdlpc16k")
    script = demo_recording.parent / "make_recording.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True)
    again, _ = soundfile.read(tmp_path / "meeting.flac", dtype="int16")
    shipped, _ = soundfile.read(demo_recording, dtype="int16")
    np.testing.assert_array_equal(again, shipped)
    assert (tmp_path / "meeting.rttm").read_text() == reference.read_text()
