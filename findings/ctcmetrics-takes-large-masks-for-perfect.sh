#!/usr/bin/env bash
# py-ctcmetrics gives masks that are six times too large a HOTA, MOTA and IDF1 of 1.
#
# Seen with py-ctcmetrics 1.3.3, trackeval 1.3.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: the package has the Cell Tracking Challenge's own figures (SEG, DET, TRA) and the usual ones beside them; what is
# called HOTA there, after its paper, is a mean over thresholds of IoU, as TrackEval's is, and falls with bad masks.
# Seen: all figures but SEG go by the challenge's rule for a hit: more than half of the object is covered. How much else is
# covered is not asked. Squares of 50 pixels for squares of 20, an IoU of 0.16, have 1 in everything but SEG; TrackEval
# says HOTA 0.16 and MOTA -1. And MT, "mostly tracked", counts the frames in which nothing was found as one track more:
# whoever covers no object at all has tracked all of them mostly, and none is lost (ML 0).
#
# Why it matters to users of video masks: it is the package that scores folders of label images over time, with the names
# that one knows from MOT and MOTS. A tracker whose masks bleed into the background looks perfect, and its
# HOTA cannot be put beside anybody's. Look at SEG with it, and at ID recall instead of MT.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet py-ctcmetrics==1.3.3 trackeval==1.3.0 tifffile==2026.3.3 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - 2> errors.txt <<'PY' || { tail -n 20 errors.txt; exit 1; }
import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import tifffile
from ctc_metrics import evaluate_sequence
from trackeval.metrics import CLEAR, HOTA

LENGTH, IDS = 10, (1, 2)


def labels(larger=0, beside=0):
    """Two squares of 20 pixels that move to the right; masks are larger on every side, or lie beside them."""
    frames = np.zeros((LENGTH, 120, 200), np.uint16)
    for number, frame in enumerate(frames):
        for track in IDS:
            top, left = 60 * track - 45, 20 + 8 * number + beside
            frame[top - larger : top + 20 + larger, left - larger : left + 20 + larger] = track
    return frames


def write(folder, frames, tracks, name):
    Path(folder).mkdir(parents=True)
    for number, frame in enumerate(frames):
        tifffile.imwrite(f"{folder}/{name}{number:03d}.tif", frame)
    Path(folder, f"{tracks}_track.txt").write_text("".join(f"{track} 0 {LENGTH - 1} 0\n" for track in IDS))


def overlaps(one, other):
    pairs = [[((one == a) & (other == b), (one == a) | (other == b)) for b in IDS] for a in IDS]
    return np.array([[both.sum() / either.sum() for both, either in row] for row in pairs])


def by_trackeval(frames):
    data = {
        "gt_ids": [np.array([0, 1])] * LENGTH,
        "tracker_ids": [np.array([0, 1])] * LENGTH,
        "similarity_scores": [overlaps(one, other) for one, other in zip(truth, frames)],
        "num_gt_dets": 2 * LENGTH,
        "num_tracker_dets": 2 * LENGTH,
        "num_gt_ids": 2,
        "num_tracker_ids": 2,
        "num_timesteps": LENGTH,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        return HOTA().eval_sequence(data)["HOTA"].mean(), CLEAR().eval_sequence(data)["MOTA"]


truth = labels()
write("01_GT/TRA", truth, "man", "man_track")
write("01_GT/SEG", truth, "man", "man_seg")
seen = {}
for name, frames in (("right", truth), ("too large", labels(larger=15)), ("beside", labels(beside=25))):
    write(name, frames, "res", "mask")
    with contextlib.redirect_stdout(io.StringIO()):
        found = evaluate_sequence(name, "01_GT", threads=1)
    seen[name] = {key: round(float(found[key]), 2) for key in ("HOTA", "MOTA", "IDF1", "SEG", "MT", "ML")}
    hota, mota = by_trackeval(frames)
    print(f"{name}: IoU {overlaps(truth[0], frames[0])[0, 0]:.2f}, {seen[name]}; TrackEval: HOTA {hota:.2f}, MOTA {mota:.2f}")
large, beside = seen["too large"], seen["beside"]
ok = large["HOTA"] == large["MOTA"] == large["IDF1"] == 1 and large["SEG"] == 0.16
sys.exit(0 if ok and beside["HOTA"] == 0 and beside["MT"] == 1 and beside["ML"] == 0 else 1)
PY
echo "as described"
