"""YouTube-VIS-form videos: frames as images, one run-length mask a frame for every instance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from chronomask.data.categories import Category
from chronomask.data.labels import to_masks
from chronomask.data.reader import InstanceInfo
from chronomask.data.reading import class_index, class_indices, mask_of, paint, read_json, read_pixels
from chronomask.errors import InputError
from chronomask.structures import Clip


class YtvisVideos:
    """Annotated videos.

    Crowds are ignored pixels, or instances without a class where they are marked `merged` (one mask for rider and
    vehicle).

    Args:
        annotations: the json file.
        frames: the folder that `file_names` are relative to.
        categories: the network's classes, joined by name; other names become objects without a class.
        complete: whether every object is annotated; if not, everything outside the masks is unknown.
    """

    def __init__(self, annotations: Path, frames: Path, categories: tuple[Category, ...], complete: bool) -> None:
        content = read_json(annotations)
        self.annotations, self.images, self.complete = annotations, frames, complete
        self.skipped: list[str] = []
        try:
            self.class_of = class_indices(content["categories"], categories)
            self.name_of = {category["id"]: category["name"] for category in content["categories"]}
            by_video: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for annotation in content["annotations"]:
                by_video[annotation["video_id"]].append(annotation)
            self.entries = [(video, by_video[video["id"]]) for video in content["videos"]]
        except KeyError as error:
            raise InputError(f"{annotations}: an entry lacks the field {error}") from error
        self.class_names = tuple(self.name_of.values())

    def __len__(self) -> int:
        return len(self.entries)

    def without(self, names: Sequence[str]) -> YtvisVideos:
        """Leaves out the videos of these names (or of these folders of frames), in place.

        Raises:
            InputError: there is no video of that name.
        """
        known = {self.name(index) for index in range(len(self))}
        if missing := sorted(set(names) - known):
            raise InputError(f"{self.annotations}: no video named {missing[0]}")
        self.entries = [entry for index, entry in enumerate(self.entries) if self.name(index) not in names]
        return self

    def name(self, index: int) -> str:
        """The video's name, or the folder of its frames where it has none."""
        video = self.entries[index][0]
        return video.get("name") or str(Path(video["file_names"][0]).parent)

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of video number `index` in pixels."""
        return self.entries[index][0]["height"], self.entries[index][0]["width"]

    def length(self, index: int) -> int:
        """Frames of video number `index`."""
        return len(self.entries[index][0]["file_names"])

    def instances(self, index: int) -> list[InstanceInfo]:
        """Its annotations, as `Reader.instances` has them."""
        infos = []
        for annotation in self.entries[index][1]:
            areas = [area for area in annotation.get("areas") or () if area]
            info = InstanceInfo(
                name=self.name_of.get(annotation["category_id"], ""),
                class_id=class_index(annotation, self.class_of, self.annotations),
                area=sum(areas) / len(areas) if areas else None,
                frames=sum(segmentation is not None for segmentation in annotation["segmentations"]),
                crowd=bool(annotation.get("iscrowd") and not annotation.get("merged")),
            )
            infos.append(info)
        return sorted(infos, key=lambda info: info.crowd)

    def load(self, index: int, frames: Sequence[int] = (0,)) -> Clip:
        """The named frames of video number `index`, in the order given; only their masks are decoded."""
        video, annotations = self.entries[index]
        height, width = video["height"], video["width"]
        instances = [a for a in annotations if not a.get("iscrowd") or a.get("merged")]
        crowds = [a for a in annotations if a.get("iscrowd") and not a.get("merged")]
        labels, ignores, pixels = [], [], []
        for frame in frames:
            segmentations = [a["segmentations"][frame] for a in instances]
            labels.append(paint(segmentations, height, width, [self._place(a, frame) for a in instances]))
            ignore = torch.zeros(height, width, dtype=torch.bool)
            for crowd in crowds:
                if (segmentation := crowd["segmentations"][frame]) is not None:
                    ignore |= torch.from_numpy(mask_of(segmentation, height, width, self._place(crowd, frame)))
            ignores.append(ignore & (labels[-1] == 0))
            pixels.append(read_pixels(self.images / video["file_names"][frame], height, width))
        return Clip(
            frames=torch.stack(pixels),
            masks=to_masks(torch.stack(labels), len(instances)),
            class_ids=torch.tensor(
                [class_index(a, self.class_of, self.annotations) for a in instances], dtype=torch.int64
            ),
            ignore=torch.stack(ignores),
            unknown=torch.full((len(frames), height, width), not self.complete),
            source=f"{self.annotations.name}: {self.name(index)}, frames {list(frames)}",
        )

    def _place(self, annotation: dict[str, Any], frame: int) -> str:
        return f"{self.annotations}: annotation {annotation.get('id')}: segmentations[{frame}]"
