"""The page as people use it, in Chromium: `make test-web`."""

from __future__ import annotations

import json
import os
import shutil
import time

import numpy as np
import pytest
from tests.web.served import TOKEN, serving

from chronomask import rle
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.web.limits import Limits
from films import film, moving_square
from segmenter.colour import moving_objects

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
LENGTH = 60


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra web-test")
    found = os.environ.get("CHROMIUM") or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed, and CHROMIUM names none")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    images = [np.kron(image, np.ones((5, 5, 1), np.uint8)) for image in moving_objects(LENGTH)]
    # 29.97 frames a second with B-frames: of what is asked for by k / fps, every third frame would be a wrong one.
    return film(tmp_path_factory.mktemp("films") / "colours.mp4", images, rate=30, bf="2", g="20")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")
    with serving(folder, Limits(free_bytes=1)) as port:
        yield f"http://127.0.0.1:{port}", folder


class Page:
    """A browser's page, with what tests ask of it again and again."""

    def __init__(self, browser, address, folder, width=1280, height=800, **options):
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page, self.folder, self.faults, self.foreign = self.context.new_page(), folder, [], []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda text: self.faults.append(text.text) if text.type == "error" else None)
        self.page.on(
            "response", lambda one: self.faults.append(f"{one.status} {one.url}") if one.status >= 400 else None
        )
        self.page.on("request", lambda request: self.note(request.url, address))
        self.page.goto(f"{address}/?token={TOKEN}")

    def note(self, url, address):
        if not url.startswith((address, "blob:", "data:")):
            self.foreign.append(url)

    def until(self, condition, seconds=20):
        """What a condition in JavaScript gives, when that is true. By polling, for the page allows no eval."""
        end = time.monotonic() + seconds
        while not (value := self.page.evaluate(condition)):
            assert time.monotonic() < end, f"never: {condition}; {self.faults}"
            time.sleep(0.03)
        return value

    def take(self, video):
        self.page.set_input_files("#file", str(video))
        self.until("window.chronomask && chronomask.project.tracks.length === 3 && chronomask.drawn >= 0")
        self.until("chronomask.project.tracks.every((track) => track.picture)")

    def frame(self, number):
        self.page.evaluate(f"chronomask.goTo({number})")
        self.until(f"chronomask.drawn === {number} && chronomask.player.seeking === null")

    def tracks(self):
        return self.page.evaluate("chronomask.project.tracks.map((one) => [one.id, one.name, one.spans])")

    def saved(self):
        self.until("document.getElementById('saved').textContent === 'Saved'")

    @property
    def place(self):
        (found,) = self.folder.glob(f"*/projects/{self.page.evaluate('chronomask.project.id')}")
        return found

    def click_at(self, x, y):
        box = self.page.locator("canvas.masks").bounding_box()
        width, height = self.page.evaluate("[chronomask.project.width, chronomask.project.height]")
        self.page.mouse.click(box["x"] + x * box["width"] / width, box["y"] + y * box["height"] / height)

    def close(self):
        self.context.close()
        assert (self.faults, self.foreign) == ([], [])


@pytest.fixture(scope="module")
def page(chromium, served, video):
    """A page with a video and its three objects."""
    opened = Page(chromium, *served)
    opened.take(video)
    yield opened
    opened.close()


PIXELS = """() => {
  const { canvas } = chronomask, pen = canvas.getContext("2d");
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = [];
  for (let i = 3; i < data.length; i += 4) seen.push(data[i] > 8 ? 1 : 0);
  return [canvas.width, canvas.height, seen.join("")];
}"""


SHOW_VIDEO = """(number) => new Promise((shown) => {
  const { video, player } = chronomask;
  video.requestVideoFrameCallback(() => shown(true));
  video.currentTime = player.asked[number];
})"""
COUNT_DRAWN = """() => {
  const { drawImage } = CanvasRenderingContext2D.prototype;
  window.drawn = 0;
  CanvasRenderingContext2D.prototype.drawImage = function (picture, ...rest) {
    window.drawn += picture instanceof VideoFrame;
    return drawImage.call(this, picture, ...rest);
  };
}"""
SHOT = """(which) => {
  const shot = new OffscreenCanvas(64, 48), pen = shot.getContext("2d");
  pen.drawImage(chronomask[which], 0, 0, 64, 48);
  return [...pen.getImageData(0, 0, 64, 48).data];
}"""


