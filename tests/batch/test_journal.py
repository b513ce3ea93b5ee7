"""The journal alone: what is to be done after each end that a run can have had, and what status says."""

import os
import shutil
import time

import pytest

from diarize.batch.jobs import Job
from diarize.batch.journal import find_journals, journal_path, lock_path, open_journal
from diarize.batch.labelling import Labelled
from diarize.batch.plan import plan_job
from diarize.batch.shards import WHOLE, Shard
from diarize.batch.sources import fingerprint_source
from diarize.batch.status import read_status
from diarize.errors import DiarizeError
from diarize.files.fingerprints import Fingerprint, fingerprint
from diarize.files.lock import locked


@pytest.fixture
def job(tmp_path):
    (tmp_path / "a.wav").write_bytes(bytes(1000))
    return Job("a", str(tmp_path / "a.wav"))


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def as_labelled(job, duration=10.0):
    return Labelled({"rttm": "new"}, fingerprint_source(job.source), duration, 2.0, 3)


def plan(out, job, shard=WHOLE, settings="s"):
    with open_journal(out, shard) as journal:
        return plan_job(job, [out / "a.rttm"], journal.find("a"), settings).action


def test_a_run_that_ended_before_its_commit_leaves_nothing(out, job):
    with open_journal(out, WHOLE) as journal:
        journal.begin_run(1)
        journal.wait(job, 1000)
        journal.commit()
        journal.start(job)
    with open_journal(out, WHOLE) as journal:
        entry = journal.find("a")
        assert (entry.state, entry.is_interrupted) == ("waiting", False)
    assert plan(out, job) == "label"


@pytest.mark.parametrize(
    ("on_disk", "action"), [(None, "label"), ("old", "label"), ("new", "skip"), ("mine", "keep")]
)
def test_a_run_that_was_killed_as_it_wrote_knows_its_own_files(on_disk, action, out, job):
    """The old result is there until the new one replaces it; what is neither has been edited."""
    path = out / "a.rttm"
    path.write_text("old")
    old = fingerprint(path)
    path.write_text("new")
    new = fingerprint(path)
    with open_journal(out, WHOLE) as journal:
        journal.begin_run(1)
        journal.wait(job, 1000)
        journal.finish(job, as_labelled(job), "before", {"a.rttm": old})
        journal.settle(job, {"a.rttm": old})
        journal.finish(job, as_labelled(job), "s", {"a.rttm": Fingerprint(new.size, 0, new.sha256)})
        journal.commit()
    path.unlink()
    if on_disk is not None:
        path.write_text(on_disk)
    assert plan(out, job) == action
    if action != "keep":
        assert plan(out, job, settings="other") == "label"


def test_the_newest_entry_of_overlapping_shards_counts(out, job):
    path = out / "a.rttm"
    path.write_text("new")
    with open_journal(out, Shard(1, 2)) as journal:
        journal.begin_run(1)
        journal.wait(job, 1000)
        journal.finish(job, as_labelled(job), "s", {"a.rttm": fingerprint(path)})
        journal.commit()
    assert plan(out, job, Shard(3, 4)) == "skip"
    assert plan(out, job, Shard(2, 2)) == "refuse", "another shard has other recordings"
    path.unlink()
    with open_journal(out, WHOLE) as journal:
        journal.begin_run(1)
        assert journal.find("a").state == "done"
        journal.fail(job, "broken")
        journal.commit()
    assert [failure.error for failure in read_status(out).failures] == ["broken"]
    names = [f"journal{part}.sqlite" for part in ("", "-1-of-2", "-2-of-2", "-3-of-4")]
    assert sorted(path.name for path in find_journals(out)) == sorted(names)


def test_status_has_the_pace_and_the_time_left_of_a_run(out, job):
    others = [Job(name, job.source) for name in "bcd"]
    with open_journal(out, WHOLE) as journal:
        journal.begin_run(1)
        for each in (job, *others):
            journal.wait(each, 1000)
        journal.start(others[0])
        journal.finish(job, as_labelled(job), "s", {})
        journal.fail(others[1], "broken", "Traceback")
        journal._write("UPDATE runs SET started = ?", (time.time() - 100,))
        journal.commit()
        status = read_status(out)
        assert status.audio_per_second == pytest.approx(0.1, rel=0.05)
        assert status.seconds_left == pytest.approx(200, rel=0.05), "b and d are as long as a"
    counts = {"done": 1, "edited": 0, "failed": 1, "waiting": 1}
    assert status.states == {**counts, "running": 1, "interrupted": 0}
    assert (status.n_running, status.audio_seconds, status.work_seconds) == (1, 10.0, 2.0)
    over = read_status(out)
    assert over.states == {**counts, "running": 0, "interrupted": 1}
    assert (over.n_running, over.audio_per_second, over.seconds_left) == (0, None, None)
    assert over.failures[0].traceback == "Traceback"


def test_a_journal_of_another_version_is_refused(out):
    with open_journal(out, WHOLE) as journal:
        journal._database.execute("PRAGMA user_version = 99")
    with (
        pytest.raises(DiarizeError, match="not a journal of this version of diarize"),
        open_journal(out, WHOLE),
    ):
        pass


def test_runs_of_the_same_recordings_exclude_each_other_and_shards_do_not(out):
    with open_journal(out, Shard(1, 2)):
        with open_journal(out, Shard(2, 2)):
            pass
        for shard in (Shard(1, 2), WHOLE, Shard(1, 3)):
            with pytest.raises(DiarizeError, match="writes into this folder"), open_journal(out, shard):
                pass
    with open_journal(out, WHOLE):
        assert lock_path(journal_path(out, WHOLE)).read_text().startswith(f"process {os.getpid()} on ")
    assert sorted(path.name for path in out.iterdir()) == [
        "journal-1-of-2.sqlite", "journal-2-of-2.sqlite", "journal.sqlite"
    ]  # fmt: skip


def test_a_lock_file_that_was_removed_does_not_let_two_in(tmp_path):
    """Its owner removes the file; whoever had opened it before must not count as the owner of the new one."""
    with locked(tmp_path / "lock"):
        (tmp_path / "lock").unlink()
        with locked(tmp_path / "lock"):
            assert (tmp_path / "lock").exists()


def test_the_fingerprint_of_a_command_is_that_of_its_text(tmp_path, job):
    assert fingerprint_source("cat a |") == fingerprint_source("cat a |") != fingerprint_source("cat b |")
    assert fingerprint_source(str(tmp_path / "none")) is None
    copy = shutil.copy(job.source, tmp_path / "b.wav")
    assert fingerprint_source(str(copy)).sha256 == fingerprint_source(job.source).sha256
