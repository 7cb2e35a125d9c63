"""What a training run keeps on disk, so that it can be killed at any moment and continue as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from chronomask.claims import check_outputs
from chronomask.config import MachineConfig, TrainConfig
from chronomask.config.checks import with_later_settings
from chronomask.errors import InputError, refusing
from chronomask.files import written_aside
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.checkpoint import save_network
from chronomask.terminal import tell
from chronomask.training.average import MovingAverage
from chronomask.training.failures import first_line
from chronomask.training.folder import (
    BEST,
    DESCRIPTION,
    WEIGHTS,
    check_no_run,
    is_replacing,
    outputs,
    put_back,
    remove_replaced,
    set_aside,
    states,
)

KEPT = 2
"""Number of newest states that stay: should the newest be unreadable, the run continues from the one before."""

_NOT_ASKED_FOR = (None, "None", False)
"""What an option that is not given is in a description: an older version may not have known it."""


@dataclass
class TrainingState:
    """All that changes while a run goes on. Random numbers are no part: each step seeds its own.

    Attributes:
        step: steps done.
        network: as trained.
        average: of the network's weights.
        optimizer: with its momenta.
        best: highest validation score so far; None before the first.
    """

    step: int
    network: BackboneNetwork
    average: MovingAverage
    optimizer: torch.optim.Optimizer
    best: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain containers and tensors."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Takes over what `to_dict` gave."""
        self.step, self.best = saved["step"], saved["best"]
        self.network.load_state_dict(saved["network"])
        self.average.network.load_state_dict(saved["average"])
        # Rates and the like come from the configuration, which is that of the run; only what it gathered is taken over.
        settings = [{key: group[key] for key in group if key != "params"} for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(saved["optimizer"])
        for group, own in zip(self.optimizer.param_groups, settings, strict=True):
            group.update(own)


@dataclass(frozen=True, eq=False)
class Run:
    """A run, and the folder that is its own.

    Attributes:
        out: the folder.
        network: whose configuration is part of the description.
        config: what is trained; part of the description.
        machine: how it is carried out this time; kept in config.json too, and free to change.
        origin: what else decides the run; part of the description.
        overwrite: whether a run of another description, or files of none, may be replaced.
    """

    out: Path
    network: BackboneNetwork
    config: TrainConfig
    machine: MachineConfig
    origin: Mapping[str, Any]
    overwrite: bool = False

    def claim(self) -> None:
        """Makes or checks the folder: before anything else is written to it, config.json says whose it is.

        Raises:
            InputError: it holds a run of another description, files that are no run's, or folders called like files.
        """
        check_outputs(outputs(self.out), overwrite=True)
        description = {"model": asdict(self.network.config), "train": asdict(self.config), "origin": dict(self.origin)}
        path, described = self.out / DESCRIPTION, json.loads(json.dumps(description))
        # What a run that was killed just then had still to do.
        _remove_superseded(self.out) if path.exists() else put_back(self.out)
        if not path.exists():
            set_aside(self.out) if self.overwrite else check_no_run(self.out)
        elif difference := _difference(self._of_today(_read_description(path)), described):
            if not self.overwrite:
                message = f"the folder holds a run with another configuration: {difference}"
                raise InputError(f"{path}: {message}; name another folder, or say --overwrite")
            set_aside(self.out)
        with written_aside(path) as aside:
            aside.write_text(json.dumps({**described, "machine": asdict(self.machine)}, indent=1))

    @contextmanager
    def claimed(self) -> Generator[None, None, None]:
        """`claim` for what is prepared inside; a folder that was new goes again if its input is bad."""
        was_run = (self.out / DESCRIPTION).exists()
        self.claim()
        try:
            yield
        except InputError:
            if not was_run or is_replacing(self.out):
                for made in (output.path for output in outputs(self.out) if output.path.exists()):
                    shutil.rmtree(made) if made.is_dir() else made.unlink()
                put_back(self.out)
            raise

    def open(self) -> dict[str, Any] | None:
        """`claim`; the saved state to continue from, None where there is none.

        Raises:
            InputError: as `claim`, or none of its states can be read.
        """
        self.claim()
        for pattern in (".state-*.pt", ".model.*.safetensors", ".best.*.safetensors"):
            for leftover in self.out.glob(pattern):
                leftover.unlink()  # half a file, of a run that was killed while it wrote
        return _newest_state(self.out, self.network)

    def _of_today(self, there: dict[str, Any]) -> dict[str, Any]:
        """The description that is there, as this version would write it; without what is free to change."""
        today = {key: part for key, part in there.items() if key != "machine"}
        for key, part in (("model", self.network.config), ("train", self.config)):
            today[key] = with_later_settings(today.get(key), part)
        if isinstance(origin := today.get("origin"), dict):
            unknown = {key: value for key, value in self.origin.items() if value in _NOT_ASKED_FOR}
            today["origin"] = unknown | origin
        return today


def save_checkpoint(out: Path, state: TrainingState, score: float | None) -> None:
    """Writes the averaged weights, the best ones if `score` is the highest so far, and the state to continue from.

    The state comes last: a run killed in between continues from the one before, and writes the same weights again.

    Raises:
        InputError: the disk is full, or the files cannot be written for another reason; what lay there is intact.
    """
    with _failures_explained(out, state.step):
        save_network(out / WEIGHTS, state.average.network, half=True)
        if score is not None and (state.best is None or score > state.best):
            save_network(out / BEST, state.average.network, half=True)
            state.best = score
        with written_aside(_state_path(out, state.step)) as aside:
            torch.save(state.to_dict(), aside)
    _remove_superseded(out)


def _remove_superseded(out: Path) -> None:
    """What a complete checkpoint makes needless: older ones, and what was set aside."""
    if found := states(out):
        remove_replaced(out)
    for old in found[:-KEPT]:
        old.unlink()


def _state_path(out: Path, step: int) -> Path:
    return out / f"state-{step:08d}.pt"


def _newest_state(out: Path, network: BackboneNetwork) -> dict[str, Any] | None:
    paths = states(out)
    for path in reversed(paths):
        try:
            with refusing(path):
                return _read_state(path, network)
        except InputError as error:
            tell(f"{error}; left out", "warning")
    if paths:
        raise InputError(f"{out}: none of its states can be read; remove the folder to start anew")
    return None


def _read_state(path: Path, network: BackboneNetwork) -> dict[str, Any]:
    """A saved state; raises what it likes where that is damaged, or not one of this network."""
    with zipfile.ZipFile(path) as archive:  # for PyTorch does not look at checksums
        if damaged := archive.testzip():
            raise InputError(f"{path}: cannot be read: {damaged} in it is damaged")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    if path != _state_path(path.parent, saved["step"]):
        raise InputError(f"{path}: cannot be read: its step is {saved['step']}")
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    for part in ("network", "average"):
        if {name: tensor.shape for name, tensor in saved[part].items()} != shapes:
            raise InputError(f"{path}: cannot be read: {part} is that of another network")
    if not (saved["best"] is None or isfinite(saved["best"])):
        raise InputError(f"{path}: cannot be read: best is {saved['best']}")
    return {name: saved[name] for name in ("step", "network", "average", "optimizer", "best")}


def _read_description(path: Path) -> dict[str, Any]:
    with refusing(path, "not the configuration of a run"):
        description = json.loads(path.read_text())
    if not isinstance(description, dict):
        raise InputError(f"{path}: not the configuration of a run: {description!r:.80}")
    return description


def _difference(there: Any, here: Any, name: str = "") -> str:
    """Names the first field that differs; empty where nothing does."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in {**there, **here}:
            found = _difference(there.get(key), here.get(key), f"{name}.{key}" if name else key)
            if found:
                return found
        return ""
    return "" if there == here else f"{name} is {there} there and {here} now"


@contextmanager
def _failures_explained(out: Path, step: int) -> Generator[None, None, None]:
    # Each writer has its own exception for a full disk: torch RuntimeError, safetensors SafetensorError.
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        intact = f"{kept[-1].name} is intact" if (kept := states(out)) else "there is none before it"
        raise InputError(
            f"{out}: cannot write the checkpoint of step {step} ({first_line(error)}); {intact}. "
            "If the disk is full, free space; then give the same command again to continue"
        ) from error