def test_masks_lie_within_a_pixel_of_the_file_and_frames_are_exact(page):
    tracks = read_tracks(page.place / "run-1" / "tracks.json").tracks
    page.frame(1)  # what is shown of frame 0 may be of a moment before there were tracks
    for number in (0, 1, 2, 7, 20, 21, 40, 41, 58, 59):
        page.frame(number)
        width, height, text = page.page.evaluate(PIXELS)
        drawn = (np.frombuffer(text.encode(), np.uint8) == ord("1")).reshape(height, width)
        masks = [mask for track in tracks if (mask := track.segmentations[number]) is not None]
        true = rle.decode(rle.union(masks))
        assert drawn.shape == true.shape
        near = np.zeros_like(true)
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                near |= np.roll(true, (down, right), (0, 1))
        assert not (drawn & ~near).any()
        assert (drawn != true).sum() <= 4
    # The picture beneath is that of the frame: the green square tells its number. The page decodes it, and has the
    # browser's own colours. It copies the pixels, for Chromium keeps those of all pictures that are drawn themselves;
    # where no copy can be had it draws, and where nothing is decoded the browser is asked.
    page.page.evaluate(COUNT_DRAWN)
    for number, way in ((3, "copied"), (14, "copied"), (27, "drawn"), (35, "browser"), (52, "browser")):
        if way == "drawn":
            assert page.page.evaluate("window.drawn") == 0
            page.page.evaluate("() => { VideoFrame.prototype.copyTo = async () => { throw new Error('no'); }; }")
        elif way == "browser":
            assert page.page.evaluate("window.drawn") == 1
            page.page.evaluate("chronomask.player.stills = null")
        page.frame(number)
        assert page.page.evaluate("chronomask.player.picture === chronomask.still") == (way != "browser")
        if number == 14:
            page.page.evaluate(SHOW_VIDEO, number)
            still, video = (np.array(page.page.evaluate(SHOT, which)) for which in ("still", "video"))
            assert np.abs(still - video).mean() < 2
        left = page.page.evaluate("""() => {
          const shot = new OffscreenCanvas(320, 240), pen = shot.getContext("2d");
          pen.drawImage(chronomask.player.picture, 0, 0, 320, 240);
          const row = pen.getImageData(0, 60, 320, 1).data;
          for (let x = 0; x < 320; x++) if (row[4 * x + 1] > 120) return x;
        }""")
        assert abs(left - 20 * (number % 10)) <= 2


def test_run_lengths_are_read_and_written_as_ours(page):
    rng = np.random.default_rng(0)
    for mask in (rng.random((40, 30)) > 0.5, np.zeros((40, 30), bool), np.ones((40, 30), bool), np.eye(30, dtype=bool)):
        counts = rle.encode(mask)["counts"]
        found = page.page.evaluate(
            """async ([counts, size]) => {
              const { encoded, fill } = await import("/static/rle.js");
              const map = new Uint8Array(size);
              fill(map, counts, 1);
              return [map.join(""), encoded(map)];
            }""",
            [counts, mask.size],
        )
        assert found[0] == "".join(map(str, mask.T.astype(int).ravel()))
        assert found[1] == (counts if mask.any() else "")


def test_every_correction_by_mouse_and_undo(page):
    inner, before = page.page, page.tracks()
    ids = {name: number for number, name, _ in before}
    page.frame(5)
    page.click_at(80, 170)  # red stays here
    assert page.page.evaluate("chronomask.selected") == ids["person"]
    inner.click("#do-rename")
    inner.fill("#class-name", "robot")
    inner.click("text=Use this name")
    page.saved()
    inner.click("#do-split")
    page.until("chronomask.project.tracks.length === 4")
    new = max(number for number, *_ in page.tracks())
    inner.click("#do-merge")
    inner.select_option("#other", str(new))
    inner.click("dialog >> text=Merge >> nth=-1")
    page.until("chronomask.project.tracks.length === 3")
    inner.click("#do-swap")
    inner.select_option("#other", str(ids["cat"]))
    inner.click("dialog .primary")
    page.until("chronomask.project.undo.startsWith('swap')")
    inner.click("#do-hide")
    assert inner.evaluate("chronomask.view.hidden") == [ids["person"]]
    inner.click("#do-hide")
    page.frame(5)
    inner.click("#do-paint")
    page.until("chronomask.painter.hit(300, 20) === null")
    page.click_at(300, 20)
    page.until("chronomask.project.undo.startsWith('paint')")
    page.until(f"chronomask.painter.hit(300, 20) === {ids['person']}")
    inner.click("#tool-erase")
    page.click_at(300, 20)
    page.until("chronomask.painter.hit(300, 20) === null")
    inner.click("#tool-point")
    inner.click("#do-delete")
    page.until("chronomask.project.tracks.length === 2")
    names = [step.partition(":")[0] for step in read_journal(page)]
    assert names == ["relabel", "split", "merge", "swap", "paint", "paint", "delete"]
    for _ in range(7):
        inner.click("#undo")
        page.saved()
        page.until("document.getElementById('saved').textContent !== 'Saving …'")
    page.until("chronomask.project.undo === null")
    assert page.tracks() == before


