#!/usr/bin/env bash
# COCO's mask code stops comparing where two masks have a run of length 0 at one place: their IoU is anything.
#
# Seen with pycocotools 2.0.11 and faster-coco-eval 1.8.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: a run of no length, as programs write that begin every column anew, changes nothing: area, decoded pixels and IoU
# are those of the mask.
# Seen: area and decoded pixels are. But where both masks have such a run at the same place, the comparison of runs ends,
# and IoU is that of what came before: two masks that share a third of their pixels have an IoU of 1 if they are alike in
# their first column, and two that share nine tenths one of a half if one begins a column later.
#
# Why it matters to users of video masks: average precision and tracking scores are made of this IoU. Tracks of a writer
# that ends every column with its own run (valid run lengths, that decode rightly everywhere) are scored as something else.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pycocotools==2.0.11 faster-coco-eval==1.8.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import sys

import numpy as np
from faster_coco_eval.core import mask as faster
from pycocotools import mask as official

HEIGHT, WIDTH = 40, 60


def runs(columns, column_by_column):
    """Run lengths of whole columns: in one piece, or with a run for every column and 0 background between them."""
    counts, before = [], 0
    for first, last in columns:
        counts.append(HEIGHT * (first - before))
        counts += [HEIGHT, 0] * (last - first - 1) + [HEIGHT] if column_by_column else [HEIGHT * (last - first)]
        before = last
    return {"size": [HEIGHT, WIDTH], "counts": [*counts, HEIGHT * (WIDTH - before)]}


def compared(library, one, other, column_by_column):
    masks = [library.frPyObjects(runs(columns, column_by_column), HEIGHT, WIDTH) for columns in (one, other)]
    pixels = [library.decode(mask).astype(bool) for mask in masks]
    assert [int(library.area(mask)) for mask in masks] == [int(shown.sum()) for shown in pixels]
    true = (pixels[0] & pixels[1]).sum() / (pixels[0] | pixels[1]).sum()
    return true, float(library.iou([masks[0]], [masks[1]], [0])[0, 0])


as_expected = True
long = [(10, 30)]
for name, library in (("pycocotools", official), ("faster-coco-eval", faster)):
    for what, other in (("alike in their first column", [(10, 20), (40, 50)]), ("one begins a column later", [(11, 31)])):
        true, plain = compared(library, long, other, False)
        same, split = compared(library, long, other, True)
        print(f"{name}, {what}: by pixels {true:.3f}, by runs in one piece {plain:.3f}, by runs of columns {split:.3f}")
        as_expected &= true == same and abs(plain - true) < 1e-9 and abs(split - true) > 0.1
sys.exit(0 if as_expected else 1)
PY
echo "as described"
