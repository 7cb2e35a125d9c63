"""What several settings are checked for."""

from __future__ import annotations

from chronomask.errors import InputError


def at_least(config: object, name: str, least: int) -> None:
    """Checks a field.

    Raises:
        InputError: it is smaller than `least`, or not a number.
    """
    if not getattr(config, name) >= least:
        raise InputError(f"{name} {getattr(config, name)}: must be {least} or more")


def within(config: object, name: str, least: int, most: int) -> None:
    """Checks a field.

    Raises:
        InputError: it lies outside [least, most], or is not a number.
    """
    if not least <= getattr(config, name) <= most:
        raise InputError(f"{name} {getattr(config, name)}: must lie in [{least}, {most}]")
