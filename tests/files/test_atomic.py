"""Files that are written whole or not at all, and what a killed process leaves of them."""

from diarize.files.atomic import atomic_path, remove_leftovers, write_bytes


def leave(path) -> str:
    """Begin to write a file, as a process that is killed; the name of what is left."""
    writing = atomic_path(path)
    temporary = writing.__enter__()
    writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    temporary.write_bytes(b"half")  # its clean-up would have removed it
    return temporary.name


def test_leftovers_of_a_file_are_removed_and_nothing_else(tmp_path):
    path, other, long = tmp_path / "a.b.json", tmp_path / "b.json", tmp_path / f"{'a' * 60}.json"
    write_bytes(b"whole", path)
    gone = {leave(path), leave(path)}
    stays = {leave(other), leave(long), leave(tmp_path / "a.b.rttm"), ".hidden", ".a.b.notes.json", path.name}
    for name in (".hidden", ".a.b.notes.json"):
        (tmp_path / name).touch()
    assert {file.name for file in tmp_path.iterdir()} == gone | stays
    remove_leftovers([path, long, tmp_path / "nowhere" / "a.json"])
    assert {file.name for file in tmp_path.iterdir()} == stays
    assert path.read_bytes() == b"whole"


def test_leftovers_of_a_name_without_suffix_are_removed(tmp_path):
    leave(tmp_path / "plain")
    remove_leftovers([tmp_path / "plain"])
    assert list(tmp_path.iterdir()) == []


def test_who_writes_a_file_alone_removes_its_leftovers(tmp_path):
    path = tmp_path / "mel.f16"
    leave(path)
    other = leave(tmp_path / "index.npz")
    with atomic_path(path, alone=True) as temporary:
        assert {file.name for file in tmp_path.iterdir()} == {other}
        temporary.write_bytes(b"whole")
    assert {file.name for file in tmp_path.iterdir()} == {other, path.name}
