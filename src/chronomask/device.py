"""Where tensors live."""

from __future__ import annotations

import torch

from chronomask.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device of a PyTorch device name; "auto" is CUDA where there is a card, else the CPU.

    Raises:
        InputError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        float(torch.ones(1, device=device).sum())  # some devices only fail when they compute
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device {name!r} is not usable on this machine: {reason}") from error
    return device
