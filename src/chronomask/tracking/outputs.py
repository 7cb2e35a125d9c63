"""What the network says of every pixel of a clip, as the tracker reads it.

Legend: E embedding dimensions, T frames of a clip, h w pixels at stride 4, L classes, hc wc cells of the class scores,
C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float16, Float32

from chronomask.embedding import STRIDE, coordinates, directed


@dataclass(frozen=True, eq=False)
class ClipOutputs:
    """The outputs for one clip.

    Attributes:
        embedding: position in embedding space; coordinate dimensions in units of half the short side.
        log_variance: logarithm of the variance of each dimension.
        heat: score in [0, 1] as the centre of an instance.
        class_logits: class scores before the softmax, at stride 4 or 16.
        foreground: probability of belonging to any instance; None where the model has no such output.
    """

    embedding: Float32[np.ndarray, "E T h w"]
    log_variance: Float32[np.ndarray, "E T h w"]
    heat: Float32[np.ndarray, "T h w"]
    class_logits: Float32[np.ndarray, "L T hc wc"]
    foreground: Float32[np.ndarray, "T h w"] | None

    @classmethod
    def joined(cls, parts: Sequence[ClipOutputs]) -> ClipOutputs:
        """Of frames one after the other."""
        if len(parts) == 1:
            return parts[0]
        names = [name for name, values in vars(parts[0]).items() if values is not None]
        # The frames are the last but two dimensions of every map.
        return replace(parts[0], **{name: np.concatenate([vars(part)[name] for part in parts], -3) for name in names})


class Sight(NamedTuple):
    """All that the network says of a clip.

    Attributes:
        outputs: of its pixels.
        looks: level of stride 16 of its frames; padding is still there.
        fine: level of stride 4, as well, in 16 bits, for it is large; None where the network does not give it.
    """

    outputs: ClipOutputs
    looks: Float32[np.ndarray, "T C _ _"]
    fine: Float16[np.ndarray, "T C _ _"] | None

    def parts(self) -> dict[str, np.ndarray]:
        """In 16 bits, to be kept: half the size, and as exact as the network is in bfloat16 anyway."""
        values = {**vars(self.outputs), "looks": self.looks, "fine": self.fine}
        return {name: some.astype(np.float16, copy=False) for name, some in values.items() if some is not None}

    @classmethod
    def of_parts(cls, parts: Mapping[str, np.ndarray]) -> Sight:
        """Inverse of `parts`, but for what was rounded away."""
        whole: dict[str, Any] = {name: some.astype(np.float32) for name, some in parts.items() if name != "fine"}
        looks, foreground = whole.pop("looks"), whole.pop("foreground", None)
        return cls(ClipOutputs(**whole, foreground=foreground), looks, parts.get("fine"))


def place(
    pixels: Float32[np.ndarray, "T D _ _"],
    frame_classes: Sequence[Float32[np.ndarray, "L _ _"]],
    dimensions: Sequence[str],
    foreground: bool,
    size: tuple[int, int],
) -> ClipOutputs:
    """The outputs of a clip in the frame: padding cut off, coordinates added to the offsets.

    Args:
        pixels: what the decoder gives for at least T frames; its channels are offsets, logarithms of variances, heat,
            foreground where there is one, and class scores where they come from the decoder.
        frame_classes: class scores at stride 16 of the T frames, where they come from the backbone; else none.
        dimensions: see `ModelConfig.embedding`.
        foreground: whether the model has that output.
        size: height and width of the frames before padding, in pixels.
    """
    rows, columns = (-(-side // STRIDE) for side in size)
    # One copy, with all pixels of a channel side by side: the clustering gathers some of them, channel by channel.
    channels = np.ascontiguousarray(pixels[:, :, :rows, :columns].swapaxes(0, 1))
    dims, length = len(dimensions), channels.shape[1]
    if frame_classes:
        coarse = tuple(-(-side // (4 * STRIDE)) for side in size)
        class_logits = np.stack([scores[:, : coarse[0], : coarse[1]] for scores in frame_classes], 1)
    else:
        class_logits = channels[2 * dims + 1 + foreground :]
    embedding = channels[:dims] + coordinates(dimensions, length, rows, columns, size)
    if "unit" in dimensions:
        embedding = directed(embedding, np.array([name == "unit" for name in dimensions], np.float32))
    return ClipOutputs(
        embedding=embedding,
        log_variance=channels[dims : 2 * dims],
        heat=channels[2 * dims],
        class_logits=class_logits,
        foreground=channels[2 * dims + 1] if foreground else None,
    )
