"""Small annotation and result files made of rectangles, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chronomask import rle

HEIGHT, WIDTH = 40, 60

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


def mask(*boxes: Box | None) -> Any:
    """Run lengths of the union of rectangles; None where there is none."""
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    for box in boxes:
        if box is not None:
            x, y, width, height = box
            canvas[y : y + height, x : x + width] = True
    return dict(rle.encode(canvas)) if canvas.any() else None


def result(masks: Sequence[Any], score: float = 0.9, category_id: int = 1, video_id: int = 1) -> dict[str, Any]:
    """One entry of a result list."""
    return {"video_id": video_id, "category_id": category_id, "score": score, "segmentations": list(masks)}


def annotation(
    masks: Sequence[Any], category_id: int = 1, video_id: int = 1, iscrowd: int = 0, number: int = 1
) -> dict[str, Any]:
    """One entry of `annotations`, with areas and boxes that fit the masks."""
    return {
        "id": number,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": iscrowd,
        "segmentations": list(masks),
        "areas": [None if m is None else rle.area(m) for m in masks],
        "bboxes": [None if m is None else list(rle.bbox(m)) for m in masks],
    }


def truth_file(
    tracks: Sequence[Mapping[str, Any]], lengths: Mapping[int, int] | None = None, categories: Sequence[int] = (1, 2)
) -> dict[str, Any]:
    """An annotation file of these tracks, numbered from 1."""
    if lengths is None:
        lengths = {track["video_id"]: len(track["segmentations"]) for track in tracks}
    return {
        "videos": [
            {
                "id": number,
                "name": f"video{number}",
                "height": HEIGHT,
                "width": WIDTH,
                "length": length,
                "file_names": [f"video{number}/{t:05d}.jpg" for t in range(length)],
            }
            for number, length in lengths.items()
        ],
        "categories": [{"id": number, "name": f"class{number}"} for number in categories],
        "annotations": [dict(track, id=number) for number, track in enumerate(tracks, 1)],
    }


def random_masks(rng: np.random.Generator, length: int, gaps: float = 0.2) -> list[Any]:
    """A rectangle that jitters through a video and is out of sight in some frames."""
    x, y, width, height = rng.integers([0, 0, 4, 4], [30, 20, 28, 18])
    boxes = [
        None if rng.random() < gaps else (int(x + rng.integers(3)), int(y + rng.integers(3)), int(width), int(height))
        for _ in range(length)
    ]
    return [mask(box) for box in boxes]


def shaken(rng: np.random.Generator, masks: Sequence[Any]) -> list[Any]:
    """The masks shifted by a few pixels, some of them dropped: a prediction of that object."""
    shift, drop = rng.integers(-4, 5, 2), rng.random() * 0.5
    moved = [None if m is None or rng.random() < drop else np.roll(rle.decode(m), shift, (0, 1)) for m in masks]
    return [None if m is None else dict(rle.encode(m)) for m in moved]


def random_case(
    seed: int, videos: int = 3, objects: int = 3, predictions: int = 6, crowds: float = 0.0, ties: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A random annotation file and results for it: shaken copies of its objects, some of a wrong class, and noise."""
    rng = np.random.default_rng(seed)
    lengths = {number: int(rng.integers(1, 5)) for number in range(1, videos + 1)}
    true, found = [], []
    for number, length in lengths.items():
        own = []
        for _ in range(rng.integers(0, objects + 1)):
            masks, crowd = random_masks(rng, length), int(rng.random() < crowds)
            own.append(annotation(masks, int(rng.integers(1, 3)), number, crowd))
        for _ in range(rng.integers(0, predictions + 1)):
            source = own[rng.integers(len(own))] if own and rng.random() < 0.8 else None
            masks = random_masks(rng, length) if source is None else shaken(rng, source["segmentations"])
            right = source is not None and rng.random() < 0.8
            category_id = source["category_id"] if source is not None and right else int(rng.integers(1, 3))
            found.append(result(masks, float(rng.random()), category_id, number))
        true += own
    scores = np.round(rng.random(len(found)), 1) if ties else rng.permutation(len(found)) / max(len(found), 1)
    return truth_file(true, lengths), [dict(entry, score=float(s)) for entry, s in zip(found, scores, strict=True)]
