"""The class scores of a tube: averages over its pixels, where the network may give them for cells of 4 x 4 pixels.

Legend: T frames, h w pixels at stride 4, L classes, b d pixels of a box, hc wc cells.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

from chronomask.painting import Box
from chronomask.tracking.outputs import ClipOutputs

CELL = 4
"""Side of a cell at stride 16, in stride-4 pixels."""


def cells_of(box: Box) -> Box:
    """The cells of the class scores, at stride 16, that a box covers which begins at one."""
    rows, columns = (slice(side.start // CELL, -(-side.stop // CELL)) for side in box)
    return rows, columns


def class_probabilities(outputs: ClipOutputs, box: Box, inside: Bool[np.ndarray, "T b d"]) -> Float32[np.ndarray, " L"]:
    """Softmax of the averages."""
    logits = masked_class_logits(outputs, box, inside)
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def masked_class_logits(outputs: ClipOutputs, box: Box, inside: Bool[np.ndarray, "T b d"]) -> Float32[np.ndarray, " L"]:
    """Class scores averaged over the pixels of a box, of which there is one at least.

    Where the scores are coarser than the pixels (stride 16 against 4), each of their cells counts by the share of it
    that the pixels cover: the same as averaging scores that were upsampled with equal cells.
    """
    if outputs.class_logits.shape[2:] == outputs.heat.shape[1:]:
        scores = outputs.class_logits[:, :, *box][:, inside]
        return scores.sum(1) / np.float32(max(1, scores.shape[1]))
    scores, weights = outputs.class_logits[:, :, *cells_of(box)], shares_of_cells(inside)
    return np.einsum("ltyx,tyx->l", scores, weights) / (weights.sum() or np.float32(1))


def shares_of_cells(inside: Bool[np.ndarray, "T b d"]) -> Float32[np.ndarray, "T hc wc"]:
    """The share of every cell at stride 16 that a mask covers; beyond the frame there is no mask."""
    frames, height, width = inside.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    if (rows * CELL, columns * CELL) != (height, width):
        inside = np.pad(inside, ((0, 0), (0, rows * CELL - height), (0, columns * CELL - width)))
    by_row = inside.reshape(frames * rows, CELL, columns * CELL).sum(1, dtype=np.float32)
    return by_row.reshape(frames, rows, columns, CELL).sum(3) / np.float32(CELL * CELL)
