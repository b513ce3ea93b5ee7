"""The jobs of a service over HTTP, on an application without a socket."""

import asyncio
import io
import json
import time
from dataclasses import replace

import jsonschema
import pytest
import soundfile
from command_line import demo_samples
from services import service

from diarize.access import Access
from diarize.batch.jobs import Job
from diarize.batch.journal import open_journal
from diarize.batch.labelling import Labelled
from diarize.batch.shards import WHOLE
from diarize.errors import DiarizeError
from diarize.formats import FORMATS, read_turns
from diarize.service import job_queue
from diarize.service.application import make_application
from diarize.service.openapi import describe_interface
from diarize.service.store import Store


def content(seconds: float) -> bytes:
    """The beginning of the demo as FLAC."""
    file = io.BytesIO()
    soundfile.write(file, demo_samples(seconds), 16_000, format="FLAC")
    return file.getvalue()


async def events_of(client, id: str) -> list[dict]:
    """The jobs that the events of one carry, until it has ended."""
    answer = await client.get(f"jobs/{id}/events")
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    parts = [part for part in answer.text.split("\n\n") if part.startswith("event: job\ndata: ")]
    return [json.loads(part.partition("data: ")[2]) for part in parts]


def check_job(job: dict) -> None:
    """A job is as the OpenAPI document describes it."""
    schema = describe_interface()["components"]["schemas"]["Job"]
    jsonschema.validate(job, {**schema, "required": [*schema["properties"]], "additionalProperties": False})


def test_recordings_are_uploaded_labelled_and_fetched_in_every_format(tmp_path):
    """One worker process for all of it, since its start takes most of the time."""

    async def scenario() -> None:
        async with service(tmp_path / "jobs", 1, max_duration=5) as (queue, client):
            sent = await client.post(
                "jobs", params={"name": "My talk.flac", "num_speakers": 1}, content=content(3.0)
            )
            job = sent.json()
            assert (sent.status_code, sent.headers["Location"]) == (201, f"jobs/{job['id']}")
            assert (job["state"], job["recording"], job["num_speakers"]) == ("waiting", "My_talk", 1)
            events = await events_of(client, job["id"])
            assert {event["state"] for event in events} >= {"running", "done"}
            for event in [job, *events]:
                check_job(event)
            assert any(event["progress"] for event in events)
            done = events[-1]
            assert (done["duration"], done["speakers"], done["error"]) == (3.0, 1, None)
            assert done == (await client.get(f"jobs/{job['id']}")).json()
            files = {path.name for path in (tmp_path / "jobs" / job["id"]).iterdir()}
            assert files == {"request.json", "result.json"}, "the recording is deleted"
            for name, known in FORMATS.items():
                result = await client.get(f"jobs/{job['id']}/result", params={"format": name})
                assert result.status_code == 200
                path = tmp_path / f"result{known.suffix}"
                path.write_bytes(result.content)
                turns = read_turns(path, name)
                assert [turn.segment for turn in turns] == [turn.segment for turn in turns[:1]] != []
                named = f'attachment; filename="{job["id"]}{known.suffix}"'
                assert result.headers["Content-Disposition"] == named

            bad = (await client.post("jobs", params={"name": "x.wav"}, content=b"no audio" * 99)).json()
            long = (await client.post("jobs", params={"name": "long.flac"}, content=content(6.0))).json()
            broken = (await events_of(client, bad["id"]))[-1]
            assert (broken["state"], broken["error"].partition(":")[0]) == ("failed", "x.wav")
            assert str(tmp_path) not in broken["error"]
            assert (await events_of(client, long["id"]))[-1]["error"] == (
                "the recording is longer than 5 s; cut it into parts"
            )
            told = await client.get(f"jobs/{bad['id']}/result")
            assert (told.status_code, told.json()["error"]) == (409, f"the job has failed: {broken['error']}")

            queue.limits = replace(queue.limits, max_seconds=0.0)
            slow = (await client.post("jobs", params={"name": "slow.flac"}, content=content(4.0))).json()
            told = (await events_of(client, slow["id"]))[-1]["error"]
            assert told == "slow: took longer than 0 s; cut the recording into parts"
            assert (await client.get("status")).json()["jobs"] == {
                "waiting": 0, "running": 0, "done": 1, "failed": 3,
            }  # fmt: skip

    asyncio.run(scenario())


def test_jobs_wait_in_their_order_and_are_listed_and_deleted(tmp_path):
    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            for name in ("a.wav", "b.wav", "c.wav"):
                assert (await client.post("jobs", params={"name": name}, content=b"x")).status_code == 201
            jobs = (await client.get("jobs")).json()["jobs"]
            assert [(job["recording"], job["place"]) for job in jobs] == [("a", 1), ("b", 2), ("c", 3)]
            first = jobs[0]["id"]
            assert (tmp_path / first / "recording.wav").read_bytes() == b"x"
            early = await client.get(f"jobs/{first}/result")
            assert (early.status_code, early.json()["error"]) == (
                409,
                "the job is waiting; its result comes later",
            )
            assert (await client.delete(f"jobs/{first}")).status_code == 204
            assert not (tmp_path / first).exists()
            for method in ("GET", "DELETE"):
                gone = await client.request(method, f"jobs/{first}")
                assert (gone.status_code, gone.json()["error"]) == (
                    404,
                    "no such job; it may have been deleted",
                )
            assert (await client.get(f"jobs/{jobs[1]['id']}")).json()["place"] == 1
            following = asyncio.create_task(events_of(client, jobs[1]["id"]))
            await asyncio.sleep(0)
            queue.stop()
            assert len(await following) <= 1, "whoever waits for news does not keep the server from stopping"
            late = await client.post("jobs", content=b"x")
            assert (late.status_code, late.headers["Retry-After"]) == (503, "30")

    asyncio.run(scenario())


