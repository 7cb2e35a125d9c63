"""Each term of eq. (6) against numbers computed by hand, finite differences, and brute force."""

from itertools import pairwise
from math import exp, log

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chronomask.categories import NO_CLASS
from chronomask.config import LossConfig
from chronomask.losses import (
    ClipOutputs,
    Targets,
    center_loss,
    classification_loss,
    clip_losses,
    embedding_loss,
    foreground_loss,
    instance_gaussians,
    lovasz_hinge,
    pull_loss,
    smoothness_loss,
)
from chronomask.model.network import PixelOutputs
from chronomask.training.objective import TERMS, batch_losses, weighted_sum
from chronomask.training.targets import Batch

DIMENSIONS, LENGTH, ROWS, COLUMNS, CLASSES = 3, 2, 3, 4, 5
SHAPE = (LENGTH, ROWS, COLUMNS)


def outputs_of(seed=0, dtype=torch.float64, foreground=True, grad=False):
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    tensors = [
        random(DIMENSIONS, *SHAPE),
        random(DIMENSIONS, *SHAPE) * 0.3,
        random(*SHAPE).sigmoid(),
        random(CLASSES, *SHAPE),
        random(*SHAPE) if foreground else None,
    ]
    if grad:
        tensors = [None if tensor is None else tensor.requires_grad_() for tensor in tensors]
    return ClipOutputs(*tensors)


def targets_of(labels, class_ids, ignore=None, unknown=None):
    """Truth from a label map: 0 nobody, k + 1 instance k."""
    nowhere = torch.zeros(SHAPE, dtype=torch.bool)
    ignore = nowhere if ignore is None else ignore
    unknown = nowhere if unknown is None else unknown
    masks = (labels == torch.arange(1, len(class_ids) + 1).view(-1, 1, 1, 1)) & ~ignore
    background = (labels == 0) & ~ignore & ~unknown
    return Targets(masks, torch.tensor(class_ids, dtype=torch.int64), ignore, background)


def two_instances():
    labels = torch.zeros(SHAPE, dtype=torch.int64)
    labels[:, 0, :2] = 1
    labels[1, 2, 1:] = 2
    return labels


def gradients(outputs, loss):
    names = [name for name, tensor in vars(outputs).items() if tensor is not None]
    tensors = [getattr(outputs, name) for name in names]
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return dict(zip(names, found, strict=True))


def brute_force_lovasz(logits, labels):
    """The definition: hinge errors from the largest down, each times what its pixel adds to the Jaccard loss of the
    set of all pixels up to it, as if they were the mispredicted ones."""
    errors = [max(0.0, 1 - logit * (1 if label else -1)) for logit, label in zip(logits, labels, strict=True)]
    truth = {index for index, label in enumerate(labels) if label}

    def jaccard_loss(wrong):
        predicted = truth ^ wrong
        return 1 - len(truth & predicted) / len(truth | predicted) if truth | predicted else 0.0

    order = sorted(range(len(errors)), key=lambda index: -errors[index])
    sets = [set(order[:count]) for count in range(len(order) + 1)]
    steps = [jaccard_loss(larger) - jaccard_loss(smaller) for smaller, larger in pairwise(sets)]
    return sum(errors[index] * step for index, step in zip(order, steps, strict=True))


pixels = st.lists(st.tuples(st.floats(-3, 3, width=32), st.booleans()), max_size=9)


@given(pixels)
@settings(max_examples=80, deadline=None)
def test_lovasz_hinge_is_its_definition(pixels):
    logits, labels = [logit for logit, _ in pixels], [label for _, label in pixels]
    value = lovasz_hinge(torch.tensor(logits, dtype=torch.float64), torch.tensor(labels, dtype=torch.bool))
    assert value.item() == pytest.approx(brute_force_lovasz(logits, labels), abs=1e-9)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_lovasz_hinge_of_clear_predictions_is_twice_the_jaccard_loss(pixels):
    """A logit of +-1 has a hinge error of 0 where it is right and 2 where it is wrong."""
    predicted, labels = (torch.tensor(side) for side in zip(*pixels, strict=True))
    union = (predicted | labels).sum()
    jaccard = 1 - (predicted & labels).sum() / union if union else torch.tensor(0.0)
    value = lovasz_hinge(predicted.double() * 2 - 1, labels)
    assert value.item() == pytest.approx(2 * jaccard.item())


