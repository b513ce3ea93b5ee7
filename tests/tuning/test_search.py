"""The choice of settings, on scores that are planted: no audio is labelled."""

import contextlib
import json
from types import SimpleNamespace

import pytest

from diarize.batch.jobs import Job
from diarize.config import Config, load_config
from diarize.config.changes import differences
from diarize.errors import DiarizeError
from diarize.scoring.der import FROM_UEM, DiarizationScore, pool
from diarize.segments import Segment, Turn
from diarize.tuning import Recording, tune
from diarize.tuning.kept_scores import KeptScores
from diarize.tuning.search import make_folds
from diarize.tuning.space import groups

WITHOUT_OVERLAP = {"speech.overlap": 1.0, "speech.mixed": 1.0}
BASES = {"default": Config(), "without overlap": load_config(overrides=WITHOUT_OVERLAP)}


class Planted:
    """A bench whose errors are a function of the recording's number and the config."""

    def __init__(self, errors):
        self.errors, self.n_calls = errors, 0

    def score(self, recording, config):
        self.n_calls += 1
        missed = float(self.errors(int(recording.name[1:]), config))
        return DiarizationScore(recording.name, 100.0, missed, 0.0, 0.0, 0.0, 2, 2, FROM_UEM)


def recordings(n):
    turns = [Turn("r", Segment(0, 6), "a"), Turn("r", Segment(6, 10), "b")]
    return [
        Recording(
            Job(f"r{i}", f"r{i}.wav"), [Turn(f"r{i}", t.segment, t.speaker) for t in turns], [Segment(0, 10)]
        )
        for i in range(n)
    ]


def valley(number, config):
    """Errors with their least value at min_gap 0.3 and change_cost 5; their size depends on the recording."""
    off = abs(config.turns.min_gap - 0.3) * 20 + abs(config.resegmentation.change_cost - 5)
    return 20 + number + off * (1 + 0.1 * (number % 3))


def test_the_planted_settings_are_found_and_kept():
    outcome = tune(recordings(6), bases=BASES, bench=Planted(valley))
    assert outcome.changes == {"resegmentation.change_cost": 5.0, "turns.min_gap": 0.3}
    assert [dict(each) for each in outcome.of_folds] == [outcome.changes] * 6
    assert outcome.is_better
    assert outcome.config == outcome.chosen
    assert [each.recording for each in outcome.crossed] == [f"r{i}" for i in range(6)]
    assert outcome.crossed == outcome.after
    assert "chosen in 6 of 6 folds" in outcome.summary()
    assert outcome.verdict == "The gain is distinguishable from chance: the chosen settings are written."


def test_the_better_preset_is_the_start():
    def errors(number, config):
        return 20 if config.speech.overlap == 1.0 and config.speech.mixed == 1.0 else 25 + number

    outcome = tune(recordings(5), bases=BASES, bench=Planted(errors))
    assert outcome.changes == WITHOUT_OVERLAP


def test_where_nothing_is_to_be_gained_the_defaults_stay():
    outcome = tune(recordings(6), bases=BASES, bench=Planted(lambda number, config: 20 + number))
    assert outcome.changes == {}
    assert outcome.config == Config()
    assert "the defaults are kept" in outcome.summary()
    assert outcome.to_toml(["data"]).count("\n") == sum(
        line.startswith("#") for line in outcome.to_toml(["data"]).splitlines()
    )


def test_each_recording_with_a_favourite_of_its_own_is_no_gain():
    """The settings that are best on all together are worse than the defaults on any recording left out."""

    def errors(number, config):
        favourite = {0: 0.0, 1: 0.3, 2: 0.5, 3: 1.0, 4: 1.5}[number]
        return 20 if config.turns.min_gap in (favourite, 0.7) else 26

    outcome = tune(recordings(5), bases=BASES, bench=Planted(errors))
    assert outcome.config == Config()


def test_a_change_must_pay(monkeypatch):
    def errors(number, config):
        return 20 - 0.05 * (config.turns.min_gap == 0.5)

    assert tune(recordings(5), bases=BASES, bench=Planted(errors)).changes == {}


def test_fixed_settings_keep_their_values():
    outcome = tune(recordings(5), bases=BASES, fixed={"turns.min_gap"}, bench=Planted(valley))
    assert outcome.changes == {"resegmentation.change_cost": 5.0}


def test_bounds_come_from_the_references_of_the_recordings_that_are_searched():
    names = [next(iter(group[0])) for group in groups(Config(), [2, 5, 3], set())]
    assert names.index("clustering.min_speakers") == names.index("clustering.method") - 1
    bounds = next(g for g in groups(Config(), [2, 5, 3], ()) if "clustering.min_speakers" in g[0])
    assert [tuple(each.values()) for each in bounds] == [(1, None), (1, 5), (2, 5)]
    fixed = groups(Config(), [2], {"clustering.max_speakers"})
    assert not any("clustering.min_speakers" in group[0] for group in fixed)


def test_the_first_alternative_is_the_base():
    base = load_config(preset="strong")
    for group in groups(base, [2, 3], ()):
        for name, value in group[0].items():
            section, _, key = name.partition(".")
            assert getattr(getattr(base, section), key) == value
    assert not any("speech.overlap" in group[0] for group in groups(base, [2, 3], ()))


def test_one_recording_keeps_the_defaults():
    outcome = tune(recordings(1), bases=BASES, bench=Planted(valley))
    assert outcome.gain is None
    assert outcome.config == Config()
    assert "1 recording cannot show whether a gain is chance, at least 5 are needed" in outcome.summary()


