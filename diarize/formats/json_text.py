"""JSON from any source: its content or an error of one line, also where Python's parser fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from diarize.errors import FormatError
from diarize.files.text import File, Place, Text, is_time, shorten

_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]+)?)")


def load_json(text: Text) -> Any:
    """The content of a JSON text.

    Raises
    ------
    FormatError
        If it is not JSON, or holds NaN or Infinity, a key twice in one object, a number of thousands of
        digits, or thousands of nested brackets.
    """

    def refuse(constant: str) -> NoReturn:
        raise text.error(f"{constant} is not a number in JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        item = dict(pairs)
        if len(item) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for index, key in enumerate(keys) if key in keys[:index])
            raise text.error(f"the key {shorten(twice)!r} occurs twice in one object")
        return item

    try:
        return json.loads(text.content, parse_constant=refuse, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise FormatError(f"{text.path}, line {error.lineno}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise text.error("brackets are nested too deeply") from error
    except ValueError as error:  # Python refuses numbers of several thousand digits
        raise text.error("a whole number has thousands of digits") from error


def is_number(value: object) -> bool:
    """Whether a value is a number in JSON; in Python, true and false are numbers, too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def name_of(place: Place, item: Mapping[str, Any], key: str) -> str:
    """The name in an item.

    Raises
    ------
    FormatError
        If it is missing, empty or not a text.
    """
    value = _get(place, item, key)
    if not isinstance(value, str) or not value.strip():
        raise _at(place, f"{key} is no name: {_shown(value)}")
    return value


def time_of(place: Place, item: Mapping[str, Any], key: str) -> float:
    """The time in an item, in seconds.

    Raises
    ------
    FormatError
        If it is missing, not a number, or too large for a time.
    """
    value = _get(place, item, key)
    if not is_number(value):
        raise _at(place, f"{key} is no number: {_shown(value)}")
    if not is_time(value):
        raise _at(place, f"{key} is no time in seconds: {_shown(value)}")
    return float(value)


def written_time(place: Place, item: Mapping[str, Any], key: str) -> float:
    """The same, where the time may be text, as in the CHiME challenges: ``"61.5"`` or ``"0:01:01.5"``."""
    value = item.get(key)
    if not isinstance(value, str):
        return time_of(place, item, key)
    if match := _CLOCK.fullmatch(value):
        hours, minutes, seconds = match.groups()
        return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 6)
    return place.seconds(value, key)


def list_of(place: Place, item: Mapping[str, Any], key: str) -> list[Any]:
    """The list in an item.

    Raises
    ------
    FormatError
        If it is missing or not a list.
    """
    value = _get(place, item, key)
    if not isinstance(value, list):
        raise _at(place, f"{key} is no list: {_shown(value)}")
    return value


def object_of(place: Place, value: object) -> dict[str, Any]:
    """The value, if it is an object.

    Raises
    ------
    FormatError
        If it is not.
    """
    if not isinstance(value, dict):
        raise FormatError(f"{place.path}: {place.name} is no object: {_shown(value)}")
    return value


def objects_of(path: File, key: str, items: Iterable[object]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The items of a list that is called `key`, each with its place, such as ``segments[3]``.

    Raises
    ------
    FormatError
        If an item is not an object.
    """
    for number, value in enumerate(items):
        place = Place(path, f"{key or 'segment'}[{number}]")
        yield place, object_of(place, value)


def _get(place: Place, item: Mapping[str, Any], key: str) -> Any:
    if key not in item:
        raise _at(place, f"{key} is missing")
    return item[key]


def _at(place: Place, what: str) -> FormatError:
    """An error about a key: "a.json: turns[0].start is no number"."""
    return FormatError(f"{place.path}: {place.name + '.' if place.name else ''}{what}")


def _shown(value: object) -> str:
    return shorten(f"{value!r:.60}")
