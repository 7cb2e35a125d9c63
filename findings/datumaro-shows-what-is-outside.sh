#!/usr/bin/env bash
# Datumaro makes visible masks of the shapes by which CVAT says that an object has left the frame.
#
# Seen with datumaro 1.13.12, Python 3.11, Linux.
#
# Guess: a shape with outside="1" of a CVAT track ends the track, so the object has no mask in that frame, and COCO json
# made of the file has annotations for the frames before alone.
# Seen: the closing shape comes in as one annotation more, with an attribute `outside`, and leaves as an ordinary COCO
# annotation with a polygon and an area. pycocotools, which does not look at attributes, counts it among the objects of
# the frame. Tracks of masks (<mask>, CVAT's brush) are not imported at all: AttributeError. And a mask, from whatever
# source, is written with iscrowd 1, so that COCO's evaluation ignores it.
#
# Why it matters to users of video masks: every track that ends before its video gets one mask where nothing is, and a
# ground truth made of it asks systems to find what is not there. Readers must look at attributes.outside.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet datumaro==1.13.12 numpy==2.4.6 pycocotools==2.0.11
cat > "$place/look.py" <<'PY'
import sys
from pathlib import Path

import datumaro
import numpy as np
from datumaro.components.annotation import Mask
from datumaro.components.media import Image
from pycocotools.coco import COCO

place = Path(sys.argv[1])
head = (
    "<meta><task><size>3</size><labels><label><name>cat</name></label></labels>"
    "<original_size><width>9</width><height>7</height></original_size></task></meta>"
)


def xml(name, shapes):
    path = place / f"{name}.xml"
    path.write_text(f'<annotations>{head}<track id="0" label="cat">{"".join(shapes)}</track></annotations>')
    return str(path)


def common(frame):
    return f'frame="{frame}" keyframe="1" outside="{int(frame == 2)}" occluded="0" z_order="0"'


polygons = [f'<polygon {common(t)} points="1,1;4,1;4,3;1,3"/>' for t in range(3)]
masks = [f'<mask {common(t)} rle="0, 6" left="1" top="1" width="3" height="2"/>' for t in range(3)]


def coco(dataset, name):
    dataset.export(str(place / name), "coco_instances")
    return COCO(str(next((place / name).rglob("instances*.json"))))


made = coco(datumaro.Dataset.import_from(xml("polygons", polygons), "cvat"), "coco")
areas = {image["file_name"]: [a["area"] for a in made.imgToAnns[key]] for key, image in made.imgs.items()}
print("polygons, outside in the third frame:", areas)
try:
    datumaro.Dataset.import_from(xml("masks", masks), "cvat")
    imported = "imported"
except Exception as error:
    imported = repr(error.__cause__)
print("masks:", imported)
mask = Mask(np.eye(7, 9, dtype=bool), label=0, id=1)
item = datumaro.DatasetItem(id="a", media=Image.from_numpy(np.zeros((7, 9, 3), np.uint8)), annotations=[mask])
crowd = coco(datumaro.Dataset.from_iterable([item], categories=["cat"]), "mask").anns[1]["iscrowd"]
print("iscrowd of a mask:", crowd)
sys.exit(0 if [*areas.values()] == [[6.0]] * 3 and imported.startswith("AttributeError") and crowd == 1 else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$place"
echo "as described"
