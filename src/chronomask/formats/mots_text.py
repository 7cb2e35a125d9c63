"""MOTS as text: a file a video, a line a mask: frame, id (class x 1000 + instance), class, height, width, counts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from chronomask.annotations.problems import Problems, shown
from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.annotations.row import Row
from chronomask.bounds import MAX_LENGTH, MAX_SIDE
from chronomask.errors import InputError, refusing
from chronomask.formats import mots
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import Capabilities
from chronomask.formats.collected import Collected
from chronomask.formats.file_format import FileFormat
from chronomask.formats.folder import files_of
from chronomask.rle import Rle

CAPABILITIES = Capabilities(
    title="MOTS text",
    several_videos="a file each",
    empty_frames=False,
    classes="numbers",
    class_numbers=range(1, 1000),
    track_ids=mots.INSTANCES,
    ids_with_class=True,
    crowds="one region",
)


_COLUMNS = {"frame": MAX_LENGTH, "id": 10**12, "class": 10**6, "height": MAX_SIDE, "width": MAX_SIDE}
"""What the columns before the run lengths hold at most."""


class _Line(NamedTuple):
    frame: int
    id: int
    class_id: int
    mask: Rle


def read(path: Path, assumed: Assumed) -> TracksFile:
    """Read a text file, or a folder of them. Without `assumed.length` a video ends with its last mask.

    Ids may be free, as for the reader of the data set's authors, who take the class from its own column.

    Raises:
        InputError: naming file, line and value.
    """
    folder = path if path.is_dir() else path.parent
    files = [file for file in files_of(path, ".txt") if file.name != "labels.txt"] if path.is_dir() else [path]
    found = Collected(path, assumed)
    objects: list[mots.Objects] = []
    for file in files:
        if lines := _read_lines(file, assumed.first_frame):
            length = max(line.frame for line in lines) + 1
            if assumed.length is not None and assumed.length < length:
                raise InputError(f"{file}: has masks in {length} frames, more than the {assumed.length} of --length")
            height, width = lines[0].mask["size"]
            video = found.add_video(file.stem, (width, height), assumed.length or length)
            objects.append(_objects(file, video, lines))
    if not objects:
        raise InputError(f"{path}: holds no text file with a mask")
    return mots.file_of(found, objects, folder)


def write(file: TracksFile, path: Path, first_frame: int = 0) -> None:
    """Write one text file a video, and labels.txt, into a folder. The file holds nothing that cannot be carried."""
    for video in file.videos:
        rows = [
            (frame, number, class_id, mask["counts"])
            for number, class_id, masks in mots.labelled(file, video)
            for frame, mask in enumerate(masks)
            if mask is not None
        ]
        with (path / f"{video.name}.txt").open("w", encoding="ascii") as text:
            for frame, number, class_id, counts in sorted(rows):
                text.write(f"{frame + first_frame} {number} {class_id} {video.height} {video.width} {counts}\n")
    mots.write_labels(file, path)


def _read_lines(file: Path, first_frame: int) -> list[_Line]:
    with refusing(file, "cannot be read as text"):
        text = file.read_text(encoding="ascii")
    problems = Problems(str(file))
    lines: list[_Line] = []
    seen: set[tuple[int, int]] = set()
    for number, text_line in enumerate(text.splitlines(), 1):
        if words := text_line.split():
            row, line = _read_line(f"line {number}", words, first_frame, problems)
            if (line.frame, line.id) in seen:
                row.fault("id", f"{line.id} is in frame {line.frame + first_frame} already")
            if lines and line.mask["size"] != lines[0].mask["size"]:
                row.fault(
                    "height", f"a mask of {line.mask['size']} ([height, width]), at first {lines[0].mask['size']}"
                )
            seen.add((line.frame, line.id))
            lines.append(line)
    return lines


def _read_line(place: str, words: list[str], first_frame: int, problems: Problems) -> tuple[Row, _Line]:
    if len(words) != 6:
        problems.error(place, f"must hold frame, id, class, height, width and run lengths, has {shown(words)}")
    numbers = [int(word) if word.isdecimal() and len(word) < 16 else word for word in words[:5]]
    row = Row(dict(zip(_COLUMNS, numbers, strict=True)), place, problems)
    least = {"frame": first_frame, "height": 1, "width": 1}
    frame, number, class_id, height, width = (row.whole(key, least.get(key, 0), most) for key, most in _COLUMNS.items())
    mask = row.mask("counts", {"size": [height, width], "counts": words[5]}, width, height)
    return row, _Line(frame - first_frame, number, class_id, mask)


def _objects(file: Path, video: VideoEntry, lines: list[_Line]) -> mots.Objects:
    classes: dict[int, int] = {}
    masks: dict[int, list[Rle | None]] = {}
    for line in sorted(lines, key=lambda line: line.id):
        if classes.setdefault(line.id, line.class_id) != line.class_id:
            raise InputError(f"{file}: id {line.id} is of class {classes[line.id]}, and of class {line.class_id}")
        masks.setdefault(line.id, [None] * video.length)[line.frame] = line.mask
    return mots.Objects(classes, masks)


FORMAT = FileFormat("mots-text", CAPABILITIES, read, write, counts_from=True, held=(".txt",))
