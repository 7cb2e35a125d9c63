"""Commands that change files of tracks: convert, edit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.errors import InputError, counted
from chronomask.formats.capabilities import Format
from chronomask.terminal import begin, note, tell


def convert(
    source: Annotated[Positional[Path], tyro.conf.arg(metavar="SRC")],
    target: Annotated[Positional[Path], tyro.conf.arg(metavar="DST")],
    /,
    source_format: Annotated[Format | None, tyro.conf.arg(name="from")] = None,
    target_format: Annotated[Format | Literal["dataset"] | None, tyro.conf.arg(name="to")] = None,
    video: tuple[Path, ...] = (),
    against: Path | None = None,
    size: str = "",
    length: int | None = None,
    fps: float | None = None,
    first_frame: int = 0,
    crowds_as_objects: bool = False,
    stills: bool = False,
    overwrite: bool = False,
) -> None:
    """Turn tracks from one format into another, and say what that loses.

    Formats: youtube-vis (tracks.json, results.json), coco (json with one image a frame), mots-text, mots-png, davis,
    labelme, cvat (for video, xml), sa-v, burst, scalabel (BDD100K), and dataset, to train on: frames as images, and
    their annotations. Read only: panoptic (VIPSeg, Cityscapes-VPS), kitti-step, datumaro, label-studio.

    Args:
        source: file or folder of tracks.
        target: file or folder to write.
        source_format: format of SRC; by default found out by what it holds.
        target_format: format of DST; may be left out for .json (youtube-vis) and .xml (cvat).
        video: the video or folder of frames that the tracks are of, or several in the order of the file: for --to
            dataset, and for CVAT files that do not say the size of their frames.
        against: for a plain list of results: the annotation file with its videos and classes.
        size: WIDTHxHEIGHT, where SRC does not say it.
        length: number of frames, where SRC does not say it.
        fps: frames a second, where SRC does not say it.
        first_frame: number of the first frame in MOTS text, read or written: 0 in KITTI MOTS, 1 in MOTSChallenge.
        crowds_as_objects: take crowds for single objects, in COCO files of Datumaro and CVAT, which flag every mask.
        stills: pictures of a LabelMe folder are separate ones, and no frames of a video; those of several sizes are
            taken so without it.
        overwrite: replace DST; a folder only where it holds nothing but files of that format.
    """
    begin(f"reading {source}")

    from chronomask.formats.assumed import Assumed
    from chronomask.formats.conversion import convert as run

    assumed = Assumed(against, _parse_size(size), length, fps, first_frame, video, crowds_as_objects, stills)
    done = run(
        source, target, target_format, source_format=source_format, video=video, assumed=assumed, overwrite=overwrite
    )
    note(*done.notes)
    _print_losses(done.losses)
    print(f"{counted(done.tracks, 'track')} of {counted(done.videos, 'video')}: {target}")


def edit(
    source: Annotated[Positional[Path], tyro.conf.arg(metavar="TRACKS")],
    operations: Annotated[Positional[tuple[str, ...]], tyro.conf.arg(metavar="OPERATION...")],
    /,
    out: Path,
    overwrite: bool = False,
) -> None:
    """Correct tracks: delete, relabel, merge, split and swap them, in the order given.

    delete:3 removes track 3. relabel:2=dog makes track 2 a dog. merge:1+4 makes tracks 1 and 4 one, with the id and
    class of the first. split:5@120 makes a new track of what track 5 has in frame 120 (counted from 0) and later.
    swap:1+4@120 exchanges what tracks 1 and 4 have there and later. class:robot adds a class, for relabel. add:dog adds
    a track, and paint:3@120=RUN-LENGTHS gives a track another mask in a frame, as the page of chronomask web does. Ids
    are those that the overlay shows; new ones were never used before.

    Args:
        source: a tracks.json, or tracks in another format that convert reads.
        operations: such as delete:3 relabel:2=dog merge:1+4 split:5@120 swap:1+4@120.
        out: the tracks.json to write; what was done is noted in its info.
        overwrite: replace --out, which is another file than TRACKS.
    """
    from chronomask.claims import claimed
    from chronomask.editing import Merge, apply, parse_operation, shared_frames
    from chronomask.formats.convert import output_of, read, write

    if not operations:
        raise InputError("no operation: name at least one, such as delete:3")
    parsed = [parse_operation(text) for text in operations]
    with claimed([output_of(out, "youtube-vis")], [source], overwrite=overwrite):
        file = read(source)
        note(*file.notes)
        for operation in parsed:
            if isinstance(operation, Merge) and (frames := shared_frames(file, operation)):
                where = f"{counted(len(frames), 'frame')}, from {frames[0]} to {frames[-1]}"
                union = f"{operation}: several are seen in {where}; their union is taken there"
                tell(union)
            file = apply(file, operation)
        _print_losses(write(file, out, "youtube-vis", overwrite))
    print(f"{counted(len(file.tracks), 'track')}: {out}")


def _print_losses(losses: Iterable[str]) -> None:
    for loss in losses:
        tell(loss, "lost")


def _parse_size(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if found is None or "0" in found.groups():
        raise InputError(f"--size {text}: must be WIDTHxHEIGHT, such as 1280x720")
    return int(found[1]), int(found[2])
