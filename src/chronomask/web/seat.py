"""A process that sits beside the server with the model at hand, and answers what the page asks of a frame at once.

It reads lines of json and answers each with one. The first says which video is meant; `explain` asks what the network
says of a frame, `point` which masks objects have that a user points at there, `names` what it would call an object.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from chronomask.formats.footage import open_part
from chronomask.prompts import prompt_of
from chronomask.video import Selection
from chronomask.web.child import bound, said_of

AROUND = 3
"""Frames of the clip before the one that is asked for."""

GUESSES = 5
"""Names of an object that are told."""

_QUESTIONS = ("explain", "point", "names")
"""Methods of `Seat` that may be called."""


class Seat:
    """One video, and the clip around the frame that was asked for last.

    Args:
        source: path of the video or folder.
        rate: frames a second of images.
        selection: start, end and step of the frames that are numbered.
        model: a bundled one, or a checkpoint file.
    """

    def __init__(self, source: str, rate: float, selection: Sequence[Any] | None, model: str) -> None:
        from chronomask.segmenter import load as loading

        self._source, self._rate = source, rate
        self._part = Selection(*selection or ())
        self._segmenter = loading.load(model)
        self._begin, self._explainer, self._prompts = -1, None, None

    @cached_property
    def _origin(self) -> float:
        """Time of frame 0."""
        return next(iter(open_part(self._source, self._rate, self._part))).time

    def _clip(self, frame: int, begin: int, since: float) -> Any:
        """The clip around a frame.

        Args:
            begin: number of its first frame.
            since: seconds from frame 0 to that one.
        """
        from chronomask.segmenter.explaining import ClipExplainer

        if self._explainer is None or begin != self._begin:
            start = self._part.start if begin == 0 else self._origin + since - 1e-4
            part = Selection(start, self._part.end, self._part.every)
            frames = open_part(self._source, self._rate, part)
            images = [one.image for one in islice(frames, self._segmenter.config.clip_length)]
            self._explainer, self._begin, self._prompts = ClipExplainer(self._segmenter, images, begin), begin, None
        return self._explainer

    def explain(self, frame: int, begin: int, since: float) -> dict[str, Any]:
        """Maps of a frame; see `segmenter.explaining.Explanation`."""
        found = self._clip(frame, begin, since).frame(frame)
        deviation = np.clip(found.deviation / max(1e-6, float(np.percentile(found.deviation, 98))), 0, 1)
        layers = {"heat": _map(found.heat), "deviation": _map(deviation), "embedding": _map(found.embedding)}
        if found.foreground is not None:
            layers["foreground"] = _map(found.foreground)
        layers |= {f"attention-{stride}": _map(weights) for stride, weights in sorted(found.attention.items())}
        layers |= {f"member-{place}": _map(share) for place, share in enumerate(found.membership)}
        instances = [
            {"frame": one.frame, "x": one.x, "y": one.y, "heat": one.heat, "name": one.name, "score": one.score}
            for one in found.instances
        ]
        owners = _map((found.owners + 1).astype(np.uint8))
        return {"frame": frame, "layers": layers, "instances": instances, "owners": owners}

    def point(self, frame: int, begin: int, since: float, prompts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Run lengths of the objects that are pointed at in a frame, by their numbers."""
        masks = self._prompted(frame, begin, since).masks([prompt_of(prompt) for prompt in prompts])
        return {"frame": frame, "masks": {number: mask["counts"] for number, mask in masks[frame - begin].items()}}

    def names(self, frame: int, begin: int, since: float, masks: Sequence[Any]) -> dict[str, Any]:
        """The likeliest names of an object, with probabilities.

        Args:
            masks: of the object, from frame `begin` on; more than a clip has do no harm.
        """
        found = self._prompted(frame, begin, since).names(masks)
        return {"names": [{"name": name, "probability": share} for name, share in found[:GUESSES]]}

    def _prompted(self, frame: int, begin: int, since: float) -> Any:
        from chronomask.segmenter.pointing import ClipPrompts

        clip = self._clip(frame, begin, since).clip
        self._prompts = self._prompts or ClipPrompts(self._segmenter, clip)
        return self._prompts


def _map(values: np.ndarray) -> dict[str, Any]:
    """A map as the page draws it: bytes, row by row; three a pixel where it has colours."""
    pixels = values if values.dtype == np.uint8 else (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    height, width = pixels.shape[:2]
    content = base64.b64encode(np.ascontiguousarray(pixels).tobytes()).decode()
    return {"width": width, "height": height, "channels": pixels.size // (height * width), "bytes": content}


def main() -> None:
    """Answers until the input ends, which it does when the server is gone."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print what they like
    seat, memory = None, None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if seat is None:
                memory = request.pop("memory")
                bound(memory, None)
                seat = Seat(**request)
                answer: dict[str, Any] = {}
            else:
                asked = request.pop("do")
                assert asked in _QUESTIONS, "the server asks no others"
                answer = getattr(seat, asked)(**request)
        except Exception as error:
            if (said := said_of(error, memory)) is None:
                raise
            answer = {"error": said}
        stream.write(json.dumps(answer) + "\n")
        stream.flush()


if __name__ == "__main__":
    main()
