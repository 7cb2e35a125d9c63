#!/usr/bin/env bash
# pycocotools gives masks of long videos an IoU of 1.8: areas above 4,294,967,295 pixels begin again at 0.
#
# Seen with pycocotools 2.0.11, faster-coco-eval 1.8.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: run lengths are made for masks of any size, and a run is far below 32 bits; areas and overlaps are sums, and come
# out as 64 bits or as floating point. At worst a mask that is too large is refused.
# Seen: area, intersection and union are summed in 32 bits. The frames of a video side by side, one mask for the whole track,
# as one scores tracks with COCO's code (run lengths go down the columns, so that frames need only be joined), have more
# than that from 2,071 frames of 1920x1080 on. The road of a dash camera has an area of 1,655,832,704 for
# 5,950,800,000, and a result that covers half of it an IoU of 1.8 and so an AP of 1. faster-coco-eval, which reads the
# same, says 0.5 and an AP of 0.1. Small objects are right, but their boxes are those of other frames.
#
# Why it matters to users of video masks: a minute of film is more than that. What is large and long, sky, road, water,
# stage, is scored at random, and no figure but that of the IoU looks odd. Score long tracks frame by frame and add up, or
# with a library that counts in 64 bits.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import contextlib
import io
import json
import sys

import numpy as np
from faster_coco_eval import COCO as FasterCOCO
from faster_coco_eval import COCOeval_faster
from faster_coco_eval.core import mask as faster
from pycocotools import mask as official
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HEIGHT, WIDTH = 1080, 1920


def track(width, frames, code=official):
    """An object as high as the picture and so many columns wide, in every frame; frames side by side."""
    runs = {"size": [HEIGHT, WIDTH * frames], "counts": [0, *[HEIGHT * width, HEIGHT * (WIDTH - width)] * frames]}
    return code.frPyObjects(runs, *runs["size"])


def overlap(code, frames):
    whole, half = track(1900, frames, code), track(950, frames, code)
    return int(code.area([whole])[0]), float(code.iou([half], [whole], [0])[0][0])


def precision(data, evaluation, frames):
    """Of a result that covers half of the only object."""
    masks = [track(width, frames) for width in (1900, 950)]
    whole, half = ({**mask, "counts": mask["counts"].decode()} for mask in masks)
    truth = {
        "images": [{"id": 1, "width": WIDTH * frames, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "road"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": whole, "iscrowd": 0}],
    }
    truth["annotations"][0].update(area=1900 * HEIGHT * frames, bbox=[0, 0, WIDTH * frames, HEIGHT])
    with open("truth.json", "w") as file:
        json.dump(truth, file)
    with open("results.json", "w") as file:
        json.dump([{"image_id": 1, "category_id": 1, "segmentation": half, "score": 0.9}], file)
    with contextlib.redirect_stdout(io.StringIO()):
        read = data("truth.json")
        scored = evaluation(read, read.loadRes("results.json"), "segm")
        scored.params.areaRng[0] = [0, 1e11]
        scored.evaluate()
        scored.accumulate()
    return float(np.mean(scored.eval["precision"][:, :, 0, 0, -1]))


seen = {}
for frames in (2000, 2900):
    for name, code, data, evaluation in (
        ("pycocotools", official, COCO, COCOeval),
        ("faster-coco-eval", faster, FasterCOCO, COCOeval_faster),
    ):
        area, shared = overlap(code, frames)
        seen[name, frames] = area == 1900 * HEIGHT * frames, round(shared, 2), round(precision(data, evaluation, frames), 2)
        print(f"{frames} frames, {name}: area {area:,}, IoU {seen[name, frames][1]}, AP {seen[name, frames][2]}")
wrong = seen.pop(("pycocotools", 2900))
sys.exit(0 if wrong == (False, 1.8, 1.0) and all(one == (True, 0.5, 0.1) for one in seen.values()) else 1)
PY
echo "as described"