def test_folds_hold_each_recording_once():
    assert make_folds(1, 0) == []
    assert make_folds(4, 0) == [[0], [1], [2], [3]]
    folds = make_folds(23, 1)
    assert sorted(i for fold in folds for i in fold) == list(range(23))
    assert len(folds) == 5
    assert folds != make_folds(23, 2)


def test_rejected_settings_stand_in_the_file_as_comments(tmp_path):
    def errors(number, config):
        return (
            30 if config.turns.min_gap == 0.7 else 10 if number == 0 and config.turns.min_gap == 0.5 else 30
        )

    outcome = tune(recordings(6), bases=BASES, bench=Planted(errors))
    assert outcome.changes == {"turns.min_gap": 0.5}
    path = tmp_path / "tuned.toml"
    path.write_text(outcome.to_toml(["data"]))
    assert "# [turns]\n# min_gap = 0.5\n" in path.read_text()
    assert load_config(path) == Config()


def test_the_curve_falls_from_the_start_to_what_is_chosen():
    outcome = tune(recordings(6), bases=BASES, bench=Planted(valley))
    tried, ders = zip(*outcome.curve, strict=True)
    assert len(tried) > 1
    assert list(tried) == sorted(set(tried))
    assert list(ders) == sorted(ders, reverse=True)
    assert (tried[0], ders[0]) == (len(BASES), pool(outcome.before).der)
    assert ders[-1] == pool(outcome.after).der
    assert f"lowest DER by settings tried: {100 * ders[0]:.2f} after {len(BASES)}, " in outcome.summary()


def test_accepted_settings_load(tmp_path):
    outcome = tune(recordings(6), bases=BASES, bench=Planted(valley))
    path = tmp_path / "tuned.toml"
    path.write_text(outcome.to_toml(["data"]))
    assert load_config(path) == outcome.chosen
    assert differences(load_config(path)) == outcome.changes


def test_the_file_of_another_base_holds_the_base_as_well(tmp_path):
    bases = {"mine": load_config(None, {"clustering.max_speakers": 4})}
    fixed = {"clustering.max_speakers"}
    outcome = tune(recordings(6), bases=bases, fixed=fixed, bench=Planted(lambda number, config: 20))
    path = tmp_path / "tuned.toml"
    path.write_text(outcome.to_toml(["data"]))
    assert differences(load_config(path)) == {"clustering.max_speakers": 4}


# The budget and the journal


def test_the_budget_is_the_most_settings_that_are_tried():
    seen = []
    outcome = tune(
        recordings(5),
        bases=BASES,
        bench=Planted(valley),
        most=20,
        report=lambda step, n: seen.append((step, n)),
    )
    # A fold's held-out recording may need settings that only the fold has tried.
    assert outcome.n_tried <= 20
    assert max(n for step, n in seen if step == "search") <= 10
    assert {step for step, _ in seen} > {"search"}


def test_no_time_left_keeps_the_defaults():
    assert tune(recordings(5), bases=BASES, bench=Planted(valley), seconds=0.0).changes == {}


def test_an_interrupted_search_goes_on(tmp_path):
    journal = tmp_path / "scores.jsonl"
    whole = Planted(valley)
    expected = tune(recordings(5), bases=BASES, bench=whole)

    class Interrupted(Planted):
        def score(self, recording, config):
            if self.n_calls == 60:
                raise KeyboardInterrupt
            return super().score(recording, config)

    with pytest.raises(KeyboardInterrupt):
        tune(recordings(5), bases=BASES, bench=Interrupted(valley), journal=journal)
    with journal.open("a") as file:  # a process that was killed
        file.write('{"settings": {"a": 1}')
    rest = Planted(valley)
    outcome = tune(recordings(5), bases=BASES, bench=rest, journal=journal)
    assert rest.n_calls == whole.n_calls - 60
    assert (outcome.chosen, outcome.gain) == (expected.chosen, expected.gain)
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    again = Planted(valley)
    tune(recordings(5), bases=BASES, bench=again, journal=journal)
    assert again.n_calls == 0


@pytest.mark.parametrize("n_calls", [20, 40, None])
def test_an_interrupted_search_with_a_budget_goes_on(n_calls, tmp_path):
    """What only the folds have tried is known to the search before them, and counts against its budget."""

    def errors(number, config):
        off = abs(config.turns.min_gap - 0.1 * number) * 30
        return 20 + number + off + abs(config.resegmentation.change_cost - number)

    class Interrupted(Planted):
        def score(self, recording, config):
            if self.n_calls == n_calls:
                raise KeyboardInterrupt
            return super().score(recording, config)

    words = {"bases": BASES, "most": 30}
    expected = tune(recordings(2), bench=Planted(errors), **words)
    journal = tmp_path / "scores.jsonl"
    with pytest.raises(KeyboardInterrupt) if n_calls else contextlib.nullcontext():
        tune(recordings(2), bench=Interrupted(errors), journal=journal, **words)
    again = tune(recordings(2), bench=Planted(errors), journal=journal, **words)
    assert again.to_toml(["r"]) == expected.to_toml(["r"])


def test_a_journal_of_other_recordings_is_refused(tmp_path):
    journal = tmp_path / "scores.jsonl"
    KeptScores(SimpleNamespace(), recordings(2), journal)
    with pytest.raises(DiarizeError, match="scores on other recordings, references or conditions; delete it"):
        KeptScores(SimpleNamespace(), recordings(3), journal)
    journal.write_text("not JSON\n")
    with pytest.raises(DiarizeError, match="no journal of scores"):
        KeptScores(SimpleNamespace(), recordings(2), journal)
    journal.write_text("")
    with pytest.raises(DiarizeError, match="no journal of scores"):
        KeptScores(SimpleNamespace(), recordings(2), journal)