def read_journal(page):
    lines = (page.place / "run-1" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line)["step"][-1] for line in lines]


def test_a_correction_that_is_refused_says_so_and_why(page):
    inner, before = page.page, page.tracks()
    assert inner.evaluate("chronomask.step(['delete:99'])") is False
    assert inner.inner_text("#saved") == "Refused"
    assert "Refused, and nothing has changed: " in inner.inner_text(".toast.error")
    assert "99" in inner.inner_text(".toast.error")
    inner.click(".toast.error button")
    assert page.tracks() == before
    assert all("422" in fault for fault in page.faults)
    page.faults.clear()


REPLACED = """async (throws) => {
  const { player } = chronomask, { stills, still } = player, size = [still.width, still.height];
  const next = { close: () => {} };
  let closed = 0;
  const picture = { visibleRect: { width: 8, height: 8 }, close: () => { closed += 1; }, copyTo: async () => {
    if (throws) throw new Error("none");
    player.stills = next;
  } };
  player.stills = { at: async () => picture, close: () => {} };
  await player.decode(player.frame);
  const found = [closed, player.stills === next, still.width === size[0] && still.height === size[1]];
  player.stills = stills;
  player.decoding = false;
  return found;
}"""


def test_a_picture_is_closed_and_none_of_replaced_stills_is_drawn(page):
    page.frame(3)
    assert page.page.evaluate(REPLACED, False) == [1, True, True]
    assert page.page.evaluate(REPLACED, True)[:2] == [1, False]  # what cannot be drawn is no reason to keep it


def test_an_object_that_was_missed_is_pointed_at(page):
    inner, before = page.page, page.tracks()
    page.frame(6)
    inner.click("#new-pointed")
    page.click_at(150, 60)  # green passes here
    page.until("chronomask.pointing.mask !== null")
    assert inner.locator(".mark.yes").count() == 1
    page.until("chronomask.painter.hit(150, 60) === -1")
    page.page.evaluate("chronomask.setView({ score: 1 })")
    inner.click("#follow")
    page.until("chronomask.project.undo === 'points'")
    (new,) = {number for number, *_ in page.tracks()} - {number for number, *_ in before}
    page.until(f"chronomask.selected === {new} && document.getElementById('object-{new}')")
    assert inner.evaluate(f"chronomask.track({new}).score < 1 && chronomask.visible(chronomask.track({new}))")
    inner.evaluate("chronomask.setView({ score: 0.5 })")
    inner.click("#undo")
    page.until("chronomask.project.undo === null")
    assert page.tracks() == before


def test_a_pixel_is_explained(page):
    inner = page.page
    page.frame(8)
    inner.click("#tab-understand")
    page.until("chronomask.understand.answer && chronomask.understand.answer.frame === 8")
    box = page.page.locator("canvas.masks").bounding_box()
    inner.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.7)  # red
    page.until("document.getElementById('readout').innerText.includes('person')")
    assert inner.locator(".bars li").count() >= 5
    inner.select_option("#layer", "embedding")
    assert inner.locator("canvas.layer").is_visible()
    inner.click("#tab-objects")
    assert not inner.locator("canvas.layer").is_visible()


