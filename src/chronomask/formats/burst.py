"""BURST: sequences with one entry a frame, which has the masks by number of the track; classes of LVIS.

Definition: Ali2500/BURST-benchmark, ANNOTATION_FORMAT.md. Some frames of a sequence are annotated, and these alone are
in the records; `fps`, there of all frames, is counted down to them. Paths of images lie in the folder of the sequence,
DATASET/NAME. Where classes are not searched for in a sequence (they stand neither in `neg_category_ids` nor among its
tracks) or not in every place (`not_exhaustive_category_ids`), `labelled_classes` leaves them out.

Results have the same form. An object out of sight has no entry: its masks without a pixel would count as wrong.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from chronomask.annotations.content import Content, read_row
from chronomask.annotations.listing import read_categories
from chronomask.annotations.masks import EncodedMasks
from chronomask.annotations.problems import shown
from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.annotations.row import Row, is_whole
from chronomask.categories import Category
from chronomask.files import json_text, portable
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected, annotated_notes
from chronomask.formats.file_format import FileFormat

CAPABILITIES = Capabilities(
    title="BURST json",
    several_videos="in the file",
    video_ids=True,
    overlaps=True,
    scores=True,
    classes="ids and names",
    unused_classes=True,
    labelled_classes=True,
    fps=True,
    file_names="needed",
    info=True,
)


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a file of annotations or results.

    Raises:
        InputError: naming file, sequence, field and value of what is missing or cannot be meant.
    """
    root = read_row(path)
    categories = read_categories(Content(str(path), root.fields, None), root.problems)
    found = Collected(path, assumed)
    frames = 0
    for row in root.rows("sequences"):
        video, everywhere = _video(row, categories)
        if any(video.id == earlier.id for earlier in found.videos):
            row.fault("id", f"{video.id} is the id of an earlier entry too")
        found.videos.append(video)
        frames += everywhere
        _read_masks(row, video, _classes(row, categories), found)
    info = {**root.inner("info").fields, **({"split": root.text("split")} if "split" in root else {})}
    found.notes += annotated_notes(sum(video.length for video in found.videos), frames)
    return found.file([Category(number, name) for number, name in categories.items()], info)


def _video(row: Row, categories: Mapping[int, str]) -> tuple[VideoEntry, int]:
    """The video of the annotated frames, and how many frames there are."""
    name = row.text("seq_name")
    if "dataset" in row and row.fields["dataset"] != "":
        name = f"{row.text('dataset')}/{name}"
    annotated = row.texts("annotated_image_paths")
    if not annotated:
        row.fault("annotated_image_paths", "is empty")
    everywhere = row.texts("all_image_paths") if "all_image_paths" in row else annotated
    places = {image: place for place, image in enumerate(everywhere)}
    if unknown := [image for image in annotated if image not in places]:
        row.fault("annotated_image_paths", f"{shown(unknown[0])} is none of all_image_paths")
    fps = row.number("fps") if "fps" in row else None
    if fps is not None and len(annotated) < len(everywhere):
        skipped = places[annotated[-1]] - places[annotated[0]]
        fps = fps * (len(annotated) - 1) / skipped if skipped > 0 else None
    names = tuple(posixpath.normpath(posixpath.join(name, portable(image))) for image in annotated)
    labelled = _labelled(row, categories)
    return VideoEntry(row.whole("id"), name, *row.size(), len(annotated), fps, names, labelled), len(everywhere)


def _labelled(row: Row, categories: Mapping[int, str]) -> tuple[str, ...] | None:
    """Names of the classes whose objects are all annotated; None where that are all."""
    if "neg_category_ids" not in row and "not_exhaustive_category_ids" not in row:
        return None
    absent, partial = (_numbers(row, key) for key in ("neg_category_ids", "not_exhaustive_category_ids"))
    ids = (absent | {*_classes(row, categories).values()}) - partial
    return None if ids >= categories.keys() else tuple(name for number, name in categories.items() if number in ids)


def _numbers(row: Row, key: str) -> set[int]:
    """Ids of classes; BURST took them over from TAO and LVIS, of whose classes it has some."""
    numbers = row.listed(key) if key in row else []
    if wrong := [number for number in numbers if not is_whole(number)]:
        row.fault(key, f"{shown(wrong[0])} is no whole number")
    return set(numbers)


