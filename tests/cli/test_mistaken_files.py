"""Files that are not there, of another kind, or of another recording: what the commands say."""

import logging

import pytest
import soundfile
from command_line import REPOSITORY, call, complaint

from diarize.segments import Segment
from diarize.speech.detect import warn_beyond

DEMO = REPOSITORY / "egs" / "demo"
TURNS, WORDS = DEMO / "meeting.rttm", DEMO / "whisper" / "meeting.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The first ten seconds of the demo recording, and the turns of all of it under other names."""
    folder = tmp_path_factory.mktemp("mistaken")
    samples, rate = soundfile.read(DEMO / "meeting.flac", 10 * 16000)
    soundfile.write(folder / "short.flac", samples, rate)
    (folder / "short.rttm").write_text(TURNS.read_text().replace(" meeting ", " short "))
    (folder / "friday.rttm").write_text(TURNS.read_text().replace(" meeting ", " friday "))
    return folder


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("words", "{f}/nope", TURNS), "{f}/nope: no such file; check the path"),
        (("convert", "{f}/nope", "-o", "{f}/x.rttm"), "{f}/nope: no such file; check the path"),
        (("link", "{f}/nope", "-o", "{f}/l"), "{f}/nope: no such file; check the path"),
        (("tune", "{f}/nope", "-o", "{f}/t.toml"), "{f}/nope: no such file or folder; check the path"),
        (("tune", DEMO, "-o", "{f}/t.json"), "{f}/t.json: settings are a TOML file; name it t.toml"),
        (
            ("words", WORDS, TURNS, "-o", "{f}/words"),
            "{f}/words: no suffix names a format; write words.srt, or give --format",
        ),
        (("link", TURNS, "--audio", TURNS, "-o", "{f}/l"), f"{TURNS}: a file; give its folder"),
        (
            ("enroll", "{f}/short.flac", "--name", "", "-o", "{f}/v.parquet"),
            "'' is not a person's name; give one with --name",
        ),
        (
            ("enroll", "{f}/short.flac", "--turns", "{f}/short.rttm", "-o", "{f}/v.parquet"),
            "short: ends at 10.0 s, but the turns reach 65.0 s; check that they are of this recording",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told(command, told, folder):
    words = [word.format(f=folder) if isinstance(word, str) else word for word in command]
    assert complaint(call(*words)) == told.format(f=folder)


def test_turns_of_another_recording_cause_a_warning(folder):
    done = call("words", WORDS, folder / "friday.rttm")
    assert done.status == 0
    assert done.err == f"{folder / 'friday.rttm'}: turns of friday are taken for those of meeting\n"
    assert call("words", WORDS, TURNS).err == ""
    done = call("report", folder / "short.rttm", "--audio", folder / "short.flac")
    assert done.err == (
        f"{folder / 'short.flac'}: ends at 10.0 s, but the given times reach 65.0 s; check that they are of "
        "this recording\n"
    )


def test_times_that_end_a_little_late_cause_no_warning(caplog):
    caplog.set_level(logging.WARNING)
    warn_beyond("a", [Segment(0, 10.9)], 10.0)
    warn_beyond("a", [], 10.0)
    assert not caplog.records
    warn_beyond("a", [Segment(0, 5), Segment(2, 11.1)], 10.0)
    assert len(caplog.records) == 1


def test_names_that_differ_in_case_alone_cause_a_warning(folder):
    table = folder / "voices.parquet"
    assert (
        call(
            "enroll",
            folder / "short.flac",
            "--name",
            "Zo\u00eb",
            "--set",
            "speech.threshold=0.5",
            "-o",
            table,
        ).status
        == 0
    )
    done = call(
        "enroll",
        DEMO / "meeting.flac",
        "--turns",
        TURNS,
        "--speaker",
        "slt",
        "--name",
        "ZO\u00cb",
        "--add",
        "-o",
        table,
    )
    assert done.status == 0
    assert "Zo\u00eb and ZO\u00cb are two people in the table; --name Zo\u00eb makes them one" in done.err
