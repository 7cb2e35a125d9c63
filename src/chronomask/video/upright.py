"""From decoded frames to RGB pixels.

Legend: H W pixels, upright.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import av
import av.video
import numpy as np
from av.video.reformatter import ColorTrc
from jaxtyping import UInt8

_SQUARE = Fraction(1)

_PEAK = 1000.0
"""Brightness of the white of HLG, in nits."""


class Upright:
    """Makes RGB pixels of the frames of one stream, turned as the file says.

    Pixels that are not square stay as they are stored. Of HDR, HLG stays as it is, for screens of less show it well;
    PQ, which is pale there and has worse masks, becomes HLG of the same brightness.

    Attributes:
        width, height: of all pictures. A stream may change its size on the way; masks of one video have one size.
        pixel_aspect: width of a pixel by its height.
        hdr: whether colours are HLG with the primaries of BT.2020.
    """

    def __init__(self, stream: av.video.VideoStream, first: av.VideoFrame) -> None:
        self._stored = (first.width, first.height)
        self.height, self.width = self(first).shape[:2]
        aspect = stream.sample_aspect_ratio or _SQUARE
        # As exact as encoders take it; what nobody films with is a fault of the file.
        aspect = aspect.limit_denominator(1000) if Fraction(1, 10) <= aspect <= 10 else _SQUARE
        self.pixel_aspect = 1 / aspect if round(first.rotation / 90) % 2 else aspect
        self.hdr = first.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)

    def __call__(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "H W 3"]:
        """The pixels of a frame."""
        return pixels_of(frame, self._stored)


def pixels_of(frame: av.VideoFrame, stored: tuple[int, int]) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB pixels of a frame; `stored` are the width and height that it is brought to before it is turned."""
    # More threads, which FFmpeg starts anew for every frame, cost more than they bring.
    width, height = stored
    [plane] = frame.reformat(width, height, "rgb24", threads=1).planes
    # No copy, unless lines are padded: in 4K it would take 25 MB more.
    image = np.frombuffer(memoryview(plane), np.uint8).reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)
    if frame.color_trc == ColorTrc.SMPTE2084:
        image = _pq_to_hlg().take(image, mode="clip")  # the quickest way: no value lies outside
    # FFmpeg and NumPy both count anticlockwise.
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


@cache
def _pq_to_hlg() -> UInt8[np.ndarray, " 256"]:
    """The signal of HLG for every signal of PQ (ITU-R BT.2100, tables 4 and 5), each colour by itself."""
    root = (np.arange(256) / 255) ** (32 / 2523)
    nits = 10_000 * (np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
    scene = np.minimum(nits / _PEAK, 1) ** (1 / 1.2)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.rint(255 * np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)).astype(np.uint8)
