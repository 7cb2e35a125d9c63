import pytest
import torch
from torch.nn import functional as F

from chronomask.inference.upsample import paint


def disjoint_tubes(count, rows, columns, seed):
    """Smooth random probabilities of which at most one exceeds a half in any cell, and their label map."""
    generator = torch.Generator().manual_seed(seed)
    noise = F.interpolate(torch.rand(1, count, 4, 5, generator=generator), (rows, columns), mode="bicubic")[0]
    best = noise.argmax(0)
    probabilities = torch.where(torch.arange(count)[:, None, None] == best, noise, noise.clamp(max=0.45)).clamp(0, 1)
    labels = torch.where(noise.amax(0) > 0.5, best + 1, 0).short()
    return probabilities, labels.numpy()


@pytest.mark.parametrize("size", [(20, 28), (47, 61), (121, 200), (3, 9), (1, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_boxes_give_what_whole_frames_give(size, seed):
    ids = [7, 3, 40_000, 12]
    probabilities, labels = disjoint_tubes(4, 12, 15, seed)
    full = F.interpolate(probabilities[None], size=size, mode="bilinear", align_corners=False)[0]
    inside = full > 0.5
    expected = torch.where(inside.any(0), torch.tensor(ids)[inside.int().argmax(0)], 0)
    painted = paint(probabilities, labels, ids, size)
    certain = ((full - 0.5).abs() > 1e-5).all(0)  # sums in another order round otherwise
    assert certain.sum() > 0.9 * certain.numel() - 1
    assert torch.equal(painted[certain].long(), expected[certain])


def test_ids_take_the_smallest_type():
    probabilities, labels = disjoint_tubes(2, 6, 8, 0)
    assert paint(probabilities, labels, [1, 32_767], (9, 9)).dtype == torch.int16
    assert paint(probabilities, labels, [1, 32_768], (9, 9)).dtype == torch.int32
    assert paint(probabilities[:0], labels * 0, [], (9, 9)).dtype == torch.int16
