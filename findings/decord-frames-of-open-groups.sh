#!/usr/bin/env bash
# decord gives a neighbour's picture for a frame number, where groups of pictures are open.
#
# Seen with eva-decord 0.6.1, PyAV 18.1.0, numpy 2.4.6, Python 3.11, Linux.
#
# Guess: decord, made for reading any frame of a video by its number, gives exact frames; if it had a weakness, then with
# variable frame rates.
# Seen: frame rates that vary are read rightly. In H.264 and H.265 with open groups (x265's own choice, many broadcasters'
# too) a jump to one of the last frames before a key frame gives a picture one to three frames on, of the right size and
# without an error. Reading in order is right, so that a check by reading the file through finds nothing.
#
# Why it matters to users of video masks: data loaders draw clips at random by decord. Of each group some pictures then lie
# under the masks of other frames, and objects that move are learnt, or scored, beside their masks.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 eva-decord==0.6.1 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - 2> errors.txt <<'PY' || { tail -n 20 errors.txt; exit 1; }
import sys
from fractions import Fraction

import av
import decord
import numpy as np

LENGTH = 100


def write(path, codec, options, times):
    """Frame k shows k as eight white or black stripes."""
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25, options=options)
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


even = np.arange(LENGTH) * 40
uneven = np.cumsum(np.random.default_rng(0).choice([20, 40, 80], LENGTH))
videos = {
    "closed groups": ("libx264", {"x264-params": "keyint=15:bframes=3"}, even),
    "closed groups, times that vary": ("libx264", {"x264-params": "keyint=15:bframes=3"}, uneven),
    "open groups, H.264": ("libx264", {"x264-params": "open-gop=1:keyint=15:bframes=3"}, even),
    "open groups, H.265": ("libx265", {"x265-params": "keyint=15:bframes=3:log-level=none"}, even),
}
wrong = {}
for name, (codec, options, times) in videos.items():
    write("video.mp4", codec, options, times)
    with av.open("video.mp4") as file:
        read = [shown(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]
    assert read == list(range(LENGTH)), "the file itself holds its frames in order"
    video = decord.VideoReader("video.mp4", num_threads=1)
    in_order = sum(shown(video[number].asnumpy()) != number for number in range(LENGTH))
    jumps = np.random.default_rng(0).permutation(LENGTH)
    pairs = [(int(number), shown(video[int(number)].asnumpy())) for number in jumps]
    wrong[name] = [(asked, given) for asked, given in pairs if asked != given]
    print(f"{name}: in order {in_order} wrong of {LENGTH}; in any order {len(wrong[name])}, {sorted(wrong[name])[:4]}")
good = not wrong["closed groups"] and not wrong["closed groups, times that vary"]
sys.exit(0 if good and wrong["open groups, H.264"] and wrong["open groups, H.265"] else 1)
PY
echo "as described"
