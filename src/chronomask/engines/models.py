"""From the name that a user gives a model to its files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from chronomask.config import NAMED_MODELS
from chronomask.engines.description import FILE
from chronomask.errors import InputError, close_names

WEIGHTS = Path(__file__).parent.parent / "weights"


class ModelFiles(NamedTuple):
    """Where a model lies; at least one of the two.

    Attributes:
        exported: a folder that `chronomask export` wrote.
        checkpoint: a safetensors file.
    """

    exported: Path | None
    checkpoint: Path | None


def model_files(name_or_path: str | Path) -> ModelFiles:
    """The files of a bundled model, an exported folder or a checkpoint file: a plain word that is no folder is a model.

    Raises:
        InputError: there is no such model, folder or file.
    """
    path = _no_run(name_or_path)
    if path.is_dir():
        if not (path / FILE).is_file():
            raise InputError(f"{path}: holds no {FILE}; an exported network is a folder that `chronomask export` wrote")
        return ModelFiles(path, None)
    if isinstance(name_or_path, str) and name_or_path == path.stem:
        weights = bundled_weights(name_or_path)
        exported = weights.with_suffix("")
        return ModelFiles(exported if exported.is_dir() else None, weights)
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint file")
    with path.open("rb") as file:
        if file.read(9)[8:] != b"{":  # behind its length comes the header, in json
            raise InputError(f"{path}: not a safetensors file")
    return ModelFiles(None, path)


def bundled_weights(model: str) -> Path:
    """The checkpoint file of a bundled model.

    Raises:
        InputError: no such model, or one whose weights are not bundled.
    """
    bundled = sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))
    if model not in bundled:
        cause = "its weights are not bundled; name a checkpoint file" if model in NAMED_MODELS else "no such model"
        hint = close_names(model, bundled) or f"bundled: {', '.join(bundled)}"
        raise InputError(f"model {model!r}: {cause} ({hint})")
    return WEIGHTS / f"{model}.safetensors"


def checkpoint_file(name_or_path: str | Path) -> Path:
    """The checkpoint file of a bundled model, or the path itself: a plain word is a model, anything else a file.

    Raises:
        InputError: no such model, or the path is the folder of a training run.
    """
    path = _no_run(name_or_path)
    is_name = isinstance(name_or_path, str) and name_or_path == path.stem
    return bundled_weights(str(name_or_path)) if is_name else path


def _no_run(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if (path / "model.safetensors").is_file():
        raise InputError(f"{path}: is the folder of a training run; name {path / 'model.safetensors'}")
    return path
