"""Features gathered along optical flow: warping by hand, flow of pictures that move, and what a frame gathers."""

import cv2
import numpy as np
import pytest
import torch

from chronomask.errors import InputError
from chronomask.model.flow import FlowAggregation, flows_between, greys_of, warped
from model.networks import network_of, noise, tiny


def test_what_is_warped_comes_from_where_the_flow_leads():
    x = torch.arange(2 * 5 * 6, dtype=torch.float32).reshape(1, 2, 5, 6)
    nowhere = torch.zeros(1, 2, 5, 6)
    torch.testing.assert_close(warped(x, nowhere), x)
    moved = nowhere.clone()
    moved[:, 0], moved[:, 1] = 2, -1
    torch.testing.assert_close(warped(x, moved)[:, :, 1:, :-2], x[:, :, :-1, 2:])
    moved[:, 0], moved[:, 1] = 0.5, 0
    torch.testing.assert_close(warped(x, moved)[..., :-1], (x[..., 1:] + x[..., :-1]) / 2)


def moving_greys(shift):
    """A textured picture, and the same moved to the right."""
    picture = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (48, 80)).astype(np.float32), (0, 0), 2)
    picture = (picture - picture.min()) / np.ptp(picture) * 255
    return torch.from_numpy(np.stack([picture, np.roll(picture, shift, 1)]))[:, None]


def test_flow_finds_what_moved():
    flows = flows_between(moving_greys(3))
    assert flows.shape == (2, 2, 2, 48, 80)
    assert (flows[0, 0] == 0).all()
    inner = flows[:, :, :, 8:-8, 12:-12].median(-1).values.median(-1).values
    np.testing.assert_allclose(inner[0, 1], [3, 0], atol=0.3)
    np.testing.assert_allclose(inner[1, 0], [-3, 0], atol=0.3)
    assert (flows_between(moving_greys(3)[:, :, :8]) == 0).all()  # too small to be looked at


def test_a_frame_gathers_the_mean_of_what_is_alike():
    """Frames that show the same give the same; of one that is all different, a frame takes e^-2 times as much."""
    gather, x = FlowAggregation(4), torch.randn(1, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.nn.init.zeros_(gather.embedding.bias)
    nowhere = torch.zeros(1, 3, 3, 2, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(gather(x.expand(-1, -1, 3, -1, -1), nowhere), x.expand(-1, -1, 3, -1, -1))
        found = gather(torch.cat([x, -x, x], 2), nowhere)
        share = np.exp(-2)
        torch.testing.assert_close(found[:, :, :1], x * (2 - share) / (2 + share))


def test_brightness_is_that_of_cells():
    frames = noise(2, 3, 32, 32)
    grey = cv2.cvtColor(frames[0].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY)
    np.testing.assert_allclose(greys_of(frames)[0, 0, 2, 3], grey[8:12, 12:16].mean(), atol=0.6)


def test_gradients_reach_what_is_compared():
    network = network_of(tiny(channels=8, squeezes=(0, 0, 0, 0), aggregation="flow"))
    outputs = network(noise(1, 3, 3, 64, 96))
    (outputs.heat.sum() + outputs.embedding.square().sum()).backward()
    assert all(gather.embedding.weight.grad.abs().sum() > 0 for gather in network.aggregation)


def test_flow_takes_the_place_of_squeezes():
    with pytest.raises(InputError, match=r"squeezes \(2, 1, 1, 0\): must all be 0"):
        tiny(aggregation="flow")
