"""How long work shows how far it is, whoever started it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Progress = Callable[[Iterable, str, int | None], Iterable]
"""Wraps an iterable to show how far it is: (items, what is being done, their number if known)."""


def silent(items: Iterable, task: str, total: int | None) -> Iterable:
    """Shows nothing."""
    return items
