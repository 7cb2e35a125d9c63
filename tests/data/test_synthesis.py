from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader

from chronomask.config import MixtureConfig, MotionConfig
from chronomask.data.mixture import ClipMixture, WeightedSource
from chronomask.data.sources import open_training_source
from chronomask.data.synthesis import drift_colours, motion_matrices, paste, smooth_path, warp_clip
from chronomask.errors import InputError
from chronomask.structures import NO_CLASS, Clip
from data.files import NETWORK, box, small_set, textured, write_stills

SMALL = MixtureConfig(length=4, height=40, width=56)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def coloured_clip(height=60, width=80):
    """A red disc and a blue square on green, with an ignored corner and an unknown stripe."""
    rows, columns = torch.arange(height).view(-1, 1), torch.arange(width).view(1, -1)
    disc = (rows - 25) ** 2 + (columns - 30) ** 2 < 15**2
    square = (rows > 20) & (rows < 45) & (columns > 50) & (columns < 72)
    frames = torch.zeros(1, 3, height, width, dtype=torch.uint8)
    frames[0, 1] = 255
    for channel, mask in ((0, disc), (2, square)):
        frames[0, :, mask] = 0
        frames[0, channel, mask] = 255
    ignore = (rows < 8) & (columns < 8)
    unknown = ((rows > 52) & (columns >= 0)).clone()
    masks = torch.stack([disc, square])[:, None]
    return Clip(frames, masks, torch.tensor([2, NO_CLASS]), ignore[None], unknown[None], "made up")


def grown(mask, by=1):
    return F.max_pool2d(mask[:, None].float(), 2 * by + 1, 1, by)[:, 0] > 0


def agree_within_a_pixel(first, second):
    return not (first & ~grown(second)).any() and not (second & ~grown(first)).any()


def matrices_of(seed, length=6, scale=0.9, mirror=False, target=(40.0, 30.0)):
    motion = MotionConfig(shift=0.5, rotation=25.0, zoom=0.3)
    return motion_matrices(length, (40.0, 30.0), target, scale, mirror, 60.0, motion, generator(seed))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_pixels_and_masks_move_together(seed, mirror):
    clip = coloured_clip()
    matrices = matrices_of(seed, mirror=mirror)
    moved = warp_clip(clip, matrices, 64, 72)
    assert moved.frames.shape == (6, 3, 64, 72)
    inside = ~moved.ignore
    for index, channel in enumerate((0, 2)):
        red = (moved.frames[:, channel] > 127) & (moved.frames[:, 1] < 128)
        # Beyond the border the picture is reflected, and ignored.
        assert agree_within_a_pixel(red & grown(inside) & inside, moved.masks[index] & inside)
    assert moved.masks.any((2, 3)).any()
    assert moved.class_ids.tolist() == clip.class_ids.tolist()


def test_matrices_map_source_to_target_pixels():
    clip = coloured_clip()
    matrices = matrices_of(1)
    moved = warp_clip(clip, matrices, 64, 72)
    centre = torch.tensor([30.0, 25.0, 1.0])
    for matrix, mask in zip(matrices, moved.masks[0], strict=True):
        x, y = (matrix @ centre).tolist()
        if 16 < x < 56 and 16 < y < 48:
            rows, columns = mask.nonzero().float().mean(0).tolist()
            assert (columns, rows) == pytest.approx((x, y), abs=1)


def test_without_motion_nothing_changes():
    clip = coloured_clip()
    still = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).repeat(2, 1, 1)
    moved = warp_clip(clip, still, 60, 80)
    for name in ("frames", "ignore", "unknown"):
        assert torch.equal(getattr(moved, name), getattr(clip, name).expand_as(getattr(moved, name))), name
    assert torch.equal(moved.masks, clip.masks.expand(-1, 2, -1, -1))


