"""`LiveDiarizer`: turns while a recording is still running.

Each update hears the last seconds again, and clusters all windows that are kept. Its turns are compared with
those that were given before::

    samples    ......[======== heard again ========]          now
    windows    kept kept kept | new new new new new |
    turns      given, and corrected | given now |   latency   |
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from diarize.audio import SAMPLE_RATE
from diarize.clustering.partitions import Labels
from diarize.config import Config
from diarize.embedding.configured import configured_embedder
from diarize.embedding.embedder import embed
from diarize.embedding.models import Model
from diarize.embedding.record import Voices
from diarize.errors import ConfigError
from diarize.pipeline.labels import label, make_clusterer
from diarize.pipeline.resegmentation import resegment
from diarize.pipeline.stream_memory import StreamMemory
from diarize.pipeline.turns import turns
from diarize.segments import TOUCH, Segment, Turn, crop, join_segments, merge_turns
from diarize.speakers.online import keep_numbers
from diarize.speech.detect import Heard, hear
from diarize.timelines import differences, replace_parts, speaker_of, without

STEP = 1.0
"""Seconds between two updates."""

HEARD, SETTLED = 12.0, 8.0
"""Seconds that an update hears again; what lies more than SETTLED seconds back is kept as it is."""

N_KEPT = 800
"""Windows that are kept: ten minutes of speech, about."""

N_AGREE = 3
"""Updates in a row that find the same speakers before turns that were given are corrected."""

ALIGNED = 2560
"""Samples: the grids of all frames (10, 20, 32 and 40 ms) have their multiples in common."""


class LiveEvent(NamedTuple):
    """What has become known."""

    kind: Literal["begin", "end", "correct"]
    """begin: a turn has begun and lasts at least up to its end; end: a turn has ended; correct: the turns of
    a segment are replaced."""
    segment: Segment
    turns: tuple[Turn, ...]
    """The turn or, of a correction, all turns within the segment."""

    def to_json(self) -> str:
        """The event as a JSON object, on one line."""
        turns = [{**_times(turn.segment), "speaker": turn.speaker} for turn in self.turns]
        if self.kind == "correct":
            return json.dumps({"event": self.kind, **_times(self.segment), "turns": turns})
        return json.dumps({"event": self.kind, **turns[0]})


class LiveDiarizer:
    """Labels a stream: who speaks, `latency` seconds after it was said.

    Parameters
    ----------
    model : path, name or Model, optional
        The embedding model, as for `Diarizer`.
    config : Config, optional
        All settings. `clustering.n_speakers` is an upper limit here, because not all speakers speak at once.
        The speech detector "local" is not supported.
    latency : float
        Seconds, 1 to 8.
    recording : str
        Id for the turns.
    device, threads
        As for `Diarizer`.

    Raises
    ------
    ConfigError
        If the config or the latency does not suit a stream.

    Examples
    --------
    >>> from diarize.audio import load_audio
    >>> samples = load_audio("egs/demo/meeting.flac")[:160_000]  # 10 s
    >>> live = LiveDiarizer()
    >>> events = live.push(samples)  # what has become known with them; any number of samples
    >>> events = live.finish()
    >>> live.speakers
    ['SPEAKER_00', 'SPEAKER_01']
    """

    def __init__(
        self,
        model: str | Path | Model | None = None,
        *,
        config: Config | None = None,
        latency: float = 2.0,
        recording: str = "live",
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.config = _for_streams(config or Config())
        if not 1.0 <= latency <= SETTLED:
            raise ConfigError(f"the latency is {latency:g} s; choose 1 to {SETTLED:g} s")
        self.latency, self.recording = latency, recording
        self.embedder = configured_embedder(self.config, model, device=device, threads=threads)
        self._samples = np.zeros(0, np.float32)
        self._offset = self._updated = 0  # samples before those; samples at the last update
        self._memory = StreamMemory(self.embedder.dim, N_KEPT)
        self._given = 0.0  # seconds up to which turns were given
        self._final: list[Turn] = []  # those that can no longer be corrected, and the others
        self._turns: list[Turn] = []
        self._open: list[str] = []  # who was speaking at `_given`
        self._found: list[list[Turn]] = []  # by the last updates
        self._numbers: dict[str, int] = {}  # of the speakers
        self._n_known = 0  # numbers of the speakers that were given

    @property
    def turns(self) -> list[Turn]:
        """All turns given so far, as corrected, in the order of their starts."""
        return merge_turns([*self._final, *self._turns])

    @property
    def speakers(self) -> list[str]:
        """The speakers of the turns, in the order of their first turns."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))

    def push(self, samples: ArrayLike) -> list[LiveEvent]:
        """What has become known with any number of further samples (n,), mono at 16 kHz."""
        self._samples = np.concatenate([self._samples, np.asarray(samples, np.float32)])
        step, events = round(STEP * SAMPLE_RATE), list[LiveEvent]()
        while self._offset + len(self._samples) >= self._updated + step:
            self._updated += step
            events += self._update(self._updated / SAMPLE_RATE, self.latency)
        return events

    def finish(self) -> list[LiveEvent]:
        """What is left, when the stream ends here. All corrections are given."""
        self._updated = self._offset + len(self._samples)
        now = self._updated / SAMPLE_RATE
        if now == 0:
            return []
        events = self._update(now, 0.0, n_agree=1)
        ended = [
            turn for turn in self._turns if turn.speaker in self._open and turn.segment.end > now - TOUCH
        ]
        self._open = []
        return events + [LiveEvent("end", turn.segment, (turn,)) for turn in ended]

    def _update(self, now: float, latency: float, n_agree: int = N_AGREE) -> list[LiveEvent]:
        """The events of an update; afterwards turns are given up to `latency` seconds ago."""
        samples = self._samples[: self._updated - self._offset]
        heard = hear([samples], self.config.speech, threads=self.embedder.threads)
        voices = embed(heard, [samples], self.embedder, self.config)
        heard, voices = self._memory.joined(heard, voices, self._offset / SAMPLE_RATE)
        found = self._label(heard, voices, self._numbers_of(voices.windows))
        self._found = [*self._found[1 - N_AGREE :], found]
        events = self._correct(n_agree) + self._give(max(self._given, now - latency))
        self._memory.keep(heard, voices, self._numbers_of(voices.windows), now - SETTLED)
        self._forget()
        return events

    def _label(self, heard: Heard, voices: Voices, before: Labels) -> list[Turn]:
        """The turns of the complete part. `before` (n_windows,) are the numbers of the windows' speakers."""
        if not voices.windows:
            return []
        backend = self.embedder.backend
        said = Heard(join_segments(voices.windows), [], heard.mixed, heard.n_seconds)
        labelled = label(voices, said, backend, self.config, self.recording, self.embedder.verifier)
        numbers = keep_numbers(labelled.labels, before, self._n_known)
        finer = resegment(labelled, voices, heard, backend, self.config)
        found = turns(finer, heard, self.config.turns, self.recording)
        names = {name: f"SPEAKER_{numbers[each]:02d}" for each, name in found.names.items()}
        self._numbers |= {names[name]: int(numbers[each]) for each, name in found.names.items()}
        return [replace(turn, speaker=names[turn.speaker]) for turn in found.turns]

    def _correct(self, n_agree: int) -> list[LiveEvent]:
        """Correct what was given where the last updates agree on something else."""
        if not self._given or len(self._found) < n_agree:
            return []
        latest = self._found[-n_agree:]
        within = Segment(self._memory.complete, self._given)
        changed = differences(self._turns, latest[-1], within)
        for older, newer in pairwise(latest):
            changed = without(changed, differences(older, newer, within, 0.0))
        changed = [each for each in changed if each.duration >= 0.1]
        if not changed:
            return []
        self._set_turns(replace_parts(self._turns, changed, latest[-1]))
        memory = self._memory
        for i, window in enumerate(memory.windows):
            if any(map(window.intersection, changed)):
                memory.numbers[i] = self._number_of(window)
        return [LiveEvent("correct", each, tuple(crop(self._turns, [each]))) for each in changed]

    def _give(self, until: float) -> list[LiveEvent]:
        """Give the turns up to a time: those that were open go on or end, others begin."""
        before, events = self._given, list[LiveEvent]()
        if until > before:
            self._set_turns(merge_turns([*self._turns, *crop(self._found[-1], [Segment(before, until)])]))
        self._given = until
        were_open, self._open = self._open, []
        for turn in self._turns:
            start, end = turn.segment.start, turn.segment.end
            if end < before - TOUCH or (end <= before + TOUCH and turn.speaker not in were_open):
                continue
            if start > before - TOUCH or turn.speaker not in were_open:
                events.append(LiveEvent("begin", turn.segment, (turn,)))
            if end < until - TOUCH:
                events.append(LiveEvent("end", turn.segment, (turn,)))
            else:
                self._open.append(turn.speaker)
        return events

    def _forget(self) -> None:
        """Leave out samples that no update hears again; turns before the complete part are final."""
        final = [turn.segment.end < self._memory.complete for turn in self._turns]
        self._final += [turn for turn, each in zip(self._turns, final, strict=True) if each]
        self._turns = [turn for turn, each in zip(self._turns, final, strict=True) if not each]
        first = max(self._offset, self._updated - round(HEARD * SAMPLE_RATE)) // ALIGNED * ALIGNED
        self._samples = self._samples[first - self._offset :]
        self._offset = first

    def _set_turns(self, found: list[Turn]) -> None:
        self._turns = found
        self._n_known = max([self._n_known, *(self._numbers[turn.speaker] + 1 for turn in found)])

    def _numbers_of(self, windows: Sequence[Segment]) -> Labels:
        """The numbers (n_windows,) of the speakers of windows: those that are kept, and others."""
        others = [self._number_of(window) for window in windows[len(self._memory.windows) :]]
        return np.concatenate([self._memory.numbers, np.array(others, np.int64)])

    def _number_of(self, window: Segment) -> int:
        """The number of the speaker who has most of a window by the turns given; -1 if nobody has any."""
        return self._numbers.get(speaker_of(window, self._turns) or "", -1)


def _times(segment: Segment) -> dict[str, float]:
    return {"start": round(segment.start, 3), "end": round(segment.end, 3)}


def _for_streams(config: Config) -> Config:
    """A config for a stream: the number of speakers is a limit, as not all of them speak from the start.

    Raises
    ------
    ConfigError
        If it does not suit a stream.
    """
    if config.speech.detector == "local":
        raise ConfigError("a stream has no local speakers; set speech.detector to silero or activity")
    asked = config.clustering
    limits = {"n_speakers": None, "min_speakers": 1, "max_speakers": asked.n_speakers or asked.max_speakers}
    config = config.model_copy(deep=True, update={"clustering": asked.model_copy(update=limits)})
    make_clusterer(config)
    return config