def test_jobs_outlive_the_server_and_one_that_ends_it_twice_has_failed(tmp_path):
    async def upload() -> None:
        async with service(tmp_path) as (queue, client):
            for name in ("waits.wav", "ran.wav", "kills.wav"):
                await client.post("jobs", params={"name": name, "num_speakers": 3}, content=b"x")
            jobs = {job.recording: job for job in queue.jobs.values()}
            for recording, n_starts in (("ran", 1), ("kills", 2)):
                for _ in range(n_starts):
                    queue.store.start(jobs[recording])
            for job in jobs.values():
                job.state = "waiting"  # the end of a server that is killed notes nothing
        (tmp_path / "0123456789abcdef").mkdir()  # an upload that was cut off
        (tmp_path / "notes").mkdir()

    asyncio.run(upload())

    async def go_on() -> None:
        async with service(tmp_path) as (queue, client):
            jobs = {job["recording"]: job for job in (await client.get("jobs")).json()["jobs"]}
            assert {name: job["state"] for name, job in jobs.items()} == {
                "waits": "waiting", "ran": "waiting", "kills": "failed",
            }  # fmt: skip
            assert jobs["waits"]["num_speakers"] == 3
            assert jobs["kills"]["error"] == "the server has ended 2 times while it labelled this recording"
            assert not (tmp_path / "0123456789abcdef").exists()
            assert (tmp_path / "notes").exists()
            with pytest.raises(DiarizeError, match="writes into this folder"), Store(tmp_path):
                pass
            # A process that dies is replaced once for each job.
            job = queue.jobs[jobs["waits"]["id"]]
            for state in ("waiting", "failed"):
                queue.store.start(job)
                queue._died(job, "was ended by SIGKILL")
                assert job.state == state
            assert job.error == "waits: the process that labels it was ended by SIGKILL, for the second time"

    asyncio.run(go_on())


def test_who_follows_a_job_hears_of_its_end_also_if_it_ends_while_other_news_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr(job_queue, "_BEAT", 0.01)

    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            await client.post("jobs", content=b"x")
            (job,) = queue.jobs.values()
            told = []
            async for is_new in queue.follow(job):
                told.append((is_new, job.state))
                if len(told) == 3:  # at a time without news
                    queue.store.fail(job, "no")
                    queue._tell(job)
            assert told == [(True, "waiting"), (False, "waiting"), (False, "waiting"), (True, "failed")]

    asyncio.run(scenario())


def test_jobs_that_have_ended_are_removed_after_a_time_and_others_are_not(tmp_path):
    async def scenario() -> None:
        async with service(tmp_path, keep=100.0) as (queue, client):
            for name in ("waits.wav", "done.wav", "failed.wav"):
                await client.post("jobs", params={"name": name}, content=b"x")
            _waits, done, failed = queue.jobs.values()
            queue.store.finish(done, Labelled({"json": b"{}"}, None, 1.0, 1.0, 1))
            queue.store.fail(failed, "no")
            queue.remove_old(time.time() + 99)
            assert len(queue.jobs) == 3
            queue.remove_old(time.time() + 101)
            assert [job.recording for job in queue.jobs.values()] == ["waits"]
            assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [*queue.jobs]
        with Store(tmp_path) as store:
            assert [job.recording for job in store.load()] == ["waits"]

    asyncio.run(scenario())


def test_a_folder_of_results_of_run_is_refused(tmp_path):
    with open_journal(tmp_path, WHOLE) as journal:
        journal.wait(Job("meeting", "meeting.wav"), 1)
        journal.commit()
    with (
        pytest.raises(DiarizeError, match="holds results of diarize run; choose another folder"),
        Store(tmp_path),
    ):
        pass


def test_the_openapi_document_describes_the_addresses_that_there_are(tmp_path):
    async def scenario() -> None:
        async with service(tmp_path) as (queue, client):
            document = (await client.get("openapi.json")).json()
            assert document == json.loads(json.dumps(describe_interface()))
            served = make_application(Access(1), queue)._application
            pages = {"/", "/openapi.json"}
            found = {
                (route.path, method.lower())
                for route in served.routes
                for method in route.methods - {"HEAD"}
                if route.path not in pages and not route.path.startswith("/assets/")
            }
            told = {(path, method) for path, value in document["paths"].items() for method in value}
            assert found == {(path, method) for path, method in told if method != "parameters"}

    asyncio.run(scenario())


def test_the_page_and_what_it_loads_are_there(tmp_path):
    async def scenario() -> None:
        async with service(tmp_path) as (_queue, client):
            page = await client.get("")
            assert page.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "default-src 'none'; script-src 'self'" in page.headers["Content-Security-Policy"]
            assert (await client.get("assets/style.css")).text.endswith("}\n")
            for name in ("jobs.js", "live.js", "turns.js", "capture.js"):
                script = await client.get(f"assets/{name}")
                assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
            for path in ("assets/jobs.html", "assets/../store.py", "live/", "docs", "jobs/"):
                assert (await client.get(path)).status_code == 404, path

    asyncio.run(scenario())
