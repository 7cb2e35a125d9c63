"""The whole tracker on NumPy and onnxruntime, for networks that `chronomask export` wrote. No PyTorch is needed.

>>> from chronomask.runner import Runner
>>> for frame in Runner("exported").segment(images):  # doctest: +SKIP
...     print(frame.index, frame.track_ids, frame.masks.shape)
"""

from chronomask.runner.tracker import Runner, Track

__all__ = ["Runner", "Track"]
