"""Tiny films whose objects are easily told, and small networks."""

import torch

from chronomask.data.mixture import Sample
from chronomask.structures import Clip
from chronomask.training.targets import collate
from training.runs import ThinBackbone

HEIGHT, WIDTH, SIDE = 64, 64, 20
COLOURS = ((220, 40, 40), (40, 60, 220), (40, 200, 60))


def film(length=3, objects=2, seed=0, step=6):
    """A clip of squares that move over a dark ground, each of a colour of its own; they overlap at times."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(60, 90, (length, 3, HEIGHT, WIDTH), generator=generator, dtype=torch.uint8)
    masks = torch.zeros(objects, length, HEIGHT, WIDTH, dtype=torch.bool)
    for number in range(objects):
        top, left = (int(torch.randint(0, room, (), generator=generator)) for room in (HEIGHT - SIDE, WIDTH - SIDE))
        for t in range(length):
            x = min(max(0, left + step * t * (-1) ** number), WIDTH - SIDE)
            masks[:, t, top : top + SIDE, x : x + SIDE] = False
            masks[number, t, top : top + SIDE, x : x + SIDE] = True
            colour = torch.tensor(COLOURS[number], dtype=torch.uint8).view(3, 1, 1)
            frames[t, :, top : top + SIDE, x : x + SIDE] = colour
    nowhere = torch.zeros(length, HEIGHT, WIDTH, dtype=torch.bool)
    return Clip(frames, masks, torch.arange(objects), nowhere, nowhere, "squares")


def batch_of(*clips):
    return collate([Sample(clip) for clip in clips], 4)


def thin_backbone():
    """With statistics, so that features have the size that those of a trained one have."""
    torch.manual_seed(1)
    backbone = ThinBackbone()
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        backbone.train()(film().frames)
    return backbone.eval()