def _classes(row: Row, categories: Mapping[int, str]) -> dict[str, int]:
    """By number of the track, which json has as a text, the id of its class."""
    if "track_category_ids" not in row:
        row.fault("track_category_ids", "missing")
    classes = row.inner("track_category_ids")
    for number, category_id in classes.fields.items():
        if not (number.isdecimal() and number.isascii()):
            row.fault("track_category_ids", f"{shown(number)} is no whole number of a track")
        if not is_whole(category_id) or category_id not in categories:
            classes.fault(number, f"{shown(category_id)} is no known category")
    return dict(classes.fields)


def _read_masks(row: Row, video: VideoEntry, classes: Mapping[str, int], found: Collected) -> None:
    frames = list(row.rows("segmentations"))
    if len(frames) != video.length:
        row.fault("segmentations", f"{len(frames)} frames, of {video.length} annotated_image_paths")
    masks: dict[str, list[dict[str, Any] | None]] = {number: [None] * video.length for number in classes}
    scores: dict[str, list[float]] = {number: [] for number in classes}
    for t, frame in enumerate(frames):
        for number in frame.fields:
            if number not in classes:
                frame.fault(number, "is no track of track_category_ids")
            mask = frame.inner(number)
            masks[number][t] = {"size": [video.height, video.width], "counts": mask.text("rle")}
            # Masks that a program made for the training set have scores; what a person drew is sure.
            if "score" in mask and not mask.flag("is_gt"):
                scores[number].append(mask.number("score"))
    for number, category_id in classes.items():
        place = f"{row.place}.segmentations[{{}}].{number}.rle"
        encoded = EncodedMasks(masks[number], video.height, video.width, row.problems.file, place)
        found.add_track(video, int(number), category_id, encoded.checked(row.problems) or (), scores=scores[number])


def write(file: TracksFile, path: Path) -> None:
    """Write the file, in which every video has file names."""
    info = dict(file.info)
    split = info.pop("split", None)
    content = {
        **({"info": info} if info else {}),
        **({} if split is None else {"split": split}),
        "sequences": [_sequence(file, video) for video in file.videos],
        "categories": [{"id": category.id, "name": category.name} for category in file.categories],
    }
    path.write_text(json_text(content), encoding="utf-8")


def _sequence(file: TracksFile, video: VideoEntry) -> dict[str, Any]:
    dataset, _, name = video.name.rpartition("/")
    tracks = file.of(video)
    images = _images(video.name, video.file_names or ())
    return {
        "id": video.id,
        "dataset": dataset if name else "",
        "seq_name": name if dataset else video.name,
        "width": video.width,
        "height": video.height,
        "fps": video.fps,
        "all_image_paths": images,
        "annotated_image_paths": images,
        **_negatives(file.categories, video, {track.category_id for track in tracks}),
        "track_category_ids": {str(track.id): track.category_id for track in tracks},
        "segmentations": [
            {
                str(track.id): {"rle": mask["counts"], "is_gt": track.score == 1, "score": track.score}
                for track in tracks
                if (mask := track.segmentations[frame]) is not None
            }
            for frame in range(video.length)
        ],
    }


def _images(video: str, names: Sequence[str]) -> list[str]:
    """Paths from the folder of the video; evaluators know a frame by folder and path."""
    return [name if name.startswith("/") else posixpath.relpath(f"/{name}", f"/{video}") for name in names]


def _negatives(categories: Sequence[Category], video: VideoEntry, used: Collection[int]) -> dict[str, list[int]]:
    labelled = {c.name for c in categories} if video.labelled_classes is None else {*video.labelled_classes}
    return {
        "neg_category_ids": [c.id for c in categories if c.name in labelled and c.id not in used],
        "not_exhaustive_category_ids": [c.id for c in categories if c.name not in labelled and c.id in used],
    }


FORMAT = FileFormat(
    "burst",
    CAPABILITIES,
    read,
    write,
    ending=".json",
    is_json=lambda json: json.keys >= {"sequences", "categories"},
)
