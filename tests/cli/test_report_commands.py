"""diarize report and diarize serve, as a user calls them."""

import json
import re
import signal
import subprocess
import urllib.request

import pytest
from command_line import COMMAND, REPOSITORY, call, complaint, environment

from diarize import Embeddings
from diarize.formats import write_turns
from diarize.segments import Segment, Turn

DEMO = REPOSITORY / "egs" / "demo"
TURNS = [Turn("meeting", Segment(0.8, 5), "Ann"), Turn("meeting", Segment(5.4, 11), "Bob")]


@pytest.fixture
def out(tmp_path):
    """A folder of results, without audio."""
    write_turns(TURNS, tmp_path / "meeting.json")
    write_turns(TURNS, tmp_path / "meeting.rttm")
    return tmp_path


def data_of(page) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text())[1])


def test_a_page_is_written_beside_the_result(out):
    done = call("report", out)
    page = out / "meeting.html"
    assert (done.status, done.err, done.out) == (0, "", f"written: {page}\n")
    assert data_of(page)["speakers"] == ["Ann", "Bob"]
    assert "peaks" not in data_of(page)
    assert complaint(call("report", out)) == f"{page}: exists; give --force to overwrite it"
    assert call("report", out, "--force", "--quiet") == type(done)(0, "", "")


def test_a_page_with_everything(out):
    table = out / "windows.npz"
    Embeddings(["meeting"] * 3, [0, 2, 6], [1, 3, 7], [[1, 0], [1, 0.1], [0, 1]]).save(table)
    page = out / "pages" / "page.html"
    given = ("--audio", DEMO, "--reference", DEMO, "--collar", 0.25, "--embeddings", table, "-o", page)
    done = call("report", out / "meeting.rttm", *given)
    assert (done.status, done.err) == (0, "")
    data = data_of(page)
    assert data["peaks"]["duration"] == 66050
    assert data["audio"]["address"].endswith("egs/demo/meeting.flac")
    assert data["errors"]["conditions"].startswith("collar 0.25 s each side")
    assert len(data["points"]) == 3


def test_wrong_options_are_one_line_before_any_work(out):
    needs_audio = "--embed-audio needs --audio, the recording or a folder of recordings"
    assert complaint(call("report", out / "gone", "--embed-audio")) == needs_audio
    for command in ("report", "serve"):
        for option in (("--uem", out / "x.uem"), ("--collar", 0.1)):
            told = complaint(call(command, out / "gone", *option))
            assert told == f"{option[0]} needs --reference, the true turns"
    gone = out / "gone.rttm"
    assert complaint(call("report", gone)) == f"{gone}: no such file or folder; check the path"
    assert complaint(call("report", out, "--audio", out / "none")).startswith(f"{out / 'none'}: ")
    assert not list(out.glob("*.html"))


def test_pages_that_would_have_one_file_are_refused(out):
    other = out / "sub" / "meeting.json"
    write_turns(TURNS, other)
    one_file = complaint(call("report", out, "-o", out / "page.html"))
    assert one_file == f"{out / 'page.html'}: one file takes one recording, 2 are given; give a folder"
    told = complaint(call("report", out, "-o", out / "pages"))
    assert told.endswith(f"would both be written as {out / 'pages' / 'meeting.html'}; give one of them")
    assert call("report", out).status == 0, "beside each result there is room"
    assert (out / "sub" / "meeting.html").exists()
    write_turns([Turn("a/b", Segment(0, 1), "Ann")], out / "slash.rttm")
    assert "use an id without /" in complaint(call("report", out / "slash.rttm"))


def test_a_recording_that_fails_does_not_stop_the_others(out):
    (out / "audio").mkdir()
    (out / "audio" / "meeting.wav").write_bytes(b"no audio")
    write_turns([Turn("other", Segment(0, 1), "Ann")], out / "other.json")
    done = call("report", out, "--audio", out / "audio")
    assert done.status == 2
    assert len(done.err.splitlines()) == 2, "one has no audio, that of the other cannot be read"
    assert done.out == f"written: {out / 'other.html'}\n"


def test_serve_prints_its_address_and_ends_quietly(out):
    command = [*COMMAND, "serve", str(out), "--audio", str(DEMO)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/0/", address)
        with urllib.request.urlopen(address) as answer:
            assert "meeting" in answer.read().decode()
        server.send_signal(signal.SIGINT)
        out_text, err_text = server.communicate(timeout=60)
    assert (server.returncode, out_text, err_text) == (0, "", "")
