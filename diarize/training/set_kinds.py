"""The kinds of sets that a [sets] table names, and the data that they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field, field_validator

from diarize.audio.features import Frames
from diarize.config import Settings, validate
from diarize.embedding.table import Embeddings
from diarize.errors import ConfigError, FormatError
from diarize.formats.kaldi import read_corpora, read_whole_recordings
from diarize.training.packed import PackedFeatures, random_crop
from diarize.training.sets import Items, PointSampler, SetSampler, SpeakerSetSampler, is_a_range
from diarize.training.window_sets import WindowSetConfig, WindowSetSampler

TEST_SEED, DEV_SEED = 0, 10**6
"""Seeds of the sets of test and of dev, which no training has."""


class SetConfig(Settings):
    """The [sets] table, but for windows of conversations, which have a `WindowSetConfig`."""

    kind: Literal["points", "embeddings", "snippets"] = Field(
        "points",
        description="points: in the plane, without data; embeddings: of windows of speech; snippets: of "
        "log-mel",
    )
    n_items: tuple[int, int] = Field(
        (20, 20),
        description="items of a set, the fewest and the most; sets of dev and test have the most",
    )
    n_most: int = Field(5, ge=1, description="the largest number of clusters; each number is as likely")
    n_frames: int = Field(128, ge=8, description="frames of a snippet")

    _range = field_validator("n_items")(is_a_range)


AnySets = SetConfig | WindowSetConfig


@dataclass(frozen=True)
class SpeakerRows:
    """Embeddings (n_rows, dim) or log-mel clips; numbers of the speaker and corpus of each row."""

    data: NDArray[np.float32] | PackedFeatures
    speaker: NDArray[np.int64]
    corpus: NDArray[np.int64]


def read_sets(table: Mapping[str, Any], source: str) -> AnySets:
    """The settings of a [sets] table; error messages begin with `source`.

    Raises
    ------
    ConfigError
        If the kind or a setting is unknown, or a value is impossible.
    """
    kind = WindowSetConfig if table.get("kind") == "windows" else SetConfig
    found = validate(kind, table, f"{source}: [sets]")
    assert isinstance(found, AnySets)
    return found


def held_out_sets(config: AnySets) -> AnySets:
    """The settings of sets of dev and test: all have the most items, except for windows of conversations."""
    if isinstance(config, WindowSetConfig):
        return config
    return config.model_copy(update={"n_items": (config.n_items[1],) * 2})


def make_sets(
    config: AnySets, batch_size: int, n_inputs: int, seed: int, rows: SpeakerRows | None = None
) -> SetSampler:
    """Batches of sets for a network that takes items of `n_inputs` numbers: points, or from rows of speakers.

    Raises
    ------
    ConfigError
        If the kind of sets needs rows and there are none, or too few speakers, or the rows do not fit the
        network.
    """
    if config.kind == "points":
        return PointSampler(batch_size, config.n_items, config.n_most, seed)
    if rows is None:
        raise ConfigError(f"[sets] kind = '{config.kind}' needs data: give --data and --dev")
    if isinstance(config, WindowSetConfig):
        assert isinstance(rows.data, np.ndarray)
        return WindowSetSampler(config, batch_size, n_inputs, seed, rows.data, rows.speaker, rows.corpus)
    dim = rows.data.shape[1] if isinstance(rows.data, np.ndarray) else rows.data.mel.shape[1]
    if dim != n_inputs:
        raise ConfigError(f"[network] n_inputs = {n_inputs}, but the data have {dim}; make them equal")
    item = (
        _embedding(rows.data) if isinstance(rows.data, np.ndarray) else _snippet(rows.data, config.n_frames)
    )
    return SpeakerSetSampler(batch_size, config.n_items, config.n_most, seed, rows.speaker, item)


def load_rows(config: AnySets, path: Path, folder: Path | None) -> SpeakerRows:
    """The rows of a folder of packed features or of a table of embeddings.

    Parameters
    ----------
    config : SetConfig or WindowSetConfig
        Its kind says which.
    path : Path
        A folder of recipes/pack_features.py, or a table of `diarize embed`.
    folder : Path, optional
        The Kaldi data folder of the table's recordings, which has their speakers.

    Raises
    ------
    ConfigError
        If a table has no folder.
    FormatError
        If a recording of the table is not in the folder, or a file cannot be read.
    """
    if config.kind == "snippets":
        packed = PackedFeatures.load(path)
        return SpeakerRows(packed, packed.speaker, np.zeros_like(packed.speaker))
    if folder is None:
        raise ConfigError(f"{path}: a table of embeddings needs the data folder with the speakers")
    table, data = Embeddings.load(path), read_whole_recordings(folder)
    unknown = sorted(set(table.recording.tolist()) - data.utt2spk.keys())
    if unknown:
        raise FormatError(f"{path}: recording {unknown[0]!r} is not in {folder}; embed that folder again")
    corpora = read_corpora(folder, data.utt2spk)
    recordings, place = np.unique(table.recording, return_inverse=True)
    speakers = [data.utt2spk[each] for each in recordings]
    numbers = [
        np.unique(names, return_inverse=True)[1][place]
        for names in (speakers, [corpora[each] for each in recordings])
    ]
    return SpeakerRows(table.vectors, *(each.astype(np.int64) for each in numbers))


def _embedding(vectors: NDArray[np.float32]) -> Any:
    """An item of a row: its embedding, scaled so that its numbers have a variance of about 1."""
    scale = np.float32(np.sqrt(vectors.shape[1]))

    def item(row: int, random: Generator) -> Items:
        return vectors[row] * scale

    return item


def _snippet(features: PackedFeatures, n_frames: int) -> Any:
    """An item of a clip: a random snippet, repeated if the clip is shorter."""

    def item(row: int, random: Generator) -> Frames:
        mel = random_crop(features, row, n_frames, random, "none")
        return np.tile(mel, (-(-n_frames // len(mel)), 1))[:n_frames]

    return item
