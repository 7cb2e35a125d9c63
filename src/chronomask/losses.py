"""The four terms of eq. (6), and two auxiliary ones, pull and foreground. Functions of tensors alone, a clip at a time.

Legend: T frames, h w pixels at the stride of the losses, P pixels in any arrangement, K instances, E embedding
dimensions, L classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from chronomask.categories import NO_CLASS
from chronomask.embedding import squared_distance
from chronomask.model.class_scores import masked_class_logits


@dataclass(frozen=True, eq=False)
class Targets:
    """Truth of one clip at the stride of the losses. Masks are disjoint and empty on ignored pixels.

    Attributes:
        masks: one a instance; an instance that vanishes at this stride keeps its place with an empty mask.
        class_ids: 0..L-1 or NO_CLASS.
        ignore: pixels that enter no term.
        background: pixels known to belong to no instance.
    """

    masks: Bool[Tensor, "K T h w"]
    class_ids: Int64[Tensor, " K"]
    ignore: Bool[Tensor, "T h w"]
    background: Bool[Tensor, "T h w"]


@dataclass(frozen=True, eq=False)
class ClipOutputs:
    """The network's outputs for one clip at the stride of the losses (see `model.network.PixelOutputs`)."""

    embedding: Float[Tensor, "E T h w"]
    log_variance: Float[Tensor, "E T h w"]
    heat: Float[Tensor, "T h w"]
    class_logits: Float[Tensor, "L T hc wc"]
    foreground_logits: Float[Tensor, "T h w"] | None


@dataclass(frozen=True, eq=False)
class LossTerms:
    """The terms of eq. (6), each a scalar, averaged over the instances or pixels of a clip; not yet weighted."""

    embedding: Float[Tensor, ""]
    smooth: Float[Tensor, ""]
    pull: Float[Tensor, ""]
    center: Float[Tensor, ""]
    classification: Float[Tensor, ""]
    foreground: Float[Tensor, ""]


def lovasz_hinge(logits: Float[Tensor, " P"], labels: Bool[Tensor, " P"]) -> Float[Tensor, ""]:
    """Lovász extension of the Jaccard loss on hinge errors (Berman et al. 2018, algorithm 1).

    Zero for no pixels, and for an empty truth that nothing claims.

    Args:
        logits: positive inside the prediction; any real number.
        labels: the true mask.
    """
    if logits.numel() == 0:
        return logits.sum()
    signs = labels.to(logits.dtype) * 2 - 1
    errors, order = torch.sort(1 - logits * signs, descending=True)
    truth = labels[order].to(logits.dtype)
    intersection = truth.sum() - truth.cumsum(0)
    union = truth.sum() + (1 - truth).cumsum(0)
    jaccard = 1 - intersection / union
    gradient = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return errors.relu() @ gradient


def instance_gaussians(
    embedding: Float[Tensor, "E T h w"], log_variance: Float[Tensor, "E T h w"], masks: Bool[Tensor, "K T h w"]
) -> tuple[Float[Tensor, "K E"], Float[Tensor, "K E"]]:
    """Eq. (3): mean of the embeddings and arithmetic mean of the variances over every instance.

    No mask may be empty.
    """
    means = torch.stack([embedding[:, mask].mean(1) for mask in masks])
    variances = torch.stack([log_variance[:, mask].exp().mean(1) for mask in masks])
    return means, variances


def embedding_loss(
    memberships: Float[Tensor, "K T h w"], masks: Bool[Tensor, "K T h w"], ignore: Bool[Tensor, "T h w"]
) -> Float[Tensor, ""]:
    """L_embedding: Lovász hinge of 2p - 1 against each instance over the whole clip, mean over instances.

    p itself is never negative, so it cannot serve as the logit: 2p - 1 changes sign where eq. (5) cuts.
    """
    losses = [lovasz_hinge((2 * p - 1)[~ignore], mask[~ignore]) for p, mask in zip(memberships, masks, strict=True)]
    return torch.stack(losses).mean()


def smoothness_loss(log_variance: Float[Tensor, "E T h w"], masks: Bool[Tensor, "K T h w"]) -> Float[Tensor, ""]:
    """L_smooth: mean squared deviation of the log variance from its instance's mean, mean over instances."""
    losses = []
    for mask in masks:
        values = log_variance[:, mask]
        losses.append((values - values.mean(1, keepdim=True)).square().mean())
    return torch.stack(losses).mean()


