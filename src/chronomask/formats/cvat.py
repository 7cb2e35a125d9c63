"""CVAT for video 1.1: an xml file a video; tracks of masks, or of polygons when they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.bounds import MAX_LENGTH, MAX_SIDE
from chronomask.errors import InputError, refusing
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.conversion_losses import counted, numbering_notes
from chronomask.formats.cvat_shapes import attribute, check_kinds, masks_of, whole
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of
from chronomask.formats.numbering import named_categories, numbered
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


@dataclass
class _Found:
    """What is collected from the files.

    Attributes:
        moved: masks that were made between two polygons.
    """

    videos: list[VideoEntry] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    tracks: list[tuple[str, Track]] = field(default_factory=list)
    moved: int = 0


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read an xml file, of a task or of a project with a video a task, or a folder of them.

    A shape holds until the next one of its track, as in CVAT: until one that is `outside`, or to the end. Polygons move
    from one key frame to the next.

    Raises:
        InputError: naming file, track, frame and value.
    """
    found = _Found()
    for file in file_or_files_of(path, ".xml"):
        _read_file(file, assumed, found)
    categories = named_categories([*found.labels, *(label for label, _ in found.tracks)])
    ids = {category.name: category.id for category in categories}
    tracks = [replace(track, category_id=ids[label]) for label, track in found.tracks]
    notes = [f"{counted(found.moved, 'mask')} between key frames made of the polygons there"] if found.moved else []
    notes += numbering_notes(tracks)
    return TracksFile(numbered(tracks), tuple(found.videos), categories, notes=tuple(notes))


def _read_file(file: Path, assumed: Assumed, found: _Found) -> None:
    root = _root(file)
    check_kinds(file, root.iterfind("track"))
    tasks = _tasks(file, root, len(found.videos) + 1, assumed)
    found.videos += [task.video for task in tasks.values()]
    found.labels += [name.text or "" for name in root.iterfind("meta/*/labels/label/name")]
    for element in root.iterfind("track"):
        where = f"{file}: track {element.get('id')}"
        number = element.get("task_id", "") if root.find("meta/project") is not None else ""
        if number not in tasks:
            raise InputError(f"{where}: task_id {number!r} is none of the project's tasks: {', '.join(tasks)}")
        task = tasks[number]
        masks, moved = masks_of(where, _shapes(where, element, task), task.video)
        found.moved += moved
        track = Track(whole(f"{where}: id", element.get("id"), 0), task.video.id, 0, 1.0, tuple(masks))
        found.tracks.append((attribute(where, element, "label"), track))


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
    with refusing(file, "no xml file"):
        root = ElementTree.parse(file).getroot()
    if root.tag != "annotations":
        raise InputError(f"{file}: must be <annotations> of CVAT, is <{root.tag}>")
    if root.find("image") is not None:
        raise InputError(f"{file}: is CVAT for images, which has no tracks; export it as CVAT for video 1.1")
    return root


def _tasks(file: Path, root: Element, first: int, assumed: Assumed) -> dict[str, _Task]:
    """By id in a project, else the one task under an empty id."""
    if root.find("meta/project") is None:
        heads = {"": next((head for head in root.iterfind("meta/*") if len(head)), root)}
    else:
        heads = {head.findtext("id", ""): head for head in root.iterfind("meta/project/tasks/task")}
        if not heads:
            raise InputError(f"{file}: is a project without <tasks>; export its tasks one by one")
    return {key: _task(file, head, number, assumed) for number, (key, head) in enumerate(heads.items(), first)}


def _task(file: Path, head: Element, number: int, assumed: Assumed) -> _Task:
    facts = {key: head.findtext(key) for key in ("size", "start_frame", "frame_filter", "name")}
    name = facts["name"] or file.stem
    sides = [head.findtext(f"original_size/{key}") for key in ("width", "height")]
    if all(sides):
        size = tuple(whole(f"{file}: <original_size>", side, 1, MAX_SIDE) for side in sides)
    else:
        size = assumed.size_of(number)
    if size is None:
        raise InputError(
            f"{file}: {name} has no <original_size>; give --size WIDTHxHEIGHT, or its video or frames by --video"
        )
    if not facts["size"] and assumed.length is None:
        raise InputError(f"{file}: {name} has no <size>, the number of frames; give --length")
    length = whole(f"{file}: <size>", facts["size"], 1, MAX_LENGTH) if facts["size"] else assumed.length or 1
    step = re.search(r"step\s*=\s*(\d+)", facts["frame_filter"] or "")
    start = whole(f"{file}: <start_frame>", facts["start_frame"] or "0", 0)
    return _Task(VideoEntry(number, name, size[0], size[1], length), start, max(1, int(step[1])) if step else 1)


def _shapes(where: str, element: Element, task: _Task) -> dict[int, Element]:
    """By frame of the video; one that is outside may stand behind a frame, and behind the last of all."""
    shapes: dict[int, Element] = {}
    for shape in element:
        number = whole(f"{where}: frame", shape.get("frame"), 0)
        frame, rest = divmod(number - task.start, task.step)
        closes = shape.get("outside") == "1"
        if frame < 0 or ((rest or frame >= task.video.length) and not closes):
            raise InputError(f"{where}: frame {number} is none of the task's {task.video.length} frames")
        frame += rest > 0
        if frame in shapes:
            raise InputError(f"{where}: frame {number} holds two shapes")
        shapes[frame] = shape
    return shapes


FORMAT = FileFormat("cvat", CAPABILITIES, read, write, ending=".xml", held=(".xml",))
