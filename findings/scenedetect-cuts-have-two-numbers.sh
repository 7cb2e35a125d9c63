#!/usr/bin/env bash
# PySceneDetect gives one cut two frame numbers, by the backend, and neither is the number of the picture.
#
# Seen with PySceneDetect 0.7.2, OpenCV 5.0.0, PyAV 18.1.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: version 0.7 handles variable frame rates. It reads every picture, so the frame number of a cut is how many
# pictures came before it; and its two backends, which find the same cut, agree.
# Seen: the times are right, and the numbers are made of them: time by a frame rate. OpenCV says the mean rate and
# PyAV the nominal one, so that a cut at picture 140 of a phone's film, which went from 30 to 15 frames a second in the
# dark, is frame 120 in one and 180 in the other. OpenCV's last scene begins at its time and ends at its picture: in the same
# film as Matroska it goes from frame 250 to frame 200. With a constant rate all numbers are right.
#
# Why it matters to users of video masks: films are cut into shots before they are tracked, for tracks must not go through a
# cut; and masks lie by the number of the picture. Cut by these numbers, a shot's first second has the objects of another.
# Phones and screen recorders write such films. Take the pictures by the times of the cuts.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet scenedetect==0.7.2 av==18.1.0 opencv-python==5.0.0.93 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - 2> errors.txt <<'PY' || { tail -n 20 errors.txt; exit 1; }
import itertools
import sys
from fractions import Fraction

import av
import numpy as np
from scenedetect import ContentDetector, SceneManager, open_video

CUTS = [40, 90, 140, 175]
COLOURS = [(230, 40, 40), (20, 60, 20), (250, 250, 250), (30, 30, 200), (20, 20, 20)]
STEADY = [Fraction(number, 30) for number in range(200)]
PHONE = [Fraction(0), *itertools.accumulate([Fraction(1, 30)] * 100 + [Fraction(1, 15)] * 99)]


def write(path, times, base):
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        stream.codec_context.time_base = base
        for number, time in enumerate(times):
            image = np.full((64, 256, 3), COLOURS[sum(number >= cut for cut in CUTS)], np.uint8)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = round(time / base), base
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


seen = {}
for path, times, base in (
    ("steady.mp4", STEADY, Fraction(1, 90000)),
    ("phone.mp4", PHONE, Fraction(1, 90000)),
    ("phone.mkv", PHONE, Fraction(1, 1000)),
):
    write(path, times, base)
    for backend in ("opencv", "pyav"):
        manager = SceneManager()
        manager.add_detector(ContentDetector(min_scene_len=5))
        manager.detect_scenes(open_video(path, backend=backend))
        scenes = manager.get_scene_list()
        late = [abs(scene[0].seconds - float(times[cut])) for scene, cut in zip(scenes[1:], CUTS, strict=True)]
        assert max(late) < 0.002, "the times are right"
        seen[path, backend] = [scene[0].frame_num for scene in scenes[1:]]
        begin, end = scenes[-1][0].frame_num, scenes[-1][1].frame_num
        print(f"{path} by {backend}: cuts at frames {seen[path, backend]}, pictures {CUTS}; last scene {begin} to {end}")
        seen[path, backend, "last"] = begin, end
ok = seen["steady.mp4", "opencv"] == seen["steady.mp4", "pyav"] == CUTS
ok = ok and (seen["phone.mp4", "opencv"][2], seen["phone.mp4", "pyav"][2]) == (120, 180)
ok = ok and seen["phone.mkv", "opencv", "last"] == (250, 200)
sys.exit(0 if ok else 1)
PY
echo "as described"
