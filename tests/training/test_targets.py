from dataclasses import replace

import pytest
import torch

from chronomask.categories import NO_CLASS
from chronomask.data.mixture import Sample
from chronomask.data.synthesis import Canvas
from chronomask.losses import ClipOutputs, clip_losses
from chronomask.structures import Clip
from chronomask.training.targets import collate, make_targets


def clip_of(labels, ignore=None, unknown=None, instances=2):
    """A clip from one label map (H W): 0 nobody, k + 1 instance k."""
    labels = torch.tensor(labels)[None]
    nowhere = torch.zeros(labels.shape, dtype=torch.bool)
    return Clip(
        frames=torch.zeros(1, 3, *labels.shape[1:], dtype=torch.uint8),
        masks=labels == torch.arange(1, instances + 1).view(-1, 1, 1, 1),
        class_ids=torch.arange(instances),
        ignore=nowhere if ignore is None else torch.tensor(ignore)[None],
        unknown=nowhere if unknown is None else torch.tensor(unknown)[None],
        source="made up",
    )


def test_the_largest_share_owns_a_cell():
    cells = [
        [[1, 1], [1, 0]],  # instance 0
        [[1, 2], [2, 2]],  # instance 1
        [[1, 0], [0, 0]],  # nobody
        [[1, 1], [2, 0]],  # instance 0, though it has no more than half
        [[1, 1], [0, 0]],  # half: nobody, for what is not sure is no instance
    ]
    targets = make_targets(clip_of(torch.tensor(cells).permute(1, 0, 2).reshape(2, 10).tolist()), 2)
    assert targets.masks[0, 0, 0].tolist() == [True, False, False, True, False]
    assert targets.masks[1, 0, 0].tolist() == [False, True, False, False, False]
    assert targets.background[0, 0].tolist() == [False, False, True, False, True]
    assert not targets.ignore.any()
    assert targets.class_ids.tolist() == [0, 1]


def test_ignored_pixels_belong_to_nobody_else():
    labels = [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0]]
    ignore = [[True, True, False, True, True, True], [True, False, False, False, True, False]]
    targets = make_targets(clip_of(labels, ignore=ignore, instances=1), 2)
    assert targets.ignore[0, 0].tolist() == [True, False, True]
    assert targets.masks[0, 0, 0].tolist() == [False, True, False]
    assert not targets.background.any()


def test_mostly_unknown_cells_are_no_background():
    unknown = [[True, True, True, False, False, False], [True, False, False, True, False, False]]
    targets = make_targets(clip_of([[0] * 4 + [1] * 2] * 2, unknown=unknown, instances=1), 2)
    assert targets.background[0, 0].tolist() == [False, True, False]
    assert targets.masks[0, 0, 0].tolist() == [False, False, True]


def test_cells_at_the_border_count_what_exists():
    targets = make_targets(clip_of([[0, 0, 0, 0, 1]] * 5, instances=1), 4)
    assert targets.masks.shape == (1, 1, 2, 2)
    assert targets.masks[0, 0].tolist() == [[False, True], [False, True]]


def test_full_resolution_keeps_every_pixel():
    labels = [[0, 1, 2], [2, 1, 0]]
    targets = make_targets(clip_of(labels), 1)
    assert torch.equal(targets.masks, clip_of(labels).masks)
    assert torch.equal(targets.background[0], torch.tensor(labels) == 0)


def test_vanished_and_absent_instances_keep_or_have_no_place():
    targets = make_targets(clip_of([[1, 0, 0, 0]] * 4), 4)
    assert targets.masks.shape == (2, 1, 1, 1)
    assert not targets.masks.any()
    assert make_targets(clip_of([[0] * 9] * 5, instances=0), 4).masks.shape == (0, 1, 2, 3)


def test_a_batch_keeps_clips_apart():
    clips = [clip_of([[1, 2] * 16] * 32), clip_of([[0, 1] * 16] * 32, instances=1)]
    clips[1].class_ids[0] = NO_CLASS
    batch = collate([Sample(clips[0], ("a", "b")), Sample(clips[1], ("c",))], 1)
    assert batch.frames.shape == (2, 1, 3, 32, 32)
    assert [targets.class_ids.tolist() for targets in batch.targets] == [[0, 1], [NO_CLASS]]
    for clip, targets in zip(clips, batch.targets, strict=True):
        assert torch.equal(targets.masks, clip.masks)
    assert batch.sources == ["made up"] * 2
    assert batch.skipped == ["a", "b", "c"]


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_clips_of_different_sizes_are_padded_and_ignored_there(stride):
    sizes = [(30, 70), (41, 20)]
    clips = [clip_of([[1] * width] * height, instances=1) for height, width in sizes]
    for clip in clips:
        clip.frames[:] = 200
    batch = collate([Sample(clip) for clip in clips], stride)
    assert batch.frames.shape == (2, 1, 3, 64, 96)
    for frames, targets, (height, width) in zip(batch.frames, batch.targets, sizes, strict=True):
        assert (frames[..., :height, :width] == 200).all()
        assert frames.count_nonzero() == 3 * height * width
        rows, columns = -(-height // stride), -(-width // stride)
        assert targets.masks.shape == (1, 1, 64 // stride, 96 // stride)
        assert targets.masks[..., :rows, :columns].all()
        assert targets.masks.sum() == (~targets.ignore).sum() == rows * columns
        assert not targets.background.any()


@pytest.mark.parametrize("labelled", [True, False])
def test_an_unlabelled_object_gives_no_background_gradient(labelled):
    """A still with one labelled object and one that nobody was asked to label; moved, then through all losses."""
    still = clip_of([[1] * 8 + [0] * 24] * 16, instances=1)
    unlabelled = torch.zeros(1, 16, 32, dtype=torch.bool)
    unlabelled[..., 20:28] = True
    still = replace(still, unknown=unlabelled & (not labelled))
    steps = torch.eye(3).repeat(2, 1, 1, 1)
    steps[1, 0, 0, 2] = 4.0
    moved = Canvas(still, steps, (16, 32)).clip()
    outputs = ClipOutputs(
        embedding=torch.linspace(-1, 1, 8).expand(2, 2, 4, 8).clone().requires_grad_(),
        log_variance=torch.full((2, 2, 4, 8), -1.0, requires_grad=True),
        heat=torch.full((2, 4, 8), 0.3, requires_grad=True),
        class_logits=torch.zeros(3, 2, 4, 8, requires_grad=True),
        foreground_logits=torch.zeros(2, 4, 8, requires_grad=True),
    )
    terms = clip_losses(outputs, make_targets(moved, 4))
    (terms.center + terms.foreground + terms.classification).backward()
    region = torch.zeros(2, 4, 8, dtype=torch.bool)
    region[0, :, 5:7] = region[1, :, 6:8] = True
    for output in (outputs.heat, outputs.foreground_logits):
        assert output.grad[region].any() == labelled
        assert output.grad[~region].any()
    assert not outputs.class_logits.grad[:, region].any()
