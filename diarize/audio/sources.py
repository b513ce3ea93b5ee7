"""The types of recordings a caller may pass, each resolved to a file or an array.

A source is resolved once and read twice, so content that can be read only once is kept.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from diarize.audio.arrays import AudioArray, array_source
from diarize.audio.pieces import HIGHEST_RATE, LOWEST_RATE

_LONGEST_PATH = 4096
_IN_MEMORY = 64 * 2**20
"""Most bytes of a stream that are kept in memory; a longer stream is kept in a temporary file."""

_ARRAY_KEYS = ("waveform", "array", "raw")
_RATE_KEYS = ("sample_rate", "sampling_rate")


class ArrayLike(Protocol):
    """A NumPy array, a torch tensor, or an array of another library."""

    def __array__(self) -> NDArray[Any]: ...


@dataclass(frozen=True)
class AudioFile:
    """A file, by its path or by its content.

    Attributes
    ----------
    name : str
        Name for messages: its path, or its kind.
    file : str or None
        The file name that gives the recording's id; None if there is none.
    content : bytes or open file, optional
        The content, if it is not read from the path.
    recording : str, optional
        The id that the caller gave.
    """

    name: str
    file: str | None
    content: bytes | BinaryIO | None = None
    recording: str | None = None

    def open(self) -> BinaryIO:
        """Its content, from the beginning.

        Raises
        ------
        OSError
            If the path cannot be opened.
        """
        if self.content is None:
            return Path(self.name).open("rb")
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        return window(self.content, 0, self.content.seek(0, io.SEEK_END))


Source = (
    str
    | os.PathLike[str]
    | os.PathLike[bytes]
    | bytes
    | bytearray
    | memoryview
    | BinaryIO
    | ArrayLike
    | Mapping[str, Any]
    | AudioFile
    | AudioArray
)
"""A recording: path, content of a file, open binary file, array, tensor, or mapping that holds one."""


def window(file: BinaryIO, start: int, stop: int, name: str = "") -> BinaryIO:
    """The bytes of a file from start to stop, as a file; closing it leaves the original open.

    `name` matters for its suffix, by which FFmpeg recognises formats without a signature.
    """
    return cast("BinaryIO", _Window(file, start, stop, name))


class _Window(io.RawIOBase):
    def __init__(self, file: BinaryIO, start: int, stop: int, name: str) -> None:
        super().__init__()
        self.name = name
        self._file, self._start, self._length, self._position = file, start, stop - start, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n_bytes = min(len(buffer), self._length - self._position)
        if n_bytes <= 0:  # broken headers lead beyond what a file system can seek
            return 0
        self._file.seek(self._start + self._position)
        part = self._file.read(n_bytes)
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        if base + offset >= 0:  # libsndfile follows broken headers, and its callback must not raise
            self._position = min(base + offset, sys.maxsize)
        return self._position


def resolve_source(source: Source, rate: float | None = None) -> AudioFile | AudioArray:
    """A source as a file or an array that can be read several times. A resolved source is returned as is.

    Raises
    ------
    TypeError
        If its type cannot hold a recording.
    ValueError
        If an array has no rate, a file is given one, or the shape or type of an array is impossible.
    """
    if isinstance(source, AudioFile | AudioArray):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source, rate)
    if _is_array(source):
        return array_source(_as_array(source), check_array_rate(rate), _is_tensor(source))
    resolved = _as_file(source)
    if rate is not None:
        raise ValueError(f"a file knows its own rate, got rate={rate!r}")
    return resolved


def check_array_rate(rate: Any) -> float:
    """The rate of an array in Hz.

    Raises
    ------
    ValueError
        If it is missing or outside the limits of a recording's rate.
    """
    value: Any = rate.item() if hasattr(rate, "item") and getattr(rate, "ndim", 0) == 0 else rate
    known: Any = value if isinstance(value, Real) and not isinstance(value, bool) else 0
    if not 0 < known < float("inf"):
        raise ValueError(f"an array needs its rate in Hz, got rate={rate!r}")
    if not LOWEST_RATE <= known <= HIGHEST_RATE:
        raise ValueError(f"the rate of an array is {LOWEST_RATE} to {HIGHEST_RATE} Hz, got rate={rate!r}")
    return float(known)


def _from_mapping(source: Mapping[str, Any], rate: float | None) -> AudioFile | AudioArray:
    """The source in ``{"waveform": ..., "sample_rate": ...}``, ``{"audio": file}`` or ``{"bytes": ...}``.

    The value of ``"uri"``, pyannote's word for the id of a recording, becomes the id.
    """
    uri = source.get("uri")
    if uri is not None and (not isinstance(uri, str) or "\0" in uri or not uri.strip()):
        raise ValueError(f"'uri' is the id of the recording, a text, got {uri!r}")
    rates = [source[key] for key in _RATE_KEYS if source.get(key) is not None]
    if rates and rate is not None and float(rates[0]) != float(rate):
        raise ValueError(f"rate={rate!r} and the mapping's own {rates[0]!r} Hz contradict each other")
    for key in _ARRAY_KEYS:
        if source.get(key) is not None:
            samples = source[key]
            if not _is_array(samples):
                raise TypeError(f"{key!r} holds an array or a tensor, got {type(samples).__name__}")
            given = check_array_rate(rates[0] if rates else rate)
            return replace(array_source(_as_array(samples), given, channels_first=True), recording=uri)
    if source.get("audio") is not None:
        if isinstance(source["audio"], Mapping):
            raise TypeError("'audio' holds a file, or samples; not a mapping")
        return replace(resolve_source(source["audio"], rate), recording=uri)
    if source.get("bytes") is not None or source.get("path") is not None:  # as rows of datasets are
        path: Any = source.get("path")
        content: Any = source.get("bytes")
        file = resolve_source(path if content is None else content, rate)
        if path is not None and isinstance(file, AudioFile):
            file = replace(file, name=str(path), file=str(path))
        return replace(file, recording=uri)
    raise ValueError(
        f"a mapping holds {{'waveform': ..., 'sample_rate': ...}} or {{'audio': ...}}, got {[*source]}"
    )


def _is_tensor(source: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _is_array(source: object) -> bool:
    return _is_tensor(source) or hasattr(source, "__array__")


def _as_array(source: Any) -> NDArray[Any]:
    """An array or a tensor, on any device, as an array."""
    if _is_tensor(source):
        tensor = source.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":  # NumPy has no such type
            tensor = tensor.float()
        return np.asarray(tensor.resolve_conj().resolve_neg().numpy())
    return np.asarray(source)


def _as_file(source: Any) -> AudioFile:
    """The file given by a path, by its content, or by an open file.

    Bytes are a path if they are short and hold no zero byte; every audio file holds zero bytes.
    """
    if isinstance(source, bytearray | memoryview):
        return AudioFile("bytes", None, bytes(source))
    if isinstance(source, bytes) and (not source or b"\0" in source or len(source) >= _LONGEST_PATH):
        return AudioFile("bytes", None, source)
    if isinstance(source, str | bytes | os.PathLike):
        path = os.fsdecode(source)
        return AudioFile(path, path)
    if not callable(getattr(source, "read", None)):
        raise TypeError(
            "a recording is a path, an open binary file, bytes, an array, a tensor "
            f"or {{'waveform': ..., 'sample_rate': ...}}, got {type(source).__name__}"
        )
    if isinstance(source, io.TextIOBase):
        raise TypeError("a recording is read from a binary file: open it with 'rb'")
    name = getattr(source, "name", None)
    named = name if isinstance(name, str) and name and not name.startswith("<") else None
    if named is not None and _lies_at(source, named):
        return AudioFile(named, named)
    return _keep(source, named or "file object", named)


def _lies_at(source: Any, path: str) -> bool:
    """Whether an open file is the regular file at that path; if so, it is read by its path."""
    inner = getattr(source, "file", source)  # a NamedTemporaryFile holds its file
    if not isinstance(getattr(inner, "raw", inner), io.FileIO):
        return False
    if inner.writable():
        inner.flush()
    try:
        return os.path.isfile(path) and os.path.samestat(os.stat(path), os.fstat(inner.fileno()))  # noqa: PTH113, PTH116
    except (OSError, ValueError):  # no such path, or not a file of the system
        return False


def _keep(source: Any, name: str, file: str | None) -> AudioFile:
    """The content of an open file: all of it if it can be rewound, otherwise the part not yet read."""
    position = None
    if callable(getattr(source, "seekable", None)) and source.seekable():
        position = source.tell()
        source.seek(0)
    kept = _Kept(_IN_MEMORY)
    try:
        shutil.copyfileobj(source, kept, 2**20)
    except TypeError as error:
        raise TypeError(f"a recording is read from a binary file, got {type(source).__name__}") from error
    finally:
        if position is not None:
            source.seek(position)
    return AudioFile(name, file, cast("BinaryIO", kept))


class _Kept(tempfile.SpooledTemporaryFile[bytes]):
    """Content in memory or in an unnamed temporary file, which is removed when it is no longer used."""

    def __del__(self) -> None:
        self.close()
