"""From a name or a checkpoint file to a Segmenter."""

from __future__ import annotations

from pathlib import Path

from chronomask.config import NAMED_MODELS, SegmentConfig
from chronomask.device import choose_device
from chronomask.errors import InputError
from chronomask.inference.segment import Segmenter
from chronomask.model.checkpoint import load_network
from chronomask.model.fast import FastNetwork

WEIGHTS = Path(__file__).parent.parent / "weights"


def bundled_weights(model: str) -> Path:
    """The checkpoint file of a bundled model.

    Raises:
        InputError: no such model, or one whose weights are not bundled.
    """
    bundled = sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))
    if model not in bundled:
        cause = "its weights are not bundled; name a checkpoint file" if model in NAMED_MODELS else "no such model"
        raise InputError(f"model {model!r}: {cause} (bundled: {', '.join(bundled)})")
    return WEIGHTS / f"{model}.safetensors"


def checkpoint_file(name_or_path: str | Path) -> Path:
    """The checkpoint file of a bundled model, or the path itself: a plain word is a model, anything else a file.

    Raises:
        InputError: no such model.
    """
    is_name = isinstance(name_or_path, str) and name_or_path == Path(name_or_path).stem
    return bundled_weights(str(name_or_path)) if is_name else Path(name_or_path)


def load(name_or_path: str | Path = "lite", device: str = "auto", config: SegmentConfig | None = None) -> Segmenter:
    """A segmenter from a bundled model or a checkpoint file.

    Args:
        name_or_path: "lite", or the path of a safetensors checkpoint of this project.
        device: "auto", "cpu", "cuda", "cuda:1", ...
        config: how videos are segmented; the defaults suit the bundled model.

    Raises:
        InputError: no such checkpoint, or no such device.
    """
    chosen = choose_device(device)
    network = load_network(checkpoint_file(name_or_path))
    return Segmenter(FastNetwork(network, chosen), config or SegmentConfig(), chosen)
