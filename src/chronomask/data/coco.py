"""COCO-form still images as clips of one frame."""

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


class CocoImages:
    """Annotated stills: instances as polygons or run lengths, crowds, and `labelled_classes` where an image has them.

    Crowds are ignored pixels, or instances without a class where they are marked `merged`. Where `labelled_classes`
    says that only some classes were annotated, everything outside the masks is unknown rather than background.

    Args:
        annotations: the json file.
        images: the folder that `file_name` is relative to.
        categories: the network's classes, joined by name; other names become objects without a class.
    """

    def __init__(self, annotations: Path, images: Path, categories: tuple[Category, ...]) -> None:
        content = read_json(annotations)
        self.annotations, self.images, self.skipped = annotations, images, list[str]()
        try:
            self.class_of = class_indices(content["categories"], categories)
            self.name_of = {category["id"]: category["name"] for category in content["categories"]}
            by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for annotation in content["annotations"]:
                by_image[annotation["image_id"]].append(annotation)
            self.entries = [(image, by_image[image["id"]]) for image in content["images"]]
        except KeyError as error:
            raise InputError(f"{annotations}: an entry lacks the field {error}") from error
        self.class_names = tuple(self.name_of.values())

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """The file name of image number `index`."""
        return self.entries[index][0]["file_name"]

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of image number `index` in pixels."""
        return self.entries[index][0]["height"], self.entries[index][0]["width"]

    def length(self, index: int) -> int:
        """1: a still is a video of one frame."""
        return 1

    def instances(self, index: int) -> list[InstanceInfo]:
        """Its annotations, as `Reader.instances` has them."""
        infos = [
            InstanceInfo(
                name=self.name_of.get(a["category_id"], ""),
                class_id=class_index(a, self.class_of, self.annotations),
                area=a.get("area"),
                frames=1,
                crowd=bool(a.get("iscrowd") and not a.get("merged")),
            )
            for a in self.entries[index][1]
        ]
        return sorted(infos, key=lambda info: info.crowd)

    def load(self, index: int, frames: Sequence[int] = (0,)) -> Clip:
        """Image number `index` with its instances, once for every entry of `frames`."""
        image, annotations = self.entries[index]
        height, width = image["height"], image["width"]
        instances = [a for a in annotations if not a.get("iscrowd") or a.get("merged")]
        crowds = [a for a in annotations if a.get("iscrowd") and not a.get("merged")]
        labels = paint([a["segmentation"] for a in instances], height, width, [self._place(a) for a in instances])
        ignore = torch.zeros(height, width, dtype=torch.bool)
        for crowd in crowds:
            ignore |= torch.from_numpy(mask_of(crowd["segmentation"], height, width, self._place(crowd)))
        ignore &= labels == 0
        unknown = torch.full((height, width), "labelled_classes" in image)
        return Clip(
            frames=read_pixels(self.images / image["file_name"], height, width).expand(len(frames), -1, -1, -1),
            masks=to_masks(labels.expand(len(frames), -1, -1), len(instances)),
            class_ids=torch.tensor(
                [class_index(a, self.class_of, self.annotations) for a in instances], dtype=torch.int64
            ),
            ignore=ignore.expand(len(frames), -1, -1),
            unknown=unknown.expand(len(frames), -1, -1),
            source=f"{self.annotations.name}: {image['file_name']}",
        )

    def _place(self, annotation: dict[str, Any]) -> str:
        return f"{self.annotations}: annotation {annotation.get('id')}: segmentation"
