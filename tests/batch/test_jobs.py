"""Many recordings: what inputs become, in which order, under which names, and that one failure stays one."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import call, complaint, demo_samples
from helpers import write_small_model

from diarize.batch.jobs import Job, check_speech, find_jobs, read_speech
from diarize.batch.sources import open_source
from diarize.errors import DiarizeError, FormatError
from diarize.formats import read_rttm
from diarize.formats.kaldi import write_data_folder
from diarize.segments import Segment

SPEECH = demo_samples()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_model(tmp_path_factory.mktemp("small"))


@pytest.fixture
def sound(tmp_path):
    """Writes the speech below the temporary folder."""

    def write(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, SPEECH, 16000)
        return path

    return write


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Jobs


def test_a_file_is_a_job_whether_it_exists_or_not(sound):
    paths = [sound("b c.wav"), sound("a.flac"), Path("nowhere/z.wav")]
    assert find_jobs(paths) == [
        Job("b_c", str(paths[0])),
        Job("a", str(paths[1])),
        Job("z", "nowhere/z.wav"),
    ]


def test_a_folder_is_searched_and_keeps_its_subfolders(sound, tmp_path):
    for name in ("in/b.wav", "in/x/y/a.flac", "in/x/b.wav", "in/.hidden.wav", "in/notes.txt.ogg"):
        sound(name)
    (tmp_path / "in" / "notes.txt").write_text("no audio")
    jobs = find_jobs([tmp_path / "in"])
    assert [(str(job.folder), job.recording) for job in jobs] == [
        (".", "b"),
        (".", "notes.txt"),
        ("x", "b"),
        ("x/y", "a"),
    ]


def test_what_is_named_twice_is_one_job(sound, tmp_path):
    path = sound("in/a.wav")
    assert find_jobs([path, path]) == [Job("a", str(path))]
    assert find_jobs([tmp_path / "in", path]) == [Job("a", str(path))]


@pytest.mark.parametrize("names", [("x/a.wav", "y/a.wav"), ("x/a.wav", "x/a.flac"), ("a b.wav", "a_b.wav")])
def test_two_recordings_of_one_name_are_refused(names, sound):
    first, second = (sound(name) for name in names)
    with pytest.raises(DiarizeError) as error:
        find_jobs([first, second])
    id = "a_b" if "a_b" in names[1] else "a"
    assert str(error.value) == (
        f"{second} and {first} would both be written as {id}; rename one or run them apart"
    )


def test_the_same_name_in_two_subfolders_is_two_results(sound, tmp_path, model):
    sound("in/x/a.wav")
    sound("in/y/a.wav")
    done = call("run", tmp_path / "in", "--model", model, "-o", tmp_path / "out", "--format", "rttm")
    assert (done.status, done.err) == (0, "")
    assert written(tmp_path / "out") == ["journal.sqlite", "x/a.rttm", "y/a.rttm"]


# One failure stays one


def test_one_bad_file_among_three_is_reported_and_the_others_are_written(sound, tmp_path, model):
    first, last = sound("first.wav"), sound("last.wav")
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio\n")
    done = call("run", first, bad, last, "--model", model, "-o", tmp_path / "out", "--format", "rttm")
    assert done.status == 2
    told, count = done.err.splitlines()
    assert told.startswith(f"diarize: {bad}: not audio")
    assert count == "diarize: 1 of 3 recordings failed, see above"
    assert written(tmp_path / "out") == ["first.rttm", "journal.sqlite", "last.rttm"]


def test_one_bad_file_among_three_leaves_a_table_of_the_others(sound, tmp_path, model):
    from diarize import Embeddings

    table = tmp_path / "a.npz"
    done = call("embed", sound("b.wav"), "none.wav", sound("a.wav"), "--model", model, "-o", table)
    assert done.status == 2
    assert done.err.splitlines()[0] == "diarize: none.wav: no such file; check the path"
    assert list(dict.fromkeys(Embeddings.load(table).recording)) == ["b", "a"]


# Kaldi data folders


@pytest.fixture
def data(sound, tmp_path):
    folder = tmp_path / "data"
    wav_scp = {name: str(sound(f"{name}.wav")) for name in ("meet1", "meet2", "meet3")}
    segments = {
        "u1": ("meet1", Segment(1.0, 3.0)),
        "u2": ("meet1", Segment(2.0, 4.0)),
        "u3": ("meet2", Segment(5.0, 6.5)),
    }
    write_data_folder(folder, wav_scp, dict.fromkeys(segments, "someone"), segments, {"meet1": 2, "meet2": 1})
    return folder


def test_a_data_folder_gives_ids_numbers_and_speech(data):
    assert [(job.recording, job.n_speakers, job.speech) for job in find_jobs([data])] == [
        ("meet1", 2, [Segment(1.0, 4.0)]),
        ("meet2", 1, [Segment(5.0, 6.5)]),
        ("meet3", None, []),
    ]


def test_a_data_folder_without_segments_leaves_speech_to_be_detected(data):
    for name in ("segments", "utt2spk", "spk2utt"):
        (data / name).unlink()
    assert [job.speech for job in find_jobs([data])] == [None, None, None]


def test_segments_and_reco2num_spk_are_respected(data, model, tmp_path):
    done = call("run", data, "--model", model, "-o", tmp_path / "out")
    assert done.status == 0
    assert done.err == "meet3: no speech was found\n"
    turns = {name: read_rttm(tmp_path / "out" / f"{name}.rttm") for name in ("meet1", "meet2", "meet3")}
    assert {turn.speaker for turn in turns["meet1"]} == {"SPEAKER_00", "SPEAKER_01"}
    assert (turns["meet1"][0].segment.start, turns["meet1"][-1].segment.end) == (1.0, 4.0)
    assert [(turn.segment, turn.speaker) for turn in turns["meet2"]] == [(Segment(5.0, 6.5), "SPEAKER_00")]
    assert turns["meet3"] == []


def test_the_command_line_goes_over_reco2num_spk(data, model, tmp_path):
    call("run", data, "--num-speakers", 1, "--model", model, "-o", tmp_path / "out")
    assert {turn.speaker for turn in read_rttm(tmp_path / "out" / "meet1.rttm")} == {"SPEAKER_00"}


def test_a_recording_too_short_for_reco2num_spk_is_labelled_all_the_same(data, model, tmp_path):
    (data / "reco2num_spk").write_text("meet1 2\nmeet2 3\nmeet3 1\n")
    done = call("run", data, "--model", model, "-o", tmp_path / "out")
    assert done.status == 0
    assert "meet2: 1 window cannot be 3 speakers, the requested minimum; there are at most 1\n" in done.err
    assert {turn.speaker for turn in read_rttm(tmp_path / "out" / "meet2.rttm")} == {"SPEAKER_00"}
    done = call("run", data, "--set", "clustering.n_speakers=2", "--model", model, "-o", tmp_path / "exact")
    assert done.status == 2
    assert "meet2: 1 window cannot be 2 speakers; ask for at most 1\n" in done.err


def test_speech_of_the_command_line_goes_over_segments(data, model, tmp_path):
    (tmp_path / "speech.rttm").write_text(
        "".join(f"SPEAKER meet{i} 1 0.5 1.0 <NA> <NA> A <NA> <NA>\n" for i in (1, 2, 3))
    )
    options = ["--num-speakers", 1, "--speech", tmp_path / "speech.rttm", "-o", tmp_path / "out"]
    assert call("run", data, "--model", model, *options).status == 0
    for name in ("meet1", "meet2", "meet3"):
        assert [turn.segment for turn in read_rttm(tmp_path / "out" / f"{name}.rttm")] == [Segment(0.5, 1.5)]


def test_a_wrong_line_of_a_data_folder_is_named(data):
    (data / "segments").write_text("u1 meet1 3.0 1.0\n")
    line = complaint(call("run", data, "--model", "none"))
    assert line.startswith(f"{data / 'segments'}, line 1: ends at 1, not after its start 3")


@pytest.mark.parametrize("id", ["../meet", "/meet", "a/b"])
def test_an_id_that_leads_out_of_the_output_folder_is_refused(id, sound, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wav.scp").write_text(f"{id} {sound('a.wav')}\n")
    line = complaint(call("run", tmp_path / "data", "-o", tmp_path / "out", "--model", "none"))
    assert line == f"recording {id!r}: the id names a file; use an id without /"


# Commands in a wav.scp


@pytest.fixture
def piped(sound, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()

    def write(**commands):
        (folder / "wav.scp").write_text("".join(f"{id} {line}\n" for id, line in sorted(commands.items())))
        return folder

    return write


def test_a_command_is_refused_before_it_runs(piped, tmp_path):
    folder = piped(a=f"touch {tmp_path / 'ran'} |")
    line = complaint(call("run", folder, "--model", "none"))
    assert line.startswith(f"{folder / 'wav.scp'}, line 1: a command; give --allow-pipes to run it")
    assert not (tmp_path / "ran").exists()


def test_a_command_that_is_allowed_gives_what_its_file_would(piped, sound, model, tmp_path):
    path = sound("in/a.wav")
    folder = piped(a=f"cat {shlex.quote(str(path))} |")
    by_command = call("run", folder, "--allow-pipes", "--model", model)
    assert (by_command.status, by_command.err) == (0, "")
    assert by_command.out == call("run", path, "--model", model).out != ""
    table = tmp_path / "a.npz"
    assert call("embed", folder, "--allow-pipes", "--model", model, "-o", table).status == 0


def test_a_command_that_fails_is_told_and_the_others_go_on(piped, sound, model, tmp_path):
    folder = piped(
        a="echo so it went >&2; exit 3 |",
        b="true |",
        c="echo no audio |",
        d=f"cat {sound('in/a.wav')} |",
    )
    done = call("run", folder, "--allow-pipes", "--model", model, "-o", tmp_path / "out", "--format", "rttm")
    assert done.status == 2
    failed, silent, wrong, count = done.err.splitlines()
    assert failed == "diarize: command 'echo so it went >&2; exit 3' fails with 3: so it went"
    assert silent == "diarize: recording b: the command 'true |' writes nothing"
    assert "/c.wav: not audio that FFmpeg can read" in wrong
    assert count == "diarize: 3 of 4 recordings failed, see above"
    assert written(tmp_path / "out") == ["d.rttm", "journal.sqlite"]


def test_what_a_command_wrote_is_removed(tmp_path):
    job = Job("a", "printf abc |")
    with open_source(job) as name:
        assert Path(name).read_bytes() == b"abc"
        assert Path(name).name == "a.wav"
    assert not Path(name).parent.exists()


# Speech given with --speech

SEGMENTS = [Segment(1.0, 3.5), Segment(5.0, 6.5)]
CONTENTS = {
    "rttm": "".join(
        f"SPEAKER {id} 1 {start} {duration} <NA> <NA> {speaker} <NA> <NA>\n"
        for id, start, duration, speaker in [
            ("a", 1.0, 2.0, "A"),
            ("a", 2.0, 1.5, "B"),
            ("a", 5.0, 1.5, "A"),
            ("b", 0.0, 0.5, "A"),
        ]
    ),
    "uem": "a 1 1.0 3.5\na 1 5.0 6.5\nb 1 0.0 0.5\n",
    "lab": "0.0 1.0 sil\n1.0 3.5 speech\n5.0 6.5 speech\n",
}


@pytest.mark.parametrize("suffix", CONTENTS)
@pytest.mark.parametrize("in_folder", [False, True])
def test_turns_lie_within_the_speech_that_was_given(suffix, in_folder, sound, model, tmp_path):
    file = tmp_path / "speech" / f"a.{suffix}"
    file.parent.mkdir()
    file.write_text(CONTENTS[suffix])
    given = file.parent if in_folder else file
    assert read_speech(given, "a") == SEGMENTS
    path = sound("a.wav")
    done = call("run", path, "--speech", given, "--num-speakers", 1, "--model", model, "-o", tmp_path / "out")
    assert (done.status, done.err) == (0, "")
    assert [turn.segment for turn in read_rttm(tmp_path / "out" / "a.rttm")] == SEGMENTS
    table = tmp_path / "a.tsv"
    assert call("embed", path, "--speech", given, "--model", model, "-o", table).status == 0
    times = np.array([line.split("\t")[1:3] for line in table.read_text().splitlines()[1:]], dtype=float)
    assert (times[0, 0], times[-1, 1]) == (1.0, 6.5)


def test_speech_beyond_the_end_of_the_recording_is_left_out(sound, model, tmp_path):
    (tmp_path / "a.lab").write_text("7.0 60.0 speech\n")
    options = ["--speech", tmp_path / "a.lab", "--num-speakers", 1, "-o", tmp_path / "out"]
    assert call("run", sound("a.wav"), "--model", model, *options).status == 0
    assert [turn.segment for turn in read_rttm(tmp_path / "out" / "a.rttm")] == [Segment(7.0, 8.0)]
    table = tmp_path / "a.tsv"
    arguments = ["--speech", tmp_path / "a.lab", "-o", table]
    assert call("embed", tmp_path / "a.wav", "--model", model, *arguments).status == 0
    assert [line.split("\t")[1:3] for line in table.read_text().splitlines()[1:]] == [["7.0", "8.0"]]


def test_a_label_file_of_silence_is_a_recording_without_speakers(sound, model, tmp_path):
    (tmp_path / "a.lab").write_text("0.0 8.0 sil\n")
    done = call("run", sound("a.wav"), "--speech", tmp_path / "a.lab", "--format", "json", "--model", model)
    assert (done.status, done.err) == (0, "a: no speech was found\n")
    assert json.loads(done.out)["turns"] == []


def test_speech_is_checked_before_any_work(tmp_path):
    (tmp_path / "a.lab").write_text("")
    check_speech(tmp_path, 3)
    check_speech(tmp_path / "a.lab", 1)
    with pytest.raises(FormatError, match="a label file is for one recording"):
        check_speech(tmp_path / "a.lab", 2)
    with pytest.raises(FormatError, match="No such file"):
        check_speech(tmp_path / "b.lab", 1)


# Names in Unicode's normal forms: é as one character (C) and as two (D)

COMPOSED, DECOMPOSED = "r\u00e9union", "re\u0301union"


@pytest.mark.parametrize(("audio", "speech"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
@pytest.mark.parametrize("suffix", [".rttm", ".uem", ".lab"])
def test_speech_is_found_in_any_normal_form(audio, speech, suffix, sound, tmp_path):
    (job,) = find_jobs([sound(f"audio/{audio}.wav")])
    assert job.recording == COMPOSED
    line = {".lab": "0 1 x", ".uem": f"{speech} 1 0 1", ".rttm": f"SPEAKER {speech} 1 0 1 <NA> <NA> x"}[
        suffix
    ]
    file = tmp_path / "speech" / f"{speech}{suffix}"
    file.parent.mkdir()
    file.write_text(f"{line}\n", encoding="utf-8")
    for given in (file, file.parent):
        assert read_speech(given, job.recording) == [Segment(0, 1)]


def test_two_recordings_of_one_name_in_two_normal_forms_are_refused(sound, tmp_path):
    sound(f"{COMPOSED}.wav")
    sound(f"{DECOMPOSED}.wav")
    with pytest.raises(DiarizeError, match="would both be written as r\u00e9union; rename one"):
        find_jobs([tmp_path])


def test_a_data_folder_may_mix_normal_forms(sound, tmp_path):
    path = sound(f"{DECOMPOSED}.wav")
    write_data_folder(tmp_path / "data", {DECOMPOSED: str(path)})
    (tmp_path / "data" / "reco2num_spk").write_text(f"{COMPOSED} 2\n", encoding="utf-8")
    (tmp_path / "data" / "segments").write_text(f"u1 {COMPOSED} 0 1\n", encoding="utf-8")
    assert find_jobs([tmp_path / "data"]) == [
        Job(COMPOSED, str(path), n_speakers=2, speech=[Segment(0, 1)])  # the file is named as it is
    ]


def test_blanks_in_the_name_of_a_file_of_speech_are_those_of_its_recording(sound, tmp_path):
    (job,) = find_jobs([sound("my meeting.wav")])
    (tmp_path / "my meeting.lab").write_text("0 1 x\n")
    assert read_speech(tmp_path, job.recording) == [Segment(0, 1)]


def test_an_rttm_of_nobody_is_speech(tmp_path):
    (tmp_path / "a.rttm").write_text("SPEAKER a 1 0 1 <NA> <NA> <NA> <NA> <NA>\n")
    assert read_speech(tmp_path / "a.rttm", "a") == [Segment(0, 1)]
