"""Detections on disk: COCO json with one image a frame, whoever wrote it, and our own with features."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from chronomask import rle
from chronomask.annotations import reader
from chronomask.annotations.listing import STILLS
from chronomask.annotations.records import VideoEntry
from chronomask.annotations.row import Row
from chronomask.baselines.detections import NOTHING, Detection, Frames
from chronomask.categories import Category
from chronomask.errors import InputError
from chronomask.files import portable, written_aside


def write_detections(
    path: Path, videos: Sequence[VideoEntry], categories: Sequence[Category], frames: Mapping[int, Frames]
) -> None:
    """Writes the detections of some videos as COCO json, a feature of four digits with each.

    Args:
        path: of the file.
        videos: with names of their frames, which name the images.
        categories: that the detections refer to.
        frames: of every video, by its id.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for video in videos:
        for name, detections in zip(video.file_names or (), frames[video.id], strict=True):
            images.append({"id": len(images) + 1, "file_name": name, "width": video.width, "height": video.height})
            for found in detections:
                entry: dict[str, Any] = {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": found.category_id,
                }
                entry |= {"score": round(found.score, 6), "segmentation": found.mask, "iscrowd": 0}
                entry |= {"area": rle.area(found.mask), "bbox": list(rle.bbox(found.mask))}
                if found.feature.size:  # among the attributes, which other programs keep
                    entry["attributes"] = {"feature": _rounded(found.feature)}
                annotations.append(entry)
    listed = [{"id": category.id, "name": category.name} for category in categories]
    with written_aside(path) as aside:
        text = json.dumps({"images": images, "categories": listed, "annotations": annotations}, separators=(",", ":"))
        aside.write_text(text)


def read_detections(
    path: Path, videos: Sequence[VideoEntry], categories: Sequence[Category]
) -> dict[int, list[list[Detection]]]:
    """The detections of some videos, from COCO json whose images are called as their frames.

    Categories join by name. An annotation without a score is sure. What the file has of other images, or of categories
    that the videos' file has not, is left out; frames that it does not name have no detections.

    Args:
        path: of the file.
        videos: with names of their frames.
        categories: of the videos' file.

    Returns:
        Of every video, by its id, the detections of each frame, best first.

    Raises:
        InputError: the file is no such json, or names none of the frames; the message names file, entry and field.
    """
    reading = reader.read(path, form=STILLS)
    ids = {category.name: category.id for category in categories}
    found = {video.id: [list[Detection]() for _ in video.file_names or ()] for video in videos}
    place_of = {
        portable(name): detections
        for video in videos
        for name, detections in zip(video.file_names or (), found[video.id], strict=True)
    }
    places = {number: place_of.get(_file_name(image)) for number, image in reading.listing.videos.items()}
    if all(place is None for place in places.values()):
        raise InputError(f"{path}: names none of the frames, such as {next(iter(place_of), 'none')}")
    for index, row in reading.content.rows("annotations", reading.problems):
        track = reading.tracks[index]
        category_id = ids.get(reading.listing.categories[track.category_id])
        place, mask = places[track.video_id], track.segmentations[0]
        if place is None or category_id is None or mask is None:
            continue
        place.append(Detection.of(mask, min(1.0, max(0.0, track.score)), category_id, _feature(row)))
    for frames in found.values():
        for detections in frames:
            detections.sort(key=lambda detection: -detection.score)
    return found


def _file_name(image: VideoEntry) -> str:
    return portable(image.file_names[0] if image.file_names else image.name)


def _feature(row: Row) -> Float32[np.ndarray, " C"]:
    attributes = row.fields.get("attributes")
    values = attributes.get("feature") if isinstance(attributes, Mapping) else None
    if values is None:
        return NOTHING
    try:
        feature = np.array(values, np.float32)
    except (TypeError, ValueError):
        feature = np.zeros((0, 0), np.float32)
    if feature.ndim != 1 or not np.isfinite(feature).all():
        place = f"{row.problems.file}: {row.place}.attributes.feature"
        raise InputError(f"{place}: {values!r:.80} is no list of finite numbers")
    return feature


def _rounded(feature: Float32[np.ndarray, " C"]) -> list[float]:
    return [float(f"{value:.4g}") for value in feature]
