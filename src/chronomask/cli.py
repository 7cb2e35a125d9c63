"""The command line: the commands under one name, and their exit codes."""

from __future__ import annotations

import os
import sys
from functools import partial

import tyro

from chronomask.commands.calibration import calibrate
from chronomask.commands.dataset import dataset_app
from chronomask.commands.evaluation import compare, evaluate, submit, validate
from chronomask.commands.export import export
from chronomask.commands.formats import convert, edit
from chronomask.commands.segmentation import predict, segment
from chronomask.commands.training import recipe_config, train
from chronomask.errors import InputError

app = tyro.extras.SubcommandApp()
for command in (segment, convert, edit, predict, evaluate, validate, compare, submit, calibrate, export):
    app.command(command)
app.command(dataset_app, name="dataset")


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 our fault, 2 the input's or the caller's, 130 Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    app.command(name="train")(partial(train, config=recipe_config(arguments)))
    try:
        code = app.cli(
            prog="chronomask", args=arguments, description="Find, name, cut out and follow every object in a video."
        )
    except InputError as error:
        print(f"chronomask: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("chronomask: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError as error:
        if type(error) is not BrokenPipeError:  # PyAV's, of a stream
            raise
        return 2
    finally:
        _flush()
    return code or 0


def _flush() -> None:
    """Prints what is still to be printed, or forgets it where nobody reads it, as after `| head`."""
    try:
        print(end="", flush=True)
    except BrokenPipeError:
        # Python itself would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
