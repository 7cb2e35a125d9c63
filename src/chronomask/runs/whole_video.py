"""A whole video segmented by one call."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

from chronomask.config import SegmentConfig
from chronomask.device import EngineChoice, Precision
from chronomask.outputs.choice import RECORDING
from chronomask.progress import Progress, silent
from chronomask.prompts import Prompt, check_prompts
from chronomask.runs.choice import check_no_classes, described, known_classes, provenance
from chronomask.runs.recording import Recorded, Recording
from chronomask.runs.spool import Spool
from chronomask.runs.video_result import VideoResult, prompted_result, result_of
from chronomask.runs.witness import Witness
from chronomask.segmenter.load import load
from chronomask.segmenter.prompting import Following
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import DEFAULT_FPS, Selection, Source, VideoSource, VideoWriter, open_source


def segment(
    source: Source,
    model: str | Path | Segmenter = "lite",
    *,
    classes: Collection[str] = (),
    start: float = 0.0,
    end: float | None = None,
    every: int = 1,
    fps: float = DEFAULT_FPS,
    device: str = "auto",
    engine: EngineChoice = "auto",
    precision: Precision = "auto",
    config: SegmentConfig | None = None,
    points: Sequence[Prompt] = (),
    temporary: str | Path | None = None,
    progress: Progress = silent,
) -> VideoResult:
    """Segments a whole video: finds, names and follows its objects.

    Examples:
        >>> result = chronomask.segment("video.mp4", classes=["person"], end=0.5)
        >>> [(track.id, track.name, track.last) for track in result.tracks]
        [(2, 'person', 12)]

        Cut out and follow only what is at a place:

        >>> result = chronomask.segment("video.mp4", points=[chronomask.Point(450, 220, time=0.2)], end=0.5)
        >>> [(track.id, track.name, track.first, track.last) for track in result.tracks]
        [(1, 'cat', 0, 12)]

    Args:
        source: a video file, a folder or pattern of images, a camera (`0`), an address (`rtsp://...`), an array of
            frames (T, H, W, 3), or a list or generator of arrays or Pillow images.
        model: "lite", a folder that `chronomask export` wrote, a checkpoint file, or what `load` returned.
        classes: keep tracks of these classes only; all if empty. Each track gets the most probable of these names.
        start, end: the part of the video to look at, in seconds.
        every: look at every n-th frame only.
        fps: frames a second, where the source is images.
        device, engine, precision, config: see `load`. A loaded model has them already.
        points: cut out and follow only these objects: `Point`s and `Box`es. The number of an object is its track id.
        temporary: folder for the file that holds the masks until the result goes, and for the recording of a camera; by
            default where the system keeps temporary files (`TMPDIR`). Choose a disk with room for a long video.
        progress: shows how far the work is.

    Raises:
        InputError: the source or model cannot be used, a class is unknown, or no frame can be decoded; a point lies
            outside the frame or after the end, or there are points and classes.
    """
    opened = open_source(source, fps, Selection(start, end, every))
    if points:
        check_prompts(points, opened)
        check_no_classes(classes)
    segmenter = model if isinstance(model, Segmenter) else load(model, device, engine, precision, config)
    if points:
        return _followed(segmenter, opened, points, Spool(temporary), progress)
    wanted, spool, witness = known_classes(segmenter, classes), Spool(temporary), Witness(opened)
    path = spool.folder / RECORDING
    try:
        with ExitStack() as stack:
            frames = opened
            if not opened.again:
                writer = VideoWriter.like(opened, path)
                frames = Recorded(opened, stack.enter_context(writer))
            for result in progress(segmenter.segment(frames, raw=True), f"segmenting {opened.name}", opened.length):
                spool.add(result)
        shown = opened if opened.again else Recording(path, opened)
        info = provenance(segmenter) | {"source": described(opened)}
        found = result_of(segmenter, shown, spool, witness, wanted, info)
    except BaseException:
        spool.close()
        raise
    weakref.finalize(found, spool.close)
    return found


def _followed(
    segmenter: Segmenter, source: VideoSource, points: Sequence[Prompt], spool: Spool, progress: Progress
) -> VideoResult:
    """The objects that are pointed at, followed through a source."""
    witness, following = Witness(source), Following(segmenter, source, points, progress)
    try:
        for result in following:
            spool.add(result)
        info = provenance(segmenter) | {"source": described(source)}
        found = prompted_result(following, source, spool, witness, info)
    except BaseException:
        spool.close()
        raise
    weakref.finalize(found, spool.close)
    return found
