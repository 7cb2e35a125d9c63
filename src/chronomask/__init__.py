"""Video instance segmentation: find, name, cut out and follow every object in a video.

>>> import chronomask
>>> for frame in chronomask.load("lite").segment("video.mp4"):  # doctest: +SKIP
...     print(frame.time, frame.track_ids, frame.masks.shape)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chronomask.errors import InputError
from chronomask.results import FrameResult

if TYPE_CHECKING:
    from chronomask.config import SegmentConfig
    from chronomask.inference.load import load
    from chronomask.inference.segment import Segmenter
    from chronomask.structures import Clip, Tube

__version__ = "0.1.0"
__all__ = ["Clip", "FrameResult", "InputError", "SegmentConfig", "Segmenter", "Tube", "__version__", "load"]

_LAZY = {
    "load": "chronomask.inference.load",
    "Segmenter": "chronomask.inference.segment",
    "SegmentConfig": "chronomask.config",
    "Clip": "chronomask.structures",
    "Tube": "chronomask.structures",
}


def __getattr__(name: str) -> Any:
    # Importing the package must stay quick for `chronomask --help`, and the runner works where no PyTorch is.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chronomask' has no attribute {name!r}")
