"""The scripts of benchmarks/, on the recording that ships with the repository."""

import re
import runpy
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from planted_corpus import write_corpus

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.audio.features import FeatureConfig
from diarize.config import load_config
from diarize.embedding.models import save_model
from diarize.formats import read_rttm, write_uem
from diarize.networks import build_network
from diarize.segments import Segment

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py") if '"__main__"' in path.read_text())


@pytest.fixture
def run_script(monkeypatch, capsys):
    """Runs a script as `python benchmarks/SCRIPT` would, and gives what it printed."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def run(script: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [f"benchmarks/{script}", *map(str, arguments)])
        try:
            runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A tiny network that has learned nothing."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    torch.manual_seed(0)
    table = {"family": "resnet", "n_mels": 64, "channels": [8, 8, 8], "heads": 2, "dim": 16}
    save_model(folder, build_network(**table), FeatureConfig(), table, "# tiny\n")
    return folder


@pytest.fixture(scope="module")
def sets(demo_recording, tmp_path_factory) -> Path:
    """A folder with the set `demo`: the recording twice, once under a name that counts as held out."""
    folder = tmp_path_factory.mktemp("sets")
    duration = soundfile.info(demo_recording).duration
    for name in ("meeting", "EN2006a"):
        for kind, source in (("audio", demo_recording), ("rttm", demo_recording.with_suffix(".rttm"))):
            copy = folder / "demo" / kind / f"{name}{source.suffix}"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        rttm = folder / "demo" / "rttm" / f"{name}.rttm"
        rttm.write_text(rttm.read_text().replace("meeting", name))
        write_uem({name: [Segment(0.0, duration)]}, folder / "demo" / "uem" / f"{name}.uem")
    return folder


def rows_of(text: str, n_cells: int) -> list[list[str]]:
    """The cells of all rows of that many below the tables' heads."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    heads = [i for i, row in enumerate(rows) if set("".join(row)) <= {":", "-"}]
    below = [row for i, row in enumerate(rows) if i not in heads and i + 1 not in heads]
    return [row for row in below if len(row) == n_cells]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_help_and_stands_in_the_readme(script, run_script):
    text = run_script(script, "--help")
    assert text.startswith("usage: ")
    assert "--" in text
    assert f"python benchmarks/{script}" in (BENCHMARKS / "README.md").read_text(encoding="utf-8")


