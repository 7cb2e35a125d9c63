"""How well are objects cut out that somebody clicks at? One click, and then two more where most is wrong.

    python benchmarks/clicks.py DATA [--videos 00-boat 03-hike] [--record]

DATA holds instances.json and JPEGImages, such as composites of real videos. The first click is at the deepest point of
an object in its first clear frame (half of its largest area, or more), the others as interactive segmentation is
evaluated: at the deepest point of the largest part, of all frames, that is missed (a positive click) or wrong (a
negative one). IoU of a track is that of YouTube-VIS, over the whole video. Beside it the best of all
automatic tracks, whatever their scores: an object is missed if that has an IoU below 0.5, and found if the clicks have
more. The same then for the clip alone that the first click is in, as on the page: all clicks are in it, and beside them
is the best automatic tube. The network runs once a video.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import figures
import numpy as np
from recorder import Recorder
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.ndimage import distance_transform_edt, label

from chronomask import rle
from chronomask.config import SegmentConfig
from chronomask.engines.models import bundled_weights
from chronomask.evaluation.validate import read_truth
from chronomask.heap import share_heap
from chronomask.prompts import Point
from chronomask.segmenter.found import FoundClip
from chronomask.segmenter.load import load
from chronomask.segmenter.pointing import ClipPrompts
from chronomask.segmenter.prompting import Following, Seen, bundled_heads, painted
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.sights import clips_of
from chronomask.tracking.cluster import Tube
from chronomask.tracking.heads import Heads
from chronomask.tracking.scene import Scene
from chronomask.video import VideoSource, open_frames

FOUND = 0.5
ROUNDS = 3
CLICKS = {count: f"{count} click{'s' * (count > 1)}" for count in range(1, ROUNDS + 1)}
BEST_TRACK, BEST_TUBE = "best automatic track", "best automatic tube of the clip"


class CachedFollowing(Following):
    """Remembers the clips of a video, which every object of it and every round of clicks looks at.

    Args:
        segmenter, source, points, heads: as of Following.
        scenes: by the first frame of the clip; kept by who calls.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        source: VideoSource,
        points: list[Point],
        scenes: dict[int, Scene],
        heads: Heads,
    ) -> None:
        super().__init__(segmenter, source, points)
        self.heads, self.scenes = heads, scenes

    def scene(self, clip: FoundClip) -> Scene:
        if clip.begin not in self.scenes:
            self.scenes[clip.begin] = super().scene(clip)
        return self.scenes[clip.begin]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="lite", help="a bundled model, an exported network or a checkpoint")
    parser.add_argument("--videos", nargs="+", help="names of some videos; all by default")
    parser.add_argument("--heads", type=Path, help="heads that benchmarks/fit_clicks.py wrote; the bundled by default")
    parser.add_argument("--record", action="store_true", help="write the figures into figures.json")
    options = parser.parse_args()
    share_heap()
    segmenter = load(options.model, config=replace(SegmentConfig(), score=0.0))
    heads = bundled_heads()
    if options.heads:
        with np.load(options.heads) as arrays:
            heads = Heads.of(arrays)
    truth = read_truth(options.data / "instances.json")
    ious: dict[str, dict[str, list[float]]] = {BEST_TRACK: {}, BEST_TUBE: {}}
    for video in track(list(truth.videos.values()), "videos"):
        if options.videos and video.name not in options.videos:
            continue
        files = [options.data / "JPEGImages" / name for name in video.file_names or ()]
        source = open_frames(video.name, files, annotated=(video.width, video.height))
        recorder = Recorder(segmenter.engine, fine=True)
        owned = Segmenter(recorder, segmenter.config)
        scenes: dict[int, Scene] = {}
        automatic = automatic_tracks(owned, source)
        recorder.playing = True
        clips = list(clips_of(owned, source.frames()))
        for entry in truth.tracks:
            if entry.video_id == video.id:
                masks = [None if code is None else rle.decode(code) for code in entry.segmentations]
                shape = (video.height, video.width)
                true = np.stack([np.zeros(shape, bool) if mask is None else mask for mask in masks])
                best = max((iou(found, true) for found in automatic), default=0.0)
                of_track = {BEST_TRACK: best, **clicked(owned, source, true, scenes, heads)}
                clip = next(clip for clip in clips if clip.end > first_clear_frame(true))
                for scope, found in ((BEST_TRACK, of_track), (BEST_TUBE, clicked_in(owned, clip, true, heads))):
                    for name, value in found.items():
                        ious[scope].setdefault(name, []).append(value)
    rows = summary(ious[BEST_TRACK], BEST_TRACK) | summary(ious[BEST_TUBE], BEST_TUBE)
    show(rows)
    if options.record:
        weights = bundled_weights("lite")
        figures.record("clicks", rows, command="python benchmarks/clicks.py COMPOSITES --record", weights=weights)


