"""Options that several commands have: which network, which part of a video, what is pointed at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from chronomask.config import SegmentConfig
from chronomask.device import EngineChoice, Precision
from chronomask.errors import InputError
from chronomask.prompts import Prompt, read_prompts, seconds

if TYPE_CHECKING:
    from chronomask.segmenter.segmenter import Segmenter
    from chronomask.video import Selection


@dataclass(frozen=True)
class ModelOptions:
    """Which network, and what computes it.

    Attributes:
        model: a bundled model (lite), or a folder that `chronomask export` wrote.
        checkpoint: a checkpoint file instead, such as runs/mine/model.safetensors of train.
        device: auto (a CUDA card where there is one), cpu, cuda, cuda:1, ...
        engine: what computes the network: openvino, onnxruntime (exported networks), torch (cards), or auto.
        precision: float32, bfloat16, or auto: bfloat16 where this processor is faster with it. What was used is written
            into tracks.json; between the two, tracks differ by a few pixels.
    """

    model: str = "lite"
    checkpoint: Path | None = None
    device: str = "auto"
    engine: EngineChoice = "auto"
    precision: Precision = "auto"

    @property
    def name(self) -> str | Path:
        """What `load` takes."""
        return self.checkpoint or self.model

    @property
    def computing(self) -> dict[str, Any]:
        """What computes the network, by the names that `batch` has for it."""
        return {"device": self.device, "engine": self.engine, "precision": self.precision}

    def open(self, config: SegmentConfig) -> Segmenter:
        """Raises InputError as `load`."""
        from chronomask.heap import share_heap
        from chronomask.segmenter.load import load

        share_heap()
        return load(self.name, self.device, self.engine, self.precision, config)


@dataclass(frozen=True)
class PartOptions:
    """Which frames of a video.

    Attributes:
        start: begin at this time: seconds (12.5), mm:ss or hh:mm:ss.
        end: stop before this time, written alike; by default at the end of the video.
        every: look at every n-th frame only: faster, but what moves fast is lost more easily. All results then hold
            these frames alone.
        fps: frames a second, for folders and patterns of pictures, which do not say.
    """

    start: str = "0"
    end: str = ""
    every: int = 1
    fps: float = 25.0

    def selection(self) -> Selection:
        """Raises InputError where an option says nothing that can be meant."""
        from chronomask.video import Selection

        return Selection(seconds("start", self.start), seconds("end", self.end) if self.end else None, self.every)


@dataclass(frozen=True)
class PointOptions:
    """What is cut out and followed instead of everything.

    Attributes:
        point: find only the object at this place, and follow it forwards and backwards: TIME:X,Y, such as
            --point 1.5:320,180, with the time in seconds, mm:ss or hh:mm:ss, or as @FRAME, and with pixels from the
            left and from the top. Give several where a part of the object is missed. A second object has a number:
            --point 2=1.5:90,200. What is pointed at is written whatever its score.
        negative: a place that does not belong to the object, where something else was taken for a part of it:
            --negative 1.5:300,240. Numbers as for --point; the frame may be any.
        box: a box around an object instead of a point: --box TIME:LEFT,TOP,RIGHT,BOTTOM.
    """

    point: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    negative: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    box: tyro.conf.UseAppendAction[tuple[str, ...]] = ()

    def prompts(self, sources: int) -> tuple[Prompt, ...]:
        """Raises InputError where they cannot be read, or there are several sources that they could be about."""
        prompts = read_prompts(self.point, self.negative, self.box)
        if prompts and sources > 1:
            raise InputError(f"{sources} sources: points are about one video; segment them in two calls")
        return tuple(prompts)
