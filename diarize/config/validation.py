"""Groups of settings; an unknown name or an impossible value raises an error of one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from diarize.config.toml import shown
from diarize.errors import ConfigError


class Settings(BaseModel):
    """A group of settings, immutable. An unknown name or a number that is not finite is an error."""

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
    """The same settings, once the first named value is known to be at most the second.

    Raises
    ------
    ValueError
        If the value of `smaller` is more than the value of `larger`.
    """
    low, high = getattr(settings, smaller), getattr(settings, larger)
    if low > high:
        raise ValueError(f"{smaller} = {low:g} is more than {larger} = {high:g}")
    return settings


def validate(model: type[S], values: Mapping[str, Any], source: str) -> S:
    """Settings of the given model from plain values; errors name ``source``.

    Raises
    ------
    ConfigError
        If a setting is unknown (the message lists the known ones) or a value is impossible.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(model, error)}") from error


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    """One line that says what is wrong with the first wrong value, and which settings are known."""
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        reason = first["msg"].removeprefix("Value error, ").lower()
        name = f"setting {shown('.'.join(path))}: " if path else ""
        if (
            isinstance(first["input"], Mapping) and first["type"] == "value_error"
        ):  # concerns several settings
            return name + reason
        return f"{name}{reason}, got {shown(first['input'])}"
    for section in path[:-1]:
        annotation = model.model_fields[section].annotation
        assert isinstance(annotation, type)
        assert issubclass(annotation, BaseModel)
        model = annotation
    return f"unknown setting {shown('.'.join(path))}; known: {', '.join(model.model_fields)}"
