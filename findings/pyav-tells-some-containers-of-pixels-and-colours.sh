#!/usr/bin/env bash
# The pixel aspect ratio set on PyAV's encoder never reaches WebM and Matroska; the primaries never reach ProRes.
#
# Seen with PyAV 18.1.0 (libavcodec 62), Python 3.11, Linux.
#
# Guess: what is set on `stream.codec_context` is written into the file, or refused.
# Seen: `sample_aspect_ratio` comes back from mp4 and mov, and from H.264 anywhere, whose stream holds it; of VP9 in WebM or
# Matroska it is 1 or nothing, for these muxers ask the stream, which PyAV cannot set. `color_primaries` and `color_trc`
# come back from H.264 and VP9; ProRes says "unspecified", for its encoder asks every frame, and frames made of arrays say
# nothing. No warning. Setting them on the frames too is all that ProRes needs; for WebM PyAV has no way.
#
# Why it matters to users of video masks: cut-outs with alpha are ProRes or VP9. Those of DV or HDV lie squeezed over
# their source, and those of HDR are taken for BT.709 by editors.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet av==18.1.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import sys
from fractions import Fraction

import av
import numpy as np

BT2020, HLG, WIDE = 9, 18, Fraction(64, 45)


def written(path, codec, pixels, on_frames=False):
    """Pixel aspect ratio, primaries and transfer that come back."""
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        context = stream.codec_context
        context.sample_aspect_ratio, context.color_primaries, context.color_trc = WIDE, BT2020, HLG
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24").reformat(format=pixels)
            if on_frames:
                frame.color_primaries, frame.color_trc = BT2020, HLG
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with av.open(path) as file:
        frame = next(file.decode(video=0))
        return file.streams.video[0].sample_aspect_ratio, int(frame.color_primaries), int(frame.color_trc)


told, expected = [], []
for *arguments, aspect, primaries in (
    ("a.mp4", "libx264", "yuv420p", WIDE, BT2020),
    ("a.mkv", "libx264", "yuv420p", WIDE, BT2020),
    ("a.mov", "prores_ks", "yuva444p10le", WIDE, 2),
    ("b.mov", "prores_ks", "yuva444p10le", True, WIDE, BT2020),
    ("a.webm", "libvpx-vp9", "yuva420p", 1, BT2020),
    ("b.mkv", "libvpx-vp9", "yuva420p", None, BT2020),
):
    told.append(written(*arguments))
    expected.append((aspect, primaries, HLG if primaries == BT2020 else 2))
    print(*arguments, "comes back as", *told[-1])
sys.exit(0 if told == expected else 1)
PY
echo "as described"
