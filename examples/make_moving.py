"""Makes the moving picture of README.md: videos side by side with their tracks drawn in, as an animated WebP.

    python examples/make_moving.py VIDEO [VIDEO ...] --out docs/moving.webp [--height 270] [--frames 40]

README.md beside this file says which videos it was made of.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

import chronomask
from chronomask.video import open_source


def drawn(video: str, height: int, frames: int) -> list[np.ndarray]:
    """The first frames of a video with their tracks, at this height."""
    result = chronomask.segment(video, end=frames / open_source(video).fps)
    pictures = []
    for frame, shown in zip(result, islice(open_source(video), len(result)), strict=True):
        picture = frame.plot(shown.image)
        pictures.append(np.asarray(picture.resize((round(picture.width * height / picture.height), height))))
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("--out", type=Path, default=Path("docs/moving.webp"))
    parser.add_argument("--height", type=int, default=270)
    parser.add_argument("--frames", type=int, default=40, help="of each video, at most")
    options = parser.parse_args()
    columns = [drawn(video, options.height, options.frames) for video in options.videos]
    rows = [Image.fromarray(np.hstack(row)) for row in zip(*columns, strict=False)]
    rows[0].save(options.out, save_all=True, append_images=rows[1:], duration=80, loop=0, quality=70, method=6)
    print(f"{options.out}: {len(rows)} frames, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
