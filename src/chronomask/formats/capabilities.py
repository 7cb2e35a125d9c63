"""The formats, and what each can carry. A test compares the documentation's table with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Format = Literal[
    "youtube-vis",
    "coco",
    "mots-text",
    "mots-png",
    "davis",
    "labelme",
    "cvat",
    "sa-v",
    "burst",
    "panoptic",
    "kitti-step",
    "scalabel",
    "datumaro",
    "label-studio",
]
"""Names of the formats on the command line."""

FORMATS: tuple[Format, ...] = get_args(Format)

MANY = range(1, 2**53)
"""Ids without a bound that matters: json numbers beyond this are rounded by some programs."""


@dataclass(frozen=True)
class Capabilities:
    """What survives being written in a format and read again.

    Attributes:
        title: what people call the format.
        several_videos: where a second video goes.
        video_ids: ids and order of videos; else videos are known by name alone and counted from 1.
        overlaps: pixels that lie in several masks of a frame.
        exact_pixels: masks to the pixel; else they are outlined by polygons.
        gaps: frames in the middle of a track in which it is out of sight.
        empty_masks: masks, and tracks, without a pixel, as something else than being out of sight.
        empty_frames: frames, at the end too, and videos without any object.
        scores: how likely the masks of a track are right.
        class_scores: how likely its class is right.
        classes: ids and names; names alone; ids of `class_numbers`, with names in a file labels.txt; or nothing.
        class_numbers: the ids that fit where classes are numbers; 10 is for regions to ignore.
        unused_classes: categories without a track.
        labelled_classes: by video, names of the only classes whose objects are all annotated.
        track_ids: the ids that fit; where they do not, tracks are counted from 1.
        ids_with_class: ids, too, that are the class x 1000 and a number up to 999.
        crowds: flag of crowds: on any track; as one region of a frame that is to be ignored
            for all classes; or nothing.
        merged: flag of several objects under one mask.
        fps: frames a second.
        file_names: paths of the frames; `needed` where the format has no frame without one.
        info: what made the file.
    """

    title: str
    several_videos: Literal["in the file", "a folder each", "a file each"]
    video_ids: bool = False
    overlaps: bool = False
    exact_pixels: bool = True
    gaps: bool = True
    empty_masks: bool = False
    empty_frames: bool = True
    scores: bool = False
    class_scores: bool = False
    classes: Literal["ids and names", "names", "numbers", "no"] = "no"
    class_numbers: range | None = None
    unused_classes: bool = False
    labelled_classes: bool = False
    track_ids: range = MANY
    ids_with_class: bool = False
    crowds: Literal["yes", "one region", "no"] = "no"
    merged: bool = False
    fps: bool = False
    file_names: Literal["yes", "needed", "no"] = "no"
    info: bool = False
