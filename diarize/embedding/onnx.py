"""Third-party networks in ONNX files: FILE.onnx, and FILE.toml beside it, which describes the input."""

from __future__ import annotations

import logging
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from diarize.audio import SAMPLE_RATE, Samples
from diarize.audio.features import FeatureConfig, Frames, log_mel
from diarize.config import Settings, check_order, load_tables, validate
from diarize.embedding.protocol import Vectors
from diarize.errors import ConfigError, ModelError
from diarize.files.text import shorten
from diarize.machine.sessions import first_line, open_session
from diarize.speakers.enrolment import load_verifier
from diarize.speakers.plda import load_backend

logger = logging.getLogger(__name__)

ONNX_TABLES = ("model", "features", "about")
_LENGTHS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_DEVIATION_FLOOR = 1e-5  # added to the deviation, as in NeMo


class OnnxConfig(Settings):
    """The table [model]: names in the graph, and the form of the input."""

    input: str = Field(description="name of the input")
    output: str = Field(description="name of the output, embeddings (batch, dim)")
    length: str | None = Field(None, description="name of an input for the number of frames (or samples)")
    dim: int = Field(ge=1, description="dimensions of an embedding")
    axes: Literal["frames mels", "mels frames", "samples"] = Field(
        "frames mels",
        description="axes of the input after the batch; samples: the network takes samples, not features",
    )
    scale: float = Field(1.0, gt=0, description="factor of the samples, which lie in -1..1")
    normalization: Literal["none", "mean", "mean-deviation"] = Field(
        "none",
        description="of each mel over the window: its mean is subtracted; also divided by its deviation",
    )
    min_seconds: float = Field(0.5, ge=0.025, description="shorter windows are widened to this")
    max_seconds: float = Field(60.0, ge=0.025, description="longer windows are cut to this, from both sides")

    @model_validator(mode="after")
    def _has_windows(self) -> Self:
        return check_order(self, "min_seconds", "max_seconds")


