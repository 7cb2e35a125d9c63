"""Detections of others: supervision's, torchvision's Mask R-CNN (section 2.1 of the paper), and ONNX models.

Legend: N detections, H W pixels, C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt8

from chronomask import rle
from chronomask.baselines.detections import NOTHING, Detection
from chronomask.categories import COCO, Category
from chronomask.errors import InputError, refusing

if TYPE_CHECKING:
    from supervision import Detections

Image = UInt8[np.ndarray, "H W 3"]


def from_supervision(detections: Detections) -> list[Detection]:
    """What `supervision.Detections` hold, as every detector that supervision knows gives them.

    Class ids are those of the data set; a detection without a confidence is sure; `data["feature"]` may have a feature
    each.

    Raises:
        InputError: there are no masks or no classes, or a feature is missing.
    """
    if not len(detections):
        return []
    if detections.mask is None or detections.class_id is None:
        raise InputError(f"detections: have no {'mask' if detections.mask is None else 'class_id'}, which is needed")
    count = len(detections)
    scores = np.ones(count) if detections.confidence is None else detections.confidence
    features = detections.data.get("feature", [NOTHING] * count)
    if len(features) != count:
        raise InputError(f"detections: {len(features)} features for {count} detections")
    return _sorted(
        Detection(
            rle.encode(np.ascontiguousarray(mask, dtype=bool)),
            np.asarray(box, np.float32),
            float(score),
            int(number),
            np.asarray(feature, np.float32),
        )
        for mask, box, score, number, feature in zip(
            detections.mask, detections.xyxy, scores, detections.class_id, features, strict=True
        )
    )


def from_torchvision(
    output: Mapping[str, Any],
    id_of: Mapping[int, int],
    features: Float32[np.ndarray, "N C"] | None = None,
    threshold: float = 0.5,
) -> list[Detection]:
    """What a detector of torchvision says of one image: `boxes`, `labels`, `scores`, and `masks` (N 1 H W, in [0, 1]).

    Args:
        output: of tensors or arrays.
        id_of: the data set's id of every label that is wanted.
        features: of the detections.
        threshold: above which a pixel is inside.

    Raises:
        InputError: one of the four is missing, or they are not of one length.
    """
    arrays = {}
    for key in ("boxes", "labels", "scores", "masks"):
        if key not in output:
            raise InputError(f"output: has no {key!r}; it has {', '.join(output)}")
        arrays[key] = _array(output[key])
    counts = {key: len(values) for key, values in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InputError(f"output: lengths differ: {counts}")
    return _sorted(
        Detection(
            rle.encode(np.ascontiguousarray(arrays["masks"][k, 0] > threshold)),
            arrays["boxes"][k].astype(np.float32),
            float(arrays["scores"][k]),
            id_of[int(label)],
            NOTHING if features is None else features[k],
        )
        for k, label in enumerate(arrays["labels"])
        if int(label) in id_of and (arrays["masks"][k, 0] > threshold).any()
    )


class TorchvisionDetector:
    """torchvision's Mask R-CNN on ResNet-50 and FPN, with the user's weights (extra `detectors`).

    Features are what its box head says of a detection's box, the 1024 numbers from which it tells the class.

    Args:
        weights: `maskrcnn_resnet50_fpn_coco-*.pth` or another state of that network, of COCO's 91 labels.
        device: "cpu", "cuda", ...

    Raises:
        InputError: torchvision is not installed or does not work with this PyTorch, or the file is of no such network.
    """

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        import torch

        self.torch, self.device = torch, torch.device(device)
        self.network = _mask_rcnn()(weights=None, weights_backbone=None, num_classes=91)
        with refusing(weights, "not the weights of torchvision's maskrcnn_resnet50_fpn"):
            self.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.network.eval().to(self.device)
        self._seen: dict[str, Any] = {}
        self.network.transform.register_forward_hook(lambda module, given, made: self._seen.update(images=made[0]))
        self.network.backbone.register_forward_hook(lambda module, given, made: self._seen.update(levels=made))

    def detect(self, images: Iterable[Image], category_of: Mapping[str, Category]) -> Iterator[list[Detection]]:
        """The detections of every image, best first; see `NetworkDetector.detect`."""
        id_of = {known.id: category_of[known.name].id for known in COCO if known.name in category_of}
        for image in images:
            pixels = self.torch.from_numpy(image.transpose(2, 0, 1).copy()).to(self.device).float() / 255
            with self.torch.inference_mode():
                output = self.network([pixels])[0]
                features = self._features(output["boxes"], image.shape[:2])
            yield from_torchvision(output, id_of, features)

    def _features(self, boxes: Any, size: tuple[int, ...]) -> Float32[np.ndarray, "N C"]:
        """What the box head says of boxes of the image that was looked at last, given in pixels of its own size."""
        sizes, heads = self._seen["images"].image_sizes, self.network.roi_heads
        ratio = boxes.new_tensor([sizes[0][1] / size[1], sizes[0][0] / size[0]]).repeat(2)
        pooled = heads.box_roi_pool(self._seen["levels"], [boxes * ratio], sizes)
        return heads.box_head(pooled).float().cpu().numpy()


def _mask_rcnn() -> Callable[..., Any]:
    try:
        return import_module("torchvision.models.detection").maskrcnn_resnet50_fpn
    except ModuleNotFoundError as error:
        raise InputError("this needs the package torchvision: pip install 'chronomask[detectors]'") from error
    except Exception as error:  # of compiled operators that are for another build of PyTorch
        raise InputError(f"torchvision does not work with this PyTorch: {error}; install the pair that fits") from error


def _array(values: Any) -> np.ndarray:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _sorted(detections: Iterable[Detection]) -> list[Detection]:
    return sorted(detections, key=lambda detection: -detection.score)
