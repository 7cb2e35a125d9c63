#!/usr/bin/env bash
# TrackEval counts no fragmentation where the tracker found nothing at all in a frame.
#
# Seen with trackeval 1.3.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: Frag counts how often an object that was tracked is lost and taken up again; what else is in the picture does
# not matter to it.
# Seen: frames without any detection are passed over before the count, so that a track with three gaps has Frag 0. One
# false detection far away in those frames, and the same track has Frag 3.
#
# Why it matters to users of video masks: in videos of one object, as those of DAVIS mostly are, a tracker that flickers
# looks steady, and Frag of single-object and of crowded videos cannot be compared. A cleaner result (fewer false
# detections) may have fewer fragmentations for that reason alone.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet trackeval==1.3.0 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import sys

import numpy as np
from trackeval.metrics import CLEAR

FOUND = [True, True, False] * 4


def fragmentations(clutter):
    """Of one object in every frame; `clutter`: whether there is a false detection, which overlaps nothing, too."""
    tracks = [np.array([0] * found + [1] * clutter, int) for found in FOUND]
    overlaps = [np.array([[0.9] * found + [0.0] * clutter]).reshape(1, -1) for found in FOUND]
    data = {
        "gt_ids": [np.array([0])] * len(FOUND),
        "tracker_ids": tracks,
        "similarity_scores": overlaps,
        "num_gt_dets": len(FOUND),
        "num_tracker_dets": sum(map(len, tracks)),
        "num_gt_ids": 1,
        "num_tracker_ids": 1 + clutter,
        "num_timesteps": len(FOUND),
    }
    result = CLEAR({"PRINT_CONFIG": False}).eval_sequence(data)
    return int(result["Frag"]), int(result["CLR_FN"])


alone, beside = fragmentations(False), fragmentations(True)
print(f"nothing else found: Frag {alone[0]}, missed in {alone[1]} frames")
print(f"with a false detection elsewhere in every frame: Frag {beside[0]}, missed in {beside[1]} frames")
sys.exit(0 if alone[0] == 0 and beside[0] == 3 and alone[1] == beside[1] == 4 else 1)
PY
echo "as described"
