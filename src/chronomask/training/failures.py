"""What ends a run before its time, in words that say what to do."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from torch import distributed as dist

from chronomask.errors import InputError, OutOfMemory, TrainingError, is_out_of_memory


@contextmanager
def failures_explained(out: Path) -> Generator[None, None, None]:
    """Turns what PyTorch raises deep inside into messages for the user; every other exception passes.

    Args:
        out: folder of the run, which holds the last checkpoint.

    Raises:
        OutOfMemory: the memory does not suffice.
        InputError: a data worker met a file that cannot be used.
        TrainingError: a data worker or another training process died.
    """
    try:
        yield
    except InputError as error:
        raise InputError(_without_traceback(str(error))) from error
    except Exception as error:
        text = str(error)
        if is_out_of_memory(error):
            raise OutOfMemory(
                "out of memory. Lower batch, or data.height and data.width; or raise accumulate, or set "
                f"gradient_checkpointing. {_go_on(out)} ({first_line(error)})"
            ) from error
        if not isinstance(error, RuntimeError):
            raise
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise TrainingError(
                f"torch.compile failed: {first_line(error)}. {_go_on(out)} Leave out compile"
            ) from error
        if "DataLoader worker (pid" in text:
            raise TrainingError(
                f"a data worker died: {first_line(error)} If the system killed it for want of memory, lower "
                f"workers. {_go_on(out)}"
            ) from error
        if isinstance(error, dist.DistError) or "Connection closed by peer" in text or "Connection reset" in text:
            raise TrainingError(
                f"another training process ended; its own message says why. {_go_on(out)} ({first_line(error)})"
            ) from error
        raise


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; its type where it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _go_on(out: Path) -> str:
    return f"The last checkpoint in {out} is intact: the same command continues from it."


def _without_traceback(text: str) -> str:
    """The message alone of an exception that a data worker raised: PyTorch puts the worker's traceback into it."""
    return text.rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].rstrip()
