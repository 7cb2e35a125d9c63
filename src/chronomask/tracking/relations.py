"""How the pixels of a clip relate to what is known of an object in it: the features that `heads.Heads` weigh.

Legend: T frames of a clip, h w pixels at stride 4, E embedding dimensions, C channels, F features,
K instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from chronomask.morphology import distance
from chronomask.tracking.scene import Scene

Place = tuple[int, int, int]
"""Frame in the clip, row and column at stride 4."""

REACH = 1
"""Pixels at stride 4 around a click that it speaks of as well."""

LOWEST = -10.0
"""Logarithm of a membership below which it makes no difference."""

FAR = 6.0
"""Distance beyond which it makes no difference, in the unit of the feature."""

MOST = (4000, 5000)
"""Pixels inside and outside from which the classifier learns, at most about twice as many."""

RIDGE = 20.0
"""How strongly the weights of the classifier are held small."""

EMBEDDED = ("coordinates", "free", "coordinates_own", "free_own", "membership")
ALIKE = ("look", "fine", "colour")
COMMON = ("foreground", "heat", "rival", "tube", "same", "margin", "foreground_there", "variance_there")
NEAREST = ("membership", "own", "look", "fine", "colour", "distance", "frames")
NOBODY = (LOWEST, 4.0, -0.2, -0.2, 2.0, FAR, 8.0)
"""The values of NEAREST where there is no click."""

CLICKED = (*EMBEDDED, *ALIKE, "distance", *COMMON)
"""Features of `of_click`."""

KNOWN = (
    *EMBEDDED,
    *ALIKE,
    "distance",
    *COMMON,
    "classifier",
    "prior",
    *(f"inside_{name}" for name in NEAREST),
    *(f"outside_{name}" for name in NEAREST),
    *(f"more_{name}" for name in ("membership", "fine", "distance")),
)
"""Features of `of_mask`."""


def around(place: Place) -> tuple[int, slice, slice]:
    """The pixels that a click speaks of."""
    frame, row, column = place
    return frame, slice(max(0, row - REACH), row + REACH + 1), slice(max(0, column - REACH), column + REACH + 1)


def of_click(scene: Scene, place: Place) -> Float32[np.ndarray, "F T h w"]:
    """The features CLICKED of every pixel, of a place that is the object's."""
    values = _to_click(scene, place)
    mine = np.arange(len(scene.instances)) == scene.owners[place]
    values |= _common(scene, mine, values["membership"])
    values["foreground_there"] = scene.foreground[place]
    values["variance_there"] = scene.sight.outputs.log_variance[(slice(None), *place)].mean()
    return _stacked(values, CLICKED, scene)


def of_mask(
    scene: Scene,
    inside: Bool[np.ndarray, "T h w"],
    outside: Bool[np.ndarray, "T h w"],
    clicked: Sequence[Place] = (),
    denied: Sequence[Place] = (),
) -> Float32[np.ndarray, "F T h w"]:
    """The features KNOWN of every pixel.

    Args:
        inside: pixels that are held for the object's, one at least.
        outside: pixels that are held for others'.
        clicked: places of which somebody said that they are the object's.
        denied: places of which somebody said that they are not.
    """
    share = inside / np.float32(inside.sum())
    values = _embedded(scene, share) | _alike(scene, share)
    count = len(scene.instances)
    own, all_known = (
        np.bincount(scene.owners[some] + 1, minlength=count + 1)[1:] for some in (inside, inside | outside)
    )
    values |= _common(scene, 2 * own > all_known, values["membership"])
    values["foreground_there"] = (scene.foreground * share).sum()
    values["variance_there"] = np.log((scene.variance * share).sum((1, 2, 3))).mean()
    values["distance"], values["classifier"] = _distance(inside), _classified(scene, inside, outside)
    values["prior"] = inside.astype(np.float32) - outside
    for side, places in (("inside", clicked), ("outside", denied)):
        values |= {f"{side}_{name}": value for name, value in _nearest(scene, places).items()}
    for name, most in (("membership", 6), ("fine", 2), ("distance", 3)):
        more = values[f"inside_{name}"] - values[f"outside_{name}"] if clicked and denied else 0
        values[f"more_{name}"] = np.clip(more, -most, most)
    return _stacked(values, KNOWN, scene)


def _stacked(values: Mapping[str, Any], names: Sequence[str], scene: Scene) -> Float32[np.ndarray, "F T h w"]:
    features = np.empty((len(names), *scene.shape), np.float32)
    for number, name in enumerate(names):
        features[number] = values[name]
    return features


def _common(scene: Scene, mine: Bool[np.ndarray, " K"], membership: Float32[np.ndarray, "T h w"]) -> dict[str, Any]:
    """What does not depend on how the object is known.

    Args:
        mine: of every instance that the clustering found, whether it is the object.
    """
    lowest = np.float32(np.exp(LOWEST))
    rival, tube = (np.log(np.maximum(scene.instances[some].max(0, initial=0), lowest)) for some in (~mine, mine))
    return {
        "foreground": scene.foreground,
        "heat": scene.sight.outputs.heat,
        "rival": rival,
        "tube": tube,
        "same": np.append(mine, False)[scene.owners],  # -1 is nobody's
        "margin": np.clip(membership - rival, -6, 6),
    }