def test_lovasz_hinge_by_hand():
    # Errors 1.5 (false positive), 0.5 (true). Jaccard losses: {first} 1 - 1/2, {first, second} 1.
    value = lovasz_hinge(torch.tensor([0.5, 0.5]), torch.tensor([False, True]))
    assert value.item() == pytest.approx(1.5 * 0.5 + 0.5 * 0.5)
    assert lovasz_hinge(torch.zeros(0), torch.zeros(0, dtype=torch.bool)) == 0


def test_gaussians_by_hand():
    embedding = torch.tensor([1.0, 3.0, 50.0]).view(1, 1, 1, 3)
    log_variance = torch.tensor([log(2.0), log(4.0), 9.0]).view(1, 1, 1, 3)
    mask = torch.tensor([True, True, False]).view(1, 1, 1, 3)
    means, variances = instance_gaussians(embedding, log_variance, mask)
    assert means.tolist() == [[2.0]]
    assert variances.item() == pytest.approx(3.0)  # the arithmetic mean; the geometric one would be 2.83


def test_embedding_loss_by_hand():
    memberships = torch.tensor([[1.0, 0.75, 0.0], [0.0, 1.0, 0.5]]).view(2, 1, 1, 3)
    masks = torch.tensor([[True, False, False], [False, True, True]]).view(2, 1, 1, 3)
    nowhere = torch.zeros(1, 1, 3, dtype=torch.bool)
    # First: error 1.5 on a false positive, which alone makes the Jaccard loss 1/2.
    # Second: error 1 on a pixel at the threshold, which alone makes it 1/2.
    assert embedding_loss(memberships, masks, nowhere).item() == pytest.approx((0.75 + 0.5) / 2)
    ignore = torch.tensor([False, True, False]).view(1, 1, 3)
    # Without the middle pixel: the first is perfect, the second consists of the pixel at the threshold.
    assert embedding_loss(memberships, masks, ignore).item() == pytest.approx((0 + 1) / 2)


def test_smoothness_loss_by_hand():
    log_variance = torch.tensor([[0.0, 2.0, 5.0, 5.0], [1.0, 1.0, 3.0, 5.0]]).view(2, 1, 1, 4)
    masks = torch.tensor([[True, True, False, False], [False, False, True, True]]).view(2, 1, 1, 4)
    # First: deviations 1, 1 and 0, 0; second: 0, 0 and 1, 1.
    assert smoothness_loss(log_variance, masks).item() == pytest.approx((0.5 + 0.5) / 2)


def test_center_loss_by_hand():
    heat = torch.tensor([0.5, 0.25, 1.0, 0.5]).view(1, 1, 4)
    memberships = torch.tensor([1.0, 0.75, 0.9, 0.9], requires_grad=True).view(1, 1, 1, 4)
    masks = torch.tensor([True, True, False, False]).view(1, 1, 1, 4)
    background = torch.tensor([False, False, False, True]).view(1, 1, 4)
    loss = center_loss(heat.requires_grad_(), memberships, masks, background)
    assert loss.item() == pytest.approx((0.25 + 0.25) / 2 + 0.25)
    gradient, none = torch.autograd.grad(loss, [heat, memberships], allow_unused=True)
    assert none is None  # the target is detached
    assert gradient.flatten().tolist() == pytest.approx([-0.5, -0.5, 0.0, 1.0])  # the third pixel is unknown


def test_classification_loss_by_hand():
    logits = torch.tensor([[4.0, 0.0, 0.0], [0.0, 2.0, 0.0]]).view(2, 1, 1, 3)
    masks = torch.tensor([[True, False, False], [False, False, True]]).view(2, 1, 1, 3)
    memberships = torch.tensor([[0.9, 0.8, 0.1], [0.5, 0.5, 0.4]]).view(2, 1, 1, 3)
    nowhere = torch.zeros(1, 1, 3, dtype=torch.bool)
    # First instance: the predicted mask is the first two pixels, scores (2, 1). Second: nothing is predicted (0.5 does
    # not exceed 0.5), so the true mask speaks, scores (0, 0).
    classes = torch.tensor([0, 1])
    expected = (log(1 + exp(-1)) + log(2)) / 2
    assert classification_loss(logits, memberships, masks, classes, nowhere).item() == pytest.approx(expected)
    ignore = torch.tensor([False, True, False]).view(1, 1, 3)
    expected = (log(1 + exp(-4)) + log(2)) / 2
    assert classification_loss(logits, memberships, masks, classes, ignore).item() == pytest.approx(expected)
    classes = torch.tensor([NO_CLASS, 1])
    assert classification_loss(logits, memberships, masks, classes, nowhere).item() == pytest.approx(log(2))
    classes = torch.tensor([NO_CLASS, NO_CLASS])
    assert classification_loss(logits, memberships, masks, classes, nowhere) == 0