def test_diarization_error_prints_every_row(run_script, sets, model, tmp_path):
    config = tmp_path / "spectral.toml"
    config.write_text('[clustering]\nmethod = "spectral"\n[clustering.options]\nmin_neighbors = 4\n')
    out = tmp_path / "tables.md"
    text = run_script(
        "diarization_error.py", "--data", sets, "--model", model, "--config", config, "--out", out
    )
    assert out.read_text(encoding="utf-8") == text
    assert re.match(r"`python \S*diarization_error.py --data ", text)
    assert "Collar 0, overlap scored, time of the UEM" in text
    titles = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert [title.split(":")[0] for title in titles] == [
        "demo",
        "demo, recordings on which no setting was chosen",
    ]
    rows = rows_of(text, 9)
    methods = ["agglomerative", "dominant-sets", "spectral", "density"]
    names = [("ours", method, number) for method in methods for number in ("unknown", "known")]
    assert [tuple(row[:3]) for row in rows[: len(rows) // 2]] == [
        ("none", "everything one speaker", "1"),
        *names,
    ]
    for _, _, number, *rates, right in rows:
        der, miss, false_alarm, confusion, jer = map(float, rates)
        assert der == pytest.approx(miss + false_alarm + confusion, abs=0.02)
        assert jer > 0
        assert number != "known" or right in ("2 of 2", "1 of 1")
    # Four voices of about equal time: without clustering the three others are confusion.
    assert float(rows[0][6]) > 40
    assert rows[0][8] == "0 of 2"
    # The same recording twice, so that the part has the errors of the whole.
    whole, part = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert [row[3:8] for row in part] == [row[3:8] for row in whole]


def test_parts_are_tables_of_the_recordings_whose_ids_match(run_script, sets, model):
    command = ("diarization_error.py", "--data", sets, "--model", model, "--clusterers", "agglomerative")
    text = run_script(*command, "--parts", "meet*", "*")
    titles = [title.split(":")[0] for title in re.findall(r"^## (.*)", text, re.MULTILINE)]
    assert titles[2:] == ["all sets, meet*", "all sets, *"]
    rows = rows_of(text, 9)
    assert len(rows) == 12
    assert rows[9:] == rows[:3]
    assert [row[3:8] for row in rows[6:9]] == [row[3:8] for row in rows[:3]]
    with pytest.raises(SystemExit, match=r"--parts x: no recording has such an id"):
        run_script(*command, "--parts", "x")


def test_the_ablation_has_a_row_without_each_part(run_script, sets, model):
    rows = rows_of(run_script("ablation.py", "--data", sets / "demo", "--model", model), 6)
    assert len(rows) == 16
    table = {row[0]: row[1:] for row in rows}
    whole = table["all parts"]
    assert whole[0] == whole[4], "one set, whose mean it is"
    assert re.fullmatch(r"[01], [01] of 1", whole[2])
    assert table["speech by energy"] != whole
    # Without a back end there is nothing to take away there.
    assert table["without a back end"] == table["number of speakers by silhouette"] == whole


def test_the_ablation_varies_settings_together(run_script, sets, model):
    command = ("ablation.py", "--data", sets / "demo", "--model", model, "--vary")
    text = run_script(*command, "speech.mixed=0.3,1", "clustering.method='agglomerative','density'")
    assert [row[0] for row in rows_of(text, 6)] == [
        "speech.mixed 0.3, clustering.method agglomerative",
        "speech.mixed 0.3, clustering.method density",
        "speech.mixed 1, clustering.method agglomerative",
        "speech.mixed 1, clustering.method density",
    ]
    with pytest.raises(SystemExit, match=r"--vary speech.mixed: write SETTING=VALUE,VALUE"):
        run_script(*command, "speech.mixed")


def test_the_speakers_of_words_have_a_row_for_each_rule(run_script, sets, model):
    command = ("word_speakers.py", "--data", sets / "demo", "--model", model)
    rows = rows_of(run_script(*command), 3)
    rules = ["largest share", "its own time", "sentences mended"]
    sources = ["reference", "diarize, number known"]
    assert [row[:2] for row in rows] == [[source, rule] for source in sources for rule in rules]
    errors = [float(row[2]) for row in rows]
    assert 0 <= errors[2] < errors[1] <= errors[0] < 10, "by the reference, only the times are wrong"
    exact = rows_of(run_script(*command, "--jitter", 0, "--score", "cpwer"), 3)
    assert float(exact[2][2]) < 4, "what is left is overlap"
    assert float(exact[5][2]) > errors[5] > 1, "a word of a wrong speaker is deleted there and inserted here"


def test_a_stream_stands_beside_the_whole_recording(run_script, demo_recording, tmp_path, model):
    """Of the first 12 s."""
    for kind in ("audio", "rttm", "uem"):
        (tmp_path / kind).mkdir()
    samples = load_audio(demo_recording)[: 12 * SAMPLE_RATE]
    soundfile.write(tmp_path / "audio" / "meeting.wav", samples, SAMPLE_RATE)
    shutil.copy(demo_recording.with_suffix(".rttm"), tmp_path / "rttm")
    write_uem({"meeting": [Segment(0.0, 12.0)]}, tmp_path / "uem" / "meeting.uem")
    rows = rows_of(run_script("live_error.py", "--data", tmp_path, "--model", model), 4)
    assert [row[0] for row in rows] == ["whole recording", "stream, latency 2 s"]
    assert abs(float(rows[0][1]) - float(rows[1][1])) < 10
    assert [rows[0][2:], float(rows[1][2]) >= 0, float(rows[1][3]) > 0] == [["-", "-"], True, True]


def test_planted_voices_are_counted(run_script, tmp_path):
    corpus = write_corpus(tmp_path / "corpus")
    ((_, n, _, swapped, none, split),) = rows_of(
        run_script("planted_voices.py", "--data", corpus, "--nj", 1), 6
    )
    assert n.startswith("4, ")
    assert (swapped[-4:], none, split[-4:]) == ("of 2", "0", "of 2")


@pytest.mark.parametrize("script", ["ablation.py", "choose_defaults.py"])
def test_two_sets_of_one_name_are_told(run_script, sets, script):
    twice = (sets / "demo", sets / ".." / sets.name / "demo")
    message = f"{script}: {twice[0]}: another set is also called demo; rename one"
    with pytest.raises(SystemExit, match=f"^{re.escape(message)}$"):
        run_script(script, "--data", *twice)


def test_diarization_error_refuses_two_configs_of_one_clusterer(run_script, sets, model, tmp_path):
    config = tmp_path / "a.toml"
    config.write_text("")
    with pytest.raises(SystemExit, match="a second config for the clusterer 'agglomerative'"):
        run_script("diarization_error.py", "--data", sets, "--model", model, "--config", config, config)


def test_choose_defaults_writes_configs_that_load_and_leaves_out_what_is_held_out(
    run_script, sets, model, tmp_path
):
    text = run_script(
        *("choose_defaults.py", "--data", sets / "demo", "--model", model, "--windows", "2:1", "--top", 3),
        *("--clusterers", "density", "--write", tmp_path),
    )
    assert "Recordings: demo 1." in text
    chosen = load_config(tmp_path / "density.toml")
    assert (chosen.embedding.window, chosen.embedding.hop) == (2.0, 1.0)
    best = min(rows_of(text, 7), key=lambda row: float(row[3]))
    options = ", ".join(f"{name} {value}" for name, value in chosen.clustering.options.items()) or "-"
    assert options in {row[2] for row in rows_of(text, 7) if row[3] == best[3]}
    assert [path.name for path in tmp_path.iterdir()] == ["density.toml"]


def test_choose_overlap_threshold_has_a_row_for_each_threshold(run_script, sets, model):
    text = run_script(
        *("choose_overlap_threshold.py", "--data", sets / "demo", "--model", model),
        *("--thresholds", 1, 0.5),
    )
    assert "demo (1): miss + false" in text
    rows = rows_of(text, 7)
    assert [row[:2] for row in rows] == [
        *(["silero", "1"], ["silero", "0.5"]),
        *(["activity", "1"], ["activity", "0.5"]),
    ]
    for _, _, unknown, told, speech, _, one_set in rows:
        assert unknown == one_set, "a single set is its mean"
        assert 0 <= float(told) < 100
        assert all(float(rate) < 40 for rate in speech.split(" + "))
    assert [row[5][0] for row in rows[::2]] == ["-", "-"], "nothing is called overlapped"
    assert all(float(share) > 50 for row in rows[1::2] for share in row[5].split(" / ")), "found, and right"


@pytest.mark.slow
def test_settings_are_chosen_on_one_half_and_scored_on_the_other(run_script, sets, tmp_path):
    data = tmp_path / "four"
    shutil.copytree(sets / "demo", data)
    for kind, suffix in (("audio", ".flac"), ("rttm", ".rttm"), ("uem", ".uem")):
        for name in ("meeting", "EN2006a"):
            copy = data / kind / f"{name}_2{suffix}"
            shutil.copy(data / kind / f"{name}{suffix}", copy)
            if kind != "audio":
                copy.write_text(copy.read_text().replace(name, f"{name}_2"))
    text = run_script("tune_on_halves.py", "--data", data, "--budget", 4, "--preset", "fast")
    rows = rows_of(text, 8)
    assert [row[0] for row in rows] == ["A (2)", "B (2)"]
    assert all(row[5] == "defaults" for row in rows), "two recordings show nothing"
    # The same recording everywhere, so that the other half has the errors of the own half.
    assert all(row[1:3] == row[6:8] for row in rows)


@pytest.mark.slow
def test_stability_stands_beside_the_error(run_script, sets):
    rows = rows_of(run_script("stability_and_error.py", "--data", sets / "demo"), 3)
    assert {row[0] for row in rows} == {"meeting", "EN2006a"}
    assert rows[0][1:] == rows[1][1:]


def test_senkos_turns_become_rttm_files(run_script, sets, tmp_path, monkeypatch):
    heard = []

    class Peer:
        def __init__(self, **settings: object) -> None:
            assert settings["device"] == "cpu"

        def diarize_samples(self, samples, rate):
            heard.append((samples.dtype, len(samples) / rate))
            if len(heard) > 1:
                return None
            return {"merged_segments": [{"start": 1.0, "end": 2.5, "speaker": "SPEAKER_01"}]}

    monkeypatch.setitem(sys.modules, "senko", SimpleNamespace(Diarizer=Peer))
    text = run_script("run_senko.py", "--data", sets / "demo", "--out", tmp_path)
    assert text == "EN2006a: 1 turns of 1 speakers\nmeeting: 0 turns of 0 speakers\n"
    assert heard == [(np.int16, pytest.approx(66, abs=1))] * 2
    (turn,) = read_rttm(tmp_path / "EN2006a.rttm")
    assert (turn.recording, turn.segment, turn.speaker) == ("EN2006a", Segment(1.0, 2.5), "SPEAKER_01")
    assert read_rttm(tmp_path / "meeting.rttm") == []
    monkeypatch.setitem(sys.modules, "senko", None)
    with pytest.raises(SystemExit, match=r"^run_senko.py: senko is missing \(.*\); install it"):
        run_script("run_senko.py", "--data", sets / "demo", "--out", tmp_path)


def test_training_speed_prints_the_loop_beside_bare_steps(run_script):
    text = run_script(
        *("training_speed.py", "--speakers", 2, "--steps", 3, "--pairs", 2),
        *("--set", "training.batch_size=4", "--set", "training.save_every=2"),
    )
    assert "CPU only, seed 0, threads 1, 2 pairs." in text
    rows = rows_of(text, 5)
    assert [row[:2] for row in rows] == [["blstm-pairwise-kl", "3"], ["cnn-pairwise-kl", "3"]]
    for _, _, *rates in rows:
        loop, bare, share = map(float, rates)
        assert min(loop, bare, share) > 0


@pytest.mark.slow
def test_the_surest_turns_are_counted_and_drawn(run_script, sets, tmp_path):
    figure = tmp_path / "curve.svg"
    printed = run_script("risk_coverage.py", "--data", sets / "demo", "--figure", figure)
    assert re.search(r"^## demo \(2\): 32 turns, \d+\.\d s$", printed, re.MULTILINE)
    assert printed.count("area under the curve") == 2
    assert "demo (2)" in figure.read_text()
