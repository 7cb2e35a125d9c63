#!/usr/bin/env bash
# MoviePy's image sequences are late by a frame, now and then: a matte of PNGs does not fit the film that it was made of.
#
# Seen with MoviePy 2.2.1 (imageio-ffmpeg 0.6.0), numpy 2.4.6, Python 3.11, Linux.
#
# Guess: ImageSequenceClip(images, fps=25) shows image k as frame k, at least at a whole frame rate, and is as long as its
# images.
# Seen: it keeps the times of the images in single precision, and compares them with times in double precision. From frame
# 60 on four of ten frames at 25 a second show the image before, so that one in four images is shown twice
# and as many never; the last one is left out, too. It is so at 24, 29.97, 30, 50 and 60. A film read with VideoFileClip has
# every frame in its place. The same film with the mattes of its own frames, `film.with_mask(mattes.to_mask())`, has masks
# that lag by a frame in these frames, to and fro.
#
# Why it matters to users of video masks: it is how mattes are put onto a film in Python. The first two seconds, which one
# looks at, are right; then edges of whatever moves begin to flicker, as those of a bad segmentation do. Write the
# mattes as a video without loss, and read that.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet moviepy==2.2.1 imageio-ffmpeg==0.6.0 av==18.1.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np
from moviepy import ImageSequenceClip, VideoFileClip

LENGTH = 1000


def matte(number):
    """White to the left of the column that is the number of the frame."""
    image = np.zeros((16, 1008, 3), np.uint8)
    image[:, : number + 1] = 255
    return image


def number_in(image):
    return int((image[8] > 127).sum()) - 1


def film(rate):
    with av.open("film.mp4", "w") as file:
        stream = file.add_stream("libx264", rate=rate, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 1008, 16, "yuv444p"
        for number in range(LENGTH):
            frame = av.VideoFrame.from_ndarray(matte(number), "rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return VideoFileClip("film.mp4")


mattes = [matte(number) for number in range(LENGTH)]
seen = {}
for rate in (Fraction(25), Fraction(30000, 1001), Fraction(24)):
    clip = film(rate)
    numbers = [number_in(image[..., 0]) for image in clip.iter_frames()]
    masked = clip.with_mask(ImageSequenceClip(mattes, fps=float(rate)).to_mask())
    masks = [number_in(255 * image) for image in masked.mask.iter_frames(fps=float(rate))]
    behind = [number - mask for number, mask in zip(range(LENGTH), masks)]
    never = set(range(LENGTH)) - set(masks)
    seen[rate] = numbers == list(range(LENGTH)), sum(step == 1 for step in behind), set(behind) <= {0, 1}, len(never)
    print(f"{float(rate):.2f} a second: the film is in order: {seen[rate][0]}; of {len(masks)} mattes {seen[rate][1]}", end=" ")
    print(f"are a frame behind, from {behind.index(1)} on; {len(never)} of {LENGTH} are never shown")
sys.exit(0 if all(right and late > 250 and by_one and never > 200 for right, late, by_one, never in seen.values()) else 1)
PY
echo "as described"
