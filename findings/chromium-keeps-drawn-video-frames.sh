#!/usr/bin/env bash
# Chromium without a graphics card keeps half a gigabyte of video frames that were drawn on a canvas and closed.
#
# Seen with Chromium 156.0 (Debian), Playwright 1.65.2 for Python, Linux, no graphics card; 1920x1080 by VideoDecoder.
#
# Guess: a VideoFrame that is closed behind `drawImage` gives its memory back; people are told to close frames for that.
# Seen: the shared memory of the page's process grows by about 4 MiB a frame, up to some 500 MiB, and stays there.
# JavaScript's heap shows nothing of it. Where the same frames are copied (`copyTo` in RGBA into one ImageData) and put
# on the canvas, it does not grow.
#
# Why it matters to users of video masks: pages that step through a video frame by frame, to label or to correct masks,
# draw hundreds of frames a minute; on a small machine, or in a container with little memory, the page is lost.
set -euo pipefail
chromium=$(command -v chromium chromium-browser google-chrome | head -n 1 || true)
[ -n "$chromium" ] || { echo "needs Chromium or Chrome" >&2; exit 2; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet playwright==1.65.2
cat > "$place/look.py" <<'PY'
import sys
from pathlib import Path
from playwright.sync_api import sync_playwright

PAGE = """
<canvas id="c" width="1920" height="1080"></canvas>
<script>
async function show(count, way) {
  const canvas = document.getElementById("c"), context = canvas.getContext("2d");
  const source = new OffscreenCanvas(1920, 1080), pen = source.getContext("2d");
  const chunks = [];
  const encoder = new VideoEncoder({ output: (chunk) => chunks.push(chunk), error: (e) => { throw e; } });
  encoder.configure({ codec: "vp8", width: 1920, height: 1080, bitrate: 2e6 });
  for (let i = 0; i < 30; i++) {
    pen.fillStyle = `rgb(${i * 8}, 90, 120)`; pen.fillRect(0, 0, 1920, 1080);
    const frame = new VideoFrame(source, { timestamp: i * 40000 });
    encoder.encode(frame, { keyFrame: true }); frame.close();
  }
  await encoder.flush();
  let image = null, shown = 0;
  const wait = [];
  const decoder = new VideoDecoder({ output: (frame) => wait.push(frame), error: (e) => { throw e; } });
  decoder.configure({ codec: "vp8" });
  while (shown < count) {
    decoder.decode(chunks[shown % 30]);
    await decoder.flush();
    for (const frame of wait.splice(0)) {
      if (way === "draw") context.drawImage(frame, 0, 0);
      else {
        image = image || new ImageData(1920, 1080);
        await frame.copyTo(image.data, { format: "RGBA", layout: [{ offset: 0, stride: 1920 * 4 }] });
        context.putImageData(image, 0, 0);
      }
      frame.close(); shown += 1;
    }
    await new Promise((done) => requestAnimationFrame(done));
  }
  return shown;
}
</script>
"""

def shared():
    """MiB of shared memory of the largest process that shows a page."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"--type=renderer" in status.read_bytes():
                lines = (status.parent / "status").read_text().splitlines()
                total = max(total, int(next(l for l in lines if l.startswith("RssShmem")).split()[1]) / 1024)
        except (OSError, StopIteration):
            pass
    return total

with sync_playwright() as p:
    browser = p.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox", "--disable-gpu"])
    print("Chromium", browser.version)
    found = {}
    for way in ("copy", "draw"):
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        page.goto("http://localhost/")
        page.evaluate(f"show(10, '{way}')")
        before = shared()
        page.evaluate(f"show(110, '{way}')")
        page.wait_for_timeout(1000)
        found[way] = (before, shared())
        first, last = (round(value) for value in found[way])
        print(f"{way}: {first} MiB of shared memory after 10 frames, {last} after 110 more", flush=True)
        page.close()
    browser.close()
grown = {way: after - before for way, (before, after) in found.items()}
sys.exit(0 if grown["draw"] > 200 and grown["copy"] < 50 else 1)
PY
"$place/venv/bin/python" "$place/look.py" "$chromium"
echo "as described"
