"""Video instance segmentation: find, name, cut out and follow every object in a video.

>>> import chronomask
>>> result = chronomask.segment("video.mp4", end=0.5)
>>> sorted(track.name for track in result.tracks)
['cat', 'person']

What `dir(chronomask)` lists is public; everything else may change from version to version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.config import EvaluateConfig, SegmentConfig
    from chronomask.engines.export import export
    from chronomask.evaluation.evaluate import evaluate
    from chronomask.evaluation.validate import validate
    from chronomask.fleet.batch import batch
    from chronomask.formats.conversion import convert
    from chronomask.prompts import Box, Point
    from chronomask.results import FrameResult
    from chronomask.runs.predict import predict
    from chronomask.runs.video_result import VideoResult
    from chronomask.runs.whole_video import segment
    from chronomask.segmenter.load import load
    from chronomask.segmenter.segmenter import Segmenter
    from chronomask.training.run import fine_tune, train

__version__ = "0.1.0"
__all__ = [
    "Box",
    "EvaluateConfig",
    "FrameResult",
    "InputError",
    "Point",
    "SegmentConfig",
    "Segmenter",
    "VideoResult",
    "__version__",
    "batch",
    "convert",
    "evaluate",
    "export",
    "fine_tune",
    "load",
    "predict",
    "segment",
    "train",
    "validate",
]

_LAZY = {
    "Box": "chronomask.prompts",
    "EvaluateConfig": "chronomask.config",
    "FrameResult": "chronomask.results",
    "Point": "chronomask.prompts",
    "SegmentConfig": "chronomask.config",
    "Segmenter": "chronomask.segmenter.segmenter",
    "VideoResult": "chronomask.runs.video_result",
    "batch": "chronomask.fleet.batch",
    "convert": "chronomask.formats.conversion",
    "evaluate": "chronomask.evaluation.evaluate",
    "export": "chronomask.engines.export",
    "fine_tune": "chronomask.training.run",
    "load": "chronomask.segmenter.load",
    "predict": "chronomask.runs.predict",
    "segment": "chronomask.runs.whole_video",
    "train": "chronomask.training.run",
    "validate": "chronomask.evaluation.validate",
}


def __getattr__(name: str) -> Any:
    # Importing the package must stay quick for `chronomask --help`, and inference works where no PyTorch is.
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'chronomask' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
