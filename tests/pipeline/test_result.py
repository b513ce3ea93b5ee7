"""What a result and a back end are given stays theirs."""

import subprocess
import sys

import numpy as np
import pytest

from diarize import write_rttm
from diarize.config import Config
from diarize.embedding.table import make_table
from diarize.pipeline.diarizer import Diarizer
from diarize.pipeline.result import Diarization
from diarize.segments import Segment, Turn
from diarize.speakers.plda import Backend


def test_a_result_keeps_copies_of_what_it_was_given():
    turns, seconds = [Turn("a", Segment(0, 1), "SPEAKER_00")], {"cluster": 1.0}
    evidence = {"reason": "asked", "candidates": [{"n_speakers": 1, "score": 1.0}], "n_speakers": 1}
    config = Config()
    table = make_table("a", [Segment(0, 1)], np.ones((1, 2), np.float32), ["SPEAKER_00"])
    result = Diarization("a", 1.0, turns, table, evidence, config, "m 0", seconds)
    before = result.to_json(), dict(result.seconds)
    turns.clear()
    seconds.clear()
    evidence["candidates"][0]["score"] = 7.0
    config.clustering.options["p"] = 1
    assert (result.to_json(), dict(result.seconds)) == before


def test_a_back_end_owns_its_arrays():
    projection, spread = np.eye(3), np.ones(3)
    backend = Backend(projection, spread)
    projection[:], spread[:] = 0, 0
    np.testing.assert_array_equal(backend.projection, np.eye(3))
    np.testing.assert_array_equal(backend.spread, np.ones(3))


@pytest.fixture(scope="module")
def samples(demo_recording):
    from diarize.audio import load_audio

    return load_audio(demo_recording)[: 8 * 16000]


def test_the_number_of_speakers_has_both_names(samples):
    config = Config.model_validate({"speech": {"detector": "energy"}})
    diarizer = Diarizer(config=config, threads=1)
    by_one = diarizer(samples, rate=16000, n_speakers=2)
    for numbers in ({"num_speakers": 2}, {"n_speakers": 2, "num_speakers": 2}):
        assert diarizer(samples, rate=16000, **numbers).to_json() == by_one.to_json()
    assert len(by_one.speakers) == 2
    with pytest.raises(ValueError, match=r"^n_speakers and num_speakers differ, got 2 and 3$"):
        diarizer(samples, rate=16000, n_speakers=2, num_speakers=3)


def test_a_diarizer_keeps_its_settings():
    config = Config()
    diarizer = Diarizer(config=config, threads=1)
    config.clustering.options["linkage"] = "nonsense"
    assert diarizer.config.clustering.options == {}


def test_a_result_needs_neither_torch_nor_scikit_learn(tmp_path):
    """Both take seconds to load; a program that only reads results would wait for them."""
    path = tmp_path / "a.rttm"
    write_rttm([Turn("a", Segment(0, 1), "Ann")], path)
    code = (
        "import sys, diarize; diarize.Diarization; "
        f"assert diarize.read_rttm({str(path)!r}); "
        "print(*{'torch', 'sklearn', 'scipy', 'onnxruntime', 'matplotlib', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
