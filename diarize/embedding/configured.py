"""The embedder that a config asks for."""

from __future__ import annotations

from pathlib import Path

from diarize.config import Config
from diarize.embedding.embedder import Embedder
from diarize.embedding.models import Model


def configured_embedder(
    config: Config,
    model: str | Path | Model | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> Embedder:
    """An embedder with the precision of the config, and its model if no other one is given.

    Raises
    ------
    ModelError
        As `Embedder`.
    """
    asked = config.embedding
    return Embedder(model or asked.model, device=device, threads=threads, precision=asked.precision)