def test_what_was_out_of_sight_is_ignored():
    clip = coloured_clip()
    aside = torch.tensor([[1.0, 0, 10], [0, 1, 5]])[None]
    moved = warp_clip(clip, aside, 60, 80)
    assert moved.ignore[0, :, :10].all()
    assert moved.ignore[0, :5].all()
    assert torch.equal(moved.ignore[0, 5:, 10:], clip.ignore[0, :-5, :-10])
    assert torch.equal(moved.unknown[0, 5:, 10:], clip.unknown[0, :-5, :-10])
    assert torch.equal(moved.masks[:, 0, 5:, 10:], clip.masks[:, 0, :-5, :-10])
    assert not moved.masks[:, moved.ignore].any()


def test_frames_of_a_video_move_each_on_its_own():
    clip = coloured_clip()
    video = replace(
        clip,
        frames=torch.cat([clip.frames, clip.frames.flip(3)]),
        masks=torch.cat([clip.masks, clip.masks.flip(3)], 1),
        ignore=clip.ignore.repeat(2, 1, 1),
        unknown=clip.unknown.repeat(2, 1, 1),
    )
    moved = warp_clip(video, matrices_of(0, length=2), 60, 80)
    for frame, source in enumerate((clip, replace(clip, frames=video.frames[1:], masks=video.masks[:, 1:]))):
        alone = warp_clip(source, matrices_of(0, length=2)[frame : frame + 1], 60, 80)
        assert torch.equal(moved.masks[:, frame], alone.masks[:, 0])
        assert (moved.frames[frame].int() - alone.frames[0].int()).abs().max() <= 1


@pytest.mark.parametrize("seed", range(3))
def test_an_occluder_takes_exactly_its_own_pixels(seed):
    clip = warp_clip(coloured_clip(), matrices_of(seed), 60, 80)
    white = torch.full((3, 20, 24), 255, dtype=torch.uint8)
    mask = torch.from_numpy(box(20, 24, 2, 3, 18, 21))
    motion = MotionConfig(shift=0.5, rotation=25.0, zoom=0.3)
    path = motion_matrices(6, (12.0, 10.0), (35.0, 28.0), 1.2, False, 60.0, motion, generator(seed))
    pasted = paste(clip, white, mask, 1, path)
    occluder = pasted.masks[2]
    assert occluder.any()
    assert torch.equal(pasted.masks[:2], clip.masks & ~occluder)
    assert torch.equal(pasted.ignore, clip.ignore & ~occluder)
    assert torch.equal(pasted.unknown, clip.unknown & ~occluder)
    assert pasted.class_ids.tolist() == [2, NO_CLASS, 1]
    far = ~grown(occluder, 2)
    assert torch.equal(pasted.frames.permute(0, 2, 3, 1)[far], clip.frames.permute(0, 2, 3, 1)[far])
    assert agree_within_a_pixel(pasted.frames.amin(1) > 127, occluder)


def test_an_object_at_the_border_of_its_crop_is_not_smeared():
    clip = warp_clip(coloured_clip(), matrices_of(0), 60, 80)
    full = torch.ones(10, 12, dtype=torch.bool)
    identity = torch.tensor([[1.0, 0, 30], [0, 1, 20]]).repeat(6, 1, 1)
    pasted = paste(clip, torch.zeros(3, 10, 12, dtype=torch.uint8), full, 0, identity)
    assert torch.equal(pasted.masks[2, 0], torch.from_numpy(box(60, 80, 20, 30, 30, 42)))


def test_motion_is_coherent():
    """No frame jumps: second differences are small beside the travel, and so is the way between two frames."""
    for seed in range(50):
        path = smooth_path(8, 40.0, 0.3, generator(seed))
        assert path.shape == (8,)
        assert path.abs().max() <= 40 * (0.5 + 0.3)
        assert path.diff().abs().max() <= 40 * 0.45
        assert path.diff().diff().abs().max() <= 40 * 0.3
    assert smooth_path(1, 40.0, 0.3, generator()).tolist() == [0.0]
    for seed in range(10):
        points = matrices_of(seed, length=8) @ torch.tensor([40.0, 30.0, 1.0])
        assert points.diff(dim=0).diff(dim=0).abs().max() <= 0.3 * 0.5 * 60


