#!/usr/bin/env bash
# imageio's PyAV plugin gives other frames for a number, where a video does not start at time 0.
#
# Seen with imageio 2.38.1, PyAV 18.1.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: imread(..., plugin="pyav", index=k) is frame k of imiter(...), if slowly.
# Seen: the number is turned into a time by the frame rate and sought without the time of the first frame. A video of 25
# frames a second that starts at 0.5 s gives frame 18 for 30, and frame 0 for 5 to 12; imiter gives all of them rightly.
# No error and no warning. A video at 30000/1001 frames a second whose times are whole milliseconds is off by one at places.
#
# Why it matters to users of video masks: streams that were cut or recorded (phones, cameras, MPEG-TS, most screen
# recorders with sound) start late. Masks are numbered by frames in order; whoever fetches the picture of one mask by its
# number sees the object beside it, and takes the mask for wrong.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 imageio==2.38.1 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys
from fractions import Fraction

import av
import imageio.v3 as iio
import numpy as np

LENGTH = 100


def write(path, times):
    """Frame k shows k as eight white or black stripes."""
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time in enumerate(times):
            stripes = [255 * (number >> bit & 1) for bit in range(8)]
            row = np.repeat(np.array(stripes, np.uint8), 32)
            frame = av.VideoFrame.from_ndarray(np.broadcast_to(row[None, :, None], (64, 256, 3)).copy(), "rgb24")
            frame.pts, frame.time_base = int(time), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def shown(picture):
    return sum(int(picture[32, 32 * bit + 16, 1] > 127) << bit for bit in range(8))


wrong = {}
for name, start in (("starts at 0", 0), ("starts at 0.5 s", 500)):
    for suffix in ("mp4", "mkv"):
        path = f"video.{suffix}"
        write(path, np.arange(LENGTH) * 40 + start)
        in_order = [shown(frame) for frame in iio.imiter(path, plugin="pyav")]
        assert in_order == list(range(LENGTH)), "in order all frames are right"
        numbers = range(0, LENGTH, 6)
        given = [shown(iio.imread(path, plugin="pyav", index=number)) for number in numbers]
        off = [(asked, got) for asked, got in zip(numbers, given) if asked != got]
        wrong[name, suffix] = len(off)
        print(f"{name}, {suffix}: {len(off)} of {len(numbers)} are other frames; (asked, given): {off[:5]}")
right = wrong["starts at 0", "mp4"] == wrong["starts at 0", "mkv"] == 0
sys.exit(0 if right and wrong["starts at 0.5 s", "mp4"] > 5 and wrong["starts at 0.5 s", "mkv"] > 5 else 1)
PY
echo "as described"
