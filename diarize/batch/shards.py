"""Shards: parts of a job list that several runs share without talking to each other.

The shard of a recording depends on its name alone, so a recording stays in its shard when others are added.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from diarize.batch.jobs import Job
from diarize.errors import ConfigError


@dataclass(frozen=True)
class Shard:
    """One of several equal parts, counted from 1."""

    number: int = 1
    total: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    def overlaps(self, other: Shard) -> bool:
        """Whether one recording can belong to both."""
        return self.total != other.total or self.number == other.number

    def take(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs of this shard."""
        return [job for job in jobs if _hash(job.name) % self.total == self.number - 1]


WHOLE = Shard()
"""All recordings."""


def parse_shard(text: str) -> Shard:
    """The shard named by a text such as 2/8.

    Raises
    ------
    ConfigError
        If the text names none.
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise ConfigError(f"--shard {text}: write it as NUMBER/TOTAL, from 1/8 to 8/8 for eight shards")
    return Shard(int(found[1]), int(found[2]))


def _hash(name: str) -> int:
    return int.from_bytes(sha256(name.encode("utf-8", "surrogatepass")).digest()[:8])
