#!/usr/bin/env bash
# Scalabel's COCO of segmentation tracks lists every frame once for each video, and leaves out masks in run lengths.
#
# Seen with scalabel 0.3.1 (pydantic 1.10.27, matplotlib 3.9.4, for it needs one before 3.10), Python 3.11, Linux.
#
# Guess: `scalabel.label.to_coco -m seg_track` makes one image of every frame, in its own video, and one annotation of
# every label that has a mask, whether its outline (poly2d) or its run lengths (rle): what `-m box_track` does with boxes.
# Seen: with two videos of two frames there are eight images, four in each video: those of the other one too, under the
# same file names. Tracks are repeated with them, under new ids: an object of one video is in both. With n videos there are
# n times as many. Labels with run lengths, which are what its own `to_rle` writes, are left out without a word.
#
# Why it matters to users of video masks: BDD100K's segmentation tracks come to COCO tools on this way. A tracker that is
# trained or scored on the file sees every object n times, and in videos that it does not occur in.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet scalabel==0.3.1 pydantic==1.10.27 matplotlib==3.9.4
cat > "$place/look.py" <<'PY'
import json
import sys
from collections import Counter
from pathlib import Path

place = Path(sys.argv[1])
if len(sys.argv) == 2:
    outline = {"vertices": [[1, 1], [5, 1], [5, 4], [1, 4]], "types": "LLLL", "closed": True}
    box = {"x1": 1, "y1": 1, "x2": 4, "y2": 3}

    def frame(video, index):
        drawn = {"id": f"{video}1", "category": "car", "box2d": box, "poly2d": [outline]}
        coded = {"id": f"{video}2", "category": "car", "box2d": box, "rle": {"counts": "93300j0", "size": [7, 9]}}
        return {"name": f"{index}.jpg", "videoName": video, "frameIndex": index, "labels": [drawn, coded]}

    frames = [frame(video, index) for video in "ab" for index in (0, 1)]
    config = {"imageSize": {"width": 9, "height": 7}, "categories": [{"name": "car"}]}
    (place / "labels.json").write_text(json.dumps({"frames": frames, "config": config}))
    sys.exit()
found = {mode: json.loads((place / f"{mode}.json").read_text()) for mode in ("box_track", "seg_track")}
images = {mode: Counter(image["video_id"] for image in content["images"]) for mode, content in found.items()}
labels = {mode: Counter(entry["scalabel_id"] for entry in content["annotations"]) for mode, content in found.items()}
for mode in found:
    print(f"{mode}: images by video {dict(images[mode])}, annotations by label {dict(labels[mode])}")
assert images["box_track"] == {1: 2, 2: 2}, "boxes: the two frames of each of two videos"
assert labels["box_track"] == {"a1": 2, "a2": 2, "b1": 2, "b2": 2}, "boxes: every label once a frame"
assert images["seg_track"] == {1: 4, 2: 4}, "masks: four frames in each, where it has two"
assert labels["seg_track"] == {"a1": 4, "b1": 4}, "masks: outlines twice a frame, run lengths never"
print("still so: masks are repeated for every video, and run lengths left out")
PY
"$place/venv/bin/python" "$place/look.py" "$place"
for mode in box_track seg_track; do
  "$place/venv/bin/python" -m scalabel.label.to_coco -m "$mode" -i "$place/labels.json" -o "$place/$mode.json" --nproc 1 > /dev/null 2>&1
done
"$place/venv/bin/python" "$place/look.py" "$place" read
