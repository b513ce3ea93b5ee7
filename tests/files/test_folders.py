"""Which files are found in a folder: links, circles of links, hidden and unreadable ones."""

import os
from pathlib import Path

import pytest
from command_line import call, complaint

from diarize.audio import find_audio
from diarize.batch.jobs import find_jobs
from diarize.errors import DiarizeError
from diarize.files.folders import find_files
from diarize.scoring.der import score

LINE = "SPEAKER a 1 0.000 1.000 <NA> <NA> x <NA> <NA>\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder beside a disk of other folders."""
    for name in ("corpus/a.wav", "corpus/x/b.wav", "disk/new/c.wav", "disk/new/deep/d.wav", "disk/e.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "corpus"


def names(corpus: Path, **options: bool) -> list[str]:
    return [path.relative_to(corpus).as_posix() for path in find_files(corpus, **options)]


def link(path: Path, target: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(str(target))


def test_files_are_found_below_and_sorted(corpus):
    assert names(corpus) == ["a.wav", "x/b.wav"]
    assert names(corpus, below=False) == ["a.wav"]


@pytest.mark.parametrize("target", ["../disk/new", "absolute"])
def test_linked_folders_and_files_are_found(corpus, target, caplog):
    """Linked folders were skipped without a word."""
    link(corpus / "more", corpus.parent / "disk" / "new" if target == "absolute" else target)
    link(corpus / "e.wav", "../disk/e.wav")
    assert names(corpus) == ["a.wav", "e.wav", "more/c.wav", "more/deep/d.wav", "x/b.wav"]
    assert not caplog.records


@pytest.mark.parametrize("name", ["a_first", "z_last"])
def test_a_folder_that_is_linked_as_well_is_read_once_by_its_own_path(corpus, name, caplog):
    link(corpus / name, "x")
    link(corpus / "x" / f"{name}_again", "../x")
    assert names(corpus) == ["a.wav", "x/b.wav"]
    assert not caplog.records


def test_a_folder_with_two_links_is_read_once(corpus):
    link(corpus / "one", "../disk/new")
    link(corpus / "two", "../disk/new")
    link(corpus / "deep", "../disk/new/deep")
    assert names(corpus) == ["a.wav", "deep/d.wav", "one/c.wav", "x/b.wav"]


@pytest.mark.parametrize("target", [".", "..", "x", "../corpus", "../disk/back"])
def test_circles_of_links_end(corpus, target):
    link(corpus.parent / "disk" / "back", corpus)
    link(corpus / "x" / "circle", target)
    found = [path.name for path in find_files(corpus)]
    assert sorted(set(found)) == sorted(found)
    assert {"a.wav", "b.wav"} <= set(found)


def test_a_link_through_which_the_folder_was_named_is_followed(corpus):
    link(corpus.parent / "way", "corpus")
    assert names(corpus.parent / "way") == ["a.wav", "x/b.wav"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("nowhere", "the link is dead"),
        ("lost", "it cannot be read (Too many levels of symbolic links)"),
    ],
)
@pytest.mark.parametrize("name", ["lost", "lost.wav", "x/lost"])
def test_a_dead_link_is_told(corpus, name, target, reason, caplog):
    """Dead links vanished without a word."""
    link(corpus / name, Path(name).name if target == "lost" else target)
    assert names(corpus) == ["a.wav", "x/b.wav"]
    assert caplog.messages == [f"{corpus / name}: left out; {reason}"]


def test_what_is_neither_file_nor_folder_is_told(corpus, caplog):
    os.mkfifo(corpus / "pipe.wav")
    assert names(corpus) == ["a.wav", "x/b.wav"]
    assert caplog.messages == [f"{corpus / 'pipe.wav'}: left out; it is neither a file nor a folder"]


def test_hidden_files_folders_and_links_are_left_out(corpus, caplog):
    """Hidden folders were searched, though hidden files were not."""
    for name in (".trash/f.wav", "x/.git/g.wav", ".h.wav"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).touch()
    link(corpus / ".link", "../disk/new")
    link(corpus / ".dead", "nowhere")
    assert names(corpus) == ["a.wav", "x/b.wav"]
    assert not caplog.records


def test_a_hidden_folder_that_is_named_or_linked_is_read(corpus):
    corpus.rename(corpus.parent / ".hidden")
    assert names(corpus.parent / ".hidden") == ["a.wav", "x/b.wav"]
    link(corpus / "shown", "../.hidden")
    assert names(corpus) == ["shown/a.wav", "shown/x/b.wav"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told(corpus, caplog):
    (corpus / "x").chmod(0)
    try:
        assert names(corpus) == ["a.wav"]
        assert caplog.messages == [f"{corpus / 'x'}: left out; the folder cannot be read (Permission denied)"]
        with pytest.raises(DiarizeError, match=r"x: the folder cannot be read \(Permission denied\)$"):
            find_files(corpus / "x")
    finally:
        (corpus / "x").chmod(0o700)


def test_a_folder_that_does_not_exist_is_one_line(tmp_path):
    with pytest.raises(DiarizeError, match=r"none: the folder cannot be read \(No such file or directory\)$"):
        find_files(tmp_path / "none")


# Who looks for files


def test_recordings_of_linked_folders_are_jobs_below_the_link(corpus):
    link(corpus / "more", "../disk/new")
    assert [(job.recording, str(job.folder)) for job in find_jobs([corpus])] == [
        ("a", "."), ("c", "more"), ("d", "more/deep"), ("b", "x"),
    ]  # fmt: skip
    assert [path.name for path in find_audio(corpus)] == ["a.wav", "c.wav", "d.wav", "b.wav"]


def test_one_file_by_two_paths_is_one_job(corpus, monkeypatch):
    monkeypatch.chdir(corpus)
    link(corpus.parent / "way", "corpus")
    jobs = find_jobs(["a.wav", corpus / "a.wav", corpus.parent / "way" / "a.wav", "x/../a.wav"])
    assert [job.source for job in jobs] == ["a.wav"]
    (corpus.parent / "disk" / "a.wav").touch()
    with pytest.raises(DiarizeError, match="would both be written as a; rename one or run them apart"):
        find_jobs(["a.wav", "../disk/a.wav"])


def test_dead_links_are_told_by_the_command(corpus):
    link(corpus / "lost.wav", "nowhere")
    (corpus / "a.wav").unlink()
    (corpus / "x" / "b.wav").unlink()
    done = call("run", corpus)
    assert done.status == 2
    told, complaint_ = done.err.splitlines()
    assert told == f"{corpus / 'lost.wav'}: left out; the link is dead"
    assert complaint_.startswith(f"diarize: {corpus}: no audio files")


def test_folders_of_references_are_read_the_same_way(tmp_path, caplog):
    for name in ("ref/a.rttm", "hyp/a.rttm", "disk/a.rttm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(LINE)
    (tmp_path / "ref" / "._a.rttm").write_bytes(b"\0\5\26\7")  # as macOS leaves them on other disks
    (tmp_path / "hyp" / "a.rttm").unlink()
    link(tmp_path / "hyp" / "a.rttm", "../disk/a.rttm")
    link(tmp_path / "hyp" / "b.rttm", "nowhere")
    (scored,) = score(tmp_path / "ref", tmp_path / "hyp")
    assert scored.der == 0
    assert caplog.messages == [f"{tmp_path / 'hyp' / 'b.rttm'}: left out; the link is dead"]
    (tmp_path / "empty").mkdir()
    assert complaint(call("score", tmp_path / "ref", tmp_path / "empty")).startswith(
        f"{tmp_path / 'empty'}: no file"
    )
