"""`VoiceTable`: the mean embedding of each speaker in each recording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diarize.errors import DiarizeError, FormatError, ModelError
from diarize.files.atomic import write_bytes
from diarize.files.text import shorten
from diarize.formats.rows import one_line, one_word
from diarize.formats.voice_tables import SUFFIX, read_voices, render_voices
from diarize.segments import normal_name

_NUMBERED = re.compile(r"(SPEAKER|CHANNEL)_\d+", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class VoiceTable:
    """A table with a row for each speaker and recording. It holds biometric data (docs/privacy.md).

    The table of people whom `diarize enroll` has written holds their names; that of a recording's result
    holds SPEAKER_00 and so on. The table copies the given arrays.

    Parameters
    ----------
    name, recording : (n,) array of str
    seconds : (n,) array
        Seconds of speech, positive.
    vectors : (n, dim) array
        The mean embedding of this speech; kept as float32.
    model : str
        Name and fingerprint of the model that made the embeddings, as in `Diarization.model`.

    Raises
    ------
    ValueError
        If lengths differ, or a number is impossible.
    """

    name: NDArray[np.str_]
    recording: NDArray[np.str_]
    seconds: NDArray[np.float64]
    vectors: NDArray[np.float32]
    model: str

    def __post_init__(self) -> None:
        kinds = {"name": np.str_, "recording": np.str_, "seconds": np.float64, "vectors": np.float32}
        for field, kind in kinds.items():  # copies; the dataclass is frozen
            with np.errstate(over="ignore"):  # numbers beyond float32 are not finite, which is an error
                object.__setattr__(self, field, np.array(getattr(self, field), dtype=kind))
        lengths = {self.vectors.shape[:1], self.name.shape, self.recording.shape, self.seconds.shape}
        if self.vectors.ndim != 2 or len(lengths) > 1:
            raise ValueError(f"vectors need the shape (n, dim), others (n,), got {self.vectors.shape}")
        if not (np.isfinite(self.vectors).all() and (self.seconds > 0).all()):
            raise ValueError("a vector is not finite, or seconds are not positive")

    def __len__(self) -> int:
        return len(self.name)

    @property
    def names(self) -> list[str]:
        """The names, each once, in the order of their first rows."""
        return list(dict.fromkeys(self.name.tolist()))

    def rows(self, chosen: NDArray[np.bool_] | Sequence[int]) -> VoiceTable:
        """A table of some rows, by a mask or by their indices."""
        at = np.asarray(chosen)
        return VoiceTable(self.name[at], self.recording[at], self.seconds[at], self.vectors[at], self.model)

    def renamed(self, names: Mapping[str, str]) -> VoiceTable:
        """The table with other names; people without another name keep theirs."""
        return replace(self, name=np.array([names.get(each, each) for each in self.name.tolist()], np.str_))

    def without(self, names: Iterable[str]) -> VoiceTable:
        """The table without some people.

        Raises
        ------
        DiarizeError
            If nobody has such a name.
        """
        gone = [normal_name(name) for name in names]
        for name in gone:
            self.check_name(name)
        return self.rows(~np.isin(self.name, gone))

    def check_name(self, name: str) -> None:
        """Check that somebody has this name.

        Raises
        ------
        DiarizeError
            If not; the message lists the known names.
        """
        if normal_name(name) not in self.names:
            raise DiarizeError(f"nobody is called {name!r} in the table; known: {', '.join(self.names)}")

    def with_rows(self, other: VoiceTable, *, replace: bool = False) -> VoiceTable:
        """The table with the rows of another one behind its own.

        Raises
        ------
        ModelError
            If another model made them.
        DiarizeError
            If a person has a row of the same recording already and `replace` is false, or two names differ
            but become the same in a format without blanks.
        """
        other.check_model(self.model)
        added = set(zip(other.name.tolist(), other.recording.tolist(), strict=True))
        twice = np.array([pair in added for pair in zip(self.name, self.recording, strict=True)], bool)
        if twice.any() and not replace:
            row = int(np.argmax(twice))
            raise DiarizeError(
                f"{self.name[row]} has recording {self.recording[row]} already; --force replaces it"
            )
        mine = self.rows(~twice)
        joined = VoiceTable(
            np.concatenate([mine.name, other.name]),
            np.concatenate([mine.recording, other.recording]),
            np.concatenate([mine.seconds, other.seconds]),
            np.concatenate([mine.vectors.reshape(-1, other.vectors.shape[1]), other.vectors]),
            self.model,
        )
        words: dict[str, str] = {}
        for name in joined.names:
            if words.setdefault(one_word(name), name) != name:
                raise DiarizeError(f"{words[one_word(name)]!r} and {name!r} are one name in RTTM; rename one")
        return joined

    def check_model(self, model: str, what: str | Path = "the table of voices") -> None:
        """Check that a model, by name and fingerprint, made the embeddings of this table.

        Raises
        ------
        ModelError
            If another model made them. A model is recognised by its fingerprint, whatever its name.
        """
        if self.model.split()[-1] != model.split()[-1]:
            raise ModelError(f"{what}: made with the model {self.model}, not {model}; enroll again")

    def save(self, path: str | Path) -> None:
        """Write the table as Parquet.

        Raises
        ------
        DiarizeError
            If the file cannot be written, or its suffix is not .parquet.
        """
        write_bytes(self.to_bytes(), check_suffix(path))

    def to_bytes(self) -> bytes:
        """The table as the content of a Parquet file."""
        columns = ("name", "recording", "seconds", "vectors")
        return render_voices({column: getattr(self, column) for column in columns}, self.model)

    @classmethod
    def load(cls, path: str | Path) -> VoiceTable:
        """The table of a file.

        Raises
        ------
        FormatError
            If the file cannot be read or holds no table of voices.
        """
        table, model = read_voices(path)
        try:
            return cls(**table, model=model)
        except ValueError as error:
            raise FormatError(f"{path}: {shorten(str(error), 200)}") from error


def check_suffix(path: str | Path) -> Path:
    """The path of a table of voices.

    Raises
    ------
    FormatError
        If its suffix is not .parquet.
    """
    if Path(path).suffix.lower() != SUFFIX:
        raise FormatError(f"{path}: a table of voices is a Parquet file; name it {Path(path).stem}{SUFFIX}")
    return Path(path)


def is_numbered(speaker: str) -> bool:
    """Whether a speaker has a number instead of a name: SPEAKER_00, CHANNEL_1."""
    return _NUMBERED.fullmatch(speaker) is not None


def person_name(name: str) -> str:
    """A person's name in the form in which names are compared.

    Raises
    ------
    DiarizeError
        If it is empty, or is that of a speaker without a name.
    """
    cleaned = one_line(normal_name(name)) if name.strip() else ""
    if not cleaned or is_numbered(cleaned):
        raise DiarizeError(f"{name!r} is not a person's name; give one with --name")
    return cleaned
