"""The systems by name: what each is called, what it needs, and its tracks of a video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from chronomask.annotations.records import Track
from chronomask.baselines.deep_sort import DeepSort
from chronomask.baselines.detections import Detection, FoundTrack, Frames
from chronomask.baselines.iou_tracker import IouTracker
from chronomask.baselines.mask_track import MaskTrack
from chronomask.baselines.seq_tracker import SeqTracker
from chronomask.errors import InputError

SystemName = Literal["osmn-maskprop", "iou-tracker", "deep-sort", "feelvos", "osmn", "seq-tracker", "mask-track"]

TITLES: dict[SystemName, str] = {
    "osmn-maskprop": "OSMN MaskProp",
    "iou-tracker": "IoUTracker+",
    "deep-sort": "DeepSORT",
    "feelvos": "FEELVOS",
    "osmn": "OSMN",
    "seq-tracker": "SeqTracker",
    "mask-track": "MaskTrack R-CNN",
}
"""As the paper's Table 1 calls them, in its order."""

TrainedName = Literal["mask-track", "osmn", "feelvos"]

WEIGHTS_OF: dict[SystemName, TrainedName] = {
    "osmn-maskprop": "osmn",
    "feelvos": "feelvos",
    "osmn": "osmn",
    "mask-track": "mask-track",
}
"""Which network of its own a system needs; the others need none."""


@dataclass(frozen=True, eq=False)
class Material:
    """What a system is given of a video.

    Attributes:
        images: reads its frames, from the first on, whenever it is called.
        detections: of every frame.
        first: the objects that are shown to systems which carry masks on, by the frame in which they are shown.
    """

    images: Callable[[], Iterable[np.ndarray]]
    detections: Frames
    first: Mapping[int, Sequence[Detection]]


System = Callable[[Material], list[FoundTrack]]
"""Makes tracks of a video."""


def system(name: SystemName, weights: Path | None = None) -> System:
    """A system, ready to be used.

    Args:
        weights: its network, where it needs one (`WEIGHTS_OF`).

    Raises:
        InputError: weights that are missing, not wanted, or of another network.
    """
    wanted = WEIGHTS_OF.get(name)
    if (weights is None) == (wanted is not None):
        said = "needs weights, which `chronomask table1` trains" if wanted else f"has no weights of its own: {weights}"
        raise InputError(f"{name}: {said}")
    match name:
        case "iou-tracker":
            return lambda video: IouTracker().track(video.detections)
        case "deep-sort":
            return lambda video: DeepSort().track(video.detections)
        case "seq-tracker":
            return lambda video: SeqTracker().track(video.detections)
    assert weights is not None, "checked above"
    if name == "mask-track":
        from chronomask.baselines.association import load_association

        tracker = MaskTrack(load_association(weights).embedded)
        return lambda video: tracker.track(video.detections)
    return _carrying(name, weights)


def _carrying(name: SystemName, weights: Path) -> System:
    from chronomask.baselines.propagation.feelvos import Feelvos
    from chronomask.baselines.propagation.follow import matched, propagated
    from chronomask.baselines.propagation.network import load_propagation
    from chronomask.baselines.propagation.osmn import Osmn

    network = load_propagation(weights, Feelvos if name == "feelvos" else Osmn)
    if name == "osmn":
        return lambda video: matched(network, video.images(), video.detections)
    return lambda video: propagated(network, video.images(), video.first)


def first_of_truth(tracks: Iterable[Track]) -> dict[int, list[Detection]]:
    """What is shown where systems may know the truth: every object in the first frame in which it is annotated."""
    shown: dict[int, list[Detection]] = {}
    for track in tracks:
        if track.crowd:
            continue
        seen = ((frame, mask) for frame, mask in enumerate(track.segmentations) if mask is not None)
        if (found := next(seen, None)) is not None:
            shown.setdefault(found[0], []).append(Detection.of(found[1], 1.0, track.category_id))
    return shown
