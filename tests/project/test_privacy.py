"""Nothing leaves the machine and nothing is written beside the output, also not by a dependency."""

import sys
from pathlib import Path

import pytest
import soundfile
from command_line import demo_samples
from planted import pack_speakers
from watched import watch

REPOSITORY = Path(__file__).resolve().parent.parent.parent
DEMO = REPOSITORY / "egs" / "demo"
DIARIZE = Path(sys.executable).with_name("diarize")

COMMANDS = {
    "import": (sys.executable, "-c", "import diarize; [getattr(diarize, name) for name in diarize.__all__]"),
    "help": (DIARIZE, "run", "--help"),
    "run": (DIARIZE, "run", DEMO / "meeting.flac", "-o", "."),
    "jobs": (DIARIZE, "run", DEMO, "-o", ".", "--jobs", "2"),
    "embed": (DIARIZE, "embed", DEMO / "meeting.flac", "-o", "vectors.parquet"),
    "enroll": (DIARIZE, "enroll", DEMO / "meeting.flac", "-o", "voices.parquet"),
    "score": (DIARIZE, "score", DEMO / "meeting.rttm", DEMO / "meeting.rttm"),
    "convert": (DIARIZE, "convert", DEMO / "meeting.rttm", "-o", "meeting.eaf"),
    "report": (DIARIZE, "report", DEMO / "meeting.rttm", "--audio", DEMO, "--reference", DEMO, "-o", "."),
    "models": (DIARIZE, "models"),
    "doctor": (DIARIZE, "doctor"),
    "density": (DIARIZE, "run", DEMO / "meeting.flac", "-o", ".", "--clusterer", "density"),
}


def assert_private(watched):
    assert watched.left == []
    assert not watched.written, watched.written
    assert not watched.sockets, watched.sockets


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_writes_its_output_alone_and_opens_no_socket(command, tmp_path):
    assert_private(watch(tmp_path, *command))


@pytest.mark.slow
def test_a_process_that_lives_on_opens_no_socket(tmp_path):
    # Telemetry of onnxruntime begins to send 17 s after its import.
    soundfile.write(tmp_path / "short.wav", demo_samples(3.0), 16000)
    program = (
        "import sys, time, diarize; diarize.Diarizer()(sys.argv[1]).to_pyannote(); "
        "import diarize.scoring.der; time.sleep(20)"
    )
    assert_private(watch(tmp_path, sys.executable, "-c", program, tmp_path / "short.wav"))


def test_a_training_and_its_report_write_their_output_alone_and_open_no_socket(tmp_path):
    pack_speakers(tmp_path / "features")
    (tmp_path / "tiny.toml").write_text(
        '[features]\nn_mels = 24\n[network]\nfamily = "blstm"\nhidden = 4\n[loss]\nkind = "cross-entropy"\n'
        '[training]\nbatches = "sentences"\nn_steps = 4\nbatch_size = 4\nseconds = [0.2, 0.2]\n'
        "save_every = 2\n"
    )
    recipes = REPOSITORY / "recipes"
    training = tmp_path / "out" / "training"
    words = ("--features", tmp_path / "features", "--config", tmp_path / "tiny.toml", "--out", training)
    assert_private(watch(tmp_path, sys.executable, recipes / "train_embedding.py", *words))
    assert_private(watch(tmp_path, sys.executable, recipes / "report_training.py", "--training", training))
    assert (training / "report.html").is_file()


def test_what_is_written_and_opened_is_seen(tmp_path):
    program = (
        "import socket, sys, pathlib; pathlib.Path.home().joinpath('id').touch(); open(sys.argv[1], 'w');\n"
        "try: socket.create_connection(('example.org', 80), 1)\nexcept OSError: pass"
    )
    elsewhere = tmp_path / "elsewhere"
    watched = watch(tmp_path / "place", sys.executable, "-c", program, elsewhere)
    assert watched.left == [str(tmp_path / "place" / "home" / "id")]
    if watched.written is not None:
        assert any(str(elsewhere) in call for call in watched.written)
        assert any("AF_INET" in call for call in watched.sockets)


def test_the_environment_is_as_before(tmp_path):
    program = (
        "import os; before = dict(os.environ)\n"
        "from diarize.machine.quiet_imports import import_matplotlib, import_onnxruntime, import_pyannote\n"
        "import_onnxruntime(), import_pyannote('metrics.diarization'), import_matplotlib()\n"
        "import matplotlib.pyplot, pyannote.core\n"
        "print(dict(os.environ) == before)"
    )
    assert watch(tmp_path, sys.executable, "-c", program).out == "True\n"
