"""TOML files, read with errors of one line, and written so that reading gives the same values."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diarize.errors import ConfigError

_LARGEST = 2**63 - 1  # TOML's integers have 64 bits
_MOST_PARTS = 100  # in a dotted key
_SHOWN = 60  # characters of a wrong value
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def load_toml(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not TOML; the message names the line.
    """
    try:
        return _parse(Path(path).read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def parse_value(text: str, source: str) -> Any:
    """The value of a text in TOML, or the text itself if it is not TOML. Errors name `source`.

    Raises
    ------
    ConfigError
        If a number is too large, or arrays are nested too deeply.
    """
    try:
        parsed = _parse(f"value = {text}", source)
    except tomllib.TOMLDecodeError:
        return text.strip()
    return parsed["value"] if len(parsed) == 1 else text.strip()  # two lines are text


def format_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of values as TOML; empty tables and None values are left out.

    Raises
    ------
    ConfigError
        If TOML cannot hold a text or a number.
    TypeError
        If a value is not a text, number, boolean, list or mapping.
    """
    return "\n".join(
        f"[{_key(title)}]\n" + "".join(f"{pair}\n" for pair in _pairs(table))
        for title, table in tables.items()
        if table
    )


def shown(value: object) -> str:
    """A wrong value for an error message: the beginning of its representation."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print an integer of thousands of digits
        return "a number of too many digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."


def _parse(text: str, source: str) -> dict[str, Any]:
    # The time for a key grows with the square of its parts.
    if any(line.split("=", 1)[0].count(".") > _MOST_PARTS for line in text.splitlines()):
        raise ConfigError(f"{source}: a key of more than {_MOST_PARTS} parts; tables are nested too deeply")
    try:
        content = tomllib.loads(text)
        _check(content, source)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # int() refuses thousands of digits
        raise ConfigError(f"{source}: a number has too many digits; integers have 64 bits") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: arrays or tables are nested too deeply") from error
    return content


def _check(value: Any, source: str) -> None:
    """Raise a ConfigError for an integer of more than 64 bits."""
    if isinstance(value, int) and not -_LARGEST - 1 <= value <= _LARGEST:
        number = shown(value).removeprefix("a number ")
        raise ConfigError(f"{source}: the number {number} is too large; integers have 64 bits")
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            _check(part, source)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None]


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        _check(value, "config")
        return str(value)
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else f"{value:f}"  # nan, inf, -inf
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(_pairs(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"TOML cannot hold {type(value).__name__}, got {shown(value)}")


def _text(text: str) -> str:
    """A basic string, with quotes, backslashes and control characters escaped."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{shown(text)}: UTF-8 cannot hold this text; write it without surrogates"
        ) from error
    escaped = re.sub(r'[\x00-\x1f\x7f"\\]', lambda found: _escape(found[0]), text)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    return _SHORT.get(character, f"\\u{ord(character):04x}")
