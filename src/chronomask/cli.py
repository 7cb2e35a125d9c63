"""The command line: the commands under one name, and their exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from chronomask import __version__, terminal
from chronomask.errors import FULL, InputError, TrainingError, close_names, is_out_of_memory, words_of

if TYPE_CHECKING:
    import tyro


class _Command(NamedTuple):
    """Where a command is found, without importing it.

    Attributes:
        module: of `chronomask.commands`.
        help: first line of its help.
        attribute: of the module, where it is called otherwise than the command.
    """

    module: str
    help: str
    attribute: str = ""


COMMANDS = {
    "segment": _Command("segmentation", "Find, name, cut out and follow every object of a video."),
    "batch": _Command("fleet", "Segment thousands of videos, each into a folder of its own, with all cores."),
    "convert": _Command("formats", "Turn tracks from one format into another, and say what that loses."),
    "edit": _Command("formats", "Correct tracks: delete, relabel, merge, split and swap them, in the order given."),
    "render": _Command("drawing", "Draw tracks, such as corrected ones, into their video, without the network."),
    "web": _Command("page", "Look at tracks, correct them and understand them, in a browser."),
    "explain": _Command(
        "explaining",
        "Show why objects of a frame were found, merged or missed: what the network says of it, as one picture.",
    ),
    "predict": _Command("segmentation", "Segment every video of a data set, for evaluation."),
    "evaluate": _Command(
        "evaluation",
        "Score results as YouTube-VIS does: AP, AP50, AP75, AR1, AR10 first, then the rest, overall and per class.",
    ),
    "validate": _Command("evaluation", "Find every fault of an annotation or result file, each with its place."),
    "compare": _Command(
        "evaluation",
        "One table over several methods, with bootstrap intervals over the videos and differences to the first.",
    ),
    "baseline": _Command("baselines", "Track the objects of a data set by another system than ours, to compare with."),
    "table1": _Command(
        "baselines",
        "Train and judge the seven systems that the paper compares with, and ours: its Table 1, on your data.",
    ),
    "submit": _Command("evaluation", "Check results and pack them into the zip that evaluation servers take."),
    "average": _Command(
        "calibration", "Average checkpoints that were trained on from one another: often better than each of them."
    ),
    "names": _Command(
        "calibration", "Teach a checkpoint names: by labelled stills, and by what a detector says of them."
    ),
    "calibrate": _Command("calibration", "Fit the score of tracks, so that it says how likely a track is right."),
    "export": _Command(
        "export",
        "Write a network as ONNX or torch.export programs, to be used without PyTorch or without this package.",
    ),
    "dataset": _Command("dataset", "Look into a data set, draw it, or make one of videos from stills.", "dataset_app"),
    "train": _Command("training", "Train a network on annotated stills and videos."),
}

EXTRAS = {
    "torch": "torch",
    "safetensors": "torch",
    "cv2": "train",
    "onnx": "export",
    "starlette": "web",
    "uvicorn": "web",
}
"""Packages that inference does without, and the extra that each comes with."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 our fault, 2 the input's or the caller's, 130 Ctrl-C."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        terminal.prepare()
        if arguments[0] == "--version":
            print(f"chronomask {__version__}")
            return 0
        if "" in arguments[1:]:  # as a path it would be the folder that one is in
            before = arguments[arguments.index("", 1) - 1]
            raise InputError(f"what stands behind {before} is empty; is a variable of your shell not set?")
        if not arguments[0].startswith("-"):
            _check_command(arguments[0])
        code = _app(arguments).cli(
            prog="chronomask", args=arguments, description="Find, name, cut out and follow every object in a video."
        )
    except (InputError, TrainingError) as error:
        terminal.tell(error)
        return 2 if isinstance(error, InputError) else 1
    except ModuleNotFoundError as error:
        if (extra := EXTRAS.get((error.name or "").split(".")[0])) is None:
            raise
        terminal.tell(f"this needs the package {error.name}: pip install 'chronomask[{extra}]'")
        return 2
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError as error:
        if type(error) is not BrokenPipeError:  # PyAV's, of a stream
            raise
        return 2
    except Exception as error:
        if _is_of_interruption(error):
            return _interrupted()
        if is_out_of_memory(error):
            terminal.tell(f"not enough memory for this: {words_of(error)}")
            return 2
        if (place := _place_of(error)) is None:
            raise
        terminal.tell(f"{place}: {words_of(error)}")
        return 2
    finally:
        _flush()
    return code or 0


def _place_of(error: Exception) -> str | None:
    """What an error of the system is about; None where it is none, or does not say."""
    if not isinstance(error, OSError):
        return None
    if error.filename is None and isinstance(error, FileNotFoundError):
        return "the folder that one is in"
    return "the disk" if error.filename is None and error.errno in FULL else error.filename


def _interrupted() -> int:
    terminal.tell("interrupted")
    return 130


def _is_of_interruption(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused an error, as in the middle of the import of a compiled package."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _check_command(name: str) -> None:
    """Raises InputError where there is no command of a name."""
    if name not in COMMANDS:
        hint = close_names(name, COMMANDS) or f"there are {', '.join(COMMANDS)}"
        hint = f"to segment it: chronomask segment {name}" if os.path.exists(name) else hint
        raise InputError(f"no command {name!r}; {hint}")


def _app(arguments: list[str]) -> tyro.extras.SubcommandApp:
    """The parser. Of all commands but the one that is asked for it knows the name and a line of help only.

    To import them all and read their options would take longer than many a command.
    """
    import tyro  # here, where Ctrl-C is waited for

    app = tyro.extras.SubcommandApp()
    for name, command in COMMANDS.items():
        if name in arguments[:1]:
            app.command(name=name)(_imported(name, command, arguments))
        else:
            app.command(name=name, help=command.help)(_not_asked_for)
    return app


def _imported(name: str, command: _Command, arguments: list[str]) -> Any:
    module = import_module(f"chronomask.commands.{command.module}")
    found: Callable[..., Any] = getattr(module, command.attribute or name)
    if command.attribute:
        return found
    from chronomask.commands.described import described

    # The defaults of `train` depend on its options.
    return described(partial(found, config=module.recipe_config(arguments)) if name == "train" else found)


def _not_asked_for() -> None:
    raise AssertionError("the first argument names the command")


def _flush() -> None:
    """Prints what is still to be printed, or forgets it where nobody reads it, as after `| head`."""
    try:
        print(end="", flush=True)
    except OSError as error:
        # Python itself would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            terminal.tell(f"the output could not be printed: {error.strerror}")
            raise SystemExit(2) from None
