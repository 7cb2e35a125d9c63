"""How a command's docstring and signature, and the settings that it takes, become its help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro


def described(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the help that people read.

    Lines are broken once, for the width of the terminal; options are called as they are typed; a default is shown only
    where it says something, for what is None, empty or off is described by the option's text.
    """
    original = function.func if isinstance(function, partial) else function
    hints: dict[str, Any] = dict(get_type_hints(original, include_extras=True))
    parameters = [
        _shown(parameter.replace(annotation=hints[name]), "")
        for name, parameter in inspect.signature(function).parameters.items()
    ]
    # That of a lambda would make it a type to tyro.
    return _signed(function, getattr(original, "__name__", "command"), original.__doc__ or "", parameters)


def _shown(parameter: inspect.Parameter, prefix: str) -> inspect.Parameter:
    """The parameter with a type that says how its option is shown.

    Args:
        prefix: what comes before the names of the options that its settings become.
    """
    kind, default = parameter.annotation, parameter.default
    if is_dataclass(default):
        return parameter.replace(annotation=_settings(kind, parameter.name, default, prefix), default=parameter.empty)
    if default in (None, "", (), inspect.Parameter.empty) or default is False:
        kind = Annotated[kind, tyro.conf.arg(help_behavior_hint="")]  # ty: ignore[invalid-type-form]
    if default is False:
        kind = tyro.conf.FlagCreatePairsOff[kind]
    if default is None:
        kind = tyro.conf.DisallowNone[kind]
    elif names := _names_beside_none(parameter.annotation):
        # `None` is understood where a recipe has another default, but it is no name to offer.
        kind = Annotated[kind, tyro.conf.arg(metavar=f"{{{','.join(names)}}}")]
    return parameter.replace(annotation=kind)


def _names_beside_none(kind: Any) -> tuple[str, ...]:
    """The names among which an option chooses that may also be None; none for any other."""
    chosen = get_args(kind)
    literal = next((one for one in chosen if get_origin(one) is Literal), None)
    return get_args(literal) if type(None) in chosen and literal is not None else ()


def _settings(kind: Any, name: str, default: Any, prefix: str) -> Any:
    """The type of a parameter that is a dataclass: every field of it is an option, described like the command's own."""
    metadata = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    names = [entry.name for entry in metadata if getattr(entry, "name", None) is not None]
    prefix += f"{chosen.replace('_', '-')}." if (chosen := (names or [name])[0]) else ""
    hints = get_type_hints(type(default), include_extras=True)
    parameters = []
    for field in fields(default):
        value = getattr(default, field.name)
        parameter = inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=value, annotation=hints[field.name]
        )
        parameters.append(_shown(parameter, prefix))
    written = {field.name: f"--{prefix}{field.name.replace('_', '-')}" for field in fields(default)}
    text = re.sub(r"`(\w+)`", lambda found: written.get(found[1], found[0]), type(default).__doc__ or "")
    made = _signed(type(default), name, text.replace("Attributes:", "Args:"), parameters)
    return Annotated[(Any, *metadata, tyro.conf.arg(constructor=made))]


def _signed(
    function: Callable[..., Any], name: str, text: str, parameters: list[inspect.Parameter]
) -> Callable[..., Any]:
    """A function that calls another, with a signature and a docstring of its own."""
    made: Any = lambda *values, **options: function(*values, **options)  # noqa: E731  (one for each)
    made.__name__ = name
    made.__doc__ = _one_by_one(re.sub(r"\n {12,}", " ", text))
    made.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    keyword, positional = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_ONLY
    made.__signature__ = inspect.Signature([p if p.kind is positional else p.replace(kind=keyword) for p in parameters])
    return made


def _one_by_one(text: str) -> str:
    """A docstring in which several that are described together ("height, width: of a crop") have a line each."""

    def parted(found: re.Match[str]) -> str:
        return "\n".join(f"{found[1]}{name}: {found[3]}" for name in found[2].split(", "))

    return re.sub(r"^( +)(\w+(?:, \w+)+): (.+)$", parted, text, flags=re.MULTILINE)
