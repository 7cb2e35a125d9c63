"""What several settings are checked for, and what they mean in files of older versions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from math import inf
from typing import Any

from chronomask.errors import InputError

BEFORE = "before"
"""In the metadata of a field: what was done before there was this setting, where that is not its default."""


def with_later_settings(saved: Any, config: object) -> Any:
    """What an older version saved of a configuration, with the settings that came later: as it worked without them.

    Args:
        saved: as json has it.
        config: one of today, of the same kind.
    """
    if not (dataclasses.is_dataclass(config) and isinstance(saved, dict)):
        return saved
    whole = dict(saved)
    for field in dataclasses.fields(config):
        if field.name in saved:
            whole[field.name] = with_later_settings(saved[field.name], getattr(config, field.name))
        elif field.default is not dataclasses.MISSING:
            value = field.metadata.get(BEFORE, field.default)
            whole[field.name] = json.loads(json.dumps(value, default=dataclasses.asdict))
    return whole


def one_of(name: str, value: object, allowed: Collection[Any]) -> None:
    """Raises InputError where a setting is none of the allowed words."""
    if value not in allowed:
        raise InputError(f"{name} {value!r}: must be one of {', '.join(word for word in allowed if word)}")


def at_least(config: object, least: int, *names: str) -> None:
    """Raises InputError where one of these fields is smaller than `least`, not a number, or infinite."""
    for name in names:
        value = getattr(config, name)
        if not least <= value < inf:
            raise InputError(f"{name} {value}: must be {'finite' if value == inf else f'{least} or more'}")


def within(config: object, least: int, most: int, *names: str) -> None:
    """Raises InputError where one of these fields lies outside [least, most], or is not a number."""
    for name in names:
        if not least <= getattr(config, name) <= most:
            raise InputError(f"{name} {getattr(config, name)}: must lie in [{least}, {most}]")