def test_foreground_loss_by_hand():
    logits = torch.tensor([0.0, log(3.0), 7.0]).view(1, 1, 3)
    masks = torch.tensor([True, False, False]).view(1, 1, 1, 3)
    background = torch.tensor([False, True, False]).view(1, 1, 3)
    entropy = (-log(0.5) - log(0.25)) / 2
    dice = 1 - (2 * 0.5 + 1) / (0.5 + 0.75 + 1 + 1)
    assert foreground_loss(logits, masks, background).item() == pytest.approx(entropy + dice)


def test_pull_loss_by_hand():
    masks = torch.tensor([[[[True, True, False]]]])
    embedding = torch.tensor([[[[0.0, 1.0, 9.0]]], [[[2.0, 2.0, 9.0]]]], dtype=torch.float64)
    means = torch.tensor([[0.5, 2.0]], dtype=torch.float64)
    # Beyond beta = 0.1 smooth L1 is |x| - beta / 2: the first dimension is 0.5 off, the second not at all.
    assert pull_loss(embedding, means, masks).item() == pytest.approx((0.5 - 0.05) / 2)


def test_gradients_by_finite_differences():
    outputs = outputs_of(grad=True)
    targets = targets_of(two_instances(), [1, 4])

    def terms(*tensors):
        found = clip_losses(ClipOutputs(*tensors), targets)
        # The target of the centre term is detached on purpose: a finite difference would see through that.
        return found.embedding, found.smooth, found.pull, found.classification, found.foreground

    tensors = list(vars(outputs).values())
    assert torch.autograd.gradcheck(terms, tensors, atol=1e-6)
    heat = tensors[2]
    assert torch.autograd.gradcheck(
        lambda x: clip_losses(ClipOutputs(*tensors[:2], x, *tensors[3:]), targets).center, heat
    )


IGNORE_ALL = torch.ones(SHAPE, dtype=torch.bool)
VANISHED = two_instances() * (two_instances() != 2)
HARD_CASES = {
    "no instance": targets_of(torch.zeros(SHAPE, dtype=torch.int64), []),
    "only vanished instances": targets_of(torch.zeros(SHAPE, dtype=torch.int64), [0, 1]),
    "one vanished among others": targets_of(VANISHED, [3, 2]),
    "all ignored": targets_of(two_instances(), [1, 2], ignore=IGNORE_ALL),
    "all unknown": targets_of(torch.zeros(SHAPE, dtype=torch.int64), [], unknown=IGNORE_ALL),
    "no instance with a class": targets_of(two_instances(), [NO_CLASS, NO_CLASS]),
    "an instance everywhere": targets_of(torch.ones(SHAPE, dtype=torch.int64), [0]),
    "one pixel": targets_of(torch.eye(24, dtype=torch.int64)[0].view(SHAPE), [0]),
}


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("case", HARD_CASES)
def test_hard_cases_stay_finite(case, foreground):
    outputs = outputs_of(dtype=torch.float32, foreground=foreground, grad=True)
    terms = clip_losses(outputs, HARD_CASES[case])
    values = {name: getattr(terms, name) for name in TERMS}
    assert all(value.isfinite() for value in values.values()), values
    grads = gradients(outputs, weighted_sum(terms, LossConfig()))
    assert all(grad is None or grad.isfinite().all() for grad in grads.values())
    if case == "all ignored":
        assert all(value == 0 for value in values.values())
        assert all(grad is None or not grad.any() for grad in grads.values())
    if case in ("no instance", "only vanished instances", "all unknown"):
        assert all(values[name] == 0 for name in ("embedding", "smooth", "pull", "classification"))
    if case == "no instance with a class":
        assert values["classification"] == 0
        assert values["embedding"] > 0
    if not foreground:
        assert values["foreground"] == 0


