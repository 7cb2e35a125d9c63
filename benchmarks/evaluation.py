"""Time and memory of `evaluate` beside a plain loop over pairs of tracks with pycocotools.

    python benchmarks/evaluation.py [--set val|crowded] [--videos N]

Two sets are made: one of YouTube-VIS val's scale (302 videos, 27 frames of 1280x720, about 10 predictions a video,
40 categories) and a crowded one (100 predictions a video, 2 categories). Each is scored in a fresh process, so that
peak memory is that run's own. The loop only loads the files and computes the IoU of every pair that the official
evaluator compares, frame by frame: it neither checks the files nor matches anything.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT, WIDTH, FRAMES = 720, 1280, 27
SETS = {"val": (302, 4, 10, 40), "crowded": (40, 20, 100, 2)}
"""Videos, objects a video, predictions a video, categories."""


def blob(rng: np.random.Generator, x: float, y: float, width: float, height: float) -> dict[str, Any] | None:
    """An ellipse with a ragged outline, written down column by column; None where it left the frame."""
    from chronomask import rle

    columns = np.arange(max(0, int(x - width / 2) + 1), min(WIDTH, int(x + width / 2)))
    if len(columns) < 2:
        return None
    half = height / 2 * np.sqrt(np.clip(1 - ((columns - x) * 2 / width) ** 2, 0, 1))
    ragged = np.cumsum(rng.normal(0, 0.2, (2, len(columns))), axis=1)
    top = np.clip(np.rint(y - half + ragged[0]), 0, HEIGHT - 1).astype(int)
    bottom = np.maximum(np.clip(np.rint(y + half + ragged[1]), 0, HEIGHT - 1).astype(int), top)
    edges = np.zeros(2 * len(columns) + 2, int)
    edges[1:-1:2], edges[2:-1:2], edges[-1] = columns * HEIGHT + top, columns * HEIGHT + bottom, HEIGHT * WIDTH
    # Where two columns touch, or one is empty, nothing begins or ends.
    places, times = np.unique(edges[1:-1], return_counts=True)
    edges = np.concatenate([[0], places[times % 2 == 1], [HEIGHT * WIDTH]])
    return dict(rle.from_run_lengths(np.diff(edges), HEIGHT, WIDTH))


def tube(rng: np.random.Generator, path: np.ndarray, size: np.ndarray, shake: float) -> list[Any]:
    """An ellipse along a path, out of sight in about a tenth of the frames."""
    return [None if rng.random() < 0.1 else blob(rng, *(centre + rng.normal(0, shake, 2)), *size) for centre in path]


def make_set(folder: Path, name: str, videos: int | None) -> None:
    """Write truth.json and results.json of a set into the folder."""
    from chronomask import rle

    count, objects, predictions, categories = SETS[name]
    rng = np.random.default_rng(0)
    listed, annotations, results = [], [], []
    for video_id in range(1, (videos or count) + 1):
        names = [f"{video_id}/{t:05d}.jpg" for t in range(FRAMES)]
        size = {"height": HEIGHT, "width": WIDTH, "length": FRAMES}
        listed.append({"id": video_id, "file_names": names, **size})
        start, speed = rng.uniform([0, 0], [WIDTH, HEIGHT], (objects, 2)), rng.normal(0, 6, (objects, 2))
        paths = start[:, None] + speed[:, None] * np.arange(FRAMES)[:, None]
        sizes, classes = rng.uniform(60, 400, (objects, 2)), rng.integers(1, categories + 1, objects)
        for path, extent, category_id in zip(paths, sizes, classes.tolist(), strict=True):
            masks = tube(rng, path, extent, 0)
            areas = [None if mask is None else rle.area(mask) for mask in masks]
            ids = {"id": len(annotations) + 1, "video_id": video_id, "category_id": category_id}
            annotations.append({**ids, "iscrowd": 0, "segmentations": masks, "areas": areas})
        for k in range(predictions):
            source = k % objects
            masks = tube(rng, paths[source] + rng.normal(0, 5, 2), sizes[source] * rng.uniform(0.7, 1.3), 2)
            category_id = int(classes[source]) if rng.random() < 0.8 else int(rng.integers(1, categories + 1))
            ids = {"video_id": video_id, "category_id": category_id}
            results.append({**ids, "score": float(rng.random()), "segmentations": masks})
    named = [{"id": number, "name": f"class {number}"} for number in range(1, categories + 1)]
    truth = {"videos": listed, "categories": named, "annotations": annotations}
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "results.json").write_text(json.dumps(results))


def plain_loop(folder: Path) -> dict[str, float]:
    """Load both files and compute the IoU of all pairs of one video and category, as the official evaluator does."""
    begin = time.process_time()
    truth, results = (json.loads((folder / f"{name}.json").read_bytes()) for name in ("truth", "results"))
    loaded = time.process_time()
    groups: dict[tuple[int, int], tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for side, entries in enumerate((truth["annotations"], results)):
        for entry in entries:
            groups[entry["video_id"], entry["category_id"]][side].append(entry["segmentations"])
    pairs = [pair_iou(found, true) for trues, founds in groups.values() for found in founds for true in trues]
    done = time.process_time()
    return {"load": loaded - begin, "overlap": done - loaded, "total": done - begin, "pairs": len(pairs)}


def pair_iou(found: Sequence[Any], true: Sequence[Any]) -> float:
    """Track IoU of one pair, one frame after the other."""
    from pycocotools import mask as coco_mask

    common = union = 0.0
    for a, b in zip(found, true, strict=True):
        if a and b:
            common += coco_mask.area(coco_mask.merge([a, b], True))
            union += coco_mask.area(coco_mask.merge([a, b], False))
        elif a or b:
            union += coco_mask.area(a or b)
    return common / union if union else 0.0


def ours(folder: Path) -> dict[str, float]:
    """Stages of `evaluate`: reading with a check of every mask, overlaps with matching."""
    from chronomask.evaluation.ap import score
    from chronomask.evaluation.validate import read_results, read_truth

    begin = time.process_time()
    annotated = read_truth(folder / "truth.json")
    found = read_results(folder / "results.json", annotated)
    checked = time.process_time()
    evaluation = score(annotated, found)
    done = time.process_time()
    stages = {"read": checked - begin, "overlap": done - checked}
    return {**stages, "total": done - begin, "AP": evaluation.scores.AP}


def peak_memory() -> float:
    """Peak resident memory of this process in GiB. getrusage would count in what the parent had before the start."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def measured(way: str, folder: Path) -> dict[str, float]:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, "--run", way, "--folder", str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Make the sets, run both ways, print seconds by stage, peak memory and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=SETS, action="append", help="which set; both by default")
    parser.add_argument("--videos", type=int, help="another number of videos")
    parser.add_argument("--run", choices=("ours", "plain_loop"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        figures = {"ours": ours, "plain_loop": plain_loop}[options.run](options.folder)
        print(json.dumps(figures | {"peak GiB": peak_memory()}))
        return
    for name in options.set or SETS:
        with tempfile.TemporaryDirectory() as folder:
            make_set(Path(folder), name, options.videos)
            size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**20
            print(f"{name}: {size:.0f} MiB of json")
            figures = {way: measured(way, Path(folder)) for way in ("ours", "plain_loop")}
        for way, row in figures.items():
            print(f"  {way:10s}", "  ".join(f"{key} {value:.2f}" for key, value in row.items()))
        print(f"  loop / ours: {figures['plain_loop']['total'] / figures['ours']['total']:.2f}")


if __name__ == "__main__":
    main()
