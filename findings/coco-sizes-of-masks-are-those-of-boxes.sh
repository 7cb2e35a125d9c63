#!/usr/bin/env bash
# COCO's mask AP of small, medium and large objects changes when results have boxes beside their masks.
#
# Seen with pycocotools 2.0.11 and faster-coco-eval 1.8.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: COCOeval(truth, results, "segm") looks at masks; a `bbox` beside each `segmentation` is passed over, and the area of
# a result is that of its mask, as it is for the truth.
# Seen: loadRes asks for boxes first, and where it finds one, the area of the result is width times height. Which size
# a result without a partner counts for goes by that. A wrong mask of 780 pixels along a diagonal, which is small, has a box
# that is large: AP of small objects is 0.67 without the boxes and 1 with them, where it is not held
# against anybody. Overlaps and AP over all sizes are the same.
#
# Why it matters to users of video masks: tracks of masks are handed on with boxes for other tools, scored frame by frame as
# COCO, and compared with a table where they were not. Legs, arms, bicycles and snakes fill a tenth of their
# boxes. Leave `bbox` out of results that are scored by masks.
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
from pycocotools import mask as coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def diagonal(top, left):
    """Run lengths of a stroke of 780 pixels, in a box of 130 x 135."""
    pixels = np.zeros((400, 400), np.uint8, order="F")
    for step in range(130):
        pixels[top + step, left + step : left + step + 6] = 1
    found = coco.encode(pixels)
    return {"size": found["size"], "counts": found["counts"].decode()}


def box(mask):
    return coco.toBbox(mask).tolist()


objects, wrong = [diagonal(20, 20), diagonal(200, 60)], diagonal(40, 220)
truth = {
    "images": [{"id": 1, "width": 400, "height": 400}],
    "categories": [{"id": 1, "name": "snake"}],
    "annotations": [
        {"id": number, "image_id": 1, "category_id": 1, "segmentation": mask, "area": 780, "bbox": box(mask), "iscrowd": 0}
        for number, mask in enumerate(objects, 1)
    ],
}
with open("truth.json", "w") as file:
    json.dump(truth, file)
results = [
    {"image_id": 1, "category_id": 1, "segmentation": mask, "score": score}
    for mask, score in zip([wrong, *objects], (0.9, 0.8, 0.7))
]
seen = {}
for name, given in (
    ("masks alone", results),
    ("with boxes", [{**result, "bbox": box(result["segmentation"])} for result in results]),
):
    with open("results.json", "w") as file:
        json.dump(given, file)
    for library, data, evaluation in (("pycocotools", COCO, COCOeval), ("faster-coco-eval", FasterCOCO, COCOeval_faster)):
        with contextlib.redirect_stdout(io.StringIO()):
            read = data("truth.json")
            scored = evaluation(read, read.loadRes("results.json"), "segm")
            scored.evaluate()
            scored.accumulate()
            scored.summarize()
        seen[library, name] = round(float(scored.stats[0]), 2), round(float(scored.stats[3]), 2)
        print(f"{library}, {name}: AP {seen[library, name][0]}, of small objects {seen[library, name][1]}")
ok = all(seen[library, "masks alone"] == (0.67, 0.67) for library in ("pycocotools", "faster-coco-eval"))
sys.exit(0 if ok and all(seen[library, "with boxes"] == (0.67, 1.0) for library in ("pycocotools", "faster-coco-eval")) else 1)
PY
echo "as described"
