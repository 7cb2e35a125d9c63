"""How a command's docstring and signature become its help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, get_type_hints

import tyro


def described(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the help that people read.

    Lines are broken once, for the width of the terminal; a default is shown only where it says something, for what is
    None, empty or off is described by the option's text.
    """
    original = function.func if isinstance(function, partial) else function
    hints: dict[str, Any] = dict(get_type_hints(original, include_extras=True))
    signature = inspect.signature(function)

    for name, parameter in signature.parameters.items():
        kind, default = hints[name], parameter.default
        if default in (None, "", (), inspect.Parameter.empty) or default is False:
            kind = Annotated[kind, tyro.conf.arg(help_behavior_hint="")]  # ty: ignore[invalid-type-form]
        if default is None:
            kind = tyro.conf.DisallowNone[kind]
        if default is False:
            kind = tyro.conf.FlagCreatePairsOff[kind]
        hints[name] = kind
    command = _forwarding(function)
    command.__name__ = getattr(original, "__name__", "command")  # that of a lambda would make it a type to tyro
    parameters = [parameter.replace(annotation=hints[name]) for name, parameter in signature.parameters.items()]
    command.__doc__ = re.sub(r"\n {12,}", " ", original.__doc__ or "")
    command.__annotations__ = hints
    command.__signature__ = signature.replace(parameters=parameters)
    return command


def _forwarding(function: Callable[..., Any]) -> Any:
    """A function of its own, which can be given another signature."""
    return lambda *values, **options: function(*values, **options)
