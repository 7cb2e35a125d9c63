"""Instance segmentation models in ONNX, whatever their outputs are called: a small file says what is what.

    {"input": {"name": "images", "height": 640, "width": 640, "mean": [0, 0, 0], "std": [255, 255, 255]},
     "outputs": {"boxes": "dets", "scores": "scores", "labels": "labels", "masks": "masks"},
     "boxes": "pixels", "masks": "frame", "classes": ["person", "bicycle"], "first_label": 0, "threshold": 0.5}

The image is stretched to `height` x `width`, RGB, N 3 H W, float32, (pixel - mean) / std. Outputs are of one image,
with or without a first dimension of 1: `boxes` (N 4) left, upper, right, lower, in pixels of the input ("pixels") or
shares of it ("shares"); `scores` (N), `labels` (N), and `masks` (N h w or N 1 h w), above `threshold` inside, which
cover the input ("frame") or the box ("box"). Models that leave it to their user to suppress doubles are to be exported
with that.

Legend: N detections, H W pixels of the image, h w pixels of a mask.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import cv2
import msgspec
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from msgspec import Meta, Struct

from chronomask import rle
from chronomask.baselines.detections import Detection
from chronomask.categories import Category
from chronomask.errors import InputError, refusing

OUTPUTS = ("boxes", "scores", "labels", "masks")
Pixels = Annotated[int, Meta(gt=0)]
Positive = Annotated[float, Meta(gt=0)]


class OnnxInput(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes: the name of its input, its size in pixels, mean and deviation of red, green and blue."""

    name: str
    height: Pixels
    width: Pixels
    mean: tuple[float, float, float] = (0, 0, 0)
    std: tuple[Positive, Positive, Positive] = (255, 255, 255)


class OnnxOutputs(Struct, frozen=True, forbid_unknown_fields=True):
    """The names of a model's outputs, by what they are."""

    boxes: str
    scores: str
    labels: str
    masks: str


class OnnxDescription(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes and gives.

    Attributes:
        input, outputs: how they are called.
        classes: names, the first for the label `first_label`.
        boxes: what they count in.
        masks: what they cover.
        first_label: 1 where 0 is the background.
        threshold: of masks.
    """

    input: OnnxInput
    outputs: OnnxOutputs
    classes: tuple[str, ...]
    boxes: Literal["pixels", "shares"] = "pixels"
    masks: Literal["frame", "box"] = "frame"
    first_label: int = 0
    threshold: float = 0.5


def read_description(path: Path) -> OnnxDescription:
    """What a json or toml file says of a model.

    Raises:
        InputError: it cannot be read, a field is missing, unknown or wrong; the message names file and field.
    """
    with refusing(path, "neither json nor toml"):
        said = tomllib.loads(path.read_text()) if path.suffix == ".toml" else json.loads(path.read_text())
    with refusing(path, "does not describe a model"):
        return msgspec.convert(said, OnnxDescription)


class OnnxDetector:
    """An instance segmentation model in ONNX (extra `onnxruntime`).

    Args:
        model: of the model.
        description: json or toml, see above.

    Raises:
        InputError: a file cannot be used, or the model has no such input or outputs.
    """

    def __init__(self, model: Path, description: Path) -> None:
        import onnxruntime

        self.known = read_description(description)
        with refusing(model, "onnxruntime cannot read it"):
            self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        given = {end.name for end in self.session.get_outputs()}
        for what in OUTPUTS:
            if (name := getattr(self.known.outputs, what)) not in given:
                raise InputError(f"{description}: outputs.{what}: {name!r} is none of {', '.join(sorted(given))}")
        if (name := self.known.input.name) not in (names := [end.name for end in self.session.get_inputs()]):
            raise InputError(f"{description}: input.name: {name!r} is none of {', '.join(names)}")

    def detect(
        self, images: Iterable[UInt8[np.ndarray, "H W 3"]], category_of: Mapping[str, Category]
    ) -> Iterator[list[Detection]]:
        """The detections of every image, best first; see `NetworkDetector.detect`."""
        names = [getattr(self.known.outputs, what) for what in OUTPUTS]
        for image in images:
            made = self.session.run(names, {self.known.input.name: self._pixels(image)})
            outputs = dict(zip(OUTPUTS, (np.asarray(values) for values in made), strict=True))
            yield self._detections(outputs, image.shape[:2], category_of)

    def _pixels(self, image: UInt8[np.ndarray, "H W 3"]) -> Float32[np.ndarray, "1 3 _ _"]:
        known = self.known.input
        small = cv2.resize(image, (known.width, known.height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
        mean, std = np.array(known.mean, np.float32), np.array(known.std, np.float32)
        return np.ascontiguousarray(((small - mean) / std).transpose(2, 0, 1)[None])

    def _detections(
        self, outputs: Mapping[str, np.ndarray], size: tuple[int, ...], category_of: Mapping[str, Category]
    ) -> list[Detection]:
        known, (height, width) = self.known, size
        boxes = outputs["boxes"].reshape(-1, 4).astype(np.float32)
        scale = (1, 1) if known.boxes == "shares" else (known.input.width, known.input.height)
        boxes = boxes * np.array([width / scale[0], height / scale[1]] * 2, np.float32)
        scores, labels = (outputs[what].reshape(-1) for what in ("scores", "labels"))
        masks = outputs["masks"].reshape(-1, *outputs["masks"].shape[-2:])
        if len({len(boxes), len(scores), len(labels), len(masks)}) > 1:
            shapes = {what: values.shape for what, values in outputs.items()}
            raise InputError(f"the model's outputs are not of one length: {shapes}")
        found = []
        for box, score, label, mask in zip(boxes, scores, labels, masks, strict=True):
            number = int(label) - known.first_label
            category = category_of.get(known.classes[number]) if 0 <= number < len(known.classes) else None
            inside = self._inside(mask.astype(np.float32), box, (height, width))
            if category is not None and inside.any():
                found.append(Detection(rle.encode(inside), box, float(score), category.id))
        return sorted(found, key=lambda detection: -detection.score)

    def _inside(
        self, mask: Float32[np.ndarray, "h w"], box: Float32[np.ndarray, " 4"], size: tuple[int, int]
    ) -> Bool[np.ndarray, "H W"]:
        height, width = size
        if self.known.masks == "frame":
            return cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR) > self.known.threshold
        # Every pixel of the image takes what the mask has at its middle; outside the box there is nothing.
        x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
        columns = (x - box[0]) / max(box[2] - box[0], 1e-6) * mask.shape[1] - 0.5
        rows = (y - box[1]) / max(box[3] - box[1], 1e-6) * mask.shape[0] - 0.5
        across, down = (np.broadcast_to(side, size).astype(np.float32) for side in (columns, rows[:, None]))
        values = cv2.remap(mask, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        within = ((x >= box[0]) & (x < box[2])) & ((y >= box[1]) & (y < box[3]))[:, None]
        return (values > self.known.threshold) & within
