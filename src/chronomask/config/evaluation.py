"""What is measured of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chronomask.errors import InputError


@dataclass(frozen=True)
class EvaluateConfig:
    """What is measured beside average precision, and which results count.

    Attributes:
        classes: names of the only classes that count; the command takes them joined by commas too.
        class_agnostic: score masks and tracks alone, as if there were one class only.
        open_vocabulary: count a result only in videos where its class was looked for: those with an object of it, and
            those that list it as labelled.
        boxes: also measure AP of the boxes around the masks.
        davis: also measure J (overlap) and F (outline): of all objects together (one, as DAVIS-2016), or of each object
            (many, as DAVIS-2017).
        tracking: also measure HOTA and IDF1, which say how well objects keep their numbers, per class and their mean
            (needs the package trackeval).
        min_score: leave results with a lower score out of J, F, HOTA and IDF1, which do not rank. By default none is
            left out of J and F, and what is below 0.5 out of HOTA and IDF1. With --davis one and a tracks.json of
            predict you want 0.5: very weak results in the union would spoil it.
    """

    classes: tuple[str, ...] = ()
    class_agnostic: bool = False
    open_vocabulary: bool = False
    boxes: bool = False
    davis: Literal["no", "one", "many"] = "no"
    tracking: bool = False
    min_score: float | None = None

    def __post_init__(self) -> None:
        if self.min_score is not None and self.davis == "no" and not self.tracking:
            said = f"--min-score {self.min_score}"
            raise InputError(f"{said}: is for --davis and --tracking; AP takes results of every score")
