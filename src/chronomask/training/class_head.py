"""Other classes for a trained network: the class scores it has, and quickly fitted ones for what is new.

Legend: N stills, K objects, L classes, h w cells at stride 4, hc wc cells at stride 16.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from chronomask.categories import NO_CLASS, Category, plain
from chronomask.config import MixtureConfig
from chronomask.data.mixture import ClipMixture
from chronomask.data.protocol import WeightedSource
from chronomask.errors import refusing
from chronomask.files import written_aside
from chronomask.losses import masked_class_logits
from chronomask.model.network import BackboneClassHead, Network
from chronomask.progress import Progress, silent
from chronomask.training.targets import collate
from chronomask.training.teacher import Detector

TAUGHT = 0.7
"""Share of a teacher's answer in what is learnt of an object whose class it knows, if it is sure; less if it is not."""

OFFSET_DECAY, FACTOR_DECAY = 0.002, 0.008
"""Weights of the squared offsets, and of the squared logarithms of the factors of single classes, beside the mean cross
entropy."""

DROPPED = 0.3
"""With a teacher: share of the backbone's channels that the head has to do without, others for every view."""


def with_classes(network: Network, categories: Sequence[Category], others: bool = False) -> tuple[Network, list[str]]:
    """A copy of a network for other classes; the scores of classes that it knows by name are taken over.

    Args:
        network: with trained weights.
        categories: the classes of the copy.
        others: whether the copy also scores what is none of them.

    Returns:
        The copy, whose scores of new classes have random weights, and the names that were known.
    """
    copy = Network(replace(network.config, categories=tuple(categories), others=others))
    scores = "class_head.scores" if network.config.class_source == "backbone" else "class_head"
    row_of = {plain(category.name): row for row, category in enumerate(network.config.categories)}
    rows = [(new, row_of[plain(c.name)]) for new, c in enumerate(categories) if plain(c.name) in row_of]
    old, new = network.state_dict(), copy.state_dict()
    for name, tensor in new.items():
        if not name.startswith(f"{scores}."):
            tensor.copy_(old[name])
            continue
        for target, source in rows:
            tensor[target] = old[name][source]
    return copy.eval(), [categories[target].name for target, _ in rows]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the class head reads of one still, and the truth: fine and coarse features, masks, class probabilities."""

    features: tuple[Float[Tensor, "1 c hc wc"], Float[Tensor, "1 d _ _"]]
    masks: Bool[Tensor, "K 1 h w"]
    classes: Float[Tensor, "K L"]


def fit_class_head(
    network: Network,
    sources: Sequence[WeightedSource],
    data: MixtureConfig,
    *,
    stills: int = 160,
    steps: int = 250,
    seed: int = 0,
    teacher: Detector | None = None,
    skip_broken: bool = False,
    progress: Progress = silent,
    late: Callable[[], bool] = lambda: False,
    kept: Path | None = None,
) -> bool:
    """Fits the class head, and nothing else, to true masks: the backbone looks at every still only once.

    Naming needs no clips, so this takes seconds where training on clips takes minutes. Heads that read the decoder are
    left as they are.

    Args:
        network: changed in place.
        sources: training data.
        data: what training clips look like; here, of one frame each.
        stills: number of views to learn from.
        steps: optimiser steps of four views.
        seed: of all chance.
        teacher: a detector whose class scores are learnt beside the truth (Hinton et al. 2015), where it knows the
            class; the head then also has to do without some of the backbone's channels.
        skip_broken: look at others instead of stills that cannot be read.
        progress: shows how far it is.
        late: asked after every step whether no time is left for the next.
        kept: file for what is done when no time is left; where it is there already, the work goes on from it.

    Returns:
        Whether all steps are done.

    Raises:
        InputError: `kept` cannot be read.
    """
    head = network.class_head
    if not isinstance(head, BackboneClassHead):
        return True
    mixture = ClipMixture(sources, replace(data, length=1), seed, stills, skip_broken)
    seen = looked_at(network, mixture, teacher, progress)
    if not seen:
        return True
    optimizer = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.05)
    generator = torch.Generator().manual_seed(seed)
    begun = _taken_up(kept, head, optimizer, generator) if kept is not None and kept.exists() else 0
    for step in progress(range(begun, steps), "fitting the class head", steps - begun):
        chosen = [seen[i] for i in torch.randint(len(seen), (4,), generator=generator).tolist()]
        if teacher is not None:
            chosen = [_thinned(still, generator) for still in chosen]
        loss = torch.stack([_naming_loss(head, still) for still in chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if kept is not None and step + 1 < steps and late():
            state = {"head": head.state_dict(), "optimizer": optimizer.state_dict()}
            with written_aside(kept) as aside:
                torch.save({**state, "generator": generator.get_state(), "step": step + 1}, aside)
            return False
    return True


def _taken_up(kept: Path, head: BackboneClassHead, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> int:
    """Puts all three where they were when time ran out; the steps that had been done.

    Raises:
        InputError: the file cannot be read, or does not fit.
    """
    with refusing(kept, "what was done for the class head cannot be read; remove it"):
        saved = torch.load(kept, weights_only=True)
        head.load_state_dict(saved["head"])
        optimizer.load_state_dict(saved["optimizer"])
        generator.set_state(saved["generator"])
        return int(saved["step"])


def calibrate_class_head(
    network: Network,
    sources: Sequence[WeightedSource],
    data: MixtureConfig,
    *,
    stills: int = 400,
    seed: int = 0,
    prior: Float[Tensor, " L"] | None = None,
) -> None:
    """Lets class probabilities mean what they say: a factor and an offset a class, fitted to what was not trained on.

    They become part of the head's weights, so that nothing else has to know of them. Classes that are hardly in the
    data stay as they are, but for what holds for all of them.

    Args:
        network: whose class head reads the backbone; changed in place.
        sources: data that its class head has not seen.
        data: what training clips look like; here, of one frame each.
        stills: number of views.
        seed: of all chance.
        prior: see `fitted_calibration`.
    """
    head = network.class_head
    assert isinstance(head, BackboneClassHead), "heads that read the decoder have no names of their own"
    seen = looked_at(network, ClipMixture(sources, replace(data, length=1), seed, stills), None, silent)
    with torch.no_grad():
        scores = torch.cat([_scores(head, still) for still in seen])
    factors, offsets = fitted_calibration(scores, torch.cat([still.classes for still in seen]).argmax(1), prior)
    with torch.no_grad():
        head.scores.weight.mul_(factors[:, None, None, None])
        head.scores.get_parameter("bias").mul_(factors).add_(offsets)


def fitted_calibration(
    scores: Float[Tensor, "K L"], classes: Int64[Tensor, " K"], prior: Float[Tensor, " L"] | None = None
) -> tuple[Float[Tensor, " L"], Float[Tensor, " L"]]:
    """Factors and offsets that make the softmax of the scores likeliest, drawn towards one factor for all and none.

    Which name wins is fitted with the objects of a class counting by the root of their number together, for rare names
    shall be right too; how sure that name is, one factor for all, then to how often it is right, every object alike.

    Args:
        scores: of objects that were not trained on.
        classes: what they are.
        prior: how likely each class is in what will be looked at, against its share here; 1 for all by default.
    """
    weights = torch.bincount(classes, minlength=scores.shape[1]).float()[classes].rsqrt()
    weights = weights / weights.sum()
    common, own, offsets = (torch.zeros(size, requires_grad=True) for size in (1, scores.shape[1], scores.shape[1]))

    def unlikeliness() -> Tensor:
        calibrated = scores * (common + own).exp() + offsets
        wrong = (weights * F.cross_entropy(calibrated, classes, reduction="none")).sum()
        return wrong + OFFSET_DECAY * offsets.square().sum() + FACTOR_DECAY * own.square().sum()

    _minimise(unlikeliness, [common, own, offsets])
    factors, offsets = (common + own).exp().detach(), offsets.detach()
    if prior is not None:
        offsets = offsets + prior.log()
    scores, sureness = scores * factors + offsets, torch.zeros(1, requires_grad=True)
    right = (scores.argmax(1) == classes).float()

    def overconfidence() -> Tensor:
        said = (scores * sureness.exp()).softmax(1).max(1).values
        return F.binary_cross_entropy(said.clamp(max=1 - 1e-6), right)

    _minimise(overconfidence, [sureness])
    return factors * sureness.exp().detach(), offsets * sureness.exp().detach()


def _minimise(loss: Callable[[], Tensor], parameters: list[Tensor]) -> None:
    """Changes the parameters in place."""
    optimizer = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(step)


def looked_at(network: Network, mixture: ClipMixture, teacher: Detector | None, progress: Progress) -> list[_Seen]:
    """What the class head reads of some views, of those that have an object with a class."""
    seen = []
    for number in progress(range(len(mixture)), "looking at the classes", len(mixture)):
        batch = collate([mixture[number]], 4)
        targets = batch.targets[0]
        named = (targets.class_ids != NO_CLASS) & targets.masks.flatten(1).any(1)
        if named.any():
            masks, frame = targets.masks[named], batch.frames[0]
            with torch.no_grad():
                features = network.backbone(frame)
            classes = F.one_hot(targets.class_ids[named], len(network.config.categories)).float()
            if teacher is not None:
                classes = _taught(teacher, frame, masks, classes)
            seen.append(_Seen((features[2], features[3]), masks, classes))
    return seen


def _taught(
    teacher: Detector, frame: UInt8[Tensor, "1 3 H W"], masks: Bool[Tensor, "K 1 h w"], truth: Float[Tensor, "K L"]
) -> Float[Tensor, "K L"]:
    """Class probabilities between the truth and what the teacher says, where it can be right."""
    scores = teacher(frame)[0].unsqueeze(1)
    said = torch.stack([masked_class_logits(scores, mask) for mask in masks])
    total = said.sum(1, keepdim=True)
    known = (truth @ torch.tensor(teacher.knows, dtype=truth.dtype))[:, None]
    # A teacher that sees hardly anything would blur the truth with its noise.
    share = TAUGHT * known * total.clamp(max=1)
    return (1 - share) * truth + share * said / total.clamp(min=1e-6)


def _thinned(still: _Seen, generator: torch.Generator) -> _Seen:
    """The still with some channels of its features at zero, and the others larger in turn (Tompson et al. 2015)."""
    fine, coarse = still.features
    return replace(still, features=(_some_channels(fine, generator), _some_channels(coarse, generator)))


def _some_channels(level: Float[Tensor, "1 c h w"], generator: torch.Generator) -> Float[Tensor, "1 c h w"]:
    kept = torch.rand(1, level.shape[1], 1, 1, generator=generator) >= DROPPED
    return level * kept / (1 - DROPPED)


def _naming_loss(head: BackboneClassHead, still: _Seen) -> Float[Tensor, ""]:
    return F.cross_entropy(_scores(head, still), still.classes)


def _scores(head: BackboneClassHead, still: _Seen) -> Float[Tensor, "K L"]:
    logits = head(*still.features)[0].unsqueeze(1)
    return torch.stack([masked_class_logits(logits, mask) for mask in still.masks])
