#!/usr/bin/env bash
# WebDataset writes label images of 16 bits, and reads every id above 255 back as 255.
#
# Seen with webdataset 1.0.2, Pillow 13.0.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: TarWriter takes an array of uint16 under the name "masks.png", writes a PNG of 16 bits, and decode("pil"), which
# gives the picture as Pillow opens it, has the ids again.
# Seen: the PNG has 16 bits and all ids. But decode("pil") turns every picture into RGB, and Pillow cuts 16 bits off at
# 255 on the way: objects 300 to 65,535 are one object, 255. So do "l8" and "rgb8". The ids of MOTS (class x 1000 + number), of
# KITTI-STEP and of Cityscapes are all above 255. A label image with a palette, as DAVIS has them, comes back as
# its colours, and in "l8" as their brightness. A decoder of one's own is right.
#
# Why it matters to users of video masks: trainings on many videos read their frames and masks from such shards. The masks
# of all objects run together into one, of the right outline, and nothing is said; a set with up to 255 objects works.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet webdataset==1.0.2 pillow==13.0.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - 2> errors.txt <<'PY' || { tail -n 20 errors.txt; exit 1; }
import io
import sys

import numpy as np
import webdataset
from PIL import Image

labels = np.zeros((40, 60), np.uint16)
for number, label in enumerate((7, 300, 2001, 26003)):
    labels[10:30, 15 * number : 15 * number + 10] = label
coloured = Image.frombytes("P", (60, 40), (labels % 251).astype(np.uint8).tobytes())
coloured.putpalette([value for index in range(256) for value in (index * 37 % 256, index * 91 % 256, index * 53 % 256)])
stored = io.BytesIO()
coloured.save(stored, "PNG")
with webdataset.TarWriter("shard.tar") as shard:
    shard.write({"__key__": "00000", "masks.png": labels, "palette.png": stored.getvalue()})


def read(how):
    sample = next(iter(webdataset.WebDataset("file:shard.tar", shardshuffle=False).decode(how)))
    return {name: np.asarray(sample[name]) for name in ("masks.png", "palette.png")}


def own(key, data):
    return np.asarray(Image.open(io.BytesIO(data))) if key.endswith(".png") else None


seen = {how: read(how)["masks.png"] for how in ("pil", "l8", "rgb8")}
for how, found in seen.items():
    print(f'decode("{how}"): {found.dtype} {found.shape}, ids {np.unique(found).tolist()} for {np.unique(labels).tolist()}')
right = read(own)
print(f"a decoder of one's own: {right['masks.png'].dtype}, ids {np.unique(right['masks.png']).tolist()}")
colours = read("pil")["palette.png"]
print(f"with a palette: {colours.shape} for {right['palette.png'].shape}")
ok = all(np.unique(found).tolist() == [0, 7, 255] for found in seen.values())
sys.exit(0 if ok and (right["masks.png"] == labels).all() and colours.shape == (40, 60, 3) else 1)
PY
echo "as described"
