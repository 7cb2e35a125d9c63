"""Film strips for the report: some frames of a video, the truth above, the results below.

Legend: H W pixels of a frame, h w of its small picture.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from chronomask import rle
from chronomask.annotations.masks import Masks
from chronomask.annotations.records import VideoEntry
from chronomask.data.layouts import pictures_of
from chronomask.errors import InputError
from chronomask.render import draw_tracks
from chronomask.video.pictures import read_picture

FRAMES = 8
"""Pictures in a strip, spread evenly over the video."""

_ON_GREY = "without frames (--frames) masks are drawn on grey"
_HEIGHT = 112
_GAP = 3
_QUALITY = 70


@dataclass(frozen=True, eq=False)
class Drawn:
    """A track with the number that chooses its colour."""

    masks: Masks
    colour_id: int


def film_strip(video: VideoEntry, truth: Sequence[Drawn], found: Sequence[Drawn], root: Path | None) -> str:
    """The strip as a JPEG in a data URI.

    Args:
        video: its size, length and file names.
        truth: objects for the upper row.
        found: results for the lower row.
        root: folder that the video's `file_names` lie in or, where it has none, a folder of its name with a picture a
            frame; None for masks on grey.

    Raises:
        InputError: if a frame is missing or no picture.
    """
    width = max(1, round(_HEIGHT * video.width / video.height))
    names = video.file_names or (() if root is None else _named_as(video, root))
    columns = []
    for t in np.unique(np.linspace(0, video.length - 1, FRAMES).round().astype(int)).tolist():
        picture = _picture(video, names, t, width, root)
        rows = [_drawn(picture, side, t, width) for side in (truth, found)]
        columns.append(np.vstack([rows[0], np.full((_GAP, width, 3), 255, np.uint8), rows[1]]))
        columns.append(np.full((len(columns[-1]), _GAP, 3), 255, np.uint8))
    file = io.BytesIO()
    Image.fromarray(np.hstack(columns[:-1])).save(file, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def _named_as(video: VideoEntry, root: Path) -> Sequence[str]:
    try:
        return pictures_of(root, video)
    except InputError as error:
        raise InputError(f"{error}; {_ON_GREY}") from error


def _picture(
    video: VideoEntry, names: Sequence[str], t: int, width: int, root: Path | None
) -> UInt8[np.ndarray, "h w 3"]:
    if root is None:
        return np.full((_HEIGHT, width, 3), 70, np.uint8)
    path = root / names[t]
    if not path.is_file():
        raise InputError(f"{path}: no such file; it is frame {t} of video {video.name}; {_ON_GREY}")
    return np.asarray(Image.fromarray(read_picture(path)).resize((width, _HEIGHT)))


def _drawn(
    picture: UInt8[np.ndarray, "h w 3"], tracks: Sequence[Drawn], t: int, width: int
) -> UInt8[np.ndarray, "h w 3"]:
    shown = [(track.colour_id, mask) for track in tracks if (mask := track.masks[t]) is not None]
    if not shown:
        return picture
    masks = [Image.fromarray(rle.decode(mask)).resize((width, _HEIGHT), Image.Resampling.NEAREST) for _, mask in shown]
    ids = np.array([number for number, _ in shown], np.int64)
    return draw_tracks(picture, np.stack([np.asarray(mask, bool) for mask in masks]), ids, [""] * len(ids))
