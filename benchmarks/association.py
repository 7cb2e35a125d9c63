"""How many frames a second trackers associate, on one core: 100 detections a frame with 200 live tracks.

    python benchmarks/association.py [--detections 100] [--tracks 200] [--frames 300] [--channels 0] [--json FILE]

Objects stand on a grid, overlapping a little, and tremble; every frame shows other ones of them, so that as many
tracks live as there are objects, and each is missed about as often as it is seen. Detections come ready: what is timed
is `update` alone, in seconds of the processor, the best of three runs. With --channels their features have so many
numbers, and DeepSORT compares looks as well, up to a hundred a track.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import process_time

import numpy as np

from chronomask import rle
from chronomask.baselines.deep_sort import DeepSortAssociation, DeepSortConfig
from chronomask.baselines.detections import Detection, OnlineTracker
from chronomask.baselines.iou_tracker import IouAssociation, IouConfig


def scene(options: argparse.Namespace) -> list[list[Detection]]:
    """The detections of every frame."""
    rng, mask = np.random.default_rng(0), rle.encode(np.zeros((2, 2), bool))
    row, column = np.divmod(np.arange(options.tracks), 20)
    corners = np.stack([column * 35.0, row * 35.0], 1)
    looks = rng.normal(size=(options.tracks, options.channels)).astype(np.float32)
    frames = []
    for number in range(options.frames):
        # All in the first frames, so that every track is confirmed.
        count = options.detections if number > 3 else options.tracks
        who = rng.choice(options.tracks, min(count, options.tracks), replace=False)
        near = corners[who] + rng.normal(0, 2, (len(who), 2))
        boxes = np.concatenate([near, near + 40], 1).astype(np.float32)
        frames.append([Detection(mask, box, 0.9, 1, looks[k]) for box, k in zip(boxes, who, strict=True)])
    return frames


def frames_a_second(tracker: OnlineTracker, frames: list[list[Detection]]) -> float:
    """Of `update`, without the frames in which the tracks begin."""
    for detections in frames[:10]:
        tracker.update(detections)
    begun = process_time()
    for detections in frames[10:]:
        tracker.update(detections)
    return (len(frames) - 10) / (process_time() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detections", type=int, default=100)
    parser.add_argument("--tracks", type=int, default=200)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--channels", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    frames, found = scene(options), {"IoUTracker+": 0.0, "DeepSORT": 0.0}
    for _ in range(3):
        made = {
            "IoUTracker+": IouAssociation(IouConfig(memory=options.frames)),
            "DeepSORT": DeepSortAssociation(DeepSortConfig(maximum_age=options.frames)),
        }
        for name, tracker in made.items():
            found[name] = max(found[name], frames_a_second(tracker, frames))
            print(f"{name}: {len(tracker.numbers)} tracks live in the end")
    for name, speed in found.items():
        print(f"{name}: {speed:,.0f} frames a second")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
