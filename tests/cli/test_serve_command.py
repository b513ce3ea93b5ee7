"""diarize serve: what it refuses before any work. The services themselves have tests of their own."""

import socket
import sys

import pytest
from command_line import call, complaint

TOKEN = "a-token-of-24-characters"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name results to show, a folder for jobs with --output, or --live"),
        (("x.rttm", "--live"), "RESULT shows pages of results; leave it out with --output and --live"),
        (("x.rttm", "-o", "jobs"), "RESULT shows pages of results; leave it out with --output and --live"),
        (("x.rttm", "--host", "0.0.0.0"), "--host, --name and --token-file need --output or --live"),
        (("--live", "--audio", "x"), "--audio, --reference, --uem, --collar and --embeddings need RESULT"),
        (("--live", "--collar", 1), "--audio, --reference, --uem, --collar and --embeddings need RESULT"),
        (("-o", "jobs", "--host", "0.0.0.0"), "--host 0.0.0.0 lets other machines in; give a token with "),
        (("-o", "jobs", "--token-file", "none"), "none: "),
        (("-o", "jobs", "--set", "speech"), "--set speech: write it as NAME=VALUE"),
        (("-o", "jobs", "--host", "192.0.2.1", "--token-file", "token"), "192.0.2.1, port 0: cannot be used"),
        (("-o", "jobs", "--token-file", "short"), "the token must be 20 to 200 letters, digits, - or _; "),
        (("-o", "file"), "file: the folder for results cannot be made"),
        (("--live", "--latency", 9), "the latency is 9 s; choose 1 to 8 s"),
    ],
)
def test_a_wrong_server_is_one_line(words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIARIZE_TOKEN", raising=False)
    for name, content in (("token", f"{TOKEN}\n"), ("short", "secret"), ("file", "")):
        (tmp_path / name).write_text(content)
    assert complaint(call("serve", *words)).startswith(told)


def test_a_port_that_is_taken_and_a_package_that_is_missing_are_told(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = complaint(call("serve", "-o", tmp_path / "jobs", "--port", port))
    assert told.startswith(f"127.0.0.1, port {port}: cannot be used (")
    assert not (tmp_path / "jobs").exists()
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    told = complaint(call("serve", "-o", tmp_path / "jobs"))
    assert told == "a server needs uvicorn; install it: pip install 'diarize-toolkit[serve]'"
