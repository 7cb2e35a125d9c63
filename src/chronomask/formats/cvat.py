"""CVAT for video 1.1: an xml file a video; tracks of masks, or of polygons when they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from chronomask import rle
from chronomask.annotations.problems import Problems
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.bounds import MAX_LENGTH
from chronomask.errors import InputError, counted, refusing
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.cvat_shapes import check_kinds, masks_of, row_of
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import file_or_files_of, write_files
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
    """Read an xml file, of a task or of a project with a video a task, or a folder of them.

    A shape holds until the next one of its track, as in CVAT: until one that is `outside`, or to the end. Polygons move
    from one key frame to the next.

    Raises:
        InputError: naming file, track, frame and value.
    """
    found = Collected(path, assumed)
    moved = 0
    for file in file_or_files_of(path, ".xml"):
        root, problems = _root(file), Problems(str(file))
        check_kinds(file, root.iterfind("track"))
        tasks = _tasks(root, problems, found)
        found.names += [name.text or "" for name in root.iterfind("meta/*/labels/label/name")]
        for element in root.iterfind("track"):
            row = row_of(element.attrib, f"track {element.get('id')}", problems)
            number = element.get("task_id", "") if root.find("meta/project") is not None else ""
            if number not in tasks:
                row.fault("task_id", f"{number!r} is none of the project's tasks: {', '.join(tasks)}")
            task = tasks[number]
            masks, between = masks_of(_shapes(row, element, task), task.video)
            moved += between
            found.add_track(task.video, row.whole("id", 0), row.text("label"), masks)
    if moved:
        found.notes.append(f"{counted(moved, 'mask')} between key frames made of the polygons there")
    return found.file()


def write(file: TracksFile, path: Path) -> None:
    """Write a file (`path` ends in .xml, one video) or a folder of one file a video.

    Raises:
        InputError: several videos for one file.
    """
    write_files(file, path, ".xml", _write_video)


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
    names = file.names
    for track in file.of(video):
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


def _tasks(root: Element, problems: Problems, found: Collected) -> dict[str, _Task]:
    """The tasks of a file by id; outside a project there is one, under an empty id."""
    if root.find("meta/project") is None:
        heads = {"": next((head for head in root.iterfind("meta/*") if len(head)), root)}
    else:
        heads = {head.findtext("id", ""): head for head in root.iterfind("meta/project/tasks/task")}
        if not heads:
            raise InputError(f"{problems.file}: is a project without <tasks>; export its tasks one by one")
    return {key: _task(head, problems, found) for key, head in heads.items()}


def _task(head: Element, problems: Problems, found: Collected) -> _Task:
    facts = row_of({fact.tag: fact.text for fact in head}, "", problems)
    sides = row_of({side.tag: side.text for side in head.iterfind("original_size/*")}, "original_size", problems)
    name = head.findtext("name") or Path(problems.file).stem
    stated = sides.size() if "width" in sides and "height" in sides else None
    size = found.size_of(name, [(facts, stated)], "original_size")
    length = facts.whole("size", 1, MAX_LENGTH) if "size" in facts else found.assumed.length
    if length is None:
        raise InputError(f"{problems.file}: {name} has no <size>, the number of frames; give --length")
    step = re.search(r"step\s*=\s*(\d+)", head.findtext("frame_filter") or "")
    start = facts.whole("start_frame", 0) if "start_frame" in facts else 0
    return _Task(found.add_video(name, size, length), start, max(1, int(step[1])) if step else 1)


def _shapes(track: Row, element: Element, task: _Task) -> dict[int, Row]:
    """By frame of the video; one that is outside may stand behind a frame, and behind the last of all."""
    shapes: dict[int, Row] = {}
    for one in element:
        shape = row_of({"shape": one.tag, **one.attrib}, f"{track.place}.frame {one.get('frame')}", track.problems)
        number = shape.whole("frame", 0)
        frame, rest = divmod(number - task.start, task.step)
        closes = shape.flag("outside")
        if frame < 0 or ((rest or frame >= task.video.length) and not closes):
            track.fault("frame", f"{number} is none of the task's {task.video.length} frames")
        frame += rest > 0
        if frame in shapes:
            track.fault("frame", f"{number} holds two shapes")
        shapes[frame] = shape
    return shapes


FORMAT = FileFormat("cvat", CAPABILITIES, read, write, ending=".xml", held=(".xml",))