def _to_click(scene: Scene, place: Place) -> dict[str, Any]:
    """EMBEDDED and ALIKE of every pixel to those around a click, and the distance in any frame, in ten pixels."""
    share = np.zeros(scene.shape, np.float32)
    share[around(place)] = 1
    share /= share.sum()
    rows, columns = np.ogrid[: scene.shape[1], : scene.shape[2]]
    away = np.minimum(np.hypot(rows - place[1], columns - place[2]) / 10, FAR).astype(np.float32)
    return {**_embedded(scene, share), **_alike(scene, share), "distance": np.broadcast_to(away, scene.shape)}


def _nearest(scene: Scene, places: Sequence[Place]) -> dict[str, Any]:
    """NEAREST of every pixel, to that of some clicks to which it is the closest in all."""
    best: np.ndarray | None = None
    closeness = np.full(scene.shape, -np.inf, np.float32)
    for place in places:
        values = _to_click(scene, place)
        values["own"] = values["coordinates_own"] + values["free_own"]
        values["frames"] = np.abs(np.arange(scene.shape[0], dtype=np.float32) - place[0])[:, None, None]
        close = values["membership"] + 3 * values["fine"] - values["distance"] - np.float32(0.2) * values["frames"]
        block = _stacked(values, NEAREST, scene)
        best = block if best is None else np.where(close > closeness, block, best)
        closeness = np.maximum(close, closeness)
    return dict(zip(NEAREST, NOBODY if best is None else best, strict=True))


def _embedded(scene: Scene, share: Float32[np.ndarray, "T h w"]) -> dict[str, Any]:
    """Relations to the mean of some pixels in the embedding space.

    Logarithms of 1 + squared distances along coordinates and free dimensions, by the variance of these pixels and by
    the pixel's own; and the logarithm of the membership (eq. 4).
    """
    outputs = scene.sight.outputs
    mean, variance = ((values * share).sum((1, 2, 3)) for values in (outputs.embedding, scene.variance))
    squares = (outputs.embedding - mean[:, None, None, None]) ** 2
    theirs, own = squares / variance[:, None, None, None], squares / scene.variance
    parts = [np.log1p(some[which].sum(0)) for some in (theirs, own) for which in (scene.placed, ~scene.placed)]
    return dict(zip(EMBEDDED, [*parts, np.maximum(np.float32(-0.5) * theirs.sum(0), np.float32(LOWEST))], strict=True))


def _alike(scene: Scene, share: Float32[np.ndarray, "T h w"]) -> dict[str, Any]:
    """Cosines with the mean features of some pixels at stride 16 and 4, and the distance from their colour."""
    rows, columns = (np.arange(0, side, 4) for side in share.shape[1:])
    cells = np.add.reduceat(np.add.reduceat(share, rows, 1), columns, 2)
    colour = (scene.colours * share).sum((1, 2, 3))
    away = np.sqrt(((scene.colours - colour[:, None, None, None]) ** 2).sum(0))
    look = scene.on_pixels(_cosine(scene.looks, cells))
    return {"look": look, "fine": _cosine(scene.fine, share), "colour": 5 * away}


def _cosine(
    values: Float32[np.ndarray, "C T _ _"], share: Float32[np.ndarray, "T _ _"]
) -> Float32[np.ndarray, "T _ _"]:
    """Of features everywhere and their mean by shares."""
    mean = np.tensordot(values, share, 3)
    length = np.linalg.norm(values, axis=0) * np.linalg.norm(mean)
    return np.tensordot(mean, values, 1) / (length + np.float32(1e-6))


def _distance(inside: Bool[np.ndarray, "T h w"]) -> Float32[np.ndarray, "T h w"]:
    """From what is inside in the same frame, or in the nearest one where there is something: in mean widths."""
    seen = np.flatnonzero(inside.any((1, 2)))
    width = np.sqrt(inside.sum() / len(seen))
    maps = {frame: distance(inside[frame]) / width for frame in seen.tolist()}
    nearest = [int(seen[np.abs(seen - frame).argmin()]) for frame in range(len(inside))]
    return np.minimum(np.stack([maps[frame] for frame in nearest]), FAR).astype(np.float32)


def _classified(
    scene: Scene, inside: Bool[np.ndarray, "T h w"], outside: Bool[np.ndarray, "T h w"]
) -> Float32[np.ndarray, "T h w"]:
    """A linear classifier, by ridge regression, of what is inside (1) and outside (-1), on the looks of pixels."""
    places = [np.flatnonzero(some) for some in (inside, outside)]
    places = [some[:: max(1, len(some) // most)] for some, most in zip(places, MOST, strict=True)]
    signs = np.repeat(np.array([1, -1], np.float32), [len(some) for some in places])
    weights = np.repeat([len(signs) / 2 / max(1, len(some)) for some in places], [len(some) for some in places])
    known = scene.appearance(np.concatenate(places))
    weighted = known * weights.astype(np.float32)
    normal = weighted @ known.T + RIDGE * np.eye(len(known), dtype=np.float32)
    return np.clip(scene.weighed(np.linalg.solve(normal, weighted @ signs)), -2, 2)
