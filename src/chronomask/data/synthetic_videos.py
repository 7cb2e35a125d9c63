"""A YouTube-VIS-form data set from annotated stills and videos: camera paths over stills, pieces of videos, and objects
of others that pass over both with their own movement.

Legend: T frames, S sub-frames of one exposure, H W pixels, K instances.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from math import exp, log
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from chronomask import __version__, rle
from chronomask.categories import NO_CLASS, OBJECT, Category
from chronomask.claims import check_outputs
from chronomask.data.chance import below, some_pixel, spaced_frames, uniform
from chronomask.data.entries import EntryReader
from chronomask.data.motion import motion_matrices
from chronomask.data.pasting import Pasting
from chronomask.data.protocol import InstanceInfo
from chronomask.data.synthesis import Canvas, drift_colours
from chronomask.data.synthetic_config import SynthesizeConfig
from chronomask.errors import InputError
from chronomask.files import folder_written_aside
from chronomask.formats.training_data import data_set
from chronomask.progress import Progress, silent
from chronomask.structures import Clip


class Synthesized(NamedTuple):
    """What was written.

    Attributes:
        videos: number of videos.
        instances: annotations that evaluation asks for.
        ignored: annotations with iscrowd: crowds, merged objects, and objects that are too small.
        skipped: one message a still that could not be read.
    """

    videos: int
    instances: int
    ignored: int
    skipped: tuple[str, ...]


def synthesize(
    source: EntryReader,
    out: Path,
    config: SynthesizeConfig,
    objects: EntryReader | None = None,
    *,
    skip_broken: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Synthesized:
    """Writes `out`/instances.json and `out`/JPEGImages/<video>/<frame>.jpg.

    The camera never looks past the border of a still, so every pixel is a photographed one and no object is doubled by
    a mirrored border. Crowds stay crowds; where a still has crowds of several classes, each gets all of their pixels.

    Args:
        source: stills and videos, opened with the data set's own classes.
        out: the folder; it appears when all is written.
        config: what the videos look like.
        objects: where copied objects come from, opened with the classes of `source`; `source` itself by default.
        skip_broken: go on where something cannot be read.
        overwrite: whether an earlier data set may be replaced.
        progress: shows how far the work is.

    Raises:
        InputError: `out` holds what is not to be replaced, `source` holds nothing, or something cannot be read.
    """
    check_outputs([data_set(out)], overwrite=overwrite)
    for reader in (source, objects or source):
        reader.need_truth()
    with folder_written_aside(out) as aside:
        pasting = Pasting([objects or source], config.pasting)
        writer = _Writer(aside, source.file_categories, config)
        skipped = []
        for index in progress(range(len(source)), "synthesizing", len(source)):
            try:
                copies = range(config.videos_per_image)
                clips = [_clip(source, index, copy, pasting, config, skip_broken) for copy in copies]
            except InputError as error:
                if not skip_broken:
                    raise
                skipped.append(str(error))
                continue
            for clip in clips:
                writer.add(clip, source.name(index), source.instances(index))
        if not writer.videos:
            raise InputError(f"{source.annotations}: no still or video that could be read")
        writer.finish(source.annotations.name)
    ignored = sum(annotation["iscrowd"] for annotation in writer.annotations)
    return Synthesized(len(writer.videos), len(writer.annotations) - ignored, ignored, tuple(skipped))


def camera_path(
    size: tuple[int, int],
    interest: tuple[float, float],
    config: SynthesizeConfig,
    generator: torch.Generator,
) -> Float[Tensor, "T S 3 3"]:
    """Homographies from still to frame, one a sub-frame of every frame, such that every frame lies inside the still.

    Args:
        size: (height, width) of the still.
        interest: (x, y) that the camera looks at, as far as the border allows.
        config: sizes, and how far the camera moves.
        generator: source of all chance.
    """
    middle = ((config.width - 1) / 2, (config.height - 1) / 2)
    frame = (config.height, config.width)
    path = motion_matrices(config.length, (0.0, 0.0), middle, 1.0, False, frame, config.camera, generator)
    low, high = _footprint(path, config)
    room = torch.tensor([size[1] - 1.0, size[0] - 1.0])
    # At this scale the whole path just fits into the still; a larger one shows less of it.
    scale = ((high - low) / room).max() * exp(uniform(0.0, log(config.closeness), generator))
    focus = torch.minimum(torch.maximum(torch.tensor(interest), -low / scale), room - high / scale)
    zoom = torch.diag(torch.stack([scale, scale, torch.tensor(1.0)]))
    zoom[:2, 2] = -scale * focus
    return path @ zoom


def _footprint(
    path: Float[Tensor, "T S 3 3"], config: SynthesizeConfig
) -> tuple[Float[Tensor, "2"], Float[Tensor, "2"]]:
    """Least and largest (x, y) of the still that any frame of the path shows."""
    right, bottom = config.width - 1.0, config.height - 1.0
    corners = torch.tensor([[0.0, right, 0.0, right], [0.0, 0.0, bottom, bottom], [1.0, 1.0, 1.0, 1.0]])
    shown = torch.linalg.solve(path, corners)
    points = shown[..., :2, :] / shown[..., 2:, :]
    return points.amin((0, 1, 3)), points.amax((0, 1, 3))


def _clip(
    source: EntryReader, index: int, copy: int, pasting: Pasting, config: SynthesizeConfig, skip_broken: bool
) -> Clip:
    """A still under a moving camera, or a piece of a video; copied objects come behind its own instances."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + index * config.videos_per_image + copy)
    size, total, stride = source.size(index), source.length(index), 1
    if total == 1:
        clip = source.load(index)
        path = camera_path(size, _interest(clip, generator), config, generator)
    else:
        stride = 1 + below(config.max_stride, generator)
        clip = source.load(index, spaced_frames(total, min(config.length, total), stride, generator))
        path = _whole_frame(size, len(clip.frames), config)
    canvas = Canvas(clip, path, (config.height, config.width))
    # What is wrong with another entry is reported when its own turn comes.
    for _ in range(below(config.max_pastes + 1, generator)):
        with suppress(InputError) if skip_broken else nullcontext():
            pasting.paste(canvas, generator)
    if config.hidden and uniform(0.0, 1.0, generator) < config.hidden:
        with suppress(InputError) if skip_broken else nullcontext():
            pasting.hide(canvas, stride, generator)
    return drift_colours(canvas.clip(), config.colours, generator)


