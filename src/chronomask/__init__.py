"""Video instance segmentation: find, name, cut out and follow every object in a video.

>>> import chronomask
>>> result = chronomask.segment("video.mp4")  # doctest: +SKIP
>>> result.tracks, result.save("result")  # doctest: +SKIP
>>> for frame in chronomask.load("lite").segment("video.mp4"):  # doctest: +SKIP
...     print(frame.time, frame.track_ids, frame.names, frame.masks.shape)

What `dir(chronomask)` lists is public; everything else may change from version to version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.config import SegmentConfig
    from chronomask.results import FrameResult
    from chronomask.runs.whole_video import VideoResult, segment
    from chronomask.segmenter.load import load
    from chronomask.segmenter.segmenter import Segmenter

__version__ = "0.1.0"
__all__ = [
    "FrameResult",
    "InputError",
    "SegmentConfig",
    "Segmenter",
    "VideoResult",
    "__version__",
    "load",
    "segment",
]

_LAZY = {
    "FrameResult": "chronomask.results",
    "SegmentConfig": "chronomask.config",
    "Segmenter": "chronomask.segmenter.segmenter",
    "VideoResult": "chronomask.runs.whole_video",
    "load": "chronomask.segmenter.load",
    "segment": "chronomask.runs.whole_video",
}


def __getattr__(name: str) -> Any:
    # Importing the package must stay quick for `chronomask --help`, and inference works where no PyTorch is.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chronomask' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
