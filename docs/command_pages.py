"""The reference of the commands, from the parser."""

from __future__ import annotations

import re
import warnings
from argparse import SUPPRESS, Action, ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

import tyro

from chronomask import cli

MOST_USED = (
    ("segment a video", "chronomask segment video.mp4 --out result"),
    ("only some classes", "chronomask segment video.mp4 --out result --classes person,dog"),
    ("one object that you point at", "chronomask segment video.mp4 --out result --point 1.5:320,180"),
    ("cut objects out", "chronomask segment video.mp4 --out result --cutout mov"),
    ("draw more from a result", "chronomask render result/tracks.json --video video.mp4 --cutout mov --out drawn"),
    ("look and correct in a browser", "chronomask web video.mp4"),
    ("correct on the command line", "chronomask edit result/tracks.json relabel:2=dog --out corrected.json"),
    ("another format", "chronomask convert result/tracks.json masks --to davis"),
    ("check files", "chronomask validate results.json --against instances.json"),
    ("score results", "chronomask evaluate instances.json results.json --report report.html"),
    ("look at your pictures", "chronomask dataset preview mine --out sheet.png"),
    ("teach your own classes", "chronomask train mine --fine-tune lite --out runs/mine"),
    ("a camera", "chronomask segment 0 --out camera"),
    ("many videos", "chronomask batch videos --out results"),
)
"""What people want, and what to type."""


def commands() -> str:
    """All commands with their options, as Markdown."""
    lines = [
        "# Commands",
        "",
        "What `chronomask COMMAND --help` says of each. `chronomask --version` gives the version.",
        "",
    ]
    lines += ["Most used:", "", "| | |", "|---|---|", *(f"| {told} | `{typed}` |" for told, typed in MOST_USED), ""]
    lines += ["All of them:", "", "| command | |", "|---|---|"]
    for name, command in cli.COMMANDS.items():
        lines.append(f"| [`{name}`](#chronomask-{name}) | {_text(command.help)} |")
    for name, command in cli.COMMANDS.items():
        found = cli._imported(name, command, [name])
        if not command.attribute:
            lines += _command(f"chronomask {name}", found)
            continue
        lines += ["", f"## chronomask {name}", "", _text(command.help)]
        for inner, specified in found._subcommands.items():
            lines += _command(f"chronomask {name} {inner}", specified.target, "###")
    return "\n".join(lines) + "\n"


def _command(name: str, function: Callable[..., Any], level: str = "##") -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it has no successor that gives the options
        parser: ArgumentParser = tyro.extras.get_parser(function, prog=name)
    positional = [action.metavar or action.dest for action in parser._actions if not action.option_strings]
    yield from ("", f"{level} {name}", "", "```", " ".join([name, *map(str, positional), "[OPTIONS]"]), "```", "")
    yield _text(parser.description or "")
    for group in parser._action_groups:
        if rows := [_row(action) for action in group._group_actions if action.dest != "help"]:
            kind = "argument" if group.title == "positional arguments" else "option"
            yield from ("", f"**{group.title}**", "", f"| {kind} | what it does |", "|---|---|", *rows)


def _row(action: Action) -> str:
    """An option or argument as a row: how it is written, and what it does."""
    written = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.metavar and action.nargs != 0:
        written += f" {action.metavar}"
    described = "" if action.help in (None, SUPPRESS) else _text(str(action.help))
    return f"| `{_cell(written)}` | {_cell(described)} |"


def _text(text: str) -> str:
    """Without what Markdown would take for its own."""
    return re.sub(r"([<>*_])", r"\\\1", text) if "`" not in text else text.replace("<", "&lt;")


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ").strip()
