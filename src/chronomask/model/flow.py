"""Flow-guided feature aggregation (section 2.2): Zhu et al., "Flow-guided feature aggregation for video object
detection" [34], in the place of the time pyramid.

Every frame of a clip gathers the features of all others, warped along the optical flow to where they are in it, and
takes their mean; a place weighs by how like it is to what the frame itself has there, the softmax of cosines. Flow is
OpenCV's DIS (Kroeger et al. 2016) instead of FlowNet, on grey pictures at stride 4; it is not trained.

Legend: B clips, C channels, T frames, h w cells of a level; the flow has x and y, in its own cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.model.convolution import PointwiseConvolution

GREY = (0.299, 0.587, 0.114)


def greys_of(frames: UInt8[Tensor, "N 3 H W"]) -> Float[Tensor, "N 1 _ _"]:
    """Brightness, 0-255, of cells of 4 x 4 pixels."""
    weights = torch.tensor(GREY, device=frames.device).view(1, 3, 1, 1)
    return F.avg_pool2d((frames.float() * weights).sum(1, keepdim=True), 4)


@torch.no_grad()
def flows_between(greys: Float[Tensor, "T 1 h w"]) -> Float[Tensor, "T T 2 h w"]:
    """Where what is in the cell of one frame (the first index) lies in another (the second), relative to the cell."""
    import cv2  # comes with training; who does not ask for flow does without

    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    pictures = greys[:, 0].round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    found = np.zeros((len(pictures), len(pictures), 2, *pictures.shape[1:]), np.float32)
    for one, mine in enumerate(pictures):
        for other, theirs in enumerate(pictures):
            if one != other:
                found[one, other] = _flow(dis, mine, theirs)
    return torch.from_numpy(found).to(greys.device)


def _flow(dis: Any, mine: UInt8[np.ndarray, "h w"], theirs: UInt8[np.ndarray, "h w"]) -> Float32[np.ndarray, "2 h w"]:
    if min(mine.shape) < 16:  # DIS has patches of 8 pixels, on pictures of half the size
        return np.zeros((2, *mine.shape), np.float32)
    return dis.calc(mine, theirs, None).transpose(2, 0, 1)


def warped(x: Float[Tensor, "N C h w"], flow: Float[Tensor, "N 2 h w"]) -> Float[Tensor, "N C h w"]:
    """What lies where the flow leads to; beyond the frame, what is at its edge."""
    height, width = x.shape[2:]
    rows, columns = (torch.arange(side, device=x.device, dtype=torch.float32) for side in (height, width))
    across = (columns + flow[:, 0] + 0.5) * 2 / width - 1
    down = (rows[:, None] + flow[:, 1] + 0.5) * 2 / height - 1
    grid = torch.stack([across, down], 3)
    return F.grid_sample(x.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


class FlowAggregation(nn.Module):
    """Aggregation of one level, eq. (1) to (3) of FGFA; `embedding` is what is compared, a 1x1 convolution here."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding = PointwiseConvolution(channels, channels)

    def forward(self, x: Float[Tensor, "B C T h w"], flows: Float[Tensor, "B T T 2 _ _"]) -> Float[Tensor, "B C T h w"]:
        compared = self.embedding(x)
        return torch.stack([self._clip(*one) for one in zip(x, compared, flows, strict=True)])

    def _clip(
        self, x: Float[Tensor, "C T h w"], compared: Float[Tensor, "C T h w"], flows: Float[Tensor, "T T 2 _ _"]
    ) -> Float[Tensor, "C T h w"]:
        both, channels = torch.cat([x, compared]).transpose(0, 1), len(x)
        found = []
        for frame, flow in enumerate(flows):
            seen, said = warped(both, _at_size(flow, both.shape[2:])).split(channels, 1)
            own = compared[None, :, frame].float()
            weights = F.cosine_similarity(said, own, 1).softmax(0)
            found.append((seen * weights[:, None]).sum(0))
        return torch.stack(found, 1).to(x.dtype)


def _at_size(flow: Float[Tensor, "T 2 _ _"], size: Sequence[int]) -> Float[Tensor, "T 2 h w"]:
    """The flow for a coarser level, counted in cells of that level."""
    ratio = flow.new_tensor([size[1] / flow.shape[3], size[0] / flow.shape[2]])
    return F.interpolate(flow, size=(size[0], size[1]), mode="area") * ratio.view(1, 2, 1, 1)