def test_a_reload_keeps_all(page):
    inner = page.page
    page.frame(12)
    inner.click("#tab-view")
    inner.locator("#opacity").fill("0.8")
    inner.click("label[for=ground-green]")
    inner.click("#tab-objects")
    inner.click("#new-object")
    inner.fill("#class-name", "cat")
    inner.click("text=Use this name")
    page.until("chronomask.brush.tool === 'paint'")
    page.click_at(20, 20)
    page.until("chronomask.project.undo.startsWith('paint')")
    page.until("!chronomask.viewPending")
    before, view = page.tracks(), inner.evaluate("chronomask.view")
    inner.reload()
    page.until("window.chronomask && chronomask.drawn === 12")
    assert page.tracks() == before
    assert inner.evaluate("chronomask.view") == view
    assert (view["opacity"], view["background"]) == (0.8, "green")
    # Outside of masks there is green now, which the canvas has and the video has not.
    assert inner.evaluate("[...chronomask.canvas.getContext('2d').getImageData(310, 5, 1, 1).data]") == [
        0,
        177,
        64,
        255,
    ]
    for _ in range(2):
        inner.click("#undo")
        page.until("document.getElementById('saved').textContent === 'Saved'")
    inner.click("#tab-view")
    inner.click("label[for=ground-video]")


def test_an_export_opens_again(page, chromium, served, tmp_path):
    inner = page.page
    inner.click("#export-open")
    inner.click("#export-make")
    inner.wait_for_selector(".results a", timeout=20000)
    assert inner.locator(".results a").all_inner_texts() == ["tracks.json", "overlay.mp4"]
    with inner.expect_download() as download:
        inner.click(".results a >> text=tracks.json")
    download.value.save_as(tmp_path / "tracks.json")
    with inner.expect_download() as download:
        inner.click(".results a >> text=overlay.mp4")
    download.value.save_as(tmp_path / "overlay.mp4")
    with serving(tmp_path / "again", tracks=tmp_path / "tracks.json", source=tmp_path / "overlay.mp4") as port:
        again = Page(chromium, f"http://127.0.0.1:{port}", tmp_path / "again")
        again.until("window.chronomask && chronomask.drawn >= 0")
        assert again.tracks() == page.tracks()
        again.close()


def test_the_truth_scores_it(page, tmp_path):
    inner = page.page
    file = read_tracks(page.place / "run-1" / "tracks.json")
    write_tracks(tmp_path / "truth.json", file.videos, file.categories, file.tracks, {})
    inner.click("#tab-export")
    inner.click("summary >> text=Score")
    inner.set_input_files("#truth", str(tmp_path / "truth.json"))
    page.until("chronomask.project.truth")
    inner.click("#score-now")
    inner.wait_for_selector(".scores td", timeout=20000)
    assert inner.locator(".scores td").all_inner_texts()[:3] == ["100.0"] * 3
    with page.context.expect_page() as report:
        inner.click("text=What the lost points")
    report.value.wait_for_load_state()
    assert "Where average precision is lost" in report.value.inner_text("body")
    report.value.close()


def test_the_model_is_taught_and_finds_objects_again(chromium, served, video):
    page = Page(chromium, *served)
    page.take(video)
    inner = page.page
    inner.click(".object >> nth=0")
    inner.click("#do-delete")
    page.until("chronomask.project.tracks.length === 2")
    inner.click("#tab-export")
    inner.click("summary >> text=Teach")
    inner.click("#teach")
    page.until("document.getElementById('jobs').innerText.includes('Teaching the model: step')", 60)
    page.until("chronomask.project.taught", 60)
    assert (page.place / "taught.safetensors").is_file()
    assert not (page.place / "teach").exists()
    inner.click("#segment-again")  # which is there without opening that part again
    inner.click("dialog >> text=Keep")
    inner.click("#segment-again")
    inner.click("dialog >> text=Replace >> nth=-1")
    page.until("chronomask.project.run === 'run-2' && chronomask.project.tracks.length === 3")
    page.close()


def test_two_sessions_at_once(page, chromium, served, video):
    other = Page(chromium, *served)
    assert other.page.locator(".project").count() == 0
    other.take(video)
    other.page.click(".object >> nth=0")
    other.page.click("#do-delete")
    other.until("chronomask.project.tracks.length === 2")
    page.page.reload()
    page.until("window.chronomask && chronomask.drawn >= 0")
    assert len(page.tracks()) == 3
    status = page.page.evaluate(
        "async (id) => (await fetch(`/api/projects/${id}`)).status", other.page.evaluate("chronomask.project.id")
    )
    assert status == 404
    page.faults.clear()  # the browser logs the 404 that was asked for
    other.close()


