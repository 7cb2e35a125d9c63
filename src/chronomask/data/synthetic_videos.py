"""A YouTube-VIS-form data set from annotated stills: every video is a camera path over one still.

Legend: T frames, S sub-frames of one exposure, H W pixels, K instances.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from chronomask.config import MixtureConfig
from chronomask.data.entries import EntryReader
from chronomask.data.mixture import ClipMixture
from chronomask.data.motion import motion_matrices, uniform
from chronomask.data.protocol import InstanceInfo, WeightedSource
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
    stills: EntryReader,
    out: Path,
    config: SynthesizeConfig,
    *,
    skip_broken: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Synthesized:
    """Writes `out`/instances.json and `out`/JPEGImages/<video>/<frame>.jpg.

    The camera never looks past the border of a still, so every pixel is a photographed one and no object is doubled by
    a mirrored border. Crowds stay crowds; where a still has crowds of several classes, each gets all of their pixels.

    Args:
        stills: opened with the data set's own classes.
        out: the folder; it appears when all is written.
        config: what the videos look like.
        skip_broken: go on where a still cannot be read.
        overwrite: whether an earlier data set may be replaced.
        progress: shows how far the work is.

    Raises:
        InputError: `out` holds what is not to be replaced, `stills` holds videos or nothing, or a still cannot be read.
    """
    if videos := [index for index in range(len(stills)) if stills.length(index) > 1]:
        raise InputError(f"{stills.annotations}: {stills.name(videos[0])} is a video; videos are made from stills")
    check_outputs([data_set(out)], overwrite=overwrite)
    with folder_written_aside(out) as aside:
        pasting = MixtureConfig(max_pastes=config.max_pastes, objects=config.objects)
        mixture = ClipMixture([WeightedSource(stills, 1.0)], pasting, config.seed, 0, skip_broken)
        writer = _Writer(aside, stills.file_categories, config)
        skipped = []
        for index in progress(range(len(stills)), "synthesizing", len(stills)):
            try:
                clips, annotated = _clips(stills, index, mixture, config), stills.instances(index)
            except InputError as error:
                if not skip_broken:
                    raise
                skipped.append(str(error))
                continue
            for clip in clips:
                writer.add(clip, stills.name(index), annotated)
        if not writer.videos:
            raise InputError(f"{stills.annotations}: no still that could be read")
        writer.finish(stills.annotations.name)
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


def _clips(stills: EntryReader, index: int, others: ClipMixture, config: SynthesizeConfig) -> list[Clip]:
    """A still under moving cameras; objects copied in from `others` come behind its own instances."""
    still = stills.load(index)
    clips = []
    for copy in range(config.videos_per_image):
        seed = config.seed * 1_000_003 + index * config.videos_per_image + copy
        generator = torch.Generator().manual_seed(seed)
        path = camera_path(stills.size(index), _interest(still, generator), config, generator)
        canvas = Canvas(still, path, (config.height, config.width))
        for _ in range(int(torch.randint(config.max_pastes + 1, (), generator=generator))):
            try:
                others.paste_object(canvas, generator)
            except InputError:  # of another still, which is reported when its own turn comes
                if not others.skip_broken:
                    raise
        clips.append(drift_colours(canvas.clip(), config.colours, generator))
    return clips


def _interest(still: Clip, generator: torch.Generator) -> tuple[float, float]:
    """(x, y) of a random pixel of a random instance; the middle of a still without any."""
    height, width = still.frames.shape[2:]
    seen = still.masks.flatten(1).any(1).nonzero().flatten()
    if not len(seen):
        return (width - 1) / 2, (height - 1) / 2
    mask = still.masks[seen[torch.randint(len(seen), (), generator=generator)], 0]
    pixels = mask.nonzero()
    y, x = pixels[torch.randint(len(pixels), (), generator=generator)].tolist()
    return float(x), float(y)


class _Writer:
    """The files of the data set, video by video."""

    def __init__(self, folder: Path, categories: Sequence[Category], config: SynthesizeConfig) -> None:
        self.folder, self.categories, self.config = folder, categories, config
        self.ids = {category.name: category.id for category in categories}
        self.videos: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []

    def add(self, clip: Clip, still: str, annotated: Sequence[InstanceInfo]) -> None:
        """One video; `still` is the name, and `annotated` are the annotations, of what it was made from."""
        # Numbered, for stills in different folders may share their name.
        folder = f"{len(self.videos) + 1:05d}-{Path(still).stem}"
        names = [f"{folder}/{frame:05d}.jpg" for frame in range(len(clip.frames))]
        (self.folder / "JPEGImages" / folder).mkdir(parents=True)
        for frame, file_name in zip(clip.frames, names, strict=True):
            image = Image.fromarray(frame.permute(1, 2, 0).numpy())
            image.save(self.folder / "JPEGImages" / file_name, quality=self.config.quality)
        height, width = clip.frames.shape[2:]
        video = {"id": len(self.videos) + 1, "name": folder, "height": height, "width": width, "length": len(names)}
        # What was not labelled in the still is unknown in the video too.
        partial = {"labelled_classes": []} if clip.unknown.any() else {}
        self.videos.append({**video, "file_names": names, **partial})
        named = [info.name for info in annotated if not info.crowd]
        # Behind the still's own instances come copied ones, which always have a class.
        named += [self.categories[class_id].name for class_id in clip.class_ids[len(named) :].tolist()]
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
                "bboxes": [None if mask is None else list(rle.bbox(mask)) for mask in encoded],
            }
        )

    def finish(self, source: str) -> None:
        """Writes instances.json."""
        content = {
            "info": {"description": f"made from {source}", "version": __version__, "settings": asdict(self.config)},
            "videos": self.videos,
            "categories": [asdict(category) for category in self.categories],
            "annotations": self.annotations,
        }
        (self.folder / "instances.json").write_text(json.dumps(content))
