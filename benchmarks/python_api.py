"""What the five lines of Python cost in 4K: peak memory, and frames a second of `push`, for two trees by turns.

    python benchmarks/python_api.py VIDEO OLD_PYTHON OLD_SRC [--frames 300] [--rounds 3]

VIDEO is scaled to 3840x2160, four by four copies of it in a frame, so that it shows some thirty objects. Each
measurement is a process of its own: of this tree by this interpreter, of the other by OLD_PYTHON with OLD_SRC.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from chronomask.video import VideoWriter, open_source

SIZE = (3840, 2160)

SEGMENT = """
import json, resource, sys, time
import chronomask
segmenter = chronomask.load("lite")
began, most = time.perf_counter(), 0
for frame in segmenter.segment(sys.argv[1]):
    most = max(most, frame.masks.shape[0])
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
print(json.dumps({"peak_mib": round(peak), "masks": most, "seconds": round(seconds, 1)}))
"""

PUSH = """
import json, sys, time
import chronomask
from chronomask.video import open_source
images = [frame.image for frame, _ in zip(open_source(sys.argv[1]), range(24))]
segmenter = chronomask.load("lite")
for image in images[:8]:
    segmenter.push(image)
began = time.perf_counter()
for image in images[8:]:
    for frame in segmenter.push(image):
        frame.masks.shape
print(json.dumps({"push_fps": round(16 / (time.perf_counter() - began), 2)}))
"""


def make_video(source: Path, path: Path, frames: int) -> None:
    """Copies of a video beside and below each other, as long as wanted."""
    images = [frame.image for frame in open_source(source)]
    with VideoWriter(path, *SIZE, fps=25.0) as writer:
        for image in islice(cycle(images), frames):
            small = np.asarray(Image.fromarray(image).resize((SIZE[0] // 4, SIZE[1] // 4)))
            writer.write(np.tile(small, (4, 4, 1)))


def measured(program: str, python: str, src: Path, video: Path) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(src)}
    done = subprocess.run([python, "-c", program, video], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("old_python")
    parser.add_argument("old_src", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    trees = {"old": (options.old_python, options.old_src), "new": (sys.executable, Path(__file__).parents[1] / "src")}
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "large.mp4"
        make_video(options.video, video, options.frames)
        for turn in range(options.rounds):
            for name, tree in trees.items():
                for program in (SEGMENT, PUSH):
                    print(turn, name, measured(program, *tree, video), flush=True)


if __name__ == "__main__":
    main()
