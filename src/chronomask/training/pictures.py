"""What the network makes of one clip, for people to look at while it learns.

Legend: T frames, H W pixels, h w at stride 4, E embedding dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from chronomask.categories import NO_CLASS, OBJECT
from chronomask.config import ClusterConfig, ModelConfig, TrainConfig
from chronomask.data.mixture import ClipMixture
from chronomask.data.panels import draw_panel, panels
from chronomask.data.protocol import WeightedSource
from chronomask.embedding import coordinates
from chronomask.files import written_aside
from chronomask.model.backbone_network import BackboneNetwork
from chronomask.model.network import STRIDE, Network, PixelOutputs
from chronomask.render import fitted
from chronomask.structures import Clip
from chronomask.tracking.cluster import cluster, label_map
from chronomask.training.monitor import Milestones
from chronomask.training.objective import tracked_outputs

COLUMNS = 4
"""Frames of the clip that are shown, evenly spaced."""
CELL = 320
"""Width of a frame in the picture, in pixels."""

Picture = UInt8[np.ndarray, "h w 3"]


class Pictures(Milestones):
    """A monitor that draws the first training clip: truth, tubes found, heat map and embedding, a row each.

    Pictures go to pictures/<step>.png in the folder of the run.

    Args:
        sources: training data.
        config: of the run.
        every: steps between pictures; each is drawn at the first checkpoint from there on, and one at the end.
        listeners: are given the steps done and every picture.
    """

    def __init__(
        self,
        sources: Sequence[WeightedSource],
        config: TrainConfig,
        every: int,
        listeners: Sequence[Callable[[int, Picture], None]] = (),
    ) -> None:
        self.clip = ClipMixture(sources, config.data, config.seed, 1, config.skip_broken)[0].clip
        super().__init__(every)
        self.listeners = listeners

    def on_checkpoint(self, step: int, network: BackboneNetwork, out: Path) -> None:
        if not self.due(step):
            return
        assert isinstance(network, Network), "only its outputs can be drawn"
        picture = draw_outputs(network, self.clip)
        with written_aside(out / "pictures" / f"{step:08d}.png") as aside:
            Image.fromarray(picture).save(aside)
        for listener in self.listeners:
            listener(step, picture)


@torch.no_grad()
def draw_outputs(network: Network, clip: Clip) -> Picture:
    """Truth, tubes found, heat map and embedding of a clip as one picture, RGB."""
    device = next(network.parameters()).device
    outputs = network(clip.frames[None].to(device))
    height, width = clip.frames.shape[2:]
    heat = _coloured(outputs.heat[0].cpu())
    places = coordinates(network.config.embedding, *outputs.embedding.shape[2:], (height, width))
    embedding = embedding_colours(outputs.embedding[0].cpu() - torch.from_numpy(places))
    found, names = _found(outputs, clip, network.config)
    truth = [OBJECT.name if k == NO_CLASS else network.config.categories[k].name for k in clip.class_ids.tolist()]
    shown = np.linspace(0, len(clip.frames) - 1, min(COLUMNS, len(clip.frames))).round().astype(int).tolist()
    true_panels, found_panels = list(panels(clip, truth, "truth")), list(panels(found, names, "found"))
    rows = [[draw_panel(row[frame], CELL) for frame in shown] for row in (true_panels, found_panels)]
    size = fitted((height, width), CELL)
    for pixels in (heat, embedding):
        rows.append([cv2.resize(pixels[frame], size, interpolation=cv2.INTER_NEAREST) for frame in shown])
    return np.vstack([np.hstack(row) for row in rows])


def _found(outputs: PixelOutputs, clip: Clip, model: ModelConfig) -> tuple[Clip, list[str]]:
    """The tubes of the clip in the place of its instances, and what to call them."""
    tubes = cluster(tracked_outputs(outputs, 0), ClusterConfig(), model.tube_score)
    labels = torch.from_numpy(label_map(tubes, tuple(outputs.heat[0].shape)))
    height, width = clip.frames.shape[2:]
    full = labels.repeat_interleave(STRIDE, 1).repeat_interleave(STRIDE, 2)[:, :height, :width]
    masks = full == torch.arange(1, len(tubes) + 1).view(-1, 1, 1, 1)
    best = [int(tube.class_probabilities.argmax()) for tube in tubes]
    categories = (*model.categories, OBJECT)
    names = [
        f"{categories[k].name} {tube.class_probabilities[k] * tube.objectness:.2f}"
        for k, tube in zip(best, tubes, strict=True)
    ]
    nothing = torch.zeros_like(clip.ignore)
    return replace(
        clip, masks=masks, class_ids=torch.tensor(best, dtype=torch.int64), ignore=nothing, unknown=nothing
    ), names


def embedding_colours(offsets: Float[Tensor, "E T h w"]) -> UInt8[np.ndarray, "T h w 3"]:
    """The first three dimensions as red, green and blue, each from its least to its greatest common value.

    Args:
        offsets: embedding without the coordinates, which would hide everything else.
    """
    chosen = offsets[:3].float().cpu()
    flat = chosen.flatten(1)
    # Without the rarest values, one pixel alone would make the rest grey.
    ranked, count = flat.sort(1).values, flat.shape[1]
    low, high = ranked[:, count // 100], ranked[:, count - 1 - count // 100]
    scaled = (chosen - low.view(-1, 1, 1, 1)) / (high - low).clamp(min=1e-6).view(-1, 1, 1, 1)
    colours = torch.zeros(3, *chosen.shape[1:])
    colours[: len(scaled)] = scaled.clamp(0, 1)
    return (255 * colours).round().byte().permute(1, 2, 3, 0).numpy()


def _coloured(heat: Float[Tensor, "T h w"]) -> UInt8[np.ndarray, "T h w 3"]:
    """A map from 0 to 1 in colours, from dark blue to yellow."""
    pixels = (255 * heat.float().clamp(0, 1)).round().byte().numpy()
    return np.stack([cv2.applyColorMap(frame, cv2.COLORMAP_CIVIDIS)[..., ::-1] for frame in pixels])