def test_colours_change_for_the_whole_clip_and_leave_the_masks():
    clip = warp_clip(coloured_clip(), matrices_of(0), 60, 80)
    changed = drift_colours(clip, 0.3, generator(3))
    assert torch.equal(drift_colours(clip, 0.0, generator()).frames, clip.frames)
    assert not torch.equal(changed.frames, clip.frames)
    assert torch.equal(changed.masks, clip.masks)
    difference = (changed.frames.float() - clip.frames.float()).mean((1, 2, 3))
    assert difference.diff().abs().max() < 20


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    stills, videos = small_set(folder)
    # The file of stills has its own folder of images; the videos' folder is beside both.
    apart = folder / "stills"
    images = [(textured(50, 70, seed), [(1, box(50, 70, 5, 5, 45, 30), {})]) for seed in range(2)]
    stills = write_stills(apart, images)
    return [open_training_source(f"{path},weight=0.5", NETWORK) for path in (stills, videos)]


def same(first, second):
    for name in ("frames", "masks", "class_ids", "ignore", "unknown"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name
    assert first.source == second.source


def test_clips_of_the_mixture_are_sound(sources):
    mixture = ClipMixture(sources, SMALL, seed=0, clips=24)
    assert len(mixture) == 24
    kinds = set()
    for index in range(24):
        clip = mixture[index]
        count = len(clip.class_ids)
        assert clip.frames.shape == (4, 3, 40, 56)
        assert clip.masks.shape == (count, 4, 40, 56)
        assert clip.masks.sum(0).max() <= 1 if count else True
        assert clip.masks.flatten(1).any(1).all()
        assert ((clip.class_ids >= 0) & (clip.class_ids < 3)).all()
        kinds.add(clip.source.split(":")[0])
    assert kinds == {"stills.json", "videos.json"}


def test_a_clip_depends_on_seed_and_number_alone(sources):
    mixture = ClipMixture(sources, SMALL, seed=3, clips=6)
    expected = [mixture[index] for index in range(6)]
    again = ClipMixture(sources, SMALL, seed=3, clips=100)
    for index in (5, 2, 0):
        same(again[index], expected[index])
    other = ClipMixture(sources, SMALL, seed=4, clips=6)
    assert not torch.equal(other[0].frames, expected[0].frames)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on machines with one core
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_any_number_of_workers_gives_the_same_bytes_from_any_start(sources, workers):
    mixture = ClipMixture(sources, SMALL, seed=3, clips=6)
    for start in (0, 3):
        loader = DataLoader(mixture, batch_size=None, sampler=range(start, 6), num_workers=workers)
        for index, clip in enumerate(loader, start):
            same(clip, mixture[index])
    assert index == 5


def test_videos_shorter_than_a_clip_stand_still_at_their_end(sources):
    long = replace(SMALL, length=8, max_pastes=0)
    mixture = ClipMixture(sources[1:], long, seed=0, clips=3)
    for index in range(3):
        assert mixture[index].frames.shape[0] == 8


def test_instances_beyond_the_most_are_ignored(sources):
    busy = replace(SMALL, max_pastes=6)
    for index in range(8):
        full = ClipMixture(sources, busy, seed=1, clips=8)[index]
        few = ClipMixture(sources, replace(busy, max_instances=2), seed=1, clips=8)[index]
        assert len(few.class_ids) == min(2, len(full.class_ids))
        areas = full.masks.flatten(1).sum(1).sort(descending=True).values
        assert few.masks.flatten(1).sum(1).tolist() == areas[:2].tolist()
        assert few.ignore.sum() >= areas[2:].sum()


def test_a_mixture_needs_something_to_mix(sources):
    with pytest.raises(InputError, match="no training data"):
        ClipMixture([], SMALL, 0, 1)
    empty = WeightedSource(sources[1].reader.__class__.__new__(sources[1].reader.__class__), 1.0)
    empty.reader.entries, empty.reader.annotations = [], sources[1].reader.annotations
    with pytest.raises(InputError, match=r"videos\.json: no images or videos"):
        ClipMixture([empty], SMALL, 0, 1)


def test_shares_are_kept(sources):
    mixture = ClipMixture([sources[0]._replace(weight=0.9), sources[1]._replace(weight=0.1)], SMALL, 0, 40)
    stills = sum(mixture[index].source.startswith("stills") for index in range(40))
    assert 28 <= stills <= 40
