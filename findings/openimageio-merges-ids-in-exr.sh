#!/usr/bin/env bash
# OpenImageIO writes label images of 16 bits into EXR as fractions of 11 bits: 64 objects come back as 5.
#
# Seen with OpenImageIO 3.2.2.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: what ImageBuf writes of an array of uint16, and reads again as UINT16, is that array. EXR has whole numbers of 32
# bits, in which 16 fit; a writer that cannot keep the values says so, as that for WebP does.
# Seen: into EXR go halves from 0 to 1. Ids up to 2,048 come back, of those above every second, fourth, ... sixteenth is
# left, and its neighbours have become it. write(name, "uint") keeps them apart, but times 65,537, for whole
# numbers are stretched to the new type. PNG, TIFF, JPEG XL and DPX, by the same two lines, are right.
#
# Why it matters to users of video masks: EXR is how masks go to compositing, and ids of MOTS, KITTI-STEP and Cityscapes (class
# x 1000 + number) begin at 1,000 and end above 26,000. People who walk side by side, 26001 to 26015, are one person
# afterwards; a file of a few small ids is right. Take TIFF, or an array of float32.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet openimageio==3.2.2.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys

import numpy as np
import OpenImageIO


def back(array, name, kind="", read=OpenImageIO.UINT16):
    assert OpenImageIO.ImageBuf(array).write(name, kind) if kind else OpenImageIO.ImageBuf(array).write(name)
    image = OpenImageIO.ImageBuf(name)
    return str(image.spec().format), image.get_pixels(read)[..., 0]


people = np.repeat(np.arange(26000, 26064, dtype=np.uint16)[:, None], 64, 1)
every = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
kind, found = back(people, "people.exr")
print(f"EXR of {kind}: {len(np.unique(people))} ids are {len(np.unique(found))}: {np.unique(found).tolist()}")
lost = every[back(every, "every.exr")[1] != every]
print(f"of all {every.size} ids {lost.size} are another one, the first is {lost.min()}")
whole, stretched = back(people, "whole.exr", "uint", OpenImageIO.UINT32)
print(f"EXR of {whole}: {len(np.unique(stretched))} ids, {stretched[0, 0]} for {people[0, 0]}")
float_kind, exact = back(people.astype(np.float32), "float.exr", read=OpenImageIO.FLOAT)
right = {name: (back(every, f"every.{name}")[1] == every).all() for name in ("png", "tif", "jxl", "dpx")}
print(f"of all ids right in {', '.join(name for name in right if right[name])}; EXR of {float_kind}: {(exact == people).all()}")
ok = kind == "half" and len(np.unique(found)) == 5 and lost.min() == 2049 and stretched[0, 0] == 26000 * 65537
sys.exit(0 if ok and all(right.values()) and (exact == people).all() else 1)
PY
echo "as described"
