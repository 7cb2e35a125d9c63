"""Video instance segmentation: find, name, cut out and follow every object in a video.

>>> import chronomask
>>> for frame in chronomask.load("lite").segment("video.mp4"):  # doctest: +SKIP
...     print(frame.time, frame.track_ids, frame.names, frame.masks.shape)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.config import SegmentConfig
    from chronomask.results import FrameResult
    from chronomask.segmenter.load import load
    from chronomask.segmenter.segmenter import Segmenter
    from chronomask.structures import Clip
    from chronomask.tracking.cluster import Tube

__version__ = "0.1.0"
__all__ = ["Clip", "FrameResult", "InputError", "SegmentConfig", "Segmenter", "Tube", "__version__", "load"]

_LAZY = {
    "load": "chronomask.segmenter.load",
    "Segmenter": "chronomask.segmenter.segmenter",
    "SegmentConfig": "chronomask.config",
    "FrameResult": "chronomask.results",
    "Clip": "chronomask.structures",
    "Tube": "chronomask.tracking.cluster",
}


def __getattr__(name: str) -> Any:
    # Importing the package must stay quick for `chronomask --help`, and inference works where no PyTorch is.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chronomask' has no attribute {name!r}")
