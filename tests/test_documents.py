"""What README.md and docs/ tell people to type works, and what they link to is there."""

from __future__ import annotations

import importlib
import json
import pickle
import re
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.cli import main
from chronomask.video import Selection, VideoWriter, open_source

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in ("out", "runs") for part in page.relative_to(ROOT).parts[:-1])
)
SLOW = ("train", "web")
"""Commands with tests of their own: one takes minutes, the other stays."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+)$", flags=re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path | str, *languages: str) -> list[str]:
    return [text for language, text in FENCE.findall((ROOT / page).read_text()) if language in languages]


def commands(page: Path | str) -> list[list[str]]:
    """What a page tells to type of this package, as the shell would split it, without the name."""
    text = "\n".join(blocks(page, "", "bash")).replace("\\\n", "")
    return [shlex.split(line, comments=True)[1:] for line in re.findall(r"^ *(chronomask .+)$", text, re.MULTILINE)]


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as GitHub and the site make them."""
    titles = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader is: video.mp4, its frames in JPEGImages, instances.json with its one object, results.json, and the
    same as folders of label maps: Annotations and found."""
    names, masks = [f"clip/{index:05d}.jpg" for index in range(11)], []
    for name in ("JPEGImages", "Annotations", "found"):
        (tmp_path / name / "clip").mkdir(parents=True)
    with VideoWriter(tmp_path / "video.mp4", 70, 54, 25.0) as writer:
        for index, name in enumerate(names):
            mask = np.zeros((54, 70), bool)
            mask[10:30, 3 * index : 3 * index + 20] = True
            writer.write(image := np.where(mask[..., None], (200, 60, 30), 40).astype(np.uint8))
            Image.fromarray(image).save(tmp_path / "JPEGImages" / name)
            for label in ("Annotations", "found"):
                Image.fromarray(mask.view(np.uint8)).save((tmp_path / label / name).with_suffix(".png"))
            masks.append(rle.encode(mask))
    entry = {"id": 1, "width": 70, "height": 54, "length": 11, "file_names": names}
    track = {"id": 1, "video_id": 1, "category_id": 3, "iscrowd": 0, "segmentations": masks}
    track |= {"areas": [rle.area(mask) for mask in masks], "bboxes": [list(rle.bbox(mask)) for mask in masks]}
    content = {"videos": [entry], "categories": [{"id": 3, "name": "car"}], "annotations": [track]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    result = {"video_id": 1, "category_id": 3, "score": 0.9, "segmentations": masks}
    for name in ("results.json", "ours.json", "theirs.json"):
        (tmp_path / name).write_text(json.dumps([result]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def any_video(path: Path) -> None:
    """Two and a half seconds of two objects, of which one is where the points of docs/quick-start.md are."""
    with VideoWriter(path, 640, 360, 4.0) as writer:
        for frame in open_source(str(ROOT / "examples/sample.mp4"), selection=Selection(every=6)):
            writer.write(frame.image)


@pytest.mark.parametrize("page", ["docs/quick-start.md", "docs/score-your-tracker.md"])
def test_commands_run_as_they_stand(folder: Path, page: str) -> None:
    """With the bundled weights, on a small video and data set; training has tests of its own, and takes minutes."""
    if "quick-start" in page:
        any_video(folder / "video.mp4")
    typed = [command for command in commands(page) if command[0] not in SLOW and "--checkpoint" not in command]
    assert typed
    for command in typed:
        assert main(command) == 0, command
    made = "submission.zip" if "score" in page else "result/overlay.mp4"
    assert (folder / made).exists()


def test_what_the_readme_runs_is_run_from_the_quick_start() -> None:
    for page in ("README.md", "README.zh.md"):
        typed = [command for command in commands(page) if command[0] not in SLOW and "--checkpoint" not in command]
        assert typed
        assert all(command in commands("docs/quick-start.md") for command in typed)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=named)
def test_commands_have_the_options_that_pages_give_them(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown options end the parser by SystemExit; here only the files are missing that the commands speak of."""
    monkeypatch.chdir(tmp_path)
    for command in commands(page):
        if command[0] == "export" or "0" in command or any("://" in word for word in command):
            continue  # they need no file
        assert main(command) == 2, command


def test_the_most_used_commands_have_these_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    most_used = importlib.import_module("command_pages").MOST_USED
    monkeypatch.chdir(tmp_path)
    for _, typed in most_used:
        command = shlex.split(typed)[1:]
        if "0" not in command:  # a camera needs no file
            assert main(command) == 2, command


def backbones_of_others(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """What docs/weights.md reads; of a ResNet-50, which is made and read in a fraction of the time of a ResNet-101."""
    from chronomask import config
    from model import checkpoints, graphs

    make = checkpoints.random()
    state = checkpoints.detectron2_trunk(checkpoints.trunk(50, make))
    state |= checkpoints.detectron2_pyramid(checkpoints.pyramid(make))
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    (folder / "model_final_a3ec72.pkl").write_bytes(pickle.dumps({"model": arrays}))
    graphs.written(graphs.graph(graphs.trunk()), folder)
    small = replace(config.paper(), backbone="resnet50")
    patch.setattr(config, "paper", lambda: small)


def labelled_images(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """What docs/own-classes.md trains on, for two steps of small clips instead of two hundred."""
    from chronomask.config import MixtureConfig, fine_tune_recipe
    from chronomask.data.synthetic_config import SynthesizeConfig
    from chronomask.training import finetune, run
    from data.files import box, textured, write_stills

    stills = [(textured(54, 70, number), [(1, box(54, 70, 10, 10, 40, 60), {})]) for number in range(6)]
    write_stills(folder / "mine", stills, "instances.json")
    clips = MixtureConfig(length=2, height=64, width=64, max_pastes=0)
    patch.setattr(run, "fine_tune_recipe", lambda: replace(fine_tune_recipe(), steps=2, data=clips))
    patch.setattr(finetune, "SynthesizeConfig", partial(SynthesizeConfig, length=2, height=64, width=64))


PYTHON = {"\n".join(blocks(page, "python")): named(page) for page in reversed(PAGES)}
"""A page for all Python that is told, each once: translations have the same."""

READY = {"docs/weights.md": backbones_of_others, "docs/own-classes.md": labelled_images}
"""What must be there before the Python of a page can run."""


@pytest.mark.network
@pytest.mark.parametrize("page", [name for text, name in PYTHON.items() if text])
def test_python_runs_as_it_stands(
    page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    READY.get(page, lambda folder, patch: None)(folder, monkeypatch)
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), {})
    assert capsys.readouterr().out or page == "docs/own-classes.md"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:") or "reference/" in target:
            continue  # pages of the reference are made; their links are checked as the site is built
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{named(page)}: {target}: no such file"
        assert not anchor or anchor in anchors(place), f"{named(page)}: {target}: no such heading"


@pytest.mark.parametrize(("page", "most"), [("README.md", 900), ("RESULTS.md", 1500)])
def test_the_first_pages_are_short(page: str, most: int) -> None:
    assert len((ROOT / page).read_text().split()) <= most


def test_the_list_of_experiments_is_complete() -> None:
    folder = ROOT / "docs/experiments"
    listed = set(LINK.findall((folder / "index.md").read_text()))
    assert {page.name for page in folder.glob("*.md")} - {"index.md"} <= listed
