#!/usr/bin/env bash
# supervision's DetectionsSmoother moves the boxes and leaves the masks where they were.
#
# Seen with supervision 0.31.2, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: of tracked detections with masks it either smooths both or refuses masks.
# Seen: boxes are means over the last frames, masks are those of the newest. Of an object that moves by its half a frame
# the box trails two widths behind its own mask after five frames, without a word.
#
# Why it matters to users of video masks: labels, zones and counts go by the box, the picture by the mask; crops by the
# smoothed box cut the object off, and boxes written beside run lengths are no bounding boxes of them. Smooth only what
# has no masks, or take the boxes anew with mask_to_xyxy.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet supervision==0.31.2 numpy==2.4.6
"$place/venv/bin/python" - 2> /dev/null <<'PY'
import sys

import numpy as np
import supervision as sv

smoother = sv.DetectionsSmoother(length=9)
for frame in range(12):
    left = 10 + 10 * frame
    mask = np.zeros((1, 60, 200), bool)
    mask[0, 20:40, left : left + 20] = True
    seen = sv.Detections(
        xyxy=np.array([[left, 20.0, left + 20, 40]]),
        mask=mask,
        confidence=np.array([0.9]),
        class_id=np.array([0]),
        tracker_id=np.array([1]),
    )
    smooth = smoother.update_with_detections(seen)
box, own = smooth.xyxy[0], sv.mask_to_xyxy(smooth.mask)[0]
inside = smooth.mask[0, :, int(box[0]) : int(box[2])].sum()
print(f"box {box.tolist()}, of its mask {own.tolist()}; {inside} of {smooth.mask.sum()} pixels of the mask lie in it")
sys.exit(0 if inside == 0 else 1)
PY
echo "as described"