def pull_loss(
    embedding: Float[Tensor, "E T h w"], means: Float[Tensor, "K E"], masks: Bool[Tensor, "K T h w"]
) -> Float[Tensor, ""]:
    """Auxiliary: smooth L1 distance of every pixel's embedding from its instance's mean, mean over instances.

    The gradient of eq. (4) vanishes far from the mean, just where a pixel has the longest way to go; this one does not.
    """
    losses = [
        F.smooth_l1_loss(embedding[:, mask], mean[:, None].expand(-1, int(mask.sum())), beta=0.1)
        for mean, mask in zip(means, masks, strict=True)
    ]
    return torch.stack(losses).mean()


def center_loss(
    heat: Float[Tensor, "T h w"],
    memberships: Float[Tensor, "K T h w"],
    masks: Bool[Tensor, "K T h w"],
    background: Bool[Tensor, "T h w"],
) -> Float[Tensor, ""]:
    """L_center: squared distance of the heat map to eq. (4), detached, on instance pixels, and to 0 on background.

    Instances and background count alike, however large: mean over instance pixels plus mean over background pixels.
    """
    inside = masks.any(0)
    target = (memberships.detach() * masks).sum(0)
    zero = heat.sum() * 0
    on_instances = (heat - target)[inside].square().mean() if inside.any() else zero
    on_background = heat[background].square().mean() if background.any() else zero
    return on_instances + on_background


def classification_loss(
    class_logits: Float[Tensor, "L T hc wc"],
    memberships: Float[Tensor, "K T h w"],
    masks: Bool[Tensor, "K T h w"],
    class_ids: Int64[Tensor, " K"],
    ignore: Bool[Tensor, "T h w"],
) -> Float[Tensor, ""]:
    """L_classification: cross entropy of the scores averaged over the predicted mask of eq. (5), mean over instances.

    Where nothing is predicted, the true mask takes its place. Instances without a class are left out.
    """
    losses = []
    for p, mask, class_id in zip(memberships, masks, class_ids, strict=True):
        if class_id == NO_CLASS:
            continue
        predicted = (p > 0.5) & ~ignore
        logits = masked_class_logits(class_logits, predicted if predicted.any() else mask)
        losses.append(F.cross_entropy(logits[None], class_id[None]))
    return torch.stack(losses).mean() if losses else class_logits.sum() * 0


def foreground_loss(
    logits: Float[Tensor, "T h w"], masks: Bool[Tensor, "K T h w"], background: Bool[Tensor, "T h w"]
) -> Float[Tensor, ""]:
    """Binary cross entropy plus soft Dice of the foreground, over pixels known to be instance or background."""
    inside = masks.any(0)
    known = inside | background
    if not known.any():
        return logits.sum() * 0
    truth, scores = inside[known].to(logits.dtype), logits[known]
    p = scores.sigmoid()
    dice = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    return F.binary_cross_entropy_with_logits(scores, truth) + dice


def clip_losses(outputs: ClipOutputs, targets: Targets) -> LossTerms:
    """All terms for one clip. Without instances only the background speaks; a fully ignored clip gives zeros."""
    zero = (outputs.embedding.sum() + outputs.log_variance.sum() + outputs.class_logits.sum()) * 0
    foreground = zero
    if outputs.foreground_logits is not None:
        foreground = foreground_loss(outputs.foreground_logits, targets.masks, targets.background)
    seen = targets.masks.flatten(1).any(1)
    masks, class_ids = targets.masks[seen], targets.class_ids[seen]
    if not seen.any():
        center = center_loss(outputs.heat, torch.zeros_like(masks, dtype=outputs.heat.dtype), masks, targets.background)
        return LossTerms(zero, zero, zero, center, zero, foreground)
    means, variances = instance_gaussians(outputs.embedding, outputs.log_variance, masks)
    memberships = torch.stack(
        [(-squared_distance(outputs.embedding, *gaussian) / 2).exp() for gaussian in zip(means, variances, strict=True)]
    )
    return LossTerms(
        embedding=embedding_loss(memberships, masks, targets.ignore),
        smooth=smoothness_loss(outputs.log_variance, masks),
        pull=pull_loss(outputs.embedding, means, masks),
        center=center_loss(outputs.heat, memberships, masks, targets.background),
        classification=classification_loss(
            outputs.class_logits, memberships.detach(), masks, class_ids, targets.ignore
        ),
        foreground=foreground,
    )
