"""Objects copied into clips: with their own movement, where others are, and hidden for a while."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from chronomask.categories import NO_CLASS
from chronomask.config import MixtureConfig, MotionConfig
from chronomask.data.pasting import Pasting
from chronomask.data.sources import open_reader
from chronomask.data.synthesis import Canvas
from chronomask.structures import Clip
from data.files import NETWORK, box, small_set, textured, write_videos

STILL = MotionConfig(shift=0.0, rotation=0.0, zoom=0.0, blur=0.0)
CONFIG = MixtureConfig(length=4, objects=STILL, colours=0.0, moving=1.0, meeting=1.0, behind=0.0)


def canvas(length=4, size=(60, 90), place=(20, 30, 40, 60)):
    """A grey view with one instance that does not move."""
    masks = torch.from_numpy(box(*size, *place))[None, None]
    nothing = torch.zeros(1, *size, dtype=torch.bool)
    clip = Clip(torch.full((1, 3, *size), 90, dtype=torch.uint8), masks, torch.tensor([0]), nothing, nothing, "made up")
    return Canvas(clip, torch.eye(3).repeat(length, 1, 1, 1), size)


def generator(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def videos(tmp_path):
    """One dog that goes to the right, one thing without a class, and a crowd."""
    frames = [textured(48, 64, seed) for seed in range(5)]
    dog = [box(48, 64, 2, 2 + 6 * frame, 40, 34 + 6 * frame) for frame in range(5)]
    thing, crowd = [box(48, 64, 4, 4, 40, 50)] * 5, [box(48, 64, 0, 0, 45, 60)] * 5
    listed = [(frames, [(18, dog, {})]), (frames, [(99, thing, {})]), (frames, [(1, crowd, {"iscrowd": 1})])]
    return open_reader(write_videos(tmp_path, listed), NETWORK)


def test_objects_of_videos_are_copied_those_without_a_class_too_but_no_crowds(videos):
    assert Pasting([videos], CONFIG).movers.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert len(Pasting([videos], replace(CONFIG, moving=0.0)).movers) == 0
    seen = set()
    for seed in range(12):
        view = canvas()
        Pasting([videos], CONFIG).paste(view, generator(seed))
        seen.add(view.class_ids[-1])
    assert seen == {1, NO_CLASS}


def test_a_share_of_the_objects_comes_from_videos(tmp_path):
    stills, videos = small_set(tmp_path)
    readers = [open_reader(path, NETWORK) for path in (stills, videos)]
    pasting = Pasting(readers, replace(CONFIG, moving=0.3))
    drawn = [pasting._cutout(4, generator(seed)).pixels.shape[0] for seed in range(60)]
    assert 8 <= sum(frames == 4 for frames in drawn) <= 28
    assert set(drawn) == {1, 4}


def test_copied_objects_meet_those_that_are_there(videos):
    for share, least, most in ((1.0, 12, 12), (0.0, 0, 11)):
        pasting, met = Pasting([videos], replace(CONFIG, meeting=share)), 0
        for seed in range(12):
            view = canvas(size=(300, 450), place=(20, 30, 60, 80))
            x, y = pasting._place(view, generator(seed))
            met += 30 <= x < 80 and 20 <= y < 60
        assert least <= met <= most


@pytest.mark.parametrize(("length", "stride", "shortest", "longest"), [(4, 1, 2, 2), (32, 1, 5, 15), (32, 4, 2, 4)])
def test_something_hides_an_object_and_it_is_seen_before_and_after(videos, length, stride, shortest, longest):
    gaps = set()
    for seed in range(10):
        view = canvas(length, size=(60, 400), place=(20, 190, 40, 210))
        Pasting([videos], CONFIG).hide(view, stride, generator(seed))
        whole = int(canvas(1, size=(60, 400), place=(20, 190, 40, 210)).clip().masks.sum())
        seen = view.clip().masks[0].flatten(1).sum(1)
        hidden = np.flatnonzero(seen.numpy() == 0)
        gaps.add(len(hidden))
        assert np.array_equal(hidden, np.arange(hidden[0], hidden[-1] + 1))
        assert seen[hidden[0] - 1] > 0
        assert 0 < seen[hidden[-1] + 1] <= whole
        assert len(view.class_ids) == 1
    assert min(gaps) >= shortest
    assert max(gaps) <= longest
    assert len(gaps) > 1 or shortest == longest


def test_nothing_hides_what_is_too_wide_or_not_there(videos):
    wide = canvas(size=(60, 90), place=(10, 5, 50, 85))
    before = wide.frames.copy()
    Pasting([videos], CONFIG).hide(wide, 1, generator(0))
    assert np.array_equal(wide.frames, before)
    short = canvas(length=2)
    Pasting([videos], CONFIG).hide(short, 1, generator(0))
    assert short.clip().masks.flatten(2).any(2).all()
