"""The whole method on one clip: if the network, the losses and eq. (7) fit together, it can be learned by heart.

The backbone stays frozen, as in training, but with random weights: the test needs no download and no extra.
"""

import pytest
import torch

from chronomask.config import ClusterConfig, TrainConfig, lite
from chronomask.data.mixture import Sample
from chronomask.model.network import Network
from chronomask.structures import Clip
from chronomask.tracking.cluster import cluster
from chronomask.training.objective import batch_losses, tracked_outputs, weighted_sum
from chronomask.training.schedule import build_optimizer
from chronomask.training.targets import collate

pytestmark = pytest.mark.network

LENGTH, HEIGHT, WIDTH, RADIUS = 8, 64, 96, 14
STEPS = 50


def twin_clip():
    """Two touching discs of one class and one colour, which move together over a noisy background."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(HEIGHT).view(-1, 1) + 0.5
    columns = torch.arange(WIDTH).view(1, -1) + 0.5
    masks = torch.zeros(2, LENGTH, HEIGHT, WIDTH, dtype=torch.bool)
    for frame in range(LENGTH):
        x, y = 30.0 + 3 * frame, 26.0 + 1.5 * frame
        for index, side in enumerate((-RADIUS, RADIUS)):
            masks[index, frame] = (columns - x - side) ** 2 + (rows - y) ** 2 < RADIUS**2
    background = torch.randint(60, 120, (LENGTH, 3, HEIGHT, WIDTH), generator=generator, dtype=torch.uint8)
    colour = torch.tensor([200, 60, 40], dtype=torch.uint8).view(1, 3, 1, 1)
    frames = torch.where(masks.any(0)[:, None], colour, background)
    nowhere = torch.zeros(LENGTH, HEIGHT, WIDTH, dtype=torch.bool)
    return Clip(frames, masks, torch.tensor([3, 3]), nowhere, nowhere, "two discs")


def give_statistics(backbone, frames):
    """One pass in which batch norm learns the scale of random features: without, the deep ones fade away."""
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        backbone.train()(frames)
    backbone.eval()


def test_lite_learns_two_touching_twins_by_heart():
    torch.manual_seed(0)
    config = TrainConfig(learning_rate=3e-3)
    network, batch = Network(lite()), collate([Sample(twin_clip())], stride=4)
    give_statistics(network.backbone, batch.frames[0])
    network.freeze_backbone()
    optimizer = build_optimizer(network, config)
    network.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * group["scale"] * min(1.0, (step + 1) / 10, (STEPS - step) / 40)
        loss = weighted_sum(batch_losses(network(batch.frames), batch, stride=4), config.losses)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
        optimizer.step()

    with torch.no_grad():
        outputs = tracked_outputs(network.eval()(batch.frames), 0)
    tubes = cluster(outputs, ClusterConfig())
    found = torch.stack([torch.from_numpy(tube.mask(outputs.heat.shape)) for tube in tubes])
    truth = batch.targets[0].masks
    assert len(found) == len(truth)
    shared = (found[:, None] & truth).sum((2, 3, 4))
    iou = shared / (found[:, None] | truth).sum((2, 3, 4))
    assert (iou.amax(1) > 0.9).all()
    assert sorted(iou.argmax(1).tolist()) == [0, 1]