def automatic_tracks(segmenter: Segmenter, source: VideoSource) -> list[np.ndarray]:
    """Masks "T H W" of all tracks, joined in the end as `chronomask segment` does."""
    masks: dict[int, np.ndarray] = {}
    results = list(segmenter.segment(source, raw=True))
    joined = segmenter.relink()
    for frame, result in enumerate(results):
        for number, mask in zip(result.track_ids.tolist(), result.masks, strict=True):
            whole = masks.setdefault(joined.get(number, number), np.zeros((len(results), *mask.shape), bool))
            whole[frame] |= mask
    return list(masks.values())


def clicked(
    segmenter: Segmenter, source: VideoSource, true: np.ndarray, scenes: dict[int, Scene], heads: Heads
) -> dict[str, float]:
    """IoU after each round of clicks; "T H W"."""
    frame, found = first_clear_frame(true), {}
    points = [point_at(true[frame], frame, True)]
    for count in range(1, ROUNDS + 1):
        masks = np.zeros_like(true)
        for number, result in enumerate(CachedFollowing(segmenter, source, points, scenes, heads)):
            for mask in result.masks:
                masks[number] |= mask
        found[CLICKS[count]] = iou(masks, true)
        points += next_click(masks, true)
    return found


def clicked_in(segmenter: Segmenter, clip: FoundClip, true: np.ndarray, heads: Heads) -> dict[str, float]:
    """IoU of the best tube of a clip, and of what clicks in it make in it; "T H W" is the whole video."""
    prompts, size = ClipPrompts(segmenter, clip, heads), true.shape[1:]
    wanted, frame = true[clip.begin : clip.end], first_clear_frame(true)

    def painted_tube(tube: Tube) -> np.ndarray:
        return decoded([painted(clip, place, [Seen(1, tube, place)]) for place in range(len(wanted))], size)

    found = {BEST_TUBE: max((iou(painted_tube(tube), wanted) for tube in clip.found.tubes), default=0.0)}
    points = [point_at(true[frame], frame, True)]
    for count in range(1, ROUNDS + 1):
        masks = decoded(prompts.masks(points), size)
        found[f"{CLICKS[count]} in the clip"] = iou(masks, wanted)
        points += [replace(point, frame=clip.begin + (point.frame or 0)) for point in next_click(masks, wanted)]
    return found


def decoded(frames: Sequence[Mapping[int, rle.Rle]], size: tuple[int, ...]) -> np.ndarray:
    """All masks of every frame together, "T H W"."""
    found = np.zeros((len(frames), *size), bool)
    for mask, codes in zip(found, frames, strict=True):
        for code in codes.values():
            mask |= rle.decode(code)
    return found


def first_clear_frame(true: np.ndarray) -> int:
    """Of half the largest area, or more."""
    areas = true.sum((1, 2))
    return int(np.flatnonzero(2 * areas >= areas.max())[0])


def next_click(masks: np.ndarray, true: np.ndarray) -> list[Point]:
    """Into the largest connected error of all frames; none where nothing is wrong. "T H W"."""
    largest, best = 0, []
    for positive, error in ((True, true & ~masks), (False, masks & ~true)):
        for frame in np.flatnonzero(error.sum((1, 2)) > largest).tolist():
            numbers, count = label(error[frame])
            sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
            if sizes.max() > largest:
                largest, best = sizes.max(), [point_at(numbers == sizes.argmax() + 1, frame, positive)]
    return best


def point_at(mask: np.ndarray, frame: int, positive: bool) -> Point:
    """A click at the deepest point of a mask, "H W"."""
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = (int(side) for side in np.unravel_index(depth.argmax(), depth.shape))
    return Point(column, row, frame=frame, positive=positive)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Over all frames together, as of tracks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def summary(ious: dict[str, list[float]], best: str) -> dict[str, dict[str, float]]:
    missed = np.array(ious[best]) < FOUND
    rows = {}
    for name in (best, *(name for name in ious if name != best)):
        values = np.array(ious[name])
        found = values >= FOUND
        rows[name] = {
            "mean IoU": float(values.mean()),
            "objects found": int(found.sum()),
            "of the missed": int((found & missed).sum()),
            "objects": len(values),
        }
    return rows


def show(rows: dict[str, dict[str, float]]) -> None:
    table = Table("", *next(iter(rows.values())))
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
