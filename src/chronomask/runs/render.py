"""From tracks, such as corrected ones, and their video to everything that is drawn; no network runs."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from chronomask.annotations.records import Track, TracksFile
from chronomask.categories import Category
from chronomask.claims import claimed
from chronomask.errors import InputError, close_names, some_names
from chronomask.formats.convert import read
from chronomask.formats.footage import check_size, open_part, part_of
from chronomask.outputs.choice import Outputs
from chronomask.outputs.frames import CodedFrame
from chronomask.outputs.second_pass import draw_outputs
from chronomask.outputs.table import write_csv
from chronomask.progress import Progress, silent
from chronomask.results import TrackInfo
from chronomask.video import Source, VideoSource


@dataclass(frozen=True)
class TracksByFrame:
    """The tracks of one video, looked at frame by frame."""

    tracks: tuple[Track, ...]
    length: int
    timed = False

    def __len__(self) -> int:
        return self.length

    def coded(self, position: int, tracks: Collection[int]) -> CodedFrame:
        """Frame number `position`, from 0, with the masks of these tracks."""
        seen = ((track.id, track.segmentations[position]) for track in self.tracks if track.id in tracks)
        return CodedFrame(position, 0.0, {number: mask for number, mask in seen if mask is not None})


def render(
    tracks: Path,
    video: Source,
    out: Path,
    outputs: Outputs,
    *,
    classes: Collection[str] = (),
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Draws tracks into their video: overlay, mask images, cutouts, another background; and writes their table.

    Args:
        tracks: a file of one video, in any format that `convert` reads.
        video: the one that the tracks belong to; only frames with results are taken from it.
        out: folder for the results.
        outputs: what is written; at least one thing.
        classes: only tracks of these names; all if empty.
        overwrite: whether files that are there may be replaced.
        progress: shows how far the work is.

    Returns:
        The files and folders written.

    Raises:
        InputError: the video is not that of the tracks, a class or track is unknown, or the outputs may not be written.
    """
    if not outputs.drawn and not outputs.csv:
        raise InputError("nothing to write: say --overlay, --masks png, --cutout webm, --background blur or --csv")
    file = read(tracks)
    source = _opened(file, tracks, video)
    chosen = _chosen(file, classes)
    outputs.check_known([info.id for info in chosen])
    by_frame = TracksByFrame(file.tracks, file.videos[0].length)
    reads = [tracks, *source.files, *([] if outputs.picture is None else [outputs.picture])]
    by_id = {info.id: info for info in chosen}
    with (
        claimed(outputs.claims(out, source, tracks=False), reads, overwrite=overwrite),
        closing(draw_outputs(source, by_frame, out, outputs, by_id)) as frames,
    ):
        drawn = progress(frames, f"drawing {source.name}", len(by_frame))
        times = [(frame.index, frame.time) for frame in drawn]
        if outputs.csv:
            timed = (
                replace(by_frame.coded(position, by_id), index=index, time=time)
                for position, (index, time) in enumerate(times)
            )
            write_csv(out / "tracks.csv", timed, by_id)
    return outputs.paths(out, tracks=False)


def _opened(file: TracksFile, tracks: Path, video: Source) -> VideoSource:
    """The frames that the tracks belong to."""
    if len(file.videos) != 1:
        raise InputError(f"{tracks}: holds {len(file.videos)} videos; render draws the tracks of one")
    source = open_part(video, file.videos[0].fps, part_of(file))
    check_size(file.videos[0], source)
    return source


def _chosen(file: TracksFile, classes: Collection[str]) -> list[TrackInfo]:
    categories = {category.id: category for category in file.categories}
    names = {category.name for category in file.categories}
    if unknown := [name for name in classes if name not in names]:
        hint = close_names(unknown[0], names) or f"there are {some_names(sorted(names), 12)}"
        raise InputError(f"classes: {unknown[0]!r} is not a class of these tracks; {hint}")
    found = [(track, categories.get(track.category_id, Category(track.category_id, "?"))) for track in file.tracks]
    return [
        TrackInfo(track.id, category, track.score, track.class_score or 0.0)
        for track, category in found
        if not track.crowd and (not classes or category.name in classes)
    ]
