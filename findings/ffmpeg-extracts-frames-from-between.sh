#!/usr/bin/env bash
# FFmpeg's "five frames a second" are not frames 0, 5, 10 of a film of 25: fps=5 takes 2, 7, 12, and -r 5 takes 0, 1, 4, 9.
#
# Seen with FFmpeg 9.0.2 (in imageio-ffmpeg 0.8.1), PyAV 18.1.0 (libavfilter 11), numpy 2.4.6, Python 3.11, Linux.
#
# Guess: `ffmpeg -i film.mp4 -vf fps=5 frames/%05d.png`, and the same with `-r 5`, write the pictures that are shown at 0, 0.2,
# 0.4 s and so on; of a film with 25 frames a second every fifth one, from the first.
# Seen: the filter rounds the times of the pictures to the new rate and keeps the last one of those that come to one
# time. Picture n is that of a time half a step later, and has the time without it: fps=1 of a film at 30 begins with
# frame 14 at 0 s. The option -r keeps others: frames 0, 1, 4, 9, 14, so that its second picture is the second
# frame of the film. Their counts differ as well, and the last second may be missing. framestep=5, and
# fps=5:round=up, take frames 0, 5, 10.
#
# Why it matters to users of video masks: people label a few frames a second, drawn by this very command, and multiply
# their numbers to put the masks back on the film, or to score a tracker that saw all of it. An object that crosses the
# picture in two seconds is off by a twentieth of it with fps=5, by a quarter with fps=1, in every frame: the tracker
# is blamed. Mind also that two people with the two commands label different frames under one name.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
cd "$place"
"$place/venv/bin/python" - <<'PY'
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

LENGTH = 121


def write(path, rate):
    """Frame k shows k as eight white or black squares."""
    with av.open(path, "w") as file:
        stream = file.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 256, 64, "yuv420p"
        for number in range(LENGTH):
            image = np.zeros((64, 256, 3), np.uint8)
            image[:] = np.repeat([255 * (number >> bit & 1) for bit in range(8)], 32)[None, :, None]
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def number_in(frame):
    row = frame.to_ndarray(format="gray")[32]
    return sum(int(row[16 + 32 * bit] > 127) << bit for bit in range(8))


def by_command(path, *options):
    """The frames whose pictures `ffmpeg -i path options %05d.png` writes, in order."""
    for old in Path().glob("*.png"):
        old.unlink()
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", "-i", path, *options, "%05d.png"], check=True, stdin=subprocess.DEVNULL)
    found = []
    for name in sorted(Path().glob("*.png")):
        with av.open(str(name)) as file:
            found.append(number_in(next(file.decode(video=0))))
    return found


def by_filter(path, setting):
    """Times and frames of the filter itself, in PyAV."""
    found = []
    with av.open(path) as file:
        graph = av.filter.Graph()
        graph.link_nodes(graph.add_buffer(template=file.streams.video[0]), graph.add("fps", setting), graph.add("buffersink"))
        graph.configure()
        for frame in [*file.decode(video=0), None]:
            graph.push(frame)
            while True:
                try:
                    shown = graph.pull()
                except (av.BlockingIOError, av.EOFError):
                    break
                found.append((float(shown.pts * shown.time_base), number_in(shown)))
    return found


write("film.mp4", 25)
write("film30.mp4", 30)
seen = {options: by_command("film.mp4", *options) for options in (
    ("-vf", "fps=5"), ("-r", "5"), ("-vf", "framestep=5"), ("-vf", "fps=fps=5:round=up"),
)}
for options, numbers in seen.items():
    print(f"{' '.join(options)}: {len(numbers)} pictures, of frames {', '.join(map(str, numbers[:6]))}, ...")
slow, filtered = by_command("film30.mp4", "-vf", "fps=1"), by_filter("film.mp4", "5")
print(f"-vf fps=1 at 30 frames a second: {slow}; PyAV's filter fps=5: frames {filtered[:4]} as (time, frame)")
step, rate, every, up = (numbers[:6] for numbers in seen.values())
ok = step == [2, 7, 12, 17, 22, 27] and rate == [0, 1, 4, 9, 14, 19] and every == up == [0, 5, 10, 15, 20, 25]
sys.exit(0 if ok and slow[0] == 14 and filtered[:2] == [(0.0, 2), (0.2, 7)] else 1)
PY
echo "as described"
