#!/usr/bin/env bash
# darwin-py's COCO of a video has objects in the key frames alone; the frames between are images with nothing in them.
#
# Seen with darwin-py 3.6.3, Python 3.11, Linux.
#
# Guess: V7's own converter draws a polygon that moves from key frame to key frame in every frame of its range, as CVAT
# does; or else it leaves the frames between out of the list of images, as YouTube-VIS does with what nobody annotated.
# Seen: all frames are images of the file, and of an object that is there in all ten, with key frames 0 and 6, there are
# two annotations. Which of them belong to one track is not said. A polygon of two parts or with a hole is a crowd of
# area 0, besides, for which COCO's evaluation forgives any number of detections.
#
# Why it matters to users of video masks: key frames are one in ten or one in thirty. Most of the frames teach a detector
# that the object is background, and each of its right masks there is a false positive when it is scored. Take the frames
# without an annotation out of the file, or read Darwin's json and move the polygons.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet darwin-py==3.6.3
cd "$place"
"$place/venv/bin/python" - <<'PY'
import contextlib
import io
import json
import sys
from pathlib import Path

from darwin.exporter import export_annotations, get_exporter

LENGTH = 10
NOBODY = {"name": "", "slug": "", "dataset_management_url": ""}


def square(left, top, side=30):
    return [{"x": float(left + side * x), "y": float(top + side * y)} for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]


def keyed(*paths):
    return {"keyframe": True, "polygon": {"paths": list(paths)}}


def video(name, frames):
    """A file of Darwin's json 2.0 with one object, which is there in every frame."""
    urls = [f"{name}/{frame}.png" for frame in range(LENGTH)]
    slot = {"type": "video", "slot_name": "0", "width": 120, "height": 100, "thumbnail_url": "", "fps": 25}
    slot |= {"frame_count": LENGTH, "frame_urls": urls, "source_files": [{"file_name": f"{name}.mp4", "url": ""}]}
    source = {"item_id": "", "dataset": NOBODY, "team": NOBODY, "workview_url": ""}
    thing = {"id": "1", "name": "thing", "slot_names": ["0"], "frames": frames, "ranges": [[0, LENGTH - 1]]}
    thing |= {"hidden_areas": [], "interpolated": True, "interpolate_algorithm": "linear-1.1", "only_keyframes": True}
    item = {"name": f"{name}.mp4", "path": "/", "source_info": source, "slots": [slot]}
    return {"version": "2.0", "item": item, "annotations": [thing | {"properties": []}]}


def as_coco(name, frames):
    Path(f"{name}.json").write_text(json.dumps(video(name, frames)))
    Path(name).mkdir()
    with contextlib.redirect_stdout(io.StringIO()):
        export_annotations(get_exporter("coco"), [Path(f"{name}.json")], Path(name))
    return json.loads(Path(name, "output.json").read_text())


moving = as_coco("moving", {"0": keyed(square(10, 10)), "6": keyed(square(50, 10))})
names = {image["id"]: image["file_name"] for image in moving["images"]}
drawn = [names[annotation["image_id"]] for annotation in moving["annotations"]]
fields = set().union(*moving["annotations"]) & {"track_id", "instance_id"}
print(f"there in {LENGTH} frames, key frames 0 and 6: {len(names)} images, of which {drawn} have the object; track: {fields}")
parts = as_coco("parts", {"0": keyed(square(10, 10), square(70, 60))})["annotations"][0]
print(f"a polygon of two parts: iscrowd {parts['iscrowd']}, area {parts['area']}, of {2 * 30 * 30} pixels")
kept = drawn == ["moving/0000000.png", "moving/0000006.png"]
sys.exit(0 if kept and len(names) == LENGTH and not fields and (parts["iscrowd"], parts["area"]) == (1, 0) else 1)
PY
echo "as described"
