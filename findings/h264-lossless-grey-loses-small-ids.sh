#!/usr/bin/env bash
# Lossless grey H.264 comes back as limited-range colour: objects 1 to 16 of a label video are 0.
#
# Seen with PyAV 18.1.0 (libavcodec 62), OpenCV 5.0.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: libx264 with qp=0 and pix_fmt=gray keeps label maps bit for bit, as libx265, FFV1 and PNG do in grey; whatever
# is unclear about colour ranges concerns YUV, and grey has none.
# Seen: the encoder keeps every byte, but the decoder calls the stream yuv420p, not gray, and of no stated range. What is
# taken for video levels is then stretched on the way to gray or RGB: 1 to 16 become 0, 17 becomes 1, 240 is 255. OpenCV
# does the same. Only the bytes of the first plane are right. libx265 writes "full range" into its grey streams and its
# decoder says gray; libx264 needs `color_range` set by hand, and then all is right.
#
# Why it matters to users of video masks: label videos number their objects from 1, and few have more than 16 of them. The
# whole video is background, with a codec that everybody calls lossless, and a test with a mask of 0 and 255 finds nothing.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys

import av
import cv2
import numpy as np

LABELS = np.tile(np.arange(256, dtype=np.uint8), (64, 1))  # one column an id
FULL_RANGE = 2


def write(path, codec, options, color_range=None):
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "gray"
        if color_range:
            stream.codec_context.color_range = color_range
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(LABELS, "gray")
            if color_range:
                frame.color_range = color_range
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def lost(read):
    """Ids from 1 that have become background, and ids that are another one."""
    return int((read[0, 1:] == 0).sum()), int((read[0] != LABELS[0]).sum())


seen = {}
for name, path, codec, options, color_range in (
    ("libx264, lossless", "a.mkv", "libx264", {"qp": "0"}, None),
    ("libx264, lossless, full range by hand", "b.mkv", "libx264", {"qp": "0"}, FULL_RANGE),
    ("libx265, lossless", "c.mkv", "libx265", {"x265-params": "lossless=1:log-level=none"}, None),
    ("ffv1", "d.mkv", "ffv1", {}, None),
):
    write(path, codec, options, color_range)
    with av.open(path) as file:
        frame = next(file.decode(video=0))
    plane = np.frombuffer(frame.planes[0], np.uint8).reshape(64, -1)[:, :256]
    assert (plane == LABELS).all(), "the bytes themselves are kept"
    film = cv2.VideoCapture(path)
    seen[name] = *lost(frame.to_ndarray(format="gray")), lost(film.read()[1][..., 0])[0]
    print(f"{name}: decoded as {frame.format.name}; {seen[name][0]} ids are background, {seen[name][1]} another one;", end=" ")
    print(f"in OpenCV {seen[name][2]} are background")
bad = seen.pop("libx264, lossless")
sys.exit(0 if bad[0] == 16 and bad[1] > 200 and bad[2] >= 16 and not any(s[0] or s[1] for s in seen.values()) else 1)
PY
echo "as described"
