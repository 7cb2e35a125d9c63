#!/usr/bin/env bash
# TrackEval's BURST scores persons as acorns, and sheep and couches not at all, whatever classes the file says it has.
#
# Seen with trackeval 1.3.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: a BURST file lists its classes in `categories`, as COCO files do, and the evaluator scores those that occur. Data
# of one's own with COCO's classes and ids can be scored with it.
# Seen: the list in the file is never read. Ids are looked up in TAO's list, which comes with the package: 1 is "acorn", 19
# "armband". Some ids there are distractors, and every object of those is taken out of truth and results before anything is
# counted: 20 and 63, COCO's sheep and couch, are two of them. The mean over classes is of the others, without a word.
# (A truth without the field `split` is refused.)
#
# Why it matters to users of video masks: BURST is one of the few formats for masks of many objects over long videos, and
# TrackEval its evaluator. Of two systems the one that is bad at sheep wins, and no figure is called by its name. Give
# classes the ids of TAO's list, or score the masks by an evaluator that reads the file's.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet trackeval==1.3.0 numpy==2.4.6
cd "$place"
mkdir -p truth results/mine/data
"$place/venv/bin/python" - <<'PY'
import json
import sys

import numpy as np
from pycocotools import mask as coco
from trackeval.datasets import BURST

LENGTH, HEIGHT, WIDTH = 6, 60, 120
CLASSES = {1: "person", 19: "cow", 20: "sheep", 63: "couch"}
tracks = {str(number): class_id for number, class_id in enumerate(CLASSES, 1)}


def square(track, frame):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:40, 25 * int(track) - 20 + frame :][:, :15] = 1
    return coco.encode(np.asfortranarray(mask))["counts"].decode()


names = [f"{frame:05d}.jpg" for frame in range(LENGTH)]
sequence = {
    "id": 1, "dataset": "mine", "seq_name": "clip", "width": WIDTH, "height": HEIGHT, "fps": 25,
    "all_image_paths": names, "annotated_image_paths": names, "track_category_ids": tracks,
    "neg_category_ids": [], "not_exhaustive_category_ids": [],
    "segmentations": [
        {track: {"rle": square(track, frame), "is_gt": True, "score": 1.0} for track in tracks} for frame in range(LENGTH)
    ],
}
categories = [{"id": class_id, "name": name} for class_id, name in CLASSES.items()]
for path in ("truth/clip.json", "results/mine/data/clip.json"):
    with open(path, "w") as file:
        json.dump({"split": "val", "categories": categories, "sequences": [sequence]}, file)
config = BURST.get_default_dataset_config()
data = BURST({**config, "GT_FOLDER": "truth", "TRACKERS_FOLDER": "results", "PRINT_CONFIG": False})
raw = data.get_raw_seq_data("mine", data.seq_list[0])
counts = {name: data.get_preprocessed_seq_data(raw, name)["num_gt_dets"] for name in data.class_list}
print(f"classes in the file: {list(CLASSES.values())}, {LENGTH} masks of each")
print(f"classes that are scored, with their masks: {counts}")
sys.exit(0 if counts == {"acorn": LENGTH, "armband": LENGTH} else 1)
PY
echo "as described"
