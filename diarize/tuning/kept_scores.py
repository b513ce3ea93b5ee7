"""Scores of settings on recordings, each computed once, also over several calls of a command."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from diarize import __version__
from diarize.config import Config
from diarize.config.changes import differences
from diarize.errors import DiarizeError
from diarize.files.text import append_text, write_text
from diarize.scoring.der import DiarizationScore, pool
from diarize.tuning.recordings import Recording


class Scorer(Protocol):
    """What gives the scores: a `Bench`."""

    def score(self, recording: Recording, config: Config) -> DiarizationScore:
        """The errors of settings on a recording."""
        ...


class KeptScores:
    """Scores of settings on recordings.

    Parameters
    ----------
    bench : Scorer
    recordings : sequence of Recording
    journal : path, optional
        A file of JSON lines to which each score is appended. Scores of an earlier call in it are used.
    most : int, optional
        Settings that may be tried at most.
    seconds : float, optional
        Seconds after which no further settings are tried.
    report : callable
        Called with the number of settings tried so far.

    Raises
    ------
    DiarizeError
        If the journal is of other recordings or conditions, or cannot be read or written.
    """

    def __init__(
        self,
        bench: Scorer,
        recordings: Sequence[Recording],
        journal: Path | None = None,
        *,
        most: int | None = None,
        seconds: float | None = None,
        report: Callable[[int], None] = lambda n: None,
    ) -> None:
        self.bench, self.recordings, self.journal, self.report = bench, recordings, journal, report
        self.most, self.seconds = most, seconds
        self._began = time.monotonic()
        self._share = 1.0
        self._scores: dict[tuple[str, str], DiarizationScore] = {}
        self._tried: set[str] = set()
        if journal is not None:
            self._open(journal)

    @property
    def n_tried(self) -> int:
        """Settings tried so far."""
        return len(self._tried)

    def allow(self, share: float) -> None:
        """From now on, up to this share of the budget may be used, in total."""
        self._share = share

    def score(self, recording: Recording, config: Config) -> DiarizationScore:
        """The errors of settings on a recording."""
        return self._score(recording, config, _name(config))

    def der(self, recordings: Sequence[Recording], config: Config) -> float | None:
        """The DER of all together; None if the budget is spent.

        Settings that an earlier call has scored count as tried, as otherwise this call would take another
        path. They take no time.
        """
        name = _name(config)
        is_known = all((each.name, name) in self._scores for each in recordings)
        if self._is_much(name) or (not is_known and self._is_late()):
            return None
        return pool([self._score(each, config, name) for each in recordings]).der

    def _score(self, recording: Recording, config: Config, name: str) -> DiarizationScore:
        key = (recording.name, name)
        if key not in self._scores:
            score = self._scores[key] = self.bench.score(recording, config)
            entry = asdict(score) | {"recording": recording.name}
            self._append({"settings": json.loads(name), "score": entry})
        if name not in self._tried:
            self._tried.add(name)
            self.report(self.n_tried)
        return self._scores[key]

    def _is_much(self, name: str) -> bool:
        """Whether these settings would be one more than may be tried by now."""
        if self.most is None or name in self._tried:
            return False
        return self.n_tried >= self._share * self.most

    def _is_late(self) -> bool:
        return self.seconds is not None and time.monotonic() - self._began > self._share * self.seconds

    def _open(self, path: Path) -> None:
        """Read the scores of an earlier call, or begin the file."""
        head = {"diarize": __version__, "of": _fingerprint(self.recordings)}
        if not path.exists():
            self._append(head)
            return
        try:
            text = path.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]  # a call that was killed may leave a part of a line
            if whole != text:
                write_text(whole, path)
            first, *entries = map(json.loads, whole.splitlines())
        except OSError as error:
            raise DiarizeError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise DiarizeError(f"{path}: no journal of scores; delete it, or give --force") from error
        if first != head:
            raise DiarizeError(
                f"{path}: scores on other recordings, references or conditions; delete it, or give --force"
            )
        for entry in entries:
            score = DiarizationScore(**entry["score"])
            self._scores[score.recording, json.dumps(entry["settings"], sort_keys=True)] = score

    def _append(self, entry: dict[str, Any]) -> None:
        if self.journal is not None:
            append_text(json.dumps(entry) + "\n", self.journal)


def _name(config: Config) -> str:
    """Settings as a text that is the same for the same settings."""
    return json.dumps(differences(config), sort_keys=True)


def _fingerprint(recordings: Sequence[Recording]) -> str:
    """A text that changes with the recordings, their references and the conditions of the scores."""
    parts: list[Any] = []
    for each in recordings:
        path = Path(each.job.source)
        size = path.stat().st_size if path.is_file() else each.job.source
        turns = [(turn.segment.start, turn.segment.end, turn.speaker) for turn in each.turns]
        scored = None if each.scored is None else [(part.start, part.end) for part in each.scored]
        parts.append((each.name, size, turns, scored, each.collar, each.skip_overlap))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
