"""CVAT for video 1.1: an xml file a video; tracks of masks, or of polygons when they are read.

A mask holds its run lengths row by row, inside the box that `left`, `top`, `width` and `height` name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from chronomask import rle
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.folder import files_of
from chronomask.formats.tracks import Track, TracksFile, VideoEntry, named_categories, numbered
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="CVAT for video xml",
    several_videos="a file each",
    overlaps=True,
    classes="names",
    unused_classes=True,
)


@dataclass(frozen=True)
class _Task:
    """What the head of a file says; `start` and `step` count frames of the video that the task was cut from."""

    video: VideoEntry
    start: int
    step: int


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read an xml file, or a folder of them.

    A shape holds until the next one of its track, as in CVAT: until one that is `outside`, or to the end.

    Raises:
        InputError: naming file, track, frame and value.
    """
    files = files_of(path, ".xml") if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path}: holds no .xml files")
    parsed = [(file, _root(file)) for file in files]
    tasks = [_task(file, root, number, assumed) for number, (file, root) in enumerate(parsed, 1)]
    tracks = [
        (f"{file}: track {element.get('id')}", element, task)
        for (file, root), task in zip(parsed, tasks, strict=True)
        for element in root.iterfind("track")
    ]
    listed = [name.text or "" for _, root in parsed for name in root.iterfind("meta/*/labels/label/name")]
    categories = named_categories([*listed, *(_attribute(where, element, "label") for where, element, _ in tracks)])
    ids = {category.name: category.id for category in categories}
    found = numbered([_track(where, element, task, ids) for where, element, task in tracks])
    return TracksFile(found, tuple(task.video for task in tasks), categories)


def write(file: TracksFile, path: Path) -> None:
    """Write a file (`path` ends in .xml, one video) or a folder of one file a video.

    Raises:
        InputError: several videos for one file.
    """
    if path.suffix == ".xml":
        if len(file.videos) != 1:
            raise InputError(f"{len(file.videos)} videos do not fit into one CVAT file; name a folder")
        _write_video(file, file.videos[0], path)
    else:
        for video in file.videos:
            _write_video(file, video, path / f"{video.name}.xml")


def _write_video(file: TracksFile, video: VideoEntry, path: Path) -> None:
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    task = SubElement(SubElement(root, "meta"), "task")
    facts = {"name": video.name, "size": video.length, "mode": "interpolation", "start_frame": 0}
    for key, value in {**facts, "stop_frame": video.length - 1}.items():
        SubElement(task, key).text = str(value)
    labels = SubElement(task, "labels")
    for category in file.categories:
        SubElement(SubElement(labels, "label"), "name").text = category.name
    size = SubElement(task, "original_size")
    SubElement(size, "width").text, SubElement(size, "height").text = str(video.width), str(video.height)
    names = {category.id: category.name for category in file.categories}
    for track in file.tracks:
        if track.video_id == video.id:
            element = SubElement(root, "track", id=str(track.id), label=names[track.category_id], source="auto")
            _write_shapes(element, track)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _write_shapes(element: Element, track: Track) -> None:
    last: dict[str, str] | None = None
    for frame, mask in enumerate(track.segmentations):
        if mask is not None:
            last = _mask_attributes(mask)
        if last is not None:
            outside = mask is None
            common = {"frame": str(frame), "keyframe": "1", "outside": str(int(outside)), "occluded": "0"}
            SubElement(element, "mask", {**common, **last, "z_order": "0"})
            if outside:
                last = None


def _mask_attributes(mask: Rle) -> dict[str, str]:
    left, top, width, height = (int(value) for value in rle.bbox(mask))
    pixels = rle.decode(mask)[top : top + height, left : left + width].ravel()
    ends = [*(np.flatnonzero(np.diff(pixels)) + 1).tolist(), pixels.size]
    runs = np.diff([0, *ends]).tolist()
    counts = [0, *runs] if pixels[0] else runs  # the first run is background
    numbers = {"left": left, "top": top, "width": width, "height": height}
    return {"rle": ", ".join(map(str, counts)), **{key: str(value) for key, value in numbers.items()}}


def _root(file: Path) -> Element:
    try:
        root = ElementTree.parse(file).getroot()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{file}: no xml file: {error}") from error
    if root.tag != "annotations":
        raise InputError(f"{file}: must be <annotations> of CVAT, is <{root.tag}>")
    if root.find("image") is not None:
        raise InputError(f"{file}: is CVAT for images, which has no tracks; export it as CVAT for video 1.1")
    return root


