"""Makes a picture of a video: evenly spaced frames side by side. `docs/sample.jpg` is one.

python examples/contact_sheet.py out/demo/overlay.mp4 docs/sample.jpg --frames 4 --columns 2 --width 960
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from chronomask.files import written_aside
from chronomask.render import contact_sheet
from chronomask.video import open_source


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--columns", type=int, default=2)
    parser.add_argument("--width", type=int, default=960, help="of the picture, in pixels")
    options = parser.parse_args()
    source = open_source(options.video)
    total = sum(1 for _ in source)
    wanted = set(np.linspace(0, total - 1, options.frames).round().astype(int).tolist())
    images = [frame.image for frame in source if frame.index in wanted]
    sheet = contact_sheet(images, options.columns, options.width)
    with written_aside(options.picture) as aside:
        Image.fromarray(sheet).save(aside, quality=85)


if __name__ == "__main__":
    main()
