"""Previews: which entries and frames, and that instances, ignored and unknown pixels can be told apart."""

from inspect import signature

import av
import numpy as np
import pytest
from PIL import Image

from chronomask.commands.dataset import preview
from chronomask.config import MixtureConfig, lite_recipe
from chronomask.data.mixture import ClipMixture
from chronomask.data.panels import BAR, Panel, draw_panel
from chronomask.data.preview import clip_strips, entry_strips, frames_for, write_preview
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_reader
from chronomask.errors import InputError
from data.files import NETWORK, box, small_set, textured, write_stills

NONE = np.zeros((60, 80), bool)


def drawn(image, masks=NONE[None][:0], ignore=NONE, unknown=NONE):
    panel = Panel(image, masks, [""] * len(masks), ignore, unknown, "title")
    return draw_panel(panel, 160)[BAR:]


def test_what_is_not_annotated_is_drawn_as_it_is():
    image = np.full((60, 80, 3), 90, np.uint8)
    assert (drawn(image) == 90).all()


def test_marks_lie_on_their_regions_alone():
    image = np.full((60, 80, 3), (200, 60, 60), np.uint8)
    left = NONE.copy()
    left[:, :40] = True
    ignored, unknown = drawn(image, ignore=left), drawn(image, unknown=left)
    assert (ignored[:, 80:] == image[0, 0]).all()
    assert (unknown[:, 80:] == image[0, 0]).all()
    # Ignored pixels are grey, all of them; unknown ones keep their colour between the dots.
    assert (ignored[:, :80] == ignored[:, :80, :1]).all()
    changed = (unknown[:, :80] != image[0, 0]).any(2).mean()
    assert 0.02 < changed < 0.2


def test_instances_are_drawn_and_are_not_unknown():
    image, mask = np.full((60, 80, 3), 90, np.uint8), box(60, 80, 10, 10, 50, 50)
    picture = drawn(image, mask[None], unknown=~NONE)
    inside, outside = picture[40:80, 40:80], picture[4:10, 120:156]
    assert (inside == inside[0, 0]).all()
    assert (inside[0, 0] != 90).any()
    assert (outside != 90).any()


def titles(strips):
    return [[panel.title for panel in strip] for strip in strips]


def test_entries_by_name_and_by_chance(tmp_path):
    stills, _ = small_set(tmp_path)
    reader = open_reader(stills, NETWORK)
    sheet = frames_for(tmp_path / "a.png", 8.0)
    assert titles(entry_strips(reader, ["stills-1.png"], 9, 0, sheet)) == [["stills-1.png  70x50"]]
    assert len(entry_strips(reader, [], 1, 0, sheet)) == 1
    assert len(entry_strips(reader, [], 9, 0, sheet)) == 2
    with pytest.raises(InputError, match=r"stills\.json: no entry named nobody"):
        entry_strips(reader, ["nobody"], 1, 0, sheet)


def test_sheets_spread_frames_and_videos_show_all(tmp_path):
    sheet, video = frames_for(tmp_path / "a.png", 8.0), frames_for(tmp_path / "a.mp4", 8.0)
    assert list(sheet(5)) == [0, 1, 3, 4]
    assert list(video(5)) == [0, 1, 2, 3, 4]
    assert (list(sheet(1)), len(video(1))) == ([0], 8)
    with pytest.raises(InputError, match=r"a\.gif"):
        frames_for(tmp_path / "a.gif", 8.0)


def test_names_are_the_files_own(tmp_path):
    masks = [box(50, 70, 5, 5, 45, 30), box(50, 70, 10, 35, 48, 68)]
    objects = [(99, masks[0], {}), (1, masks[1], {"merged": True})]
    reader = open_reader(write_stills(tmp_path, [(textured(50, 70), objects)]), NETWORK)
    (strip,) = entry_strips(reader, [], 1, 0, lambda length: [0])
    (panel,) = strip
    assert panel.labels == ["unicorn (new)", "person (several)"]


def test_clips_of_the_command_have_the_settings_of_training():
    assert signature(preview).parameters["config"].default == lite_recipe().data


def test_clips_are_those_of_training(tmp_path):
    stills, _ = small_set(tmp_path)
    config = MixtureConfig(length=4, height=32, width=48)
    source = WeightedSource(open_reader(stills, NETWORK), 1.0)
    mixture = ClipMixture([source], config, seed=5, clips=3)
    for number, strip in enumerate(clip_strips(source, NETWORK, config, 3, 5, range)):
        clip, shown = mixture[number].clip, list(strip)
        assert len(shown) == 4
        for frame, panel in enumerate(shown):
            assert (panel.image == clip.frames[frame].permute(1, 2, 0).numpy()).all()
            assert (panel.ignore == clip.ignore[frame].numpy()).all()
            assert panel.labels == [NETWORK[k].name for k in clip.class_ids.tolist()]


def test_sheet_and_video_are_written(tmp_path):
    _, videos = small_set(tmp_path)
    reader = open_reader(videos, NETWORK)
    for name in ("sheet.png", "sheet.jpg"):
        out = tmp_path / name
        write_preview(entry_strips(reader, [], 1, 0, frames_for(out, 8.0)), out, width=400, fps=8.0)
        with Image.open(out) as image:
            plain = image.size
    write_preview(entry_strips(reader, [], 1, 0, frames_for(out, 8.0)), out, width=400, fps=8.0, made=True)
    with Image.open(out) as image:
        assert (plain, image.size) == ((400, image.height - 2 * BAR), (400, image.height))
    out = tmp_path / "video.mp4"
    write_preview(entry_strips(reader, [], 1, 0, frames_for(out, 8.0)), out, width=320, fps=8.0)
    with av.open(str(out)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame.shape for frame in frames] == [(200, 320, 3)] * 5
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 50


def test_broken_entries_are_skipped_only_if_told(tmp_path):
    stills, _ = small_set(tmp_path)
    (tmp_path / "images/stills-0.png").write_text("no image")
    reader, out = open_reader(stills, NETWORK), tmp_path / "sheet.png"
    sheet = frames_for(out, 8.0)
    with pytest.raises(InputError, match=r"stills-0\.png"):
        write_preview(entry_strips(reader, [], 2, 0, sheet), out, width=400, fps=8.0)
    assert not out.exists()
    (skipped,) = write_preview(entry_strips(reader, [], 2, 0, sheet), out, width=400, fps=8.0, skip_broken=True)
    assert "stills-0.png" in skipped
    only = entry_strips(reader, ["stills-0.png"], 1, 0, sheet)
    with pytest.raises(InputError, match="nothing to show"):
        write_preview(only, out, width=400, fps=8.0, skip_broken=True)
