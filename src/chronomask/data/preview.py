"""What a data set looks like: some of its entries, or the clips that training makes of it, with their annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from chronomask.categories import NO_CLASS, OBJECT, Category
from chronomask.config import MixtureConfig
from chronomask.data.entries import EntryReader
from chronomask.data.mixture import ClipMixture
from chronomask.data.panels import BAR, PAPER, Panel, Picture, draw_panel, legend, panels
from chronomask.data.protocol import WeightedSource
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.progress import Progress, silent
from chronomask.render import contact_sheet
from chronomask.video.writer import VideoWriter

PICTURES, VIDEOS = (".png", ".jpg", ".jpeg"), (".mp4",)
"""Endings of contact sheets and of videos."""

COLUMNS = 4
"""Pictures in a row of a contact sheet, and of every video on it."""

_GAP = 4

Frames = Callable[[int], Sequence[int]]
"""Which frames are shown of an entry of so many."""
Strip = Iterator[Panel]
"""The pictures of one entry or clip."""


def frames_for(out: Path, fps: float) -> Frames:
    """Some for a contact sheet, all for a video, where a still stays for a second.

    Raises:
        InputError: `out` ends like neither.
    """
    if out.suffix.lower() in VIDEOS:
        return lambda length: [0] * max(1, round(fps)) if length == 1 else range(length)
    if out.suffix.lower() in PICTURES:
        return lambda length: [0] if length == 1 else np.linspace(0, length - 1, COLUMNS).round().astype(int).tolist()
    raise InputError(f"{out}: must end in {', '.join(PICTURES)} (contact sheet) or {', '.join(VIDEOS)} (video)")


def entry_strips(reader: EntryReader, names: Sequence[str], count: int, seed: int, frames: Frames) -> list[Strip]:
    """The entries of these names or, without names, `count` drawn by chance, in the order of the file.

    Raises:
        InputError: there is no entry of that name; on iteration, an image or mask cannot be read.
    """
    numbers = {reader.name(index): index for index in range(len(reader))}
    if missing := [name for name in names if name not in numbers]:
        raise InputError(f"{reader.annotations}: no entry named {missing[0]}")
    by_chance = torch.randperm(len(reader), generator=torch.Generator().manual_seed(seed))[:count]
    chosen = [numbers[name] for name in names] or sorted(by_chance.tolist())
    return [_entry_strip(reader, index, frames(reader.length(index))) for index in chosen]


def _entry_strip(reader: EntryReader, index: int, frames: Sequence[int]) -> Strip:
    height, width = reader.size(index)
    instances = [info for info in reader.instances(index) if not info.crowd]
    title = f"{reader.name(index)}  {width}x{height}"
    for frame, times in groupby(frames):
        clip = reader.load(index, [frame])
        labels = [
            _label(reader, info.name, class_id)
            for info, class_id in zip(instances, clip.class_ids.tolist(), strict=True)
        ]
        shown = title if reader.length(index) == 1 else f"{title}  frame {frame}"
        for panel in panels(clip, labels, shown):
            yield from (panel for _ in times)


def _label(reader: EntryReader, name: str, class_id: int) -> str:
    """The name of an instance, and why it is used without its class: nothing has that class yet, or it is several."""
    if class_id != NO_CLASS or name == OBJECT.name:
        return name
    return f"{name} (new)" if reader.meanings[name].class_id == NO_CLASS else f"{name} (several)"


def clip_strips(
    source: WeightedSource, categories: Sequence[Category], config: MixtureConfig, count: int, seed: int, frames: Frames
) -> list[Strip]:
    """The first `count` clips that training with this seed would draw from this source alone.

    Raises:
        InputError: the source is empty; on iteration, an image or mask cannot be read.
    """
    mixture = ClipMixture([source], config, seed, count)
    return [_clip_strip(mixture, number, categories, frames) for number in range(count)]


def _clip_strip(mixture: ClipMixture, number: int, categories: Sequence[Category], frames: Frames) -> Strip:
    clip = mixture[number].clip
    labels = [OBJECT.name if k == NO_CLASS else categories[k].name for k in clip.class_ids.tolist()]
    shown = list(panels(clip, labels, f"clip {number}: {clip.source.partition(': ')[2]}"))
    yield from (shown[frame] for frame in frames(len(shown)))


def write_preview(
    strips: Sequence[Strip],
    out: Path,
    *,
    width: int,
    fps: float,
    made: bool = False,
    skip_broken: bool = False,
    progress: Progress = silent,
) -> list[str]:
    """Draws the strips into a contact sheet or a video; returns one message for each that could not be read.

    Args:
        strips: made with the frames of `frames_for(out)`.
        out: its ending tells which of both.
        width: of the sheet or video, in pixels.
        fps: frames a second of a video.
        made: whether the strips are clips that were made for training: the legend says what is in them.
        skip_broken: go on where something cannot be read.
        progress: shows how far the work is.

    Raises:
        InputError: something cannot be read, or nothing can.
    """
    skipped: list[str] = []
    shown = _readable(progress(strips, "drawing", len(strips)), skipped if skip_broken else None)
    if out.suffix.lower() in VIDEOS:
        _write_video(shown, out, legend(width, made), fps)
    else:
        _write_sheet(shown, out, legend(width, made))
    return skipped


def _readable(strips: Iterable[Strip], skipped: list[str] | None) -> Iterator[Panel]:
    nothing = True
    for strip in strips:
        try:
            for panel in strip:
                nothing = False
                yield panel
        except InputError as error:
            if skipped is None:
                raise
            skipped.append(str(error))
    if nothing:
        raise InputError("there is nothing to show" + (f"; the first fault: {skipped[0]}" if skipped else ""))


def _write_sheet(shown: Iterable[Panel], out: Path, foot: Picture) -> None:
    width = foot.shape[1]
    cell = (width - _GAP * (COLUMNS + 1)) // COLUMNS
    sheet = contact_sheet([draw_panel(panel, cell) for panel in shown], COLUMNS, width)
    with written_aside(out) as aside:
        Image.fromarray(np.vstack([sheet, foot])).save(aside)


def _write_video(shown: Iterable[Panel], out: Path, foot: Picture, fps: float) -> None:
    """Every picture as large as it fits into 16:9, over the legend."""
    width = foot.shape[1]
    height = round(width * 9 / 16)
    with VideoWriter(out, width, height + len(foot), fps) as writer:
        for panel in shown:
            rows, columns = panel.image.shape[:2]
            picture = draw_panel(panel, max(1, int(min(width, (height - BAR) * columns / rows))))
            frame = np.full((height, width, 3), PAPER, np.uint8)
            top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
            frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            writer.write(np.vstack([frame, foot]))
