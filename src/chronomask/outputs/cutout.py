"""Objects cut out, all else transparent: RGBA images or VP9 video with alpha, for editors to lay over anything.

Legend: H W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from chronomask.files import folder_written_aside
from chronomask.morphology import dilated
from chronomask.outputs.drawing import DrawFrame
from chronomask.runs.spool import SpooledFrame
from chronomask.video import Frame, VideoSource

_MARGIN = 8
"""Pixels around the object that keep their colour in video, unseen: coded in blocks, and colours at half resolution,
black next to the object would darken its rim."""

WriteCutout = Callable[[Frame, Bool[np.ndarray, "H W"]], None]


@contextmanager
def cutouts(
    folder: Path, kind: Literal["webm", "png"], source: VideoSource, groups: Mapping[str, set[int]]
) -> Generator[DrawFrame, None, None]:
    """One cutout a group of tracks, as long as the video: where none of its tracks is seen, all is transparent.

    Args:
        groups: name of the cutout and the ids of its tracks.
    """
    with folder_written_aside(folder) as aside, ExitStack() as stack:
        if kind == "webm":
            writers = {name: stack.enter_context(_video(aside / f"{name}.webm", source)) for name in groups}
        else:
            writers = {name: _images(aside / name) for name in groups}

        def draw(frame: Frame, drawn: SpooledFrame) -> None:
            for name, numbers in groups.items():
                inside = [int(number) in numbers for number in drawn.track_ids]
                writers[name](frame, np.logical_or.reduce(drawn.masks[inside], axis=0))

        yield draw


def _images(folder: Path) -> WriteCutout:
    folder.mkdir()

    def write(frame: Frame, mask: Bool[np.ndarray, "H W"]) -> None:
        Image.fromarray(_with_alpha(frame.image, mask, 0)).save(folder / f"{frame.index:05d}.png")

    return write


@contextmanager
def _video(path: Path, source: VideoSource) -> Generator[WriteCutout, None, None]:
    with av.open(str(path), "w", format="webm") as container:
        # Without look-ahead, which would hold 25 frames in memory for every track.
        options = {"crf": "24", "deadline": "realtime", "cpu-used": "6", "row-mt": "1", "lag-in-frames": "0"}
        rate = Fraction(source.fps).limit_denominator(1001)
        stream = container.add_stream("libvpx-vp9", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = source.width, source.height, "yuva420p", 0
        context = stream.codec_context
        context.time_base = Fraction(1, 1000)  # all that WebM knows
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16-235, as video has it
        first, last = None, -1

        def write(frame: Frame, mask: Bool[np.ndarray, "H W"]) -> None:
            nonlocal first, last
            first = frame.time if first is None else first
            last = max(last + 1, round(1000 * (frame.time - first)))
            picture = av.VideoFrame.from_ndarray(_with_alpha(frame.image, mask, _MARGIN), format="rgba")
            picture = picture.reformat(format="yuva420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
            picture.pts, picture.time_base = last, context.time_base
            container.mux(stream.encode(picture))

        yield write
        container.mux(stream.encode(None))


def _with_alpha(
    image: UInt8[np.ndarray, "H W 3"], mask: Bool[np.ndarray, "H W"], margin: int
) -> UInt8[np.ndarray, "H W 4"]:
    """Straight (not premultiplied) alpha; colours further than `margin` from the mask are black."""
    alpha = mask.astype(np.uint8) * 255
    result = np.zeros((*mask.shape, 4), np.uint8)
    result[..., 3] = alpha
    np.copyto(result[..., :3], image, where=dilated(mask, margin)[..., None])
    return result
