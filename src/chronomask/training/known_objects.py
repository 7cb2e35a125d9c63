"""What the bundled model knows, kept so that a fine-tuned one does not take it for something else.

A class head that is fitted to a user's classes alone gives one of them to everything: nothing that it saw was anything
else. So a few objects of every class of the bundled model are rehearsed beside the user's pictures (Robins 1995), as
what the last layer of the class head reads of them, which fine-tuning does not change.

Legend: N objects, C channels of the class head, K objects of the user's, L classes of the user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from chronomask.config import MixtureConfig
from chronomask.data.mixture import ClipMixture
from chronomask.data.protocol import WeightedSource
from chronomask.engines.models import WEIGHTS, bundled_weights
from chronomask.losses import masked_class_logits
from chronomask.model.checkpoint import load_network
from chronomask.model.network import BackboneClassHead, Network
from chronomask.progress import Progress, silent
from chronomask.training.class_head import looked_at

FILE = WEIGHTS / "known.npz"

TAKEN = 0.1
"""Mean probability from which a known class counts as one that the user's class is a kind of, or goes by another name:
it is then no other."""

DRAWN = 32
"""Objects of either kind in a step."""


@dataclass(frozen=True, eq=False)
class KnownObjects:
    """Objects that the bundled model was trained on.

    Attributes:
        features: what the last layer of the class head reads, averaged over each object.
        classes: the bundled model's index of its class.
        head: the bundled model's class head.
    """

    features: Float[Tensor, "N C"]
    classes: Int64[Tensor, " N"]
    head: BackboneClassHead

    def seen_in(self, features: Float[Tensor, "K C"], ids: Int64[Tensor, " K"]) -> Float[Tensor, "U _"]:
        """The bundled model's mean class probabilities of each of the user's classes that has objects."""
        said = _scores(self.head.scores, features).softmax(1)
        return torch.stack([said[ids == number].mean(0) for number in ids.unique().tolist()])

    def but_for(self, seen: Float[Tensor, "U _"]) -> Float[Tensor, "M C"]:
        """The known objects, without those of classes that are seen in one of the user's classes."""
        return self.features[(seen.amax(0) < TAKEN)[self.classes]]


def known_objects(network: Network) -> KnownObjects | None:
    """What is known of the objects of the bundled model, for networks that see as it does; None for others."""
    bundled = load_network(bundled_weights("lite"))
    assert isinstance(bundled.class_head, BackboneClassHead), "it reads the backbone"
    theirs = network.state_dict()
    seen_alike = all(
        name in theirs and torch.equal(tensor, theirs[name])
        for name, tensor in bundled.state_dict().items()
        if name.startswith(("backbone.", "class_head.fine.", "class_head.coarse."))
    )
    if not seen_alike:
        return None
    with np.load(FILE, allow_pickle=False) as arrays:
        features, classes = (torch.from_numpy(arrays[name]) for name in ("features", "classes"))
    return KnownObjects(features.float(), classes.long(), bundled.class_head)


def gather_known_objects(
    network: Network,
    sources: Sequence[WeightedSource],
    data: MixtureConfig,
    *,
    views: int,
    each: int,
    seed: int,
    progress: Progress = silent,
) -> dict[str, np.ndarray]:
    """The arrays of `FILE`, of up to so many objects of every class in some views of the training data."""
    features, ids = objects_of(network, ClipMixture(sources, replace(data, length=1), seed, views), progress)
    order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(seed))
    chosen = torch.cat([order[ids[order] == number][:each] for number in ids.unique().tolist()])
    return {"features": features[chosen].half().numpy(), "classes": ids[chosen].to(torch.uint8).numpy()}


@torch.no_grad()
def objects_of(
    network: Network, mixture: ClipMixture, progress: Progress = silent
) -> tuple[Float[Tensor, "K C"], Int64[Tensor, " K"]]:
    """What the last layer of the class head reads of all objects of some views, and their classes."""
    head = network.class_head
    assert isinstance(head, BackboneClassHead), "such networks have known objects"
    features, ids = [], []
    for still in looked_at(network, mixture, None, progress):
        hidden = head.hidden(*still.features)[0].unsqueeze(1)
        features += [masked_class_logits(hidden, mask) for mask in still.masks]
        ids.append(still.classes.argmax(1))
    if not ids:
        return torch.zeros(0, head.scores.in_channels), torch.zeros(0, dtype=torch.int64)
    return torch.stack(features), torch.cat(ids)


def fit_among_others(
    network: Network,
    known: KnownObjects,
    sources: Sequence[WeightedSource],
    data: MixtureConfig,
    *,
    stills: int = 160,
    steps: int = 400,
    seed: int = 0,
    skip_broken: bool = False,
    progress: Progress = silent,
) -> None:
    """Fits the class scores to the user's objects, and their last row to known objects of other classes, in place.

    Each class begins with the scores of the known class that is seen in it most.

    Args:
        network: with `ModelConfig.others`.
        known: what the bundled model knows.
        sources: the user's training data.
        data: what training clips look like; here, of one frame each.
        stills: number of views to learn from.
        steps: optimiser steps of `DRAWN` objects of either kind.
        seed: of all chance.
        skip_broken: look at others instead of stills that cannot be read.
        progress: shows how far it is.
    """
    features, ids = objects_of(
        network, ClipMixture(sources, replace(data, length=1), seed, stills, skip_broken), progress
    )
    if not len(ids):
        return
    head = network.class_head
    assert isinstance(head, BackboneClassHead), "such networks have known objects"
    with torch.no_grad():
        seen = known.seen_in(features, ids)
        for name, weights in head.scores.named_parameters():
            weights[ids.unique()] = known.head.scores.get_parameter(name)[seen.argmax(1)]
    others = known.but_for(seen)
    count = min(DRAWN, len(others))  # none, where the user's classes are all that is known
    labels_of_others = torch.full((count,), len(network.config.categories))
    optimizer = torch.optim.AdamW(head.scores.parameters(), lr=1e-3, weight_decay=0.05)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        mine = torch.randint(len(features), (DRAWN,), generator=generator)
        theirs = torch.randint(max(1, len(others)), (count,), generator=generator)
        said = _scores(head.scores, torch.cat([features[mine], others[theirs]]))
        loss = F.cross_entropy(said, torch.cat([ids[mine], labels_of_others]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _scores(layer: nn.Module, features: Float[Tensor, "K C"]) -> Float[Tensor, "K _"]:
    return layer(features[:, :, None, None])[:, :, 0, 0]
