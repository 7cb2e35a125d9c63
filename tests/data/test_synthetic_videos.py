"""Videos from stills: masks that fit the pixels, a camera that stays inside, crowds, sizes, bytes, faults."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chronomask import rle
from chronomask.data.sources import open_reader
from chronomask.data.synthetic_config import SynthesizeConfig
from chronomask.data.synthetic_videos import camera_path, synthesize
from chronomask.errors import InputError
from chronomask.evaluation.validate import validate
from data.files import box, textured, write_stills, write_videos

SMALL = SynthesizeConfig(length=4, height=48, width=80)
RED = (200, 30, 30)


def red_box(top, left, bottom, right):
    """A grey still with a red object, and its mask."""
    pixels, mask = np.full((60, 90, 3), 120, np.uint8), box(60, 90, top, left, bottom, right)
    pixels[mask] = RED
    return pixels, mask


@pytest.fixture
def stills(tmp_path):
    """A red object; a person, a crowd of dogs and merged cats; a still without objects, labelled for cats alone."""
    pixels, mask = red_box(15, 20, 45, 60)
    objects = [
        (1, box(60, 90, 10, 10, 50, 40), {}),
        (18, box(60, 90, 5, 45, 55, 60), {"iscrowd": 1}),
        (17, box(60, 90, 5, 65, 55, 85), {"iscrowd": 1, "merged": True}),
    ]
    partial = (textured(60, 90, 2), [], {"labelled_classes": ["cat"]})
    return write_stills(tmp_path, [(pixels, [(17, mask, {})]), (textured(60, 90, 1), objects), partial])


def made(stills: Path, name="out", config=SMALL):
    out = stills.parent / name
    counts = synthesize(open_reader(stills, None), out, config)
    return out, json.loads((out / "instances.json").read_text()), counts


def test_the_result_is_a_valid_data_set_with_its_own_classes(stills):
    out, content, counts = made(stills)
    assert not validate(out / "instances.json").problems
    assert content["categories"] == [
        {"id": 1, "name": "person"},
        {"id": 17, "name": "cat"},
        {"id": 18, "name": "dog"},
        {"id": 99, "name": "unicorn"},
    ]
    assert (counts.videos, counts.instances, counts.ignored, counts.skipped) == (3, 2, 2, ())
    reader = open_reader(out, None)
    assert [reader.length(index) for index in range(3)] == [4, 4, 4]
    clip = reader.load(1, range(4))
    assert clip.frames.shape == (4, 3, 48, 80)
    assert clip.class_ids.tolist() == [0, -1]
    assert clip.ignore.any()
    assert not clip.unknown.any()
    assert reader.load(2, [0]).unknown.all()


def test_crowds_and_merged_objects_are_flagged(stills):
    _, content, _ = made(stills)
    flags = {a["category_id"]: (a["iscrowd"], a.get("merged", False)) for a in content["annotations"][1:]}
    assert flags == {1: (0, False), 18: (1, False), 17: (1, True)}


def test_masks_lie_on_their_object_in_every_frame(stills):
    out, content, _ = made(stills)
    annotation, video = content["annotations"][0], content["videos"][0]
    for name, mask in zip(video["file_names"], annotation["segmentations"], strict=True):
        pixels = np.asarray(Image.open(out / "JPEGImages" / name)).astype(int)
        red = pixels[..., 0] - pixels[..., 1] > 85
        both, either = red & rle.decode(mask), red | rle.decode(mask)
        assert both.sum() > 0.9 * either.sum()


def test_the_camera_moves_and_stays_inside_the_still():
    corners = torch.tensor([[0.0, 79, 0, 79], [0, 0, 47, 47], [1, 1, 1, 1]])
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        path = camera_path((60, 90), (float(3 * seed), 0.0), SMALL, generator)
        shown = torch.linalg.solve(path, corners)
        x, y = shown[..., 0, :] / shown[..., 2, :], shown[..., 1, :] / shown[..., 2, :]
        assert x.min() > -0.01
        assert x.max() < 89.01
        assert y.min() > -0.01
        assert y.max() < 59.01
        assert not torch.allclose(path[0], path[-1])


def test_objects_below_the_smallest_size_are_ignored(stills):
    _, content, _ = made(stills)
    area = np.mean([area for area in content["annotations"][0]["areas"] if area])
    for smallest, crowd in ((area, 0), (area + 0.5, 1)):
        config = SynthesizeConfig(length=4, height=48, width=80, smallest=float(smallest))
        assert made(stills, f"at-{smallest}", config)[1]["annotations"][0]["iscrowd"] == crowd


def contents(folder: Path):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_seed_decides_every_byte(stills):
    first, again = made(stills, "first")[0], made(stills, "again")[0]
    assert contents(first) == contents(again)
    other = made(stills, "other", SynthesizeConfig(length=4, height=48, width=80, seed=1))[0]
    assert contents(first).keys() == contents(other).keys()
    assert contents(first) != contents(other)


def test_copies_differ_and_pasted_objects_are_annotated(tmp_path):
    # Large enough to be copied: the mixture leaves out small objects.
    pixels, mask = red_box(10, 10, 55, 80)
    stills = write_stills(tmp_path, [(pixels, [(17, mask, {})]), (textured(60, 90), [])])
    config = SynthesizeConfig(length=4, height=48, width=80, videos_per_image=8, max_pastes=2, colours=0.2)
    out, content, _ = made(stills, config=config)
    assert len(content["videos"]) == 16
    shown = [(out / "JPEGImages" / video["file_names"][0]).read_bytes() for video in content["videos"]]
    assert len(set(shown)) == 16
    pasted = [a for a in content["annotations"] if a["video_id"] > 8]
    assert pasted
    assert {a["category_id"] for a in pasted} == {17}


def test_nothing_is_left_of_a_failed_run_and_nothing_is_replaced(stills):
    image = stills.parent / "images/stills-1.png"
    image.write_bytes(image.read_bytes()[:300])
    before = sorted(stills.parent.rglob("*"))
    with pytest.raises(InputError, match=r"stills-1\.png"):
        made(stills)
    assert sorted(stills.parent.rglob("*")) == before
    out = stills.parent / "out"
    counts = synthesize(open_reader(stills, None), out, SMALL, skip_broken=True)
    assert counts.videos == 2
    assert "stills-1.png" in counts.skipped[0]
    with pytest.raises(InputError, match="out: exists already"):
        made(stills)


def test_a_broken_still_that_is_copied_from_costs_the_others_nothing(tmp_path):
    pixels, mask = red_box(10, 10, 55, 80)
    stills = write_stills(tmp_path, [(pixels, [(17, mask, {})])] * 2)
    (tmp_path / "images/stills-1.png").write_bytes(b"no image")
    config = SynthesizeConfig(length=2, height=48, width=80, videos_per_image=8, max_pastes=2)
    reader = open_reader(stills, None)
    with pytest.raises(InputError, match=r"stills-1\.png"):
        synthesize(reader, tmp_path / "out", config)
    counts = synthesize(reader, tmp_path / "out", config, skip_broken=True)
    assert counts.videos == 8
    assert counts.instances > 8
    assert len(counts.skipped) == 1


def test_videos_are_shown_whole_and_get_the_objects_of_others(tmp_path):
    """A grey video of 48 x 80, and objects of another that is red and moves; without them nothing changes."""
    frames, place = [np.full((48, 80, 3), 120, np.uint8)] * 6, [box(48, 80, 2, 2, 20, 30)] * 6
    videos = write_videos(tmp_path / "base", [(frames, [(17, place, {})])])
    red = [box(48, 80, 5, 5 + 4 * frame, 45, 40 + 4 * frame) for frame in range(6)]
    pictures = [np.where(mask[..., None], np.array(RED, np.uint8), np.uint8(120)) for mask in red]
    others = open_reader(
        write_videos(tmp_path / "others", [(pictures, [(99, red, {})])]), open_reader(videos, None).file_categories
    )
    _, content, _ = made(videos)
    assert content["videos"][0]["length"] == 4
    assert [a["category_id"] for a in content["annotations"]] == [17]
    assert all(np.array_equal(rle.decode(mask), place[0]) for mask in content["annotations"][0]["segmentations"])
    busy = replace(SMALL, videos_per_image=6, max_pastes=2)
    out = tmp_path / "busy"
    synthesize(open_reader(videos, None), out, busy, others)
    content = json.loads((out / "instances.json").read_text())
    assert not validate(out / "instances.json").problems
    pasted = [a for a in content["annotations"] if a["category_id"] == 99]
    assert pasted
    for annotation in pasted:
        video = content["videos"][annotation["video_id"] - 1]
        for name, mask in zip(video["file_names"], annotation["segmentations"], strict=True):
            shown = np.asarray(Image.open(out / "JPEGImages" / name)).astype(int)
            inside = shown[rle.decode(mask)] if mask else shown[:0]
            if len(inside) > 60:  # of fewer, JPEG mixes the colours with those beside them
                assert (inside[:, 0] - inside[:, 1]).mean() > 80


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("length", 0),
        ("length", 10**7 + 1),
        ("height", 2**15 + 1),
        ("width", 2**15 + 1),
        ("quality", 96),
        ("closeness", 0.5),
        ("smallest", float("nan")),
        ("seed", -1),
    ],
)
def test_settings_out_of_range_are_named(field, value):
    with pytest.raises(InputError, match=f"{field} {value}"):
        SynthesizeConfig(**{field: value})


def test_videos_that_are_too_large_are_refused_with_their_size():
    SynthesizeConfig(length=8, height=8192, width=16384)
    with pytest.raises(InputError, match="height 8192 and width 16385: a frame may have 134,217,728 pixels"):
        SynthesizeConfig(length=1, height=8192, width=16385)
    with pytest.raises(InputError, match="length 9, height 8192 and width 16384: a video may have 1,073,741,824"):
        SynthesizeConfig(length=9, height=8192, width=16384)
