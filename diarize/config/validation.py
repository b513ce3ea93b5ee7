"""Groups of settings that are validated: an unknown name or an impossible value is an error of one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from diarize.config.toml import shown
from diarize.errors import ConfigError


class Settings(BaseModel):
    """A group of settings. An unknown name and a number that is not finite are errors; values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        kind = str(cls.model_fields[info.field_name or ""].annotation)
        values = value if isinstance(value, list | tuple) else [value]
        if "bool" not in kind and any(isinstance(each, bool) for each in values):
            raise ValueError("input should be a number or a text")
        return value


S = TypeVar("S", bound=Settings)


def check_order(settings: S, smaller: str, larger: str) -> S:
    """The settings, when the first of two is at most as large as the second.

    Raises
    ------
    ValueError
        When it is larger.
    """
    low, high = getattr(settings, smaller), getattr(settings, larger)
    if low > high:
        raise ValueError(f"{smaller} = {low:g} is more than {larger} = {high:g}")
    return settings


def validate(model: type[S], values: Mapping[str, Any], source: str) -> S:
    """Settings of the given model from plain values; ``source`` is named in the error.

    Raises
    ------
    ConfigError
        For an unknown setting (with the known ones) or an impossible value.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(model, error)}") from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    """One line that says what is wrong with the first wrong value, and what is known there."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        reason = first["msg"].removeprefix("Value error, ").lower()
        name = f"setting '{'.'.join(path)}': " if path else ""
        if isinstance(first["input"], Mapping) and first["type"] == "value_error":  # a relation of several
            return name + reason
        return f"{name}{reason}, got {shown(first['input'])}"
    for section in path[:-1]:
        annotation = model.model_fields[section].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return f"unknown setting '{'.'.join(path)}'; known: {', '.join(model.model_fields)}"
