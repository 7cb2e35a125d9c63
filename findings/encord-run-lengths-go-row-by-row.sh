#!/usr/bin/env bash
# Encord's run lengths have COCO's letters and COCO's area, but go row by row: COCO's code draws another mask.
#
# Seen with encord 0.1.211, pycocotools 2.0.11, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: the bitmask of an exported label, {"height", "width", "rleString"}, is COCO's compressed run lengths, as the letters
# say, and pycocotools decodes it with size [height, width].
# Seen: it decodes without an error, for the runs add up to the pixels of the frame, and the area is right; the pixels are
# not. COCO counts down the columns, Encord along the rows. Size [width, height] and the transposed result give the mask.
# In a square frame the wrong mask is the right one mirrored at its diagonal, which a look at the box does not tell.
#
# Why it matters to users of video masks: masks of Encord's videos are put into COCO or YouTube-VIS files to train on and to
# score with. File readers, areas and counts are content; objects lie as stripes where there is nothing.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet encord==0.1.211 pycocotools==2.0.11 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import sys

import numpy as np
from encord.objects.coordinates import BitmaskCoordinates
from pycocotools import mask as coco


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


agreed = []
for height, width in ((120, 200), (160, 160)):
    y, x = np.mgrid[:height, :width]
    mask = np.hypot((y - 45) / 1.5, x - 120) < 20
    exported = BitmaskCoordinates(mask).to_dict()
    exported = exported.get("bitmask", exported)
    assert (exported["height"], exported["width"]) == (height, width)
    assert (BitmaskCoordinates.from_dict({"bitmask": exported}).to_numpy_array() == mask).all(), "its own reader is right"
    letters = exported["rleString"]
    asked = coco.decode({"size": [height, width], "counts": letters}).astype(bool)
    turned = coco.decode({"size": [width, height], "counts": letters}).astype(bool).T
    assert asked.sum() == mask.sum(), "the area tells nothing"
    agreed.append((overlap(asked, mask), overlap(turned, mask)))
    mirrored = height == width and bool((asked.T == mask).all())
    print(f"{height} x {width}: area {asked.sum()} of {mask.sum()}, IoU {agreed[-1][0]:.2f}; row by row {agreed[-1][1]:.2f}", end="")
    print("; mirrored at the diagonal" if mirrored else "")
sys.exit(0 if all(wrong < 0.3 and right == 1 for wrong, right in agreed) else 1)
PY
echo "as described"