def _whole_frame(size: tuple[int, int], length: int, config: SynthesizeConfig) -> Float[Tensor, "T 1 3 3"]:
    """The middle of a video's frames, as much of them as the shape of the result allows."""
    scale = max(config.height / size[0], config.width / size[1])
    fit = torch.diag(torch.tensor([scale, scale, 1.0]))
    # Pixel centres lie at whole numbers.
    fit[0, 2] = (config.width - 1) / 2 - scale * (size[1] - 1) / 2
    fit[1, 2] = (config.height - 1) / 2 - scale * (size[0] - 1) / 2
    return fit.repeat(length, 1, 1, 1)


def _interest(still: Clip, generator: torch.Generator) -> tuple[float, float]:
    """(x, y) of a random pixel of a random instance; the middle of a still without any."""
    height, width = still.frames.shape[2:]
    return some_pixel(still.masks.numpy(), generator) or ((width - 1) / 2, (height - 1) / 2)


class _Writer:
    """The files of the data set, video by video."""

    def __init__(self, folder: Path, categories: Sequence[Category], config: SynthesizeConfig) -> None:
        self.folder, self.categories, self.config = folder, categories, config
        self.ids = {category.name: category.id for category in (OBJECT, *categories)}
        self.videos: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, clip: Clip, origin: str, annotated: Sequence[InstanceInfo]) -> None:
        """One video; `origin` is the name, and `annotated` are the annotations, of what it was made from."""
        # Numbered, for files in different folders may share their name.
        folder = f"{len(self.videos) + 1:05d}-{Path(origin).stem}"
        names = [f"{folder}/{frame:05d}.jpg" for frame in range(len(clip.frames))]
        (self.folder / "JPEGImages" / folder).mkdir(parents=True)
        for frame, file_name in zip(clip.frames, names, strict=True):
            image = Image.fromarray(frame.permute(1, 2, 0).numpy())
            image.save(self.folder / "JPEGImages" / file_name, quality=self.config.quality)
        height, width = clip.frames.shape[2:]
        video = {"id": len(self.videos) + 1, "name": folder, "height": height, "width": width, "length": len(names)}
        # What was not labelled in its origin is unknown in the video too.
        partial = {"labelled_classes": []} if clip.unknown.any() else {}
        self.videos.append({**video, "file_names": names, **partial})
        named = [info.name for info in annotated if not info.crowd]
        # Behind its own instances come copied ones.
        copied = clip.class_ids[len(named) :].tolist()
        named += [OBJECT.name if k == NO_CLASS else self.categories[k].name for k in copied]
        for name, masks, class_id in zip(named, clip.masks, clip.class_ids.tolist(), strict=True):
            merged = class_id == NO_CLASS and name != OBJECT.name
            self._annotate(masks, name, merged, {"merged": True} if merged else {})
        for crowd in sorted({info.name for info in annotated if info.crowd}):
            self._annotate(clip.ignore, crowd, True, {})

    def _annotate(self, masks: Bool[Tensor, "T H W"], category: str, crowd: bool, more: dict[str, Any]) -> None:
        """One annotation, unless it is out of sight in all frames."""
        areas = [int(area) or None for area in masks.flatten(1).sum(1)]
        seen = [area for area in areas if area]
        if not seen:
            return
        encoded = [rle.encode(mask.numpy()) if area else None for mask, area in zip(masks, areas, strict=True)]
        self.annotations.append(
            {
                "id": len(self.annotations) + 1,
                "video_id": len(self.videos),
                "category_id": self.ids[category],
                "iscrowd": int(crowd or sum(seen) / len(seen) < self.config.smallest),
                **more,
                "segmentations": encoded,
                "areas": areas,
                "bboxes": list(rle.bboxes(encoded)),
            }
        )

    def _categories(self) -> list[Category]:
        """Those of the data set, and `object` where copied objects without a class need it."""
        used = any(annotation["category_id"] == self.ids[OBJECT.name] for annotation in self.annotations)
        known = any(category.name == OBJECT.name for category in self.categories)
        return [*([OBJECT] if used and not known else []), *self.categories]

    def finish(self, source: str) -> None:
        """Writes instances.json."""
        content = {
            "info": {"description": f"made from {source}", "version": __version__, "settings": asdict(self.config)},
            "videos": self.videos,
            "categories": [asdict(category) for category in self._categories()],
            "annotations": self.annotations,
        }
        (self.folder / "instances.json").write_text(json.dumps(content))
