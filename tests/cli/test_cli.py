"""The commands as a user gives them: what they write, to where, with which exit status."""

import inspect
import json
import re
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest
import soundfile
import typer
from command_line import (
    COMMAND,
    REPOSITORY,
    call,
    complaint,
    demo_samples,
    environment,
    process,
    terminal_text,
)
from helpers import write_small_model
from planted import N_FRAMES, N_MELS, TINY, tiny_network

from diarize import Embeddings
from diarize.audio.features import FeatureConfig
from diarize.cli import console
from diarize.cli.commands import app
from diarize.cli.options import OPTION_SETTINGS
from diarize.config import Config
from diarize.embedding.models import SegmentsConfig, save_model
from diarize.formats import FORMATS, read_rttm, read_turns
from diarize.segments import Segment

COMMANDS = typer.main.get_command(app).commands
SPEECH = demo_samples(16.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "talk.wav"
    soundfile.write(path, SPEECH, 16000)
    return path


# Help

WORDS_OF_HELP = [[], *([name] for name in COMMANDS)]


@pytest.mark.parametrize("words", WORDS_OF_HELP, ids=lambda words: " ".join(words) or "diarize")
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_everywhere(words, flag):
    done = call(*words, flag)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {' '.join(['diarize', *words])} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_option_with_a_sentence(name):
    text = call(name, "--help").out
    parameters = COMMANDS[name].params
    assert {parameter.name for parameter in parameters} - {"help"} == set(
        inspect.signature(COMMANDS[name].callback).parameters
    )
    for parameter in parameters:
        if parameter.param_type_name == "option":
            assert all(re.search(rf"{option}\b", text) for option in parameter.opts), parameter.name
        assert parameter.help, parameter.name


def test_python_can_run_the_package_as_the_command():
    command = [sys.executable, "-m", "diarize", "doctor", "--nonsense"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    same = process("doctor", "--nonsense")
    assert (done.returncode, done.stdout, done.stderr) == (same.status, same.out, same.err)
    assert done.returncode == 2
    assert "Usage: diarize doctor" in done.stderr


def test_every_command_is_told_by_the_first_help():
    text = call("--help").out
    names = ["run", "status", "live", "embed", "score", "convert", "words", "enroll", "link", "find"]
    names += ["report", "serve", "review", "tune", "stability", "check", "models", "doctor"]
    assert list(COMMANDS) == names
    assert all(re.search(rf"^  {name} +\w", text, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["run"], ["run", "a.wav", "--nonsense"], ["score", "a.rttm"]]
)
def test_a_wrong_use_is_status_2_with_a_hint(words):
    done = call(*words)
    assert done.status == 2
    assert "Error: " in done.err
    assert "Try 'diarize" in done.err


def test_help_and_light_commands_do_not_load_torch(tmp_path):
    rttm = REPOSITORY / "egs" / "demo" / "meeting.rttm"
    script = (
        "import sys\n"
        "from diarize.cli.commands import app\n"
        "for words in [line.split('|') for line in sys.argv[1:]]:\n"
        "    try: app(words)\n"
        "    except SystemExit as leave: assert not leave.code, words\n"
        "    names = {'torch', 'torchaudio', 'onnxruntime', 'av', 'dask', 'distributed', 'fsspec'}\n"
        "    heavy = names & set(sys.modules)\n"
        "    assert not heavy, (words, heavy)\n"
    )
    lines = ["--help", *(f"{name}|--help" for name in COMMANDS), f"score|{rttm}|{rttm}"]
    lines.append(f"convert|{rttm}|-o|{tmp_path / 'a.csv'}")
    command = [sys.executable, "-c", script, *lines]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr


def test_help_loads_nothing_but_the_command_line():
    """What takes long to load would be waited for; benchmarks/one_hour.py has the seconds."""
    script = (
        "import sys; from diarize.cli.commands import app; "
        "app(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment()
    )
    loaded = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert {"diarize", "typer"} <= loaded
    heavy = {"av", "matplotlib", "numpy", "onnxruntime", "pyarrow", "pydantic", "rich", "scipy", "sklearn"}
    assert not loaded & (heavy | {"soundfile", "soxr", "torch", "torchaudio"})


# Settings


def leaves(settings, prefix=""):
    """Every setting as (name, value), sections opened."""
    for name, value in settings:
        if hasattr(value, "model_fields_set"):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


OTHER_VALUES = {
    "speech.detector": "energy",
    "speech.threshold": 0.75,
    "speech.overlap": 0.25,
    "speech.mixed": 0.75,
    "embedding.model": "mine",
    "embedding.precision": "bfloat16",
    "speech.model": "mine",
    "channels.crosstalk": False,
    "resegmentation.enabled": False,
    "clustering.method": "spectral",
    "clustering.threshold": 0.25,
    "clustering.n_speakers": 3,
    "clustering.evidence": False,
    "clustering.max_speakers": 7,
    "clustering.options": {"linkage": "average"},
    "turns.smoothing": 3,
    "known.false_alarms": 0.1,
}


def other_value(name, default):
    """Some value that is not the default."""
    return OTHER_VALUES[name] if name in OTHER_VALUES else default + 1


@pytest.mark.parametrize(("name", "default"), list(leaves(Config())))
def test_every_setting_can_be_given_by_set(name, default):
    value = other_value(name, default)
    assert value != default
    text = "{linkage = 'average'}" if isinstance(value, dict) else str(value)
    if isinstance(value, bool):
        text = text.lower()
    given = dict(leaves(console.load_settings(None, [f"{name}={text}"], {})))
    assert given == dict(leaves(Config())) | {name: value}


@pytest.mark.parametrize("option", OPTION_SETTINGS)
def test_an_option_that_is_a_setting_has_no_default_of_its_own(option):
    assert OPTION_SETTINGS[option] in dict(leaves(Config()))
    signatures = [inspect.signature(command.callback).parameters for command in COMMANDS.values()]
    defaults = [parameters[option].default for parameters in signatures if option in parameters]
    assert defaults
    assert set(defaults) == {None}


def test_options_go_over_set_and_set_over_the_file(recording, model, tmp_path):
    config = tmp_path / "conf.toml"
    config.write_text(
        "[clustering]\nmin_speakers = 2\nmax_speakers = 3\nthreshold = 0.1\n[embedding]\nhop = 0.5\n"
    )
    options = ["--config", config, "--set", "clustering.max_speakers=4", "--set", "clustering.threshold=0.2"]
    options += ["--threshold", 0.3, "--set", "turns.smoothing=3", "--set", "speech.detector=energy"]
    settings = json.loads(call("run", recording, "--model", model, "--format", "json", *options).out)[
        "settings"
    ]
    expected = Config().model_dump()
    expected["clustering"] |= {"min_speakers": 2, "max_speakers": 4, "threshold": 0.3}
    expected["embedding"]["hop"] = 0.5
    expected["turns"]["smoothing"] = 3
    expected["speech"]["detector"] = "energy"
    assert settings == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--num-speakers", 3], {3}),
        (["--min-speakers", 4], {4, 5, 6, 7, 8, 9}),
        (["--max-speakers", 2], {1, 2}),
        (["--clusterer", "spectral", "--num-speakers", 2], {2}),
        (["--clusterer", "dominant-sets", "--num-speakers", 2], {2}),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_the_number_of_speakers_is_respected(options, expected, recording, model):
    done = call("run", recording, "--model", model, *options)
    assert (done.status, done.err) == (0, "")
    assert len({line.split()[7] for line in done.out.splitlines()}) in expected


# diarize run


def test_stdout_holds_rttm_and_nothing_else(recording, model, tmp_path):
    command = ["run", recording, "--model", model, "--set", "turns.min_gap=0"]
    done = call(*command)
    assert (done.status, done.err) == (0, "")
    (tmp_path / "talk.rttm").write_text(done.out)
    assert call(*command, "-o", "-").out == done.out
    assert call(*command, "-v").out == done.out
    turns = read_rttm(tmp_path / "talk.rttm")
    assert len(turns) > 3
    assert {turn.recording for turn in turns} == {"talk"}


def test_a_folder_gets_rttm_and_json_and_stdout_a_summary(recording, model, tmp_path):
    out = tmp_path / "new" / "out"
    done = call("run", recording, "--model", model, "-o", out, "--num-speakers", 2)
    assert (done.status, done.err) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["talk.json", "talk.rttm"]
    turns = read_rttm(out / "talk.rttm")
    lines = done.out.splitlines()
    assert lines[0] == "talk"
    for line, turn in zip(lines[1:], turns, strict=False):
        assert re.fullmatch(rf"  0:00:[\d.]{{5}} - 0:00:[\d.]{{5}}  {turn.speaker}", line)
    assert lines[len(turns) + 1 : len(turns) + 3] == [
        "speakers: 2",
        "why: 2 speakers, as requested: 2 of 2 clusters hold at least 3 embeddings",
    ]
    assert re.match(r"16\.0 s of audio in \d+\.\d\d s: detect speech ", lines[len(turns) + 3])
    assert lines[-2:] == [f"written: {out / 'talk.rttm'}", f"written: {out / 'talk.json'}"]
    assert call("run", recording, "--model", model, "-o", out, "--force", "--quiet").out == ""


def test_format_may_be_repeated_up_to_all(recording, model, tmp_path):
    options = [word for name in FORMATS for word in ("--format", name)]
    assert call("run", recording, "--model", model, "-o", tmp_path, *options).status == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"talk{known.suffix}" for known in FORMATS.values()}
    turns = read_turns(tmp_path / "talk.rttm")
    for known in FORMATS.values():
        back = read_turns(tmp_path / f"talk{known.suffix}")
        assert {turn.speaker for turn in back} == {turn.speaker for turn in turns}
        assert [turn.segment.start for turn in back] == pytest.approx([turn.segment.start for turn in turns])


@pytest.mark.parametrize("name", FORMATS)
def test_any_format_goes_to_stdout_without_a_temporary_file(name, recording, model, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/no folder for temporary files")
    done = call("run", recording, "--model", model, "--format", name, "--format", name)
    assert (done.status, done.err) == (0, "")
    call("run", recording, "--model", model, "--format", name, "-o", tmp_path)
    assert done.out == (tmp_path / f"talk{FORMATS[name].suffix}").read_text()


def test_twice_and_with_more_threads_gives_the_same_bytes(recording, model, tmp_path):
    results = []
    for threads in (1, 1, 2):
        out = tmp_path / str(len(results))
        assert call("run", recording, "--model", model, "--threads", threads, "-o", out).status == 0
        results.append([(out / f"talk.{suffix}").read_bytes() for suffix in ("rttm", "json")])
    assert results[0] == results[1] == results[2]


def test_a_channel_is_the_recording_of_that_channel(model, tmp_path):
    soundfile.write(tmp_path / "two.wav", np.stack([np.zeros_like(SPEECH), SPEECH], axis=1), 16000)
    assert call("run", tmp_path / "two.wav", "--channel", 1, "--model", model).out == ""
    (tmp_path / "one").mkdir()
    soundfile.write(tmp_path / "one" / "two.wav", SPEECH, 16000)
    expected = call("run", tmp_path / "one" / "two.wav", "--model", model).out
    assert call("run", tmp_path / "two.wav", "--channel", 2, "--model", model).out == expected != ""


# What is shown, and how a command ends early


def test_a_bar_is_shown_on_a_terminal_alone(recording, model, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert re.search("make turns ━+ 100%", terminal_text("run", recording, "--model", model))
    assert terminal_text("run", recording, "--model", model, "--quiet") == ""
    assert call("run", recording, "--model", model).err == ""


def test_a_warning_has_a_line_of_its_own_above_the_bar(model, tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    assert "a: no speech was found" in terminal_text("run", tmp_path / "a.wav", "--model", model).splitlines()


def test_a_warning_is_shown_once_and_not_when_quiet(model, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    assert call("run", tmp_path / "a.wav", "--model", model).err == "a: no speech was found\n"
    assert call("run", tmp_path / "a.wav", "--model", model, "--quiet").err == ""


def test_a_reader_that_leaves_is_no_error(recording, model):
    pipe = f"{' '.join(COMMAND)} run {recording} {recording} --model {model} --threads 1"
    done = subprocess.run(
        ["bash", "-c", f"{pipe} | head -0; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.stdout, done.stderr) == ("141\n", "")


def test_ctrl_c_is_one_line_and_leaves_nothing(recording, model, tmp_path):
    """The command waits for a pipe of its wav.scp when the signal comes."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wav.scp").write_text(f"a touch {tmp_path / 'started'}; exec sleep 600 |\n")
    words = ["run", tmp_path / "data", "--allow-pipes", "--model", model, "-o", tmp_path / "out"]
    command = subprocess.Popen(
        [*COMMAND, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # ignored behind "&"
    )
    while not (tmp_path / "started").exists() and command.poll() is None:
        time.sleep(0.02)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate()
    assert (command.returncode, out, err) == (130, "", "diarize: interrupted\n")
    assert list((tmp_path / "out").iterdir()) == []


# diarize embed


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".tsv", ".ark", ".scp"])
def test_embeddings_are_the_same_in_every_format(suffix, recording, model, tmp_path):
    path = tmp_path / "new" / f"talk{suffix}"
    done = call("embed", recording, "--model", model, "-o", path, "--window", 2, "--hop", 1)
    assert (done.status, done.err) == (0, "")
    table = Embeddings.load(path)
    assert done.out == f"talk: {len(table)} embeddings of 32 dimensions\n"
    assert set(table.recording) == {"talk"}
    assert (table.end - table.start).max() == pytest.approx(2.0)
    np.testing.assert_allclose(np.linalg.norm(table.vectors, axis=1), 1, atol=1e-5)
    reference = tmp_path / "reference.npz"
    call("embed", recording, "--model", model, "-o", reference, "--window", 2, "--hop", 1)
    np.testing.assert_array_equal(table.vectors, Embeddings.load(reference).vectors)


def test_a_whole_recording_is_one_vector(recording, model, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(32000), 16000)
    path = tmp_path / "a.npz"
    done = call(
        "embed", recording, tmp_path / "silence.wav", "--per", "recordings", "--model", model, "-o", path
    )
    assert (done.status, done.err) == (0, "")
    table = Embeddings.load(path)
    assert table.recording.tolist() == ["talk", "silence"]
    assert table.segments() == [Segment(0.0, 16.0), Segment(0.0, 2.0)]


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".tsv", ".ark"])
def test_a_recording_without_speech_is_a_table_without_rows(suffix, model, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(32000), 16000)
    path = tmp_path / f"a{suffix}"
    done = call("embed", tmp_path / "silence.wav", "--model", model, "-o", path)
    assert (done.status, done.out) == (0, "silence: 0 embeddings of 32 dimensions\n")
    assert len(Embeddings.load(path)) == 0


def test_an_unknown_table_fails_before_any_work(tmp_path):
    line = complaint(call("embed", "none.wav", "--model", "none", "-o", tmp_path / "new" / "a.csv"))
    assert line == (
        f"{tmp_path / 'new' / 'a.csv'}: no format has the suffix '.csv'; "
        "known: .npz, .parquet, .tsv, .ark, .scp"
    )
    assert not (tmp_path / "new").exists()


def test_an_existing_table_needs_force(recording, model, tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("mine")
    line = complaint(call("embed", recording, "--model", model, "-o", path))
    assert line == f"{path}: exists; give --force to overwrite it"
    assert call("embed", recording, "--model", model, "-o", path, "--force").status == 0
    assert len(Embeddings.load(path)) > 0


@pytest.mark.parametrize(("family", "layer"), [("cnn", "dense2"), ("blstm", "lstm2")])
def test_a_model_of_the_clustering_recipes_labels_and_embeds(recording, tmp_path, family, layer):
    table, features = {"family": family, **TINY[family]}, FeatureConfig(n_mels=N_MELS)
    segments = SegmentsConfig(seconds=N_FRAMES / 100, layer=layer)
    save_model(tmp_path / "net", tiny_network(family), features, table, "", segments)
    model = ("--model", tmp_path / "net")
    done = call("run", recording, *model, "--clusterer", "dominant-sets", "-o", tmp_path / "out.rttm")
    assert done.status == 0
    assert (tmp_path / "out.rttm").read_text().startswith("SPEAKER ")
    assert call("embed", recording, *model, "-o", tmp_path / "a.npz").status == 0
    vectors = Embeddings.load(tmp_path / "a.npz").vectors
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


# diarize doctor


def test_doctor_prints_what_a_bug_report_needs():
    from diarize import __version__
    from diarize.embedding.models import bundled_models

    done = call("doctor")
    assert (done.status, done.err) == (0, "")
    for expected in [
        rf"^diarize {re.escape(__version__)}$",
        rf"^python {sys.version_info.major}\.{sys.version_info.minor}\.\d+ on ",
        r"^cores \d+, torch threads \d+$",
        r"^devices: cpu",
        r"^decoders: libsndfile \d.*FFmpeg libavcodec \d+",
        r"^  torch \d",
        r"^  silero-vad \d",
        *(rf"^model {name}: " for name in bundled_models() or ["none"]),
    ]:
        assert re.search(expected.replace("model none: ", "model: none"), done.out, re.MULTILINE), expected
    assert "not installed" not in done.out
    assert str(REPOSITORY) not in done.out
