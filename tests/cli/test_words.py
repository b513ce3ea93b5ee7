"""diarize words: the words of a transcript, by the turns of a file or of the recording itself."""

import json
import shutil

import pytest
from command_line import REPOSITORY, call, complaint

from diarize.formats import read_rttm
from diarize.scoring.words import word_diarization_error
from diarize.words import assign_speakers, read_words

DEMO = REPOSITORY / "egs" / "demo"
TRANSCRIPT, TURNS, AUDIO = DEMO / "whisper" / "meeting.json", DEMO / "meeting.rttm", DEMO / "meeting.flac"


def test_words_by_a_file_of_turns(tmp_path):
    done = call("words", TRANSCRIPT, TURNS)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "[0:00:00] slt: Good morning everybody. Shall we talk about the summer party first?"
    assert len(lines) == 16, "as many as there are utterances, two of them in overlap"
    out = tmp_path / "new" / "out.srt"
    done = call("words", TRANSCRIPT, TURNS, "-o", out)
    assert done.out == f"{out}: 185 words of 4 speakers\n"
    assert "\n[ked]: How many people can it hold?" in out.read_text()
    assert complaint(call("words", TRANSCRIPT, TURNS, "-o", out)).startswith(f"{out}: exists; give --force")


@pytest.mark.slow
def test_words_by_the_recording_itself(tmp_path):
    out = tmp_path / "meeting.json"
    done = call("words", TRANSCRIPT, AUDIO, "-o", out, "--num-speakers", 4, "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    said = [word for segment in json.loads(out.read_text())["segments"] for word in segment["words"]]
    spoken = read_words(TRANSCRIPT)
    assert [word["word"] for word in said] == [word.text for word in spoken]
    truth = [word.speaker for word in assign_speakers(spoken, read_rttm(TURNS))]
    assert word_diarization_error(truth, [word["speaker"] for word in said]) < 0.03


def test_each_word_by_its_own_time(tmp_path):
    words = [{"word": word, "start": k, "end": k + 0.3} for k, word in enumerate(("Well", "then."))]
    transcript = tmp_path / "x.json"
    transcript.write_text(json.dumps({"words": [words[0], words[1] | {"start": 0.3, "end": 0.6}]}))
    (tmp_path / "x.rttm").write_text(
        "SPEAKER x 1 0 0.28 <NA> <NA> A <NA> <NA>\nSPEAKER x 1 0.28 2 <NA> <NA> B <NA> <NA>\n"
    )
    turns = tmp_path / "x.rttm"
    assert call("words", transcript, turns, "--exact").out == "[0:00:00] A: Well\n[0:00:00] B: then.\n"
    far = call("words", transcript, turns, "--max-gap", 0, "--format", "ctm").out
    assert far.splitlines()[0] == "x 1 0.000 0.300 Well NA lex A"


def test_the_turns_of_the_transcripts_recording_are_taken(tmp_path):
    turns = tmp_path / "all.rttm"
    turns.write_text(TURNS.read_text() + "SPEAKER other 1 0 60 <NA> <NA> nobody <NA> <NA>\n")
    assert "nobody" not in call("words", TRANSCRIPT, turns).out
    shutil.copy(TRANSCRIPT, tmp_path / "third.json")
    told = "turns of 2 recordings (meeting, other), none is third; name the transcript like its recording"
    assert complaint(call("words", tmp_path / "third.json", turns)) == f"{turns}: {told}"


def test_a_wrong_output_is_told_before_any_work(tmp_path):
    missing = tmp_path / "missing.json"
    known = "srt, vtt, json, seglst, ctm, md, txt"
    out = tmp_path / "a.docx"
    assert complaint(call("words", missing, TURNS, "-o", out)) == (
        f"{out}: no format 'docx' of words; known: {known}"
    )
    assert complaint(call("words", missing, TURNS)).startswith(f"{missing}: cannot be read")
