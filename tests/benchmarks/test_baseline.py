import numpy as np
import pytest
import torch
from baseline import FrameSegmenter, IouTracker

from chronomask.baselines.own_network import on_frames
from chronomask.config import SegmentConfig, StitchConfig
from chronomask.engines.opening import torch_engine
from chronomask.model.convolution import ClipConvolution
from chronomask.tracking.memory import Look, Visit
from model.networks import network_of, noise, tensors_of, tiny


def tracker(iou=0.3, memory=8):
    return IouTracker(StitchConfig(minimum_iou=iou, memory_frames=memory))


def seen(tracker, *spans):
    """Adds a frame of one row whose masks are the columns of the spans; their track ids."""
    labels = np.zeros((1, 1, 20), np.int16)
    for number, (start, stop) in enumerate(spans, 1):
        labels[..., start:stop] = number
    looks = [Look(np.zeros(1, np.float32), np.ones(1, np.float32))] * len(spans)
    visits = [Visit(0, 0, (0.0, 0.0), (0.0, 0.0), 1.0)] * len(spans)
    return tracker.add(labels, looks, visits, 0)[0]


def test_masks_that_overlap_keep_their_track():
    ours = tracker()
    assert seen(ours, (0, 5), (10, 15)) == [1, 2]
    assert seen(ours, (11, 16), (1, 6)) == [2, 1]
    assert seen(ours, (12, 17), (18, 20), (2, 7)) == [2, 3, 1]


def test_an_overlap_below_the_threshold_begins_a_track():
    for iou, expected in ((0.2, [1]), (0.3, [2])):
        ours = tracker(iou=iou)
        seen(ours, (0, 5))
        assert seen(ours, (3, 8)) == expected  # 2 / 8


def test_assignment_is_optimal_not_greedy():
    ours = tracker(iou=0.1)
    seen(ours, (0, 6), (6, 10))
    # The second mask overlaps track 1 most (4 / 9 against 3 / 8), but then nothing is left for the first (2 / 6).
    assert seen(ours, (0, 2), (2, 9)) == [1, 2]


@pytest.mark.parametrize(("memory", "expected"), [(1, [2]), (2, [2]), (3, [1])])
def test_a_track_waits_for_as_long_as_the_memory_says(memory, expected):
    ours = tracker(memory=memory)
    seen(ours, (0, 5))
    assert seen(ours) == []
    assert seen(ours) == []
    assert seen(ours, (0, 5)) == expected


def test_a_track_that_was_forgotten_is_dropped():
    ours = tracker(memory=1)
    seen(ours, (0, 5))
    for _ in range(3):
        seen(ours)
    assert not ours.masks


@torch.no_grad()
def test_of_single_frames_only_the_middle_slice_of_a_kernel_matters():
    network = network_of(tiny(channels=8, squeezes=(2, 1, 1, 0), attention="both"))
    frames = noise(3, 1, 3, 32, 32)
    before = tensors_of(network(frames))
    for module in network.modules():
        if isinstance(module, ClipConvolution):
            middle = module.kernel_size[0] // 2
            module.weight[:, :, :middle] = 9
            module.weight[:, :, middle + 1 :] = -9
    for name, tensor in tensors_of(network(frames)).items():
        torch.testing.assert_close(tensor, before[name], rtol=1e-4, atol=1e-4)


def test_every_frame_is_handed_out_at_once():
    segmenter = FrameSegmenter(torch_engine(network_of(tiny(channels=8)), 1), on_frames(SegmentConfig()))
    for number in range(3):
        (result,) = segmenter.push(noise(32, 48, 3, seed=number).numpy())
        assert result.index == number
    assert segmenter.flush() == []