def _task(file: Path, root: Element, number: int, assumed: Assumed) -> _Task:
    facts = {key: root.findtext(f"meta/*/{key}") for key in ("size", "start_frame", "frame_filter", "name")}
    sides = [root.findtext(f"meta/*/original_size/{key}") for key in ("width", "height")]
    if all(sides):
        width, height = (_whole(f"{file}: <original_size>", side, 1) for side in sides)
    elif assumed.size is not None:
        width, height = assumed.size
    else:
        raise InputError(f"{file}: has no <original_size>; give --size WIDTHxHEIGHT")
    if not facts["size"] and assumed.length is None:
        raise InputError(f"{file}: has no <size>, the number of frames; give --length")
    length = _whole(f"{file}: <size>", facts["size"], 1) if facts["size"] else assumed.length or 1
    step = re.search(r"step\s*=\s*(\d+)", facts["frame_filter"] or "")
    video = VideoEntry(number, facts["name"] or file.stem, width, height, length)
    start = _whole(f"{file}: <start_frame>", facts["start_frame"] or "0", 0)
    return _Task(video, start, max(1, int(step[1])) if step else 1)


def _track(where: str, element: Element, task: _Task, ids: dict[str, int]) -> Track:
    video = task.video
    shapes: dict[int, Rle | None] = {}
    for shape in element:
        number = _whole(f"{where}: frame", shape.get("frame"), 0)
        frame, rest = divmod(number - task.start, task.step)
        if rest or not 0 <= frame < video.length:
            raise InputError(f"{where}: frame {number} is none of the task's {video.length} frames")
        if frame in shapes:
            raise InputError(f"{where}: frame {number} holds two shapes")
        shapes[frame] = None if shape.get("outside") == "1" else _shape(f"{where}: frame {number}", shape, video)
    row: list[Rle | None] = []
    for frame in range(video.length):
        row.append(shapes[frame] if frame in shapes else row[-1] if row else None)
    number = _whole(f"{where}: id", element.get("id"), 0)
    return Track(number, video.id, ids[_attribute(where, element, "label")], 1.0, tuple(row))


def _shape(where: str, shape: Element, video: VideoEntry) -> Rle:
    try:
        if shape.tag == "mask":
            return _read_mask(shape, video)
        if shape.tag != "polygon":
            raise InputError(f"<{shape.tag}> has no area that can be read; polygons and masks have")
        points = _attribute("<polygon>", shape, "points")
        try:
            corners = [float(value) for point in points.split(";") for value in point.split(",")]
        except ValueError as error:
            raise InputError(f"points must be x,y;x,y;..., not {points!r:.80}") from error
        return rle.from_annotation([corners], video.height, video.width)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _read_mask(shape: Element, video: VideoEntry) -> Rle:
    left, top = (_whole(key, shape.get(key), 0) for key in ("left", "top"))
    width, height = (_whole(key, shape.get(key), 1) for key in ("width", "height"))
    if left + width > video.width or top + height > video.height:
        raise InputError(
            f"a mask of {width}x{height} at ({left}, {top}) leaves the frame of {video.width}x{video.height}"
        )
    text = _attribute("<mask>", shape, "rle")
    counts = [_whole("rle", value.strip(), 0) for value in text.split(",")]
    if sum(counts) != width * height:
        raise InputError(f"rle adds up to {sum(counts)}, not to {width} x {height} = {width * height}")
    mask = np.zeros((video.height, video.width), bool)
    mask[top : top + height, left : left + width] = np.repeat(np.arange(len(counts)) % 2, counts).reshape(height, width)
    return rle.encode(mask)


def _attribute(where: str, element: Element, key: str) -> str:
    value = element.get(key)
    if value is None:
        raise InputError(f"{where}: has no attribute '{key}'")
    return value


def _whole(what: str, value: str | None, least: int) -> int:
    # float first: CVAT writes some sizes as 12.0.
    try:
        number = float(value) if value is not None else float("nan")
    except ValueError:
        number = float("nan")
    if not number.is_integer() or number < least or number > 2**40:
        raise InputError(f"{what} must be a whole number from {least}, not {value!r:.40}")
    return int(number)
