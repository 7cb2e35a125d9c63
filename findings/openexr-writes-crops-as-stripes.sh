#!/usr/bin/env bash
# OpenEXR writes other pixels where an array is part of a larger one, or has its channels moved.
#
# Seen with OpenEXR 3.5.3, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: OpenEXR.File writes the array that it is given: what NumPy compares as equal gives equal files.
# Seen: of the array it looks at the address and the shape alone. A crop of a matte is written as consecutive pixels of the
# frame that it was cut from, a matte that was computed column by column is transposed into stripes, and RGBA made of
# planes by `moveaxis`, as networks give them, has alpha in its colours. Size and type are right, and nothing is said.
# With `numpy.ascontiguousarray` in between all are right; so are crops of whole rows.
#
# Why it matters to users of video masks: EXR is how mattes go to compositing, cropped to the object to keep the files
# small. A matte with the right area in the wrong place looks like a bad segmentation, and the segmenter is searched first.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet openexr==3.5.3 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys

import numpy as np
import OpenEXR

HEADER = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
y, x = np.mgrid[:120, :200]
matte = (np.hypot(y - 60, x - 100) < 40).astype(np.float32)
planes = np.stack([x / 200, y / 120, 0 * x + 0.5, matte]).astype(np.float16)


def share(name, given):
    """The share of pixels that come back as they were given."""
    OpenEXR.File(dict(HEADER), {name: given}).write("matte.exr")
    back = np.array(OpenEXR.File("matte.exr").channels()[name].pixels)
    assert back.shape == given.shape and back.dtype == given.dtype
    return float((back == given).mean())


kinds = {
    "the whole matte": ("A", matte),
    "rows of it": ("A", matte[20:100]),
    "a crop": ("A", matte[20:100, 60:140]),
    "the matte, column by column": ("A", np.asfortranarray(matte)),
    "RGBA of planes": ("RGBA", np.moveaxis(planes, 0, -1)),
}
shares = {}
for kind, (name, given) in kinds.items():
    shares[kind] = share(name, given)
    print(f"{kind}: {shares[kind]:.0%} of the pixels are right, {share(name, np.ascontiguousarray(given)):.0%} of its copy")
    assert share(name, np.ascontiguousarray(given)) == 1
right = {kind for kind, part in shares.items() if part == 1}
sys.exit(0 if right == {"the whole matte", "rows of it"} and shares["a crop"] < 0.9 and shares["RGBA of planes"] < 0.5 else 1)
PY
echo "as described"
