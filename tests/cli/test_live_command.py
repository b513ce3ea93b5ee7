"""diarize live: a stream on stdin or a recording, events on stdout, turns in a file."""

import json
import re
import signal
import subprocess

import pytest
from command_line import COMMAND, call, complaint, environment

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.formats import read_turns


@pytest.fixture(scope="module")
def beginning(demo_recording):
    """The first eight seconds of the demo: one turn of a speaker, and half of another's."""
    return (load_audio(demo_recording)[: 8 * SAMPLE_RATE] * 32767).astype("<i2").tobytes()


@pytest.mark.slow
def test_a_recording_is_labelled_as_a_stream(demo_recording, tmp_path):
    out = tmp_path / "new" / "turns.rttm"
    done = call("live", demo_recording, "-o", out, "--max-speakers", 3)
    assert done.status == 0
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "0:00:00.78 - 0:00:05.04  SPEAKER_00"
    told = re.compile(r"\d:\d\d:\d\d\.\d\d - \d:\d\d:\d\d\.\d\d  SPEAKER_\d\d(  \(corrected\))?")
    assert all(told.fullmatch(line) for line in lines)
    turns = read_turns(out)
    assert len({turn.speaker for turn in turns}) == 3
    assert {turn.recording for turn in turns} == {"turns"}
    assert (
        complaint(call("live", demo_recording, "-o", out)) == f"{out}: exists; give --force to overwrite it"
    )


def test_events_on_stdout_while_samples_come_and_an_interrupt_ends_the_stream(beginning, tmp_path):
    out = tmp_path / "turns.rttm"
    command = [*COMMAND, "live", "--rate", str(SAMPLE_RATE), "--events", "jsonl", "-o", str(out)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    process.stdin.write(beginning)
    process.stdin.flush()
    first = json.loads(process.stdout.readline())  # stdin is open still
    assert (first["event"], first["speaker"]) == ("begin", "SPEAKER_00")
    process.send_signal(signal.SIGINT)
    rest, complaints = process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    events = [json.loads(line) for line in rest.splitlines()]
    assert {event["event"] for event in events} <= {"begin", "end", "correct"}
    assert [event["end"] for event in events if event["event"] == "end"] == [
        round(turn.segment.end, 3) for turn in read_turns(out)
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("x.wav", "--rate", 16000),
            "--rate is the rate of raw samples on stdin, not of a file such as x.wav",
        ),
        (("nothing.wav",), "nothing.wav: no such file; check the path"),
        (("--latency", 9), "the latency is 9 s; choose 1 to 8 s"),
        (("--preset", "strong"), "a stream has no local speakers; set speech.detector to silero or activity"),
        (("-o", "turns.pdf"), "turns.pdf: no format has the suffix '.pdf'; known: "),
    ],
)
def test_a_wrong_command_is_reported(words, told):
    assert complaint(call("live", *words)).startswith(told)


def test_a_stream_that_is_no_audio_is_reported():
    done = subprocess.run(
        [*COMMAND, "live"], input=b"no audio", capture_output=True, check=False, env=environment()
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"diarize: stdin: not audio that FFmpeg can read")
    assert done.stderr.count(b"\n") == 1