class OnnxNetwork:
    """A network in an ONNX file, on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or cannot be read, or the graph does not fit its settings.
    ConfigError
        If a setting is unknown or impossible.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.path, self.name = path, path.name
        self.config, self.features = read_config(path)
        if device != "cpu":
            logger.warning("%s: ONNX files run on the CPU, not on %s", path, device)
        self.fingerprint, self._session = _open(path)
        self.backend = load_backend(path, self.fingerprint)
        self.verifier = load_verifier(path, self.fingerprint)
        self._check_names()
        rng = np.random.default_rng(0)
        self.embed(0.1 * rng.standard_normal((2, self.min_samples), dtype=np.float32))

    @property
    def dim(self) -> int:
        """Dimensions of an embedding."""
        return self.config.dim

    @property
    def min_samples(self) -> int:
        """Samples of the shortest window; shorter ones are widened."""
        return round(self.config.min_seconds * SAMPLE_RATE)

    @property
    def max_samples(self) -> int:
        """Samples of the longest window; longer ones are cut."""
        return max(self.min_samples, round(self.config.max_seconds * SAMPLE_RATE))

    def embed(self, samples: Samples) -> Vectors:
        """The embeddings (n, dim), of length 1, of windows (n, n_samples).

        Raises
        ------
        ModelError
            If the graph fails, its output has another shape, or an embedding is zero or not finite.
        """
        values = self.prepare(samples)
        size, *_ = self._inputs[self.config.input].shape or [None]
        if not isinstance(size, int):  # the graph takes batches of any size
            size = len(values)
        elif size != 1:
            raise ModelError(
                f"{self.path}: takes batches of {size} only; export it with a dynamic batch axis"
            )
        vectors = np.concatenate([self._run(values[i : i + size]) for i in range(0, len(values), size)])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(vectors).all() or not lengths.all():
            seconds = samples.shape[1] / SAMPLE_RATE
            raise ModelError(
                f"{self.path}: embeddings of windows of {seconds:g} s are zero or not finite; "
                "raise min_seconds"
            )
        return (vectors / lengths).astype(np.float32)

    def utterance(self, samples: Samples) -> Vectors:
        """The embedding (dim,), of length 1, of samples (n_samples,).

        Samples are repeated up to the shortest window; of more than the longest window, the middle is used.
        """
        start = max(0, len(samples) - self.max_samples) // 2
        samples = samples[start : start + self.max_samples]
        return self.embed(np.resize(samples, max(len(samples), self.min_samples))[None])[0]

    def prepare(self, samples: Samples) -> NDArray[np.float32]:
        """The graph's input (n, ...) for windows (n, n_samples)."""
        scaled = samples * np.float32(self.config.scale)
        if self.config.axes == "samples":
            return scaled
        mel = np.stack([log_mel(window, self.features) for window in scaled])  # (n, frames, mels)
        mel = normalize(mel, self.config.normalization)
        return mel if self.config.axes == "frames mels" else np.ascontiguousarray(mel.swapaxes(1, 2))

    def _run(self, values: NDArray[np.float32]) -> Vectors:
        feed: dict[str, Any] = {self.config.input: values}
        if self.config.length is not None:
            n = values.shape[1 if self.config.axes == "frames mels" else -1]
            feed[self.config.length] = np.full(
                len(values), n, _LENGTHS[self._inputs[self.config.length].type]
            )
        try:
            (vectors,) = self._session.run([self.config.output], feed)
        except Exception as error:  # onnxruntime's errors have no common class but Exception
            raise ModelError(f"{self.path}: the graph fails ({first_line(error)})") from error
        if not (isinstance(vectors, np.ndarray) and vectors.dtype.kind == "f"):
            raise ModelError(f"{self.path}: output {shorten(self.config.output)!r} is no tensor of floats")
        expected = (len(values), self.config.dim)
        if vectors.shape != expected:
            raise ModelError(
                f"{self.path}: output {shorten(self.config.output)!r} has the shape {vectors.shape}, "
                f"dim = {self.config.dim} in {self.path.with_suffix('.toml').name} expects {expected}"
            )
        return vectors

    def _check_names(self) -> None:
        self._inputs = {node.name: node for node in self._session.get_inputs()}
        outputs = [node.name for node in self._session.get_outputs()]
        config = self.config
        given = [name for name in (config.input, config.length) if name is not None]
        for name in given:
            if name not in self._inputs:
                known = shorten(", ".join(self._inputs), 200)
                raise ModelError(f"{self.path}: no input {shorten(name)!r}; it has: {known}")
        if missing := [name for name in self._inputs if name not in given]:
            raise ModelError(f"{self.path}: the input {shorten(missing[0])!r} is not named in the settings")
        if config.output not in outputs:
            known = shorten(", ".join(outputs), 200)
            raise ModelError(f"{self.path}: no output {shorten(config.output)!r}; it has: {known}")
        if config.length is not None and self._inputs[config.length].type not in _LENGTHS:
            kind = self._inputs[config.length].type
            raise ModelError(
                f"{self.path}: input {shorten(config.length)!r} is a {kind}; "
                "for a number of frames it must be int64"
            )


def read_config(path: Path) -> tuple[OnnxConfig, FeatureConfig]:
    """The settings beside an ONNX file.

    Raises
    ------
    ModelError
        If there is no such file, or no FILE.toml beside it.
    ConfigError
        If a setting is unknown or impossible.
    """
    beside = path.with_suffix(".toml")
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if not beside.is_file():
        raise ModelError(f"{path}: no {beside.name} beside it to describe its input; see docs/models.md")
    tables = load_tables(beside, ONNX_TABLES)
    config = validate(OnnxConfig, tables["model"], f"{beside}: [model]")
    features = validate(FeatureConfig, tables["features"], f"{beside}: [features]")
    if config.axes == "samples" and (tables["features"] or config.normalization != "none"):
        raise ConfigError(f"{beside}: with axes 'samples', leave out [features] and normalization")
    return config, features


def normalize(mel: Frames, kind: str) -> Frames:
    """Windows (n, n_frames, n_mels), each mel less its mean over the frames and over its deviation."""
    if kind == "none":
        return mel
    mel = mel - mel.mean(axis=1, keepdims=True)
    if kind == "mean":
        return mel
    n_frames = mel.shape[1]
    deviation = np.sqrt(np.square(mel).sum(axis=1, keepdims=True) / max(1, n_frames - 1))
    return mel / (deviation + np.float32(_DEVIATION_FLOOR))


def _open(path: Path) -> tuple[str, Any]:
    """The fingerprint of an ONNX file and its session."""
    try:
        session = open_session(path)
        return sha256(path.read_bytes()).hexdigest()[:12], session
    except ModelError:
        raise
    except Exception as error:  # onnxruntime's errors have no common class but Exception
        raise ModelError(f"{path}: not an ONNX file that can be read ({first_line(error)})") from error
