#!/usr/bin/env bash
# safetensors saves masks that pycocotools has decoded with their pixels in another order.
#
# Seen with safetensors 0.8.0 and 0.7.0, pycocotools 2.0.11, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: an array comes back equal, however NumPy has laid it out in memory: `numpy.save`, Arrow, Zarr and safetensors 0.7
# look at the strides, and safetensors' own writer for PyTorch refuses a tensor whose memory is in another order.
# Seen: safetensors.numpy of 0.8.0 writes the bytes as they lie and the shape beside them. COCO's masks lie column by
# column, so every decoded mask, every stack of such masks, and their boolean and float copies come back as stripes, of
# the right shape, type and area, without a word. 0.7.0 gives them back equal.
#
# Why it matters to users of video masks: run lengths are decoded once and kept as arrays for a training or a review; the
# file has the right keys and sizes, and even areas agree. Save `numpy.ascontiguousarray(mask)`.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
cat >"$place/masks.py" <<'PY'
import sys

import numpy as np
import safetensors
from pycocotools import mask as coco
from safetensors.numpy import load, save

WANTED = sys.argv[1] == "right"
disc = np.hypot(*np.mgrid[-60:60, -90:110]) < 40
decoded = coco.decode(coco.encode(np.asfortranarray(disc.astype(np.uint8))))
assert (decoded == disc).all(), "the mask itself is right"
kinds = {
    "a mask": decoded,
    "as booleans": decoded.astype(bool),
    "as float32": decoded.astype(np.float32),
    "a stack of 5": np.stack([decoded] * 5),
    "in C order": np.ascontiguousarray(decoded),
}
right = {}
for name, saved in kinds.items():
    given = load(save({"mask": saved}))["mask"]
    assert given.shape == saved.shape and given.dtype == saved.dtype and given.sum() == saved.sum()
    first, true = given.reshape(-1, *disc.shape)[0] > 0, disc
    iou = (first & true).sum() / (first | true).sum()
    right[name] = bool((given == saved).all())
    print(f"safetensors {safetensors.__version__}, {name}: {'equal' if right[name] else 'other pixels'}, IoU {iou:.2f}")
assert right.pop("in C order")
sys.exit(0 if set(right.values()) == {WANTED} else 1)
PY
for version in 0.7.0:right 0.8.0:wrong; do
  "$place/venv/bin/pip" install --quiet "safetensors==${version%:*}" pycocotools==2.0.11 numpy==2.4.6
  "$place/venv/bin/python" "$place/masks.py" "${version#*:}"
done
echo "as described"
