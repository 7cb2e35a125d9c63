#!/usr/bin/env bash
# Chromium shows an animated AVIF in other colours, and other greys, than the still one of the same picture.
#
# Seen with Pillow 13.0.0 (libavif), PyAV 18.1.0, numpy 2.4.6, Chromium 156.0 (Debian) by Playwright 1.65.2, Linux.
#
# Guess: AVIF says how its colours are meant, sRGB and BT.601 in what Pillow writes, and whoever shows a still picture rightly
# shows the animation, which is the same codec in the same container.
# Seen: Pillow and FFmpeg read both alike. Chromium shows the still one rightly, and the animation by other curves: (200, 100,
# 50) is (212, 98, 42), grey 20 is 5 and 90 is 86, also at quality 100 and in 4:4:4, by <img>, createImageBitmap and
# ImageDecoder. Black and white stay. Animated WebP is right.
#
# Why it matters to users of video masks: AVIF is the smallest format that a web page plays with an alpha channel, and keeps
# masks that stand still, frame by frame. Label images in grey, read back from a canvas, have other objects in them,
# and cut-outs another colour than the video that they lie on. Masks of black and white may be animated so.
set -euo pipefail
chromium=$(command -v chromium chromium-browser google-chrome | head -n 1 || true)
[ -n "$chromium" ] || { echo "needs Chromium or Chrome" >&2; exit 2; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet playwright==1.65.2 pillow==13.0.0 av==18.1.0 numpy==2.4.6
cat > "$place/look.py" <<'PY'
import base64
import io
import sys

import av
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

SHOWN = """async (url) => {
  const image = new Image(); image.src = url; await image.decode();
  const blob = await (await fetch(url)).blob();
  const decoder = new ImageDecoder({ data: await blob.arrayBuffer(), type: blob.type });
  const sources = [image, await createImageBitmap(blob), (await decoder.decode()).image];
  return sources.map((source) => {
    const pen = new OffscreenCanvas(64, 48).getContext("2d");
    pen.drawImage(source, 0, 0);
    return [...pen.getImageData(20, 20, 1, 1).data.slice(0, 3)];
  });
}"""
COLOURS = {"orange": (200, 100, 50), "object 20": (20, 20, 20), "object 90": (90, 90, 90), "white": (255, 255, 255)}


def written(colour, kind, frames, **options):
    picture = Image.new("RGB", (64, 48), colour)
    picture = picture.convert("L") if len(set(colour)) == 1 else picture
    others = {"save_all": True, "append_images": [picture.rotate(3)], "duration": 40} if frames == 2 else {}
    data = io.BytesIO()
    picture.save(data, kind, **others, **options)
    return data.getvalue()


def near(one, other):
    return max(abs(a - b) for a, b in zip(one, other)) <= 2


ok = True
with sync_playwright() as p:
    browser = p.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox", "--disable-gpu"])
    print("Chromium", browser.version)
    page = browser.new_page()
    page.route("http://localhost/", lambda route: route.fulfill(body="<p>", content_type="text/html"))
    page.goto("http://localhost/")
    for name, colour in COLOURS.items():
        for kind, frames, options in (
            ("AVIF", 1, {"quality": 100}),
            ("AVIF", 2, {"quality": 100}),
            ("AVIF", 2, {"quality": 100, "subsampling": "4:4:4"}),
            ("WEBP", 2, {"lossless": True}),
        ):
            data = written(colour, kind, frames, **options)
            shown = page.evaluate(SHOWN, f"data:image/{kind.lower()};base64," + base64.b64encode(data).decode())
            pillow = Image.open(io.BytesIO(data)).convert("RGB").getpixel((20, 20))
            right = all(near(one, colour) for one in shown)
            print(f"{name} {colour}, {kind} of {frames} {options.get('subsampling', '')}: Pillow {pillow}, Chromium {shown}")
            ok = ok and near(pillow, colour) and right == (kind == "WEBP" or frames == 1 or name == "white")
            if kind == "AVIF":
                with av.open(io.BytesIO(data)) as file:
                    pixel = next(file.decode(video=0)).to_ndarray(format="rgb24")[20, 20]
                ok = ok and near(pixel.astype(int), colour)
    browser.close()
sys.exit(0 if ok else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$chromium"
echo "as described"