def pressing(page, first):
    """What each key of the page's table has to do: presses, and what is true then. In their order."""
    undo = "chronomask.project.undo"
    return {
        "← →": [
            ("ArrowRight", "chronomask.drawn === 1"),
            ("Shift+ArrowRight", "chronomask.drawn === 11"),
            ("ArrowLeft", "chronomask.drawn === 10"),
            ("Shift+ArrowLeft", "chronomask.drawn === 0"),
        ],
        "Home End": [("End", f"chronomask.drawn === {LENGTH - 1}"), ("Home", "chronomask.drawn === 0")],
        "Space": [
            ("Space", "chronomask.frame > 5"),
            ("Space", "!chronomask.player.playing && chronomask.player.seeking === null"),
        ],
        "↑ ↓": [
            ("ArrowDown", f"chronomask.selected === {first[0]}"),
            ("ArrowDown", f"chronomask.selected === {first[1]}"),
            ("ArrowUp", f"chronomask.selected === {first[0]}"),
        ],
        "1 2 3 4": [
            ("Home", "chronomask.drawn === 0"),
            ("4", "chronomask.brush.tool === 'cut'"),
            ("Enter", "chronomask.pointing.prompts.length === 1"),
            ("3", "chronomask.brush.tool === 'erase'"),
            ("1", "chronomask.brush.tool === 'point'"),
            ("2", "chronomask.brush.tool === 'paint'"),
            ("ArrowUp", "true"),
            ("Enter", f"{undo}?.startsWith('paint')"),
        ],
        "[ ]": [("]", "chronomask.brush.size === 11"), ("[", "chronomask.brush.size === 9")],
        "Esc": [
            ("Escape", "chronomask.brush.tool === 'point'"),
            ("Escape", "chronomask.selected === null"),
            ("ArrowDown", f"chronomask.selected === {first[0]}"),
        ],
        "H": [("h", "chronomask.view.hidden.length === 1"), ("h", "chronomask.view.hidden.length === 0")],
        "R": [
            ("r", "document.activeElement.id === 'class-name'"),
            *((key, "true") for key in "dog"),
            ("Enter", f"chronomask.track({first[0]}).name === 'dog'"),
        ],
        "S": [("Shift+ArrowRight", "chronomask.drawn === 10"), ("s", f"{undo}.startsWith('split')")],
        "X": [("x", "document.getElementById('other')"), ("Enter", f"{undo}.startsWith('swap')")],
        "M": [("m", "document.getElementById('other')"), ("Enter", f"{undo}.startsWith('merge')")],
        "Delete": [("Delete", f"{undo}.startsWith('delete')")],
        "Ctrl Z": [("Control+z", f"{undo}.startsWith('merge')"), ("Control+Shift+z", f"{undo}.startsWith('delete')")],
        "?": [
            ("?", "document.querySelector('dialog[open] .keys')"),
            ("Escape", "!document.querySelector('dialog[open]')"),
        ],
    }


