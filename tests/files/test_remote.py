"""Files at URLs, in fsspec's file system in memory."""

import sys

import pytest

from diarize.batch.jobs import find_jobs
from diarize.errors import ConfigError, DiarizeError
from diarize.files.fingerprints import Fingerprint, is_same
from diarize.files.locations import exists, locate, status, write
from diarize.files.remote import RemoteFile, check_writable, is_url

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def store():
    """An empty store, memory://store."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield locate("memory://store")
    system.store.clear()


def test_what_is_written_is_there_with_a_new_version(store):
    file = store / "a" / "b.rttm"
    assert file.url == "memory://store/a/b.rttm"
    assert (file.name, file.stem, file.suffix) == ("b.rttm", "b", ".rttm")
    assert not exists(file)
    write(b"one", file)
    first = status(file)
    assert (exists(file), first[0], exists(store / "a")) == (True, 3, False)
    write(b"two", file)
    second = status(file)
    assert second[0] == 3
    assert second[1] != first[1]
    with file.downloaded() as copy:
        assert copy.read() == b"two"
    digest = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    assert is_same(file, Fingerprint(3, second[1], "")), "by its version alone"
    assert is_same(file, Fingerprint(3, 1, digest)), "by its content"
    assert not is_same(file, Fingerprint(3, 1, ""))
    assert not is_same(store / "none", Fingerprint(3, 1, digest))


def test_a_folder_gives_jobs_with_its_subfolders_and_a_file_one(store):
    for name in ("a.wav", "deep/er/b c.flac", "notes.txt", ".hidden/c.wav", "../up.wav"):
        fsspec.filesystem("memory").store[f"/store/{name}"] = fsspec.filesystem("memory").open("/x", "wb")
    jobs = find_jobs(["memory://store/"], urls=True)
    assert [(job.recording, job.source, str(job.folder)) for job in jobs] == [
        ("a", "memory://store/a.wav", "."),
        ("b_c", "memory://store/deep/er/b c.flac", "deep/er"),
    ]
    (job,) = find_jobs(["https://example.org/x/my%20call.mp3?key=1.2"], urls=True)
    assert (job.recording, job.source) == ("my_call", "https://example.org/x/my%20call.mp3?key=1.2")


def test_what_cannot_be_read_or_written_is_one_line(store, tmp_path, monkeypatch):
    with pytest.raises(DiarizeError, match=r"^memory://store/none: no such file or folder; check the URL$"):
        find_jobs(["memory://store/none"], urls=True)
    write(b"", store / "x.txt")
    with pytest.raises(DiarizeError, match=r"^memory://store: no audio files; looked for "):
        find_jobs(["memory://store"], urls=True)
    with pytest.raises(DiarizeError, match=r"^memory://store: only `diarize run` reads URLs; copy it to a "):
        find_jobs(["memory://store"])
    (tmp_path / "wav.scp").write_text("a memory://store/a.wav\n")
    with pytest.raises(DiarizeError, match=r"wav.scp: memory://store/a.wav: a URL is read only from the com"):
        find_jobs([tmp_path], urls=True)
    with pytest.raises(ConfigError, match=r"^ftp://x/y: ftp:// is not known; known: s3, gs, http, https"):
        find_jobs(["ftp://x/y"], urls=True)
    with pytest.raises(ConfigError, match=r"^https://x/y: cannot be written; give a folder, or a URL of s3"):
        check_writable("https://x/y")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ConfigError, match=r"^s3://x/y: needs the package s3fs: pip install s3fs$"):
        check_writable("s3://x/y")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"^s3://x/y: needs fsspec: pip install 'diarize-toolkit"):
        check_writable("s3://x/y")


def test_an_error_of_a_store_is_one_line(store, monkeypatch):
    def refuse(self, path, **options):
        raise PermissionError("Forbidden\nby the store")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "info", refuse)
    with pytest.raises(DiarizeError, match=r"^memory://store/a: PermissionError: Forbidden by the store;"):
        RemoteFile("memory://store/a").status()


@pytest.mark.parametrize("name", ["a.wav", "/a/b.wav", "C:\\a.wav", "a:b.wav", "-", "a//b"])
def test_paths_are_no_urls(name):
    assert not is_url(name)
