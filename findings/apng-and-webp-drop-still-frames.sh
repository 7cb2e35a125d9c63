#!/usr/bin/env bash
# Animated PNG and WebP have fewer frames than were written, where a mask stands still; Pillow and OpenCV both do it.
#
# Seen with Pillow 13.0.0, OpenCV 5.0.0, PyAV 18.1.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: GIF is known to join equal pictures; lossless animated PNG, asked for frame by frame, has the frames that were
# given, and cv2.imreadanimation gives as many as cv2.imwriteanimation took.
# Seen: both writers leave a frame out that equals the one before, and make that one longer, in PNG and in lossless WebP.
# Of 30 masks of an object that rests for ten frames, 20 come back, in Pillow, OpenCV and FFmpeg alike: frame 25 is
# there number 15. OpenCV's GIF, of all formats, keeps all 30, and so do AVIF and TIFF.
#
# Why it matters to users of video masks: masks stand still far more often than videos, and before an object comes and
# after it goes, all of them are empty and equal. Whoever puts mask k over frame k sees the object run ahead of itself.
# Go by the times that are stored with the frames, or write a TIFF.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet pillow==13.0.0 opencv-python-headless==5.0.0.93 av==18.1.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys

import av
import cv2
import numpy as np
from PIL import Image

LEFT = [*range(10, 20), *[20] * 11, *range(21, 30)]  # moves, rests, moves
masks = np.zeros((len(LEFT), 48, 64), np.uint8)
for mask, left in zip(masks, LEFT):
    mask[15:30, left : left + 12] = 255


def by_pillow(path, **options):
    first, *others = map(Image.fromarray, masks)
    first.save(path, save_all=True, append_images=others, duration=40, **options)


def by_opencv(path):
    film = cv2.Animation()
    film.frames = [cv2.cvtColor(mask, cv2.COLOR_GRAY2BGR) for mask in masks]
    film.durations = [40] * len(masks)
    assert cv2.imwriteanimation(path, film)


def left_edges(path):
    """Where the object begins in each frame, as Pillow reads them."""
    edges = []
    with Image.open(path) as film:
        for number in range(film.n_frames):
            film.seek(number)
            edges.append(int((np.asarray(film.convert("L")) > 127).any(0).argmax()))
    return edges


counts = {}
for name, writer, path, options in (
    ("Pillow", by_pillow, "a.png", {}),
    ("Pillow", by_pillow, "a.webp", {"lossless": True}),
    ("Pillow", by_pillow, "a.avif", {"quality": 100}),
    ("Pillow", by_pillow, "a.tif", {}),
    ("OpenCV", by_opencv, "b.png", {}),
    ("OpenCV", by_opencv, "b.webp", {}),
    ("OpenCV", by_opencv, "b.gif", {}),
    ("OpenCV", by_opencv, "b.avif", {}),
):
    writer(path, **options)
    edges = left_edges(path)
    counts[name, path[2:]] = len(edges)
    assert set(edges) == set(LEFT), "no place of the object is missing"
    print(f"{name}, {path[2:]}: {len(LEFT)} frames given, {len(edges)} in the file; frame 25 is number {edges.index(LEFT[25])}")
for path in ("a.png", "b.png"):
    with av.open(path, format="apng") as file:
        counts["FFmpeg", path] = sum(1 for _ in file.decode(video=0))
    found = len(cv2.imreadanimation(path)[1].frames)
    print(f"{path}: {counts['FFmpeg', path]} frames for FFmpeg, {found} for OpenCV")
    counts["OpenCV reads", path] = found
few = {pair for pair, count in counts.items() if count == 20}
wanted = {("Pillow", "png"), ("Pillow", "webp"), ("OpenCV", "png"), ("OpenCV", "webp")}
wanted |= {(who, path) for who in ("FFmpeg", "OpenCV reads") for path in ("a.png", "b.png")}
sys.exit(0 if few == wanted and set(counts.values()) == {20, 30} else 1)
PY
echo "as described"
