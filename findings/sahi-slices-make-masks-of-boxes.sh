#!/usr/bin/env bash
# SAHI's sliced COCO data sets have masks as large as boxes where masks were run lengths, and crowds that are objects.
#
# Seen with sahi 0.12.8, pycocotools 2.0.11, numpy 2.4.6, Pillow 13.0.0, Python 3.11, Linux.
#
# Guess: `slice_coco` either cuts run lengths as it cuts polygons, or leaves such annotations out: its warning says that
# the segmentation "is skipped since RLE segmentation format is not supported". Crowds keep their iscrowd 1.
# Seen: the annotation stays, with a polygon of the four corners of its box for a mask, cut at the edges of the slices. A
# disc gains a quarter of its area, a thin frame becomes solid. iscrowd is 0 afterwards, so that crowds, which are run
# lengths in COCO's own files, are objects like others, and as large as their boxes. The same disc as a polygon stays a
# disc.
#
# Why it matters to users of video masks: masks of tracks are mostly run lengths, and large frames are what slicing is for.
# A detector learns boxes for masks from the slices, or is scored against them; nothing in the new file tells them from
# true outlines. Give it polygons.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet sahi==0.12.8 pycocotools==2.0.11 numpy==2.4.6 pillow==13.0.0
cd "$place"
"$place/venv/bin/python" - 2>log <<'PY'
import json
import re
import sys

import numpy as np
from PIL import Image
from pycocotools import mask as coco
from sahi.slicing import slice_coco

HEIGHT, WIDTH = 200, 300
Image.new("RGB", (WIDTH, HEIGHT)).save("frame.png")
y, x = np.mgrid[:HEIGHT, :WIDTH]
disc = np.hypot(y - 100, x - 150) < 70
frame = np.zeros((HEIGHT, WIDTH), bool)
frame[40:160, 40:260] = True
frame[50:150, 50:250] = False
angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
outline = np.stack([150 + 70 * np.cos(angles), 100 + 70 * np.sin(angles)], 1).ravel().tolist()


def run_lengths(mask):
    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": code["size"], "counts": code["counts"].decode()}


def drawn(segmentation, height, width):
    if isinstance(segmentation, list):
        segmentation = coco.merge(coco.frPyObjects(segmentation, height, width))
    return coco.decode(segmentation).astype(bool)


def sliced(segmentation, crowd):
    """The masks of all slices laid back into the frame, and the iscrowd of all annotations."""
    box = coco.toBbox(run_lengths(drawn(segmentation, HEIGHT, WIDTH))).tolist()
    one = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": crowd, "segmentation": segmentation, "bbox": box, "area": 1}
    images = [{"id": 1, "file_name": "frame.png", "height": HEIGHT, "width": WIDTH}]
    with open("truth.json", "w") as file:
        json.dump({"images": images, "categories": [{"id": 1, "name": "thing"}], "annotations": [one]}, file)
    size = {"slice_height": 100, "slice_width": 150, "overlap_height_ratio": 0, "overlap_width_ratio": 0}
    made, _ = slice_coco("truth.json", ".", "out", output_dir="slices", min_area_ratio=0, verbose=False, **size)
    whole = np.zeros((HEIGHT, WIDTH), bool)
    for image in made["images"]:
        left, top = map(int, re.search(r"_(\d+)_(\d+)_\d+_\d+\.", image["file_name"]).groups())
        for annotation in made["annotations"]:
            if annotation["image_id"] == image["id"]:
                whole[top : top + 100, left : left + 150] |= drawn(annotation["segmentation"], 100, 150)
    return whole, {annotation["iscrowd"] for annotation in made["annotations"]}


found = []
for name, segmentation, crowd in (
    ("disc, polygon", [outline], 0),
    ("disc, run lengths", run_lengths(disc), 0),
    ("thin frame, run lengths", run_lengths(frame), 0),
    ("thin frame, run lengths, crowd", run_lengths(frame), 1),
):
    whole, crowds = sliced(segmentation, crowd)
    true = drawn(segmentation, HEIGHT, WIDTH)
    iou = (whole & true).sum() / (whole | true).sum()
    found.append((iou, crowds))
    print(f"{name}: {true.sum()} pixels before, {whole.sum()} after, IoU {iou:.2f}, iscrowd {crowd} before, {crowds} after")
(polygon, _), (round_one, _), (thin, _), (_, crowds) = found
sys.exit(0 if polygon > 0.98 and round_one < 0.81 and thin < 0.3 and crowds == {0} else 1)
PY
echo "as described"
