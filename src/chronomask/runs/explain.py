"""One frame of a video explained, as a picture or as arrays."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from chronomask.claims import Output, check_outputs, claimed
from chronomask.errors import InputError
from chronomask.files import written_aside
from chronomask.runs.explanation_sheet import explanation_sheet
from chronomask.segmenter.explaining import ClipExplainer, Explanation
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Frame, VideoSource, given_up
from chronomask.video.source import TICK


def explain(segmenter: Segmenter, source: VideoSource, time: float = 0.0) -> Explanation:
    """What the network says of a frame, and what becomes of it, in a clip with that frame in its middle.

    Args:
        segmenter: computes the network.
        source: the video.
        time: seconds; the frame that is shown then is meant.

    Raises:
        InputError: the video ends before.
    """
    length = segmenter.config.clip_length
    clip: deque[Frame] = deque(maxlen=length)
    wanted, last = None, None
    frames = source.frames()
    with given_up(frames):
        for frame in frames:
            if wanted is None and frame.time > time + TICK:
                wanted = frame.index if last is None else last
            last = frame.index
            clip.append(frame)
            if wanted is not None and frame.index >= max(length - 1, wanted + length // 2):
                break
    if not clip or (wanted is None and time >= clip[-1].time + 1 / source.fps - TICK):
        end = f"the last frame is at {clip[-1].time:.3f} s" if clip else "there is no frame"
        raise InputError(f"time {time:g}: lies after the end of {source.name}: {end}")
    number = clip[-1].index if wanted is None else wanted
    return ClipExplainer(segmenter, [frame.image for frame in clip], clip[0].index).frame(number)


def check_explanation(source: VideoSource, time: float, out: Path, overwrite: bool = False) -> None:
    """Refuses before the network is loaded what `explain_to_file` would refuse, as far as that can be known."""
    if out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise InputError(f"{out}: a picture ends in .png, .jpg or .webp")
    check_outputs([Output(out)], source.files, overwrite=overwrite)
    if source.length is not None and time > source.length / source.fps + 1:
        end = source.length / source.fps
        raise InputError(f"time {time:g}: lies after the end of {source.name}, at about {end:.2f} s")


def explain_to_file(
    segmenter: Segmenter, source: VideoSource, time: float, out: Path, overwrite: bool = False
) -> Explanation:
    """Writes a picture of the explanation, in the format of the name's ending.

    Raises:
        InputError: something is there already, the ending is of no picture, or the video ends before the time.
    """
    check_explanation(source, time, out, overwrite)
    with claimed([Output(out)], source.files, overwrite=overwrite):
        explained = explain(segmenter, source, time)
        with written_aside(out) as aside:
            explanation_sheet(explained).save(aside)
    return explained
