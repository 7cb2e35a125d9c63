#!/usr/bin/env bash
# OpenCV and PyAV cannot go back to the start of an MPEG transport stream: after "frame 0" comes frame 50.
#
# Seen with OpenCV 5.0.0, PyAV 18.1.0 (libavformat 62), numpy 2.4.6, Python 3.11, Linux.
#
# Guess: to seek backwards is to arrive at the last key frame at or before the place asked for, if not exactly there:
# that is what FFmpeg's flag and PyAV's `backward=True` say. Decoding on from there, every frame can be had. OpenCV,
# which counts frames itself, arrives at the number that was set.
# Seen: in a .ts file the place found is somewhere in the stream, and what can be shown begins with the next key frame,
# which is after the place. With a key frame every 50 frames PyAV gives frame 50 for 0 and 10, 100 for 60, and near the end
# nothing at all. OpenCV goes back in steps until its count is right, but not at the start: set to frame 0 it gives
# frame 50, and calls it 0 until it is read. The same stream in an .mp4 or .mkv is right, reading in order is, and
# without B-frames OpenCV is.
#
# Why it matters to users of video masks: recorders, cameras and broadcasts write .ts. What reads a video twice, once to
# find objects and once to draw them, or goes back for the picture of a mask, has two seconds less the second
# time, and its masks two seconds beside the pictures. Open the file anew, or look at the time of the first frame.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - 2> errors.txt <<'PY' || { tail -n 20 errors.txt; exit 1; }
import sys
from fractions import Fraction

import av
import cv2
import numpy as np

LENGTH = 200
WANTED = (0, 10, 60, 100, 130, 180)


def write(path, **options):
    """Frame k shows k as eight white or black squares."""
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"g": "50", "sc_threshold": "0", **options})
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        for number in range(LENGTH):
            image = np.full((64, 256, 3), 128, np.uint8)
            image[:32] = np.repeat([255 * (number >> bit & 1) for bit in range(8)], 32)[None, :, None]
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def number_in(image):
    return sum(int(image[10, 16 + 32 * bit].mean() > 127) << bit for bit in range(8))


def by_pyav(path):
    """Of each wanted frame the one that comes first after a seek to its time; a key frame at or before it is right."""
    with av.open(path) as file:
        stream = file.streams.video[0]
        shown = [(frame.pts, number_in(frame.to_ndarray(format="rgb24"))) for frame in file.decode(stream)]
        assert [number for _, number in shown] == list(range(LENGTH)), "read in order"
        found = []
        for number in WANTED:
            file.seek(shown[number][0], stream=stream, backward=True)
            frame = next(file.decode(stream), None)
            found.append(None if frame is None else number_in(frame.to_ndarray(format="rgb24")))
    return found


def by_opencv(path):
    film, found = cv2.VideoCapture(path), []
    for number in WANTED:
        film.set(cv2.CAP_PROP_POS_FRAMES, number)
        said = film.get(cv2.CAP_PROP_POS_FRAMES)
        right, image = film.read()
        found.append((int(said), number_in(image) if right else None))
    return found


seen = {}
for path, options in (("film.ts", {}), ("plain.ts", {"bf": "0"}), ("film.mp4", {}), ("film.mkv", {})):
    write(path, **options)
    seen[path] = by_pyav(path), by_opencv(path)
    print(f"{path}: for {list(WANTED)} PyAV {seen[path][0]}, OpenCV says and gives {seen[path][1]}")
late = [number is None or number > asked for number, asked in zip(seen["film.ts"][0], WANTED)]
said, given = seen["film.ts"][1][0]
ok = sum(late) >= 4 and None in seen["film.ts"][0] and (said, given) == (0, 50)
ok = ok and all(given == number for (_, given), number in zip(seen["plain.ts"][1], WANTED))
for path in ("film.mp4", "film.mkv"):
    ok = ok and all(number is not None and number <= asked for number, asked in zip(seen[path][0], WANTED))
    ok = ok and all(given == number for (_, given), number in zip(seen[path][1], WANTED))
sys.exit(0 if ok else 1)
PY
echo "as described"