def test_a_vanished_instance_shifts_no_class():
    outputs = outputs_of()
    labels = torch.where(two_instances() == 2, 2, 0)
    with_empty = clip_losses(outputs, targets_of(labels, [3, 1]))
    alone = clip_losses(outputs, targets_of((labels == 2).long(), [1]))
    for name in TERMS:
        torch.testing.assert_close(getattr(with_empty, name), getattr(alone, name))


def test_ignored_pixels_enter_no_term():
    ignore = torch.zeros(SHAPE, dtype=torch.bool)
    ignore[0, 1:] = ignore[1, 0, 1] = True
    outputs = outputs_of(grad=True)
    loss = weighted_sum(clip_losses(outputs, targets_of(two_instances(), [1, 2], ignore=ignore)), LossConfig())
    for name, grad in gradients(outputs, loss).items():
        assert not grad[..., ignore].any(), name
        assert grad.any(), name


def test_unknown_pixels_are_no_background_but_belong_to_no_labelled_instance():
    unknown = torch.zeros(SHAPE, dtype=torch.bool)
    unknown[0, 1:] = True
    outputs = outputs_of(grad=True)
    targets = targets_of(two_instances(), [1, 2], unknown=unknown)
    grads = gradients(outputs, weighted_sum(clip_losses(outputs, targets), LossConfig()))
    assert not grads["heat"][unknown].any()
    assert not grads["foreground_logits"][unknown].any()
    assert grads["embedding"][:, unknown].any()


def stacked(clips):
    tensors = [torch.stack(parts) for parts in zip(*(vars(clip).values() for clip in clips), strict=True)]
    return PixelOutputs(*tensors)


def test_the_mean_is_over_instances_and_then_over_clips():
    clips = [outputs_of(seed) for seed in range(2)]
    targets = [targets_of(two_instances(), [1, 2]), targets_of((two_instances() == 1).long(), [4])]
    batch = Batch(torch.zeros(2, LENGTH, 3, 12, 16, dtype=torch.uint8), targets, ["a", "b"])
    together = batch_losses(stacked(clips), batch, stride=4)
    singles = [clip_losses(clip, truth) for clip, truth in zip(clips, targets, strict=True)]
    for name in TERMS:
        mean = sum(getattr(terms, name) for terms in singles) / 2
        torch.testing.assert_close(getattr(together, name), mean)


@pytest.mark.parametrize("stride", [1, 2])
def test_finer_strides_compare_interpolated_outputs(stride):
    outputs = stacked([outputs_of(dtype=torch.float32)])
    fine = two_instances().repeat_interleave(4 // stride, 1).repeat_interleave(4 // stride, 2)
    masks = fine == torch.arange(1, 3).view(-1, 1, 1, 1)
    nowhere = torch.zeros(fine.shape, dtype=torch.bool)
    targets = Targets(masks, torch.tensor([1, 2]), nowhere, fine == 0)
    batch = Batch(torch.zeros(1, LENGTH, 3, 12, 16, dtype=torch.uint8), [targets], ["a"])
    terms = batch_losses(outputs, batch, stride)
    assert all(getattr(terms, name).isfinite() and getattr(terms, name) > 0 for name in TERMS)
    constant = PixelOutputs(*(torch.full_like(tensor, 0.25) for tensor in vars(outputs).values()))
    coarse = Batch(batch.frames, [targets_of(two_instances(), [1, 2])], ["a"])
    for name in TERMS:  # what is constant is the same at any resolution
        expected = getattr(batch_losses(constant, coarse, 4), name)
        torch.testing.assert_close(getattr(batch_losses(constant, batch, stride), name), expected, rtol=0.05, atol=1e-4)


def test_weights_of_the_sum():
    terms = clip_losses(outputs_of(), targets_of(two_instances(), [1, 2]))
    config = LossConfig(embedding=2.0, smooth=3.0, pull=13.0, center=5.0, classification=7.0, foreground=11.0)
    expected = 2 * terms.embedding + 3 * terms.smooth + 13 * terms.pull + 5 * terms.center
    expected += 7 * terms.classification + 11 * terms.foreground
    torch.testing.assert_close(weighted_sum(terms, config), expected)
