"""Shards: every recording in exactly one, whatever else there is."""

import pytest

from diarize.batch.jobs import Job
from diarize.batch.shards import Shard, parse_shard
from diarize.errors import ConfigError

JOBS = [Job(f"r{i}", f"r{i}.wav") for i in range(3000)]


@pytest.mark.parametrize("total", [1, 2, 7])
def test_shards_share_the_jobs_in_about_equal_parts(total):
    parts = [Shard(number, total).take(JOBS) for number in range(1, total + 1)]
    assert sorted(job.name for part in parts for job in part) == sorted(job.name for job in JOBS)
    mean = len(JOBS) / total
    assert all(abs(len(part) - mean) < 5 * mean**0.5 for part in parts)


def test_a_recording_stays_in_its_shard_when_others_come():
    few = JOBS[::3]
    assert Shard(2, 5).take(few) == [job for job in Shard(2, 5).take(JOBS) if job in few]


@pytest.mark.parametrize(
    ("first", "second", "overlap"), [("1/3", "2/3", False), ("1/3", "1/3", True), ("1/3", "2/4", True)]
)
def test_only_shards_of_one_total_are_apart(first, second, overlap):
    assert parse_shard(first).overlaps(parse_shard(second)) is overlap
    assert str(parse_shard(f" {first} ")) == first


def test_what_is_no_shard_is_an_error():
    with pytest.raises(ConfigError, match="--shard 5/4: write it as NUMBER/TOTAL"):
        parse_shard("5/4")
