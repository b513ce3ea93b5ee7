"""The examples in the docstrings of the public modules are run."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PUBLIC = (
    "diarize.segments",
    "diarize.config.loading",
    "diarize.audio.recordings",
    "diarize.clustering",
    "diarize.formats",
    "diarize.scoring.der",
    "diarize.scoring.clusterings",
    "diarize.embedding.table",
    "diarize.pipeline.diarizer",
    "diarize.pipeline.live",
    "diarize.batch.run",
)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_give_what_they_show(name, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
