"""Uploads to a service: limits, names, and clients that are slow."""

import asyncio

import pytest
from services import service

from diarize.service import job_routes, uploads
from diarize.service.store import Store


@pytest.mark.parametrize(
    ("limits", "size", "told"),
    [
        ({"max_bytes": 10}, 11, (413, "the recording has 11 bytes; at most 10 are taken")),
        ({"max_bytes": 10}, None, (413, "the recording has more than 10 bytes")),
        ({"max_queue": 0}, 1, (503, "0 jobs are waiting; try again later")),
        ({"max_uploads": 0}, 1, (429, "0 uploads are running; try again in a second")),
        ({}, 0, (422, "0 bytes; send the recording as the body of the request")),
    ],
)
def test_what_is_too_much_is_refused_and_leaves_nothing(tmp_path, limits, size, told):
    async def blocks():
        for _ in range(5):
            yield b"xxxx"

    async def scenario() -> None:
        async with service(tmp_path, **limits) as (queue, client):
            answer = await client.post("jobs", content=blocks() if size is None else b"x" * size)
            assert (answer.status_code, answer.json()["error"]) == told
            assert ("Retry-After" in answer.headers) == (told[0] in (429, 503))
            assert not [path for path in tmp_path.iterdir() if path.is_dir()]
            assert (queue.n_uploads, queue.jobs) == (0, {})

    asyncio.run(scenario())


def test_jobs_that_wait_or_are_being_uploaded_fill_the_queue(tmp_path):
    async def scenario() -> None:
        async with service(tmp_path, max_queue=2, max_uploads=1) as (queue, client):
            begun, end = asyncio.Event(), asyncio.Event()

            async def blocks():
                yield b"x"
                begun.set()
                await end.wait()
                yield b"y"

            slow = asyncio.create_task(client.post("jobs", content=blocks()))
            await begun.wait()
            assert (await client.post("jobs", content=b"x")).status_code == 429
            end.set()
            assert (await slow).status_code == 201
            assert (await client.post("jobs", content=b"x")).status_code == 201
            assert (await client.post("jobs", content=b"x")).status_code == 503
            assert queue.n_uploads == 0

    asyncio.run(scenario())


def test_clients_that_send_nothing_or_too_slowly_are_left(tmp_path, monkeypatch):
    async def blocks():
        yield b"x"
        await asyncio.sleep(10)

    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            monkeypatch.setattr(job_routes, "SILENCE", 0.02)
            answer = await client.post("jobs", content=blocks())
            assert (answer.status_code, answer.json()["error"]) == (408, "nothing was sent for 0.02 s")
            monkeypatch.setattr(uploads, "SILENCE", 0.0)
            monkeypatch.setattr(uploads, "SLOWEST", 1e12)
            answer = await client.post("jobs", content=b"x")
            assert answer.status_code == 408
            assert not queue.jobs

    asyncio.run(scenario())


def test_a_disk_that_is_full_is_told_and_not_where_it_is(tmp_path, monkeypatch):
    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            monkeypatch.setattr(queue.store, "folder", tmp_path / "gone")  # as a disk that cannot be written
            answer = await client.post("jobs", content=b"x")
            assert answer.status_code == 507
            assert str(tmp_path) not in answer.text
            monkeypatch.undo()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "/etc/passwd", "../../etc/passwd.wav", "a\\b.wav", "a\0.wav", "a\n.wav", "x" * 201,
     "\u202e.wav", "?", "...wav"],
)  # fmt: skip
def test_names_that_are_no_names_of_files_are_refused(tmp_path, name):
    async def scenario() -> None:
        async with service(tmp_path) as (_queue, client):
            answer = await client.post("jobs", params={"name": name}, content=b"x")
            assert answer.status_code == 422
            assert answer.json()["error"].startswith("name: ")
            assert not [path for path in tmp_path.iterdir() if path.is_dir()]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "recording", "stored"),
    [
        ("a.b.WAV", "a.b", "recording.wav"),
        ("%2e%2e%2fx.m4a", "%2e%2e%2fx", "recording.m4a"),
        ("Zoe\u0301 1.x-y", "Zo\u00e9_1", "recording"),
        (".bashrc", ".bashrc", "recording"),
        ("a|sh -c x|.flac", "a|sh_-c_x|", "recording.flac"),
    ],
)
def test_no_name_of_a_client_is_a_path(tmp_path, name, recording, stored):
    async def scenario() -> None:
        async with service(tmp_path) as (_queue, client):
            answer = await client.post("jobs", params={"name": name}, content=b"x")
            job = answer.json()
            assert job["recording"] == recording
            assert [path.name for path in tmp_path.rglob("recording*")] == [stored]
        with Store(tmp_path) as store:
            assert [each.recording for each in store.load()] == [recording]

    asyncio.run(scenario())


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "1000", ""])
def test_a_wrong_number_of_speakers_is_refused(tmp_path, number):
    async def scenario() -> None:
        async with service(tmp_path) as (_queue, client):
            answer = await client.post("jobs", params={"num_speakers": number}, content=b"x")
            assert (answer.status_code, answer.json()["error"]) == (
                422,
                "num_speakers: a whole number from 1 to 999",
            )

    asyncio.run(scenario())