def test_every_key_of_the_table_by_keyboard_alone(chromium, served, video):
    page = Page(chromium, *served)
    page.take(video)
    keys = page.page.keyboard
    page.page.evaluate("document.activeElement.blur()")
    page.until("chronomask.frame === 0")
    listed = page.page.evaluate("import('/static/keys.js').then((file) => file.KEYS.map((key) => key.shown))")
    wanted = pressing(page, page.page.evaluate("chronomask.listed.map((track) => track.id)"))
    assert sorted(listed) == sorted(wanted)
    for presses in wanted.values():
        for key, then in presses:
            keys.press(key)
            page.until(then)
    keys.press("?")
    page.page.wait_for_selector("dialog[open]")
    told = [text.split() for text in page.page.locator("dialog dt").all_inner_texts()]
    assert told == [shown.split() for shown in listed]
    keys.press("Escape")
    # Every control is reached by Tab, and can be told by its name.
    page.page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(60):
        keys.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.id || document.activeElement.className"))
    wanted = {
        "home",
        "undo",
        "export-open",
        "stage",
        "back",
        "play",
        "on",
        "frame",
        "scrub",
        "tool-paint",
        "new-object",
    }
    assert wanted <= reached, wanted - reached
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark"), (2560, "light")])
def test_nothing_serious_for_screen_readers_and_no_sideways_scrolling(page, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.base", reason="needs the extra web-test").AXE_SCRIPT
    inner = page.page
    inner.set_viewport_size({"width": width, "height": 900})
    inner.emulate_media(color_scheme=scheme)
    found = {}
    for tab in ("objects", "view", "export", "understand"):
        inner.click(f"#tab-{tab}")
        if tab == "objects":
            inner.click(".object >> nth=0")
        found |= serious(inner, axe)
        assert inner.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if tab == "objects":
            inner.keyboard.press("?")
            found |= serious(inner, axe)
            inner.keyboard.press("Escape")
            inner.click(".object >> nth=0")
    assert found == {}


def serious(inner, axe):
    if not inner.evaluate("!!window.axe"):
        inner.evaluate(axe)
    faults = inner.evaluate("axe.run().then((result) => result.violations)")
    kinds = ("serious", "critical")
    return {f["id"]: [node["html"] for node in f["nodes"]][:3] for f in faults if f["impact"] in kinds}


def test_the_first_page_has_nothing_serious_either_and_a_sample(chromium, served):
    axe = pytest.importorskip("axe_playwright_python.base", reason="needs the extra web-test").AXE_SCRIPT
    page = Page(chromium, *served)
    page.page.wait_for_selector(".drop")
    assert serious(page.page, axe) == {}
    for scheme in ("light", "dark"):  # what the system has; every click changes it
        page.page.evaluate("delete document.documentElement.dataset.theme")
        page.page.emulate_media(color_scheme=scheme)
        grounds = []
        for _ in range(3):
            grounds.append(page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
            page.page.click("[aria-label^='Change between dark']")
        assert grounds[0] != grounds[1] != grounds[2]
    page.page.set_input_files("#file", {"name": "page.mp4", "mimeType": "video/mp4", "buffer": b"<html>" * 99})
    page.page.wait_for_selector("#start .warning >> text=page: not a video")
    page.page.click("text=Take the sample")
    page.until("window.chronomask && chronomask.project.run && chronomask.drawn >= 0")
    assert page.page.evaluate("[chronomask.project.name, chronomask.project.length]") == ["sample", 56]
    page.close()


ODD = {
    "23.976.mp4": {"rate": 24, "times": [round(1001 / 24 * k) for k in range(12)], "bf": "0"},
    "variable.webm": {"codec": "libvpx-vp9", "times": [0, 40, 200, 210, 800, 900, 1000, 1500, 1540, 1600, 2000, 2040]},
    "late start.mkv": {"times": [500 + 33 * k for k in range(12)]},
    "odd size.avi": {"codec": "ffv1", "pix_fmt": "bgr0", "size": (63, 47)},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "anamorphic.mp4": {"x264-params": "sar=16/11"},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "bf": "2"},
}


@pytest.mark.parametrize("name", ODD)
def test_every_frame_of_odd_videos_is_shown_by_its_number(chromium, served, tmp_path, name):
    options = dict(ODD[name])
    width, height = options.pop("size", (64, 48))
    images = moving_square(12, (width, height))
    for number, image in enumerate(images):  # four grey bits tell the number
        for bit in range(4):
            image[height * 2 // 3 :, bit * width // 4 : (bit + 1) * width // 4] = 255 if number >> bit & 1 else 0
    page = Page(chromium, *served)
    page.page.set_input_files("#file", str(film(tmp_path / name, images, **options)))
    page.until("window.chronomask && chronomask.project.run && chronomask.drawn >= 0")
    ratio = page.page.evaluate("chronomask.stage.clientWidth / chronomask.stage.clientHeight")
    assert ratio == pytest.approx(width / height * (16 / 11 if "anamorphic" in name else 1), rel=0.01)
    wrong = []
    for number in (0, 1, 2, 3, 7, 6, 5, 11, 10, 4, 9, 8):
        page.frame(number)
        shown = page.page.evaluate(
            """([width, height]) => {
              const { content } = chronomask, { picture } = chronomask.player;
              const shot = new OffscreenCanvas(width, height), pen = shot.getContext("2d");
              const sides = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
              const part = sides.map((side, axis) => side * content[axis]);
              pen.drawImage(picture, 0, 0, ...part, 0, 0, width, height);
              let number = 0;
              for (let bit = 0; bit < 4; bit++) {
                const at = pen.getImageData(Math.floor((bit + 0.5) * width / 4), Math.floor(height * 0.85), 1, 1).data;
                if (at[1] > 127) number |= 1 << bit;
              }
              return number;
            }""",
            [width, height],
        )
        wrong += [(number, shown)] if number != shown else []
    assert wrong == []
    page.close()
