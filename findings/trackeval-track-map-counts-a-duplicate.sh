#!/usr/bin/env bash
# TrackEval's TrackMAP counts a duplicate of the result that stands first in the file as a second hit.
#
# Seen with trackeval 1.3.0, Python 3.11, Linux.
#
# Guess: two results that lie on one object are a hit and a false positive, and the order of a results file matters only
# among equal scores: average precision is 0.835 for a hit, its duplicate and a hit of a second object, in any order.
# Seen: results get numbers from 0 in the order of the file, and an object counts as taken where the number that took it
# is above 0. Whoever is taken by number 0 stays free: the duplicate is a hit too, and average precision is 1. With the
# same results in another order it is 0.835. (Its YouTube-VIS ground truth must have plain run lengths, besides: for
# compressed ones, which the data set's own code takes, it ends in a ValueError.)
#
# Why it matters to users of video masks: trackers that report an object twice, which is the commonest fault of methods
# that stitch clips, score better by the order in which they write. Compare systems by an evaluator without this, or
# put a result that hits nothing first.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet trackeval==1.3.0 numpy==2.4.6 pycocotools==2.0.11
cat > "$place/look.py" <<'PY'
import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import trackeval
from pycocotools import mask


def plain(left):
    counts = [left * 20 + 5, *[10, 10] * 9, 10, 800 - left * 20 - 195]
    return [{"size": [20, 40], "counts": counts}] * 2


def compressed(left):
    pixels = np.zeros((20, 40), np.uint8, order="F")
    pixels[5:15, left : left + 10] = 1
    code = mask.encode(pixels)
    return [{"size": code["size"], "counts": code["counts"].decode()}] * 2


def truth(masks):
    common = {"video_id": 1, "category_id": 1, "iscrowd": 0, "width": 40, "height": 20, "areas": [100, 100]}
    objects = [{"id": n, **common, "segmentations": masks(left)} for n, left in ((1, 0), (2, 20))]
    video = {"id": 1, "width": 40, "height": 20, "length": 2, "file_names": ["v/0.jpg", "v/1.jpg"]}
    return {"videos": [video], "categories": [{"id": 1, "name": "cat"}], "annotations": objects}


def average_precision(name, results, masks=plain):
    here = Path(sys.argv[1]) / name
    for folder, content in (("gt/youtube_vis_val", truth(masks)), ("tr/youtube_vis_val/x/data", results)):
        (here / folder).mkdir(parents=True)
        (here / folder / "a.json").write_text(json.dumps(content))
    folders = {"GT_FOLDER": f"{here}/gt/", "TRACKERS_FOLDER": f"{here}/tr/", "SPLIT_TO_EVAL": "val"}
    ranges = {"USE_AREA_RANGES": False, "USE_TIME_RANGES": False, "MAX_DETECTIONS": 100}
    quiet = {"PRINT_CONFIG": False}
    output = {"PLOT_CURVES": False, "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False, "PRINT_RESULTS": False}
    with contextlib.redirect_stdout(io.StringIO()):
        data = trackeval.datasets.YouTubeVIS({**folders, **quiet})
        metric = trackeval.metrics.TrackMAP({**ranges, **quiet})
        found, _ = trackeval.Evaluator({**output, **quiet, "BREAK_ON_ERROR": True}).evaluate([data], [metric])
    return float(np.mean(found["YouTubeVIS"]["x"]["COMBINED_SEQ"]["cat"]["TrackMAP"]["AP_all"]))


def result(left, score):
    return {"video_id": 1, "category_id": 1, "score": score, "segmentations": compressed(left)}


hit, duplicate, other = result(0, 0.9), result(0, 0.8), result(20, 0.7)
first = average_precision("first", [hit, duplicate, other])
later = average_precision("later", [other, hit, duplicate])
print(f"hit, duplicate, other: {first:.3f}; the same with the other first: {later:.3f}")
try:
    average_precision("compressed", [hit], compressed)
    taken = True
except ValueError:
    taken = False
print(f"compressed run lengths in the ground truth are taken: {taken}")
sys.exit(0 if first == 1 and 0.83 < later < 0.84 and not taken else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$place/work"
echo "as described"
