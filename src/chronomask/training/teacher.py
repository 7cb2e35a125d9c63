"""A teacher of names: the class scores of TensorFlow's detector SSD MobileNetV2 (Liu et al. 2016).

The detector has seen the boxes of all of COCO, but its class predictors have three times the weights of our whole small
network. So they stay behind; the class head learns what they say of training pictures (`training/class_head.py`).

Legend: N stills, H W pixels, hc wc cells at stride 16, L classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.categories import COCO, Category
from chronomask.config import lite
from chronomask.errors import InputError
from chronomask.model.importing import import_weights
from chronomask.model.importing.graphdef import read_graph
from chronomask.model.network import Network

_CATEGORIES = 91
"""Scores of an anchor: one of the background, and of COCO's category ids 1 to 90."""


class Detector:
    """The detector's class scores of stride 16, 32 and 64, for objects of 30 to 170 pixels in a still of 300.

    Args:
        graph: `frozen_inference_graph.pb` of ssd_mobilenet_v2_coco_2018_03_29; docs/weights.md says where to get it.
        categories: those to score; what is none of COCO's scores 0.

    Attributes:
        knows: of every category, whether it is one of COCO's.

    Raises:
        InputError: the file is not such a graph, or its classes are not COCO's.
    """

    def __init__(self, graph: Path, categories: Sequence[Category]) -> None:
        network = Network(lite())
        import_weights(network, graph)
        self._backbone = network.backbone.eval()
        constants = read_graph(graph)
        try:
            self._expand = _folded(constants, "expanded_conv_13/expand")
            self._squeeze = _folded(constants, "layer_19_1_Conv2d_2_1x1_256")
            self._halve = _folded(constants, "layer_19_2_Conv2d_2_3x3_s2_512_depthwise", "depthwise_weights")
            self._widen = _folded(constants, "layer_19_2_Conv2d_2_3x3_s2_512")
            places = [f"BoxPredictor_{index}/ClassPredictor" for index in range(3)]
            self._predictors = [(constants[f"{place}/weights"], constants[f"{place}/biases"]) for place in places]
        except KeyError as error:
            raise InputError(f"{graph}: has no {error}: not a detector of the kind SSD MobileNetV2") from None
        if any(len(biases) % _CATEGORIES for _, biases in self._predictors):
            raise InputError(f"{graph}: its class predictors are not made for COCO's {_CATEGORIES - 1} category ids")
        self.knows = [category in COCO for category in categories]
        self._columns = [category.id if known else 0 for category, known in zip(categories, self.knows, strict=True)]

    @torch.no_grad()
    def __call__(self, stills: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N L hc wc"]:
        """Sum over the strides of the probability that the best anchor of a cell gives; H and W as of the backbone."""
        _, _, bottleneck, coarse = self._backbone(stills)
        fine = F.conv2d(bottleneck, *self._expand).clamp(0, 6)
        x = F.conv2d(coarse, *self._squeeze).clamp(0, 6)
        # TensorFlow's padding "SAME": of an even number of rows only the last lacks a neighbour.
        x = F.pad(x, (x.shape[3] % 2, 1, x.shape[2] % 2, 1))
        x = F.conv2d(x, *self._halve, stride=2, groups=x.shape[1]).clamp(0, 6)
        x = F.conv2d(x, *self._widen).clamp(0, 6)
        total = torch.zeros(())
        for level, (kernel, bias) in zip((fine, coarse, x), self._predictors, strict=True):
            anchors = F.conv2d(level, kernel, bias, padding=1).unflatten(1, (-1, _CATEGORIES)).sigmoid()
            scores = anchors.amax(1)[:, self._columns]
            total = total + F.interpolate(scores, size=fine.shape[2:], mode="bilinear", align_corners=False)
        return total * torch.tensor(self.knows).view(-1, 1, 1)


def _folded(constants: dict[str, Tensor], name: str, kind: str = "weights") -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution with its batch norm in it.

    Raises:
        KeyError: the graph lacks one of its constants.
    """
    place = f"FeatureExtractor/MobilenetV2/{name}"
    gamma, beta, mean, variance = (
        constants[f"{place}/BatchNorm/{field}"] for field in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / (variance + 1e-3).sqrt()
    return constants[f"{place}/{kind}"] * scale.view(-1, 1, 1, 1), beta - mean * scale
