"""Turns of a stream: those of the whole recording, early, and corrected."""

import numpy as np
import pytest

from diarize.audio import SAMPLE_RATE, load_audio
from diarize.config import load_config
from diarize.errors import ConfigError
from diarize.pipeline import live as module
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.live import HEARD, STEP, LiveDiarizer
from diarize.scoring.der import score_diarization
from diarize.segments import merge_turns
from diarize.timelines import replace_parts


def listen(
    live: LiveDiarizer, samples: np.ndarray, block: int = 8000
) -> list[tuple[float, module.LiveEvent]]:
    """All events, with the seconds that were pushed when each came."""
    found = []
    for start in range(0, len(samples), block):
        seconds = min(start + block, len(samples)) / SAMPLE_RATE
        found += [(seconds, event) for event in live.push(samples[start : start + block])]
    return found + [(len(samples) / SAMPLE_RATE, event) for event in live.finish()]


@pytest.fixture(scope="module")
def heard(demo_recording) -> tuple[LiveDiarizer, list[tuple[float, module.LiveEvent]]]:
    live = LiveDiarizer(recording="meeting", device="cpu", threads=1)
    return live, listen(live, load_audio(demo_recording))


@pytest.mark.slow
def test_a_stream_ends_with_nearly_the_turns_of_the_recording(heard, demo_recording):
    live, _ = heard
    whole = Diarizer(device="cpu", threads=1)(demo_recording)
    assert live.speakers == whole.speakers
    assert score_diarization(whole.turns, live.turns).der < 0.03


@pytest.mark.slow
def test_events_come_in_time_and_are_the_turns(heard):
    """Turns put together from the events alone are those of the result, and no event comes too early."""
    live, events = heard
    turns = []
    for seconds, event in events:
        if event.kind == "begin":
            assert event.segment.end <= seconds - live.latency + 1e-6
        if event.kind == "correct":
            turns = replace_parts(turns, [event.segment], event.turns)
        else:
            turns = merge_turns([*turns, *event.turns])
    assert turns == live.turns
    late = [seconds - event.segment.end for seconds, event in events[:-1] if event.kind == "end"]
    assert max(late) <= live.latency + STEP
    assert sum(event.kind == "correct" for _, event in events) < 3


@pytest.mark.slow
def test_the_size_of_the_blocks_changes_nothing(demo_recording):
    samples = load_audio(demo_recording)[: 20 * SAMPLE_RATE]
    first, second = (
        [event for _, event in listen(LiveDiarizer(device="cpu", threads=1), samples, block)]
        for block in (len(samples), 4321)
    )
    assert first == second
    assert first


@pytest.mark.slow
def test_memory_is_bounded_and_the_number_of_speakers_is_a_limit(demo_recording, monkeypatch):
    monkeypatch.setattr(module, "N_KEPT", 8)
    config = load_config(overrides={"clustering.n_speakers": 2})
    live = LiveDiarizer(device="cpu", threads=1, config=config)
    listen(live, load_audio(demo_recording)[: 35 * SAMPLE_RATE])
    assert len(live.speakers) == 2
    assert len(live._memory.windows) == 8
    assert len(live._memory._pieces) < 100
    assert all(turn.segment.end >= live._memory.complete > 0 for turn in live._turns)
    assert live.turns == merge_turns([*live._final, *live._turns])
    assert live._final, "turns of windows that are no longer kept"
    assert len(live._samples) <= (HEARD + STEP) * SAMPLE_RATE


def test_silence_has_no_turns():
    live = LiveDiarizer(device="cpu", threads=1)
    assert listen(live, np.zeros(5 * SAMPLE_RATE, np.float32)) == []
    assert live.turns == live.speakers == []


def test_a_stream_that_has_no_samples_ends():
    assert LiveDiarizer(device="cpu", threads=1).finish() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"latency": 0.5}, r"^the latency is 0.5 s; choose 1 to 8 s$"),
        ({"latency": float("nan")}, r"^the latency is nan s"),
        (
            {"config": load_config(overrides={"speech.detector": "local"})},
            r"^a stream has no local speakers; set speech.detector to silero or activity$",
        ),
    ],
)
def test_what_does_not_suit_a_stream_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        LiveDiarizer(device="cpu", **arguments)
