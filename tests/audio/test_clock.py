"""A file's clock against its sound: gaps, overlaps, and clocks that are not to be believed."""

import pytest

from diarize.audio.clock import LONGEST_CONFIRMED_GAP, LONGEST_GAP, Clock

FRAME = 0.02


def positions(times, zero=0.0, promised=None, alone=False):
    """Where each frame comes to lie in the recording, None where it is left out."""
    clock, found = Clock(zero, promised, alone), []
    for time, after in zip(times, [*times[1:], None], strict=True):
        ahead = clock.missing(time, after, FRAME)
        kept = FRAME + min(ahead, 0.0)
        found.append(clock.position if kept > FRAME / 2 else None)
        clock.position += max(kept, 0.0)
    return found, clock


def run(*spans):
    """The times of frames without gaps, from each begin, so many."""
    return [begin + FRAME * i for begin, n in spans for i in range(n)]


@pytest.mark.parametrize(
    ("times", "zero", "first", "last"),
    [
        (run((0.0, 50)), 0.0, 0.0, 0.98),
        (run((4.0, 50)), 0.0, 4.0, 4.98),
        (run((5.4, 50)), 1.4, 4.0, 4.98),
        (run((0.0, 50), (7.0, 50)), 0.0, 0.0, 7.98),
        (run((0.0, 500), (8.0, 500)), 0.0, 0.0, 17.98),  # 2 s twice
        (run((0.0, 50), (0.0, 50)), 0.0, 0.0, 1.98),  # a file joined
        (run((30.0, 50), (10.0, 50)), 30.0, 0.0, 1.98),  # set back
        (run((0.0, 50), (1.0 + LONGEST_GAP * 2, 50)), 0.0, 0.0, 1.98),
        ([*run((0.0, 50)), 5000.0, *run((1.02, 49))], 0.0, 0.0, 1.98),  # one wrong time
        ([*run((0.0, 50)), *[None] * 50], 0.0, 0.0, 1.98),
        ([0.0, *run((4.4, 50))], 0.0, 0.0, 5.38),
    ],
)
def test_frames_lie_where_the_clock_says(times, zero, first, last):
    found, _ = positions(times, zero)
    assert found[0] == pytest.approx(first, abs=1e-6)
    assert found[-1] == pytest.approx(last, abs=1e-6)


def test_jitter_changes_nothing():
    found, clock = positions([t + (0.03 if i % 2 else 0.0) for i, t in enumerate(run((0.0, 100)))])
    assert found == pytest.approx(run((0.0, 100)))
    assert clock.filled == clock.dropped == clock.n_jumps == 0


def test_a_header_confirms_longer_gaps():
    times = run((0.0, 50), (3 * LONGEST_GAP, 50))
    assert positions(times, promised=3 * LONGEST_GAP + 1.0)[0][-1] == pytest.approx(times[-1])
    assert positions(times)[0][-1] == pytest.approx(1.98)
    times = run((0.0, 50), (2 * LONGEST_CONFIRMED_GAP, 50))
    assert positions(times, promised=times[-1])[0][-1] == pytest.approx(1.98)


def test_gaps_are_bounded_together():
    times = run(*[(i * LONGEST_GAP / 4, 50) for i in range(20)])
    _, clock = positions(times)
    assert clock.filled <= LONGEST_GAP
    assert clock.position <= LONGEST_GAP + 20.0


def test_what_a_codec_delays_is_no_late_start():
    assert positions(run((0.016, 50)), alone=True)[0][0] == 0.0
    assert positions(run((0.016, 50)))[0][0] == pytest.approx(0.016)
