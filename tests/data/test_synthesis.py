from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from chronomask.categories import NO_CLASS
from chronomask.config import MotionConfig, published_motion
from chronomask.data.motion import SUBFRAMES, motion_matrices, smooth_path
from chronomask.data.synthesis import Canvas, Cutout, cut_out, drift_colours
from chronomask.data.warp import STEP, needed_subframes
from chronomask.errors import InputError
from chronomask.structures import Clip
from data.files import box

AFFINE = MotionConfig(shift=0.5, rotation=25.0, zoom=0.3, blur=0.0)
MOTIONS = {
    "affine": AFFINE,
    "perspective": replace(AFFINE, perspective=0.15),
    "independent": replace(published_motion(), blur=0.0, perspective=0.15),
}


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


def path_of(seed, length=6, scale=0.9, mirror=False, target=(40.0, 30.0), motion=AFFINE):
    return motion_matrices(length, (40.0, 30.0), target, scale, mirror, (60, 80), motion, generator(seed))


def sharp(*matrices):
    """Matrices of three rows of three numbers as frames of one sub-frame."""
    return torch.tensor(np.array(matrices), dtype=torch.float32)[:, None]


def middle(path):
    return path[:, SUBFRAMES // 2]


def placed(matrices, point):
    """Where the matrices carry an (x, y)."""
    moved = matrices @ torch.tensor([*point, 1.0])
    return moved[..., :2] / moved[..., 2:]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("motion", MOTIONS.values(), ids=MOTIONS)
@pytest.mark.parametrize("scale", [0.9, 0.3])
def test_pixels_and_masks_move_together(motion, mirror, scale):
    clip = coloured_clip()
    for seed in range(3):
        moved = Canvas(clip, path_of(seed, mirror=mirror, motion=motion, scale=scale), (64, 72)).clip()
        assert moved.frames.shape == (6, 3, 64, 72)
        inside = ~moved.ignore
        for index, channel in enumerate((0, 2)):
            shown = (moved.frames[:, channel] > 127) & (moved.frames[:, 1] < 128)
            # Beyond the border the picture is mirrored, and ignored.
            assert agree_within_a_pixel(shown & grown(inside) & inside, moved.masks[index] & inside)
        assert moved.masks.any((2, 3)).any()
        assert moved.class_ids.tolist() == clip.class_ids.tolist()


@pytest.mark.parametrize("motion", MOTIONS.values(), ids=MOTIONS)
def test_matrices_map_source_to_frame_pixels(motion):
    path = path_of(1, motion=motion)
    moved = Canvas(coloured_clip(), path, (64, 72)).clip()
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(72), indexing="ij")
    pixels = torch.stack([columns, rows, torch.ones(64, 72)]).float().flatten(1)
    for matrix, mask in zip(middle(path), moved.masks[0], strict=True):
        x, y, depth = (torch.linalg.inv(matrix) @ pixels).view(3, 64, 72)
        distance = ((x / depth - 30) ** 2 + (y / depth - 25) ** 2).sqrt()
        assert mask[distance < 14].all()
        assert not mask[distance > 16].any()


def test_without_motion_nothing_changes():
    clip = coloured_clip()
    still = sharp(np.eye(3), np.eye(3))
    moved = Canvas(clip, still, (60, 80)).clip()
    for name in ("frames", "ignore", "unknown"):
        assert torch.equal(getattr(moved, name), getattr(clip, name).expand_as(getattr(moved, name))), name
    assert torch.equal(moved.masks, clip.masks.expand(-1, 2, -1, -1))


def test_what_was_out_of_sight_is_ignored():
    clip = coloured_clip()
    moved = Canvas(clip, sharp([[1.0, 0, 10], [0, 1, 5], [0, 0, 1]]), (60, 80)).clip()
    assert moved.ignore[0, :, :10].all()
    assert moved.ignore[0, :5].all()
    assert torch.equal(moved.ignore[0, 5:, 10:], clip.ignore[0, :-5, :-10])
    assert torch.equal(moved.unknown[0, 5:, 10:], clip.unknown[0, :-5, :-10])
    assert torch.equal(moved.masks[:, 0, 5:, 10:], clip.masks[:, 0, :-5, :-10])
    assert not moved.masks[:, moved.ignore].any()


def test_an_instance_that_leaves_stays_in_its_place():
    clip = coloured_clip()
    moved = Canvas(clip, sharp(np.eye(3), [[1.0, 0, 60], [0, 1, 0], [0, 0, 1]]), (60, 80)).clip()
    assert moved.masks.any((2, 3)).tolist() == [[True, True], [True, False]]


def test_frames_of_a_video_move_each_on_its_own():
    clip = coloured_clip()
    video = replace(
        clip,
        frames=torch.cat([clip.frames, clip.frames.flip(3)]),
        masks=torch.cat([clip.masks, clip.masks.flip(3)], 1),
        ignore=clip.ignore.repeat(2, 1, 1),
        unknown=clip.unknown.repeat(2, 1, 1),
    )
    path = path_of(0, length=2)
    moved = Canvas(video, path, (60, 80)).clip()
    for frame, source in enumerate((clip, replace(clip, frames=video.frames[1:], masks=video.masks[:, 1:]))):
        alone = Canvas(source, path[frame : frame + 1], (60, 80)).clip()
        assert torch.equal(moved.masks[:, frame], alone.masks[:, 0])
        assert torch.equal(moved.frames[frame], alone.frames[0])


@pytest.mark.parametrize("motion", [*MOTIONS.values(), replace(AFFINE, blur=1.0)], ids=[*MOTIONS, "blurred"])
def test_an_occluder_takes_exactly_its_own_pixels(motion):
    for seed in range(3):
        canvas = Canvas(coloured_clip(), path_of(seed), (60, 80))
        before = canvas.clip()
        pictures = canvas.frames.copy()
        alpha = 255 * box(20, 24, 2, 3, 18, 21)[..., None].astype(np.uint8)
        white = Cutout(alpha.repeat(4, 2)[None], 1)
        path = motion_matrices(6, (12.0, 10.0), (35.0, 28.0), 1.2, False, (60, 80), motion, generator(seed))
        canvas.paste(white, path)
        after = canvas.clip()
        occluder = after.masks[2]
        assert occluder.any()
        assert torch.equal(after.masks[:2], before.masks & ~occluder)
        assert torch.equal(after.ignore, before.ignore & ~occluder)
        assert torch.equal(after.unknown, before.unknown & ~occluder)
        assert after.class_ids.tolist() == [2, NO_CLASS, 1]
        if motion.blur == 0:
            far = ~grown(occluder, 2).numpy()
            assert np.array_equal(canvas.frames[far], pictures[far])
            assert agree_within_a_pixel(after.frames.amin(1) > 127, occluder)


def test_an_object_is_cut_out_without_its_surroundings():
    still = coloured_clip()
    cutout = cut_out(still, 1)
    assert cutout.pixels.shape == (1, 24, 21, 4)
    assert (cutout.pixels == [0, 0, 255, 255]).all()
    disc = cut_out(still, 0).pixels
    assert not disc[disc[..., 3] == 0].any()
    gone = replace(still, masks=torch.zeros_like(still.masks))
    assert cut_out(gone, 0) is None


def moving_dot(frames=4):
    """A clip in which a white square of 4 pixels goes 6 to the right in every frame; it is not in the last one."""
    pictures = torch.full((frames, 3, 20, 40), 90, dtype=torch.uint8)
    masks = torch.zeros(1, frames, 20, 40, dtype=torch.bool)
    for frame in range(frames - 1):
        pictures[frame, :, 8:12, 6 * frame : 6 * frame + 4] = 255
        masks[0, frame, 8:12, 6 * frame : 6 * frame + 4] = True
    nothing = torch.zeros(frames, 20, 40, dtype=torch.bool)
    return Clip(pictures, masks, torch.tensor([1]), nothing, nothing, "made up")


def test_an_object_of_a_video_keeps_its_own_movement():
    cutout = cut_out(moving_dot(), 0)
    assert cutout.pixels.shape == (4, 4, 16, 4)
    assert cutout.area == 16  # of the frames that show it
    canvas = Canvas(coloured_clip(), path_of(0, length=4), (60, 80))
    canvas.paste(cutout, sharp(*[[[1.0, 0, 20 + 2 * frame], [0, 1, 30], [0, 0, 1]] for frame in range(4)]))
    masks = canvas.clip().masks[2]
    for frame in range(3):
        left = 20 + (6 + 2) * frame
        assert torch.equal(masks[frame], torch.from_numpy(box(60, 80, 30, left, 34, left + 4)))
    assert not masks[3].any()


def test_what_passes_behind_shows_where_nobody_is():
    canvas = Canvas(coloured_clip(), path_of(0, length=1), (60, 80))
    before = canvas.clip()
    canvas.paste(Cutout(np.full((1, 60, 80, 4), 255, np.uint8), 1), sharp(np.eye(3)), behind=True)
    after = canvas.clip()
    assert before.masks.any()
    assert torch.equal(after.masks[:2], before.masks)
    assert torch.equal(after.masks[2], ~before.masks.any(0))
    assert (after.frames[:, :, after.masks[2, 0]] == 255).all()
    assert torch.equal(after.frames * before.masks.any(0)[:, None], before.frames * before.masks.any(0)[:, None])


def test_what_is_no_object_hides_others_and_is_unknown():
    canvas = Canvas(coloured_clip(), path_of(0, length=1), (60, 80))
    canvas.paste(Cutout(np.full((1, 60, 40, 4), 255, np.uint8), None), sharp(np.eye(3)))
    after = canvas.clip()
    assert len(after.class_ids) == 2
    assert not after.masks[..., :40].any()
    assert after.unknown[..., :40].all()


def test_an_object_at_the_border_of_its_crop_is_not_smeared():
    canvas = Canvas(coloured_clip(), path_of(0, length=1), (60, 80))
    black = np.zeros((10, 12, 4), np.uint8)
    black[..., 3] = 255
    canvas.paste(Cutout(black[None], 0), sharp([[1.0, 0, 30], [0, 1, 20], [0, 0, 1]]))
    assert torch.equal(canvas.clip().masks[2, 0], torch.from_numpy(box(60, 80, 20, 30, 30, 42)))
    assert not canvas.frames[0, 20:30, 30:42].any()


def test_an_object_that_is_never_in_sight_changes_nothing():
    canvas = Canvas(coloured_clip(), path_of(0, length=1), (60, 80))
    before = canvas.frames.copy()
    canvas.paste(Cutout(np.full((1, 10, 12, 4), 255, np.uint8), 0), sharp([[1.0, 0, 300], [0, 1, 20], [0, 0, 1]]))
    assert np.array_equal(canvas.frames, before)
    assert not canvas.clip().masks[2].any()
    assert len(canvas.clip_of_largest(8).class_ids) == 2


def test_much_smaller_views_average_instead_of_picking_pixels():
    """Stripes of one pixel become grey."""
    clip = coloured_clip()
    stripes = (255 * (torch.arange(80) % 2)).to(torch.uint8).expand(1, 3, 60, 80)
    quarter = sharp([[0.25, 0, -0.375], [0, 0.25, -0.375], [0, 0, 1.0]])
    moved = Canvas(replace(clip, frames=stripes), quarter, (15, 20)).clip()
    assert (moved.frames.int() - 127).abs().max() <= 1


def test_motion_is_coherent():
    """No frame jumps: second differences are small beside the travel, and so is the way between two frames."""
    for seed in range(50):
        path = smooth_path(torch.linspace(-0.5, 0.5, 8), 40.0, 0.3, generator(seed))
        assert path.shape == (8,)
        assert path.abs().max() <= 40 * (0.5 + 0.3)
        assert path.diff().abs().max() <= 40 * 0.45
        assert path.diff().diff().abs().max() <= 40 * 0.3
    for seed in range(10):
        points = placed(middle(path_of(seed, length=8)), (40.0, 30.0))
        assert points.diff(dim=0).diff(dim=0).abs().max() <= 0.3 * 0.5 * 60
    assert placed(path_of(0, length=1), (40.0, 30.0)).flatten(0, 2).tolist() == pytest.approx([40, 30] * SUBFRAMES)


def test_independent_frames_jump_within_their_bounds():
    motion = replace(published_motion(), blur=0.0)
    points = placed(middle(path_of(0, length=200, motion=motion)), (40.0, 30.0)) - torch.tensor([40.0, 30.0])
    assert 5 < points.abs().max() <= 6.0
    assert points.abs().mean() == pytest.approx(3.0, abs=0.5)
    neighbours = (points[1:] * points[:-1]).mean() / points.square().mean()
    assert abs(neighbours) < 0.2


def test_perspective_changes_the_scale_over_half_a_side():
    motion = MotionConfig(shift=0.0, rotation=0.0, zoom=0.0, perspective=0.1, independent=True, blur=0.0)
    path = path_of(0, length=300, scale=1.0, motion=motion)
    depth = middle(path)[:, 2] @ torch.tensor([80.0, 30.0, 1.0])  # half the width to the right of the moving point
    assert 0.095 < (depth - 1).abs().max() <= 0.1 + 1e-5


def test_blur_follows_the_path():
    """An exposure of the whole frame interval reaches from half way to the frame before to half way to the next."""
    path = path_of(3, length=8, motion=replace(AFFINE, blur=1.0, exposure=1.0))
    points = placed(path, (45.0, 20.0))
    assert torch.allclose(points[1:, 0], points[:-1, -1], atol=1e-3)
    half = placed(path_of(3, length=8, motion=replace(AFFINE, blur=1.0, exposure=0.5)), (45.0, 20.0))
    assert torch.allclose(half[:, SUBFRAMES // 2], points[:, SUBFRAMES // 2], atol=1e-3)
    ratio = (half[:, -1] - half[:, 0]).norm(dim=1) / (points[:, -1] - points[:, 0]).norm(dim=1)
    assert torch.allclose(ratio, torch.full((8,), 0.5), atol=0.05)
    unblurred = path_of(3, motion=replace(AFFINE, blur=0.0))
    assert torch.equal(unblurred, unblurred[:, :1].expand_as(unblurred))


def test_blur_smears_along_the_motion_only():
    """A white dot that travels 12 pixels to the right becomes a line of 13 pixels and an equal sum."""
    dot = coloured_clip()
    dot.frames.zero_()
    dot.frames[..., 30, 30] = 255
    exposure = torch.eye(3).repeat(1, SUBFRAMES, 1, 1)
    exposure[0, :, 0, 2] = torch.linspace(-6, 6, SUBFRAMES)
    seen = Canvas(dot, exposure, (60, 80)).clip().frames[0, 0].int()
    rows, columns = seen.nonzero().unbind(1)
    assert rows.unique().tolist() == [30]
    assert columns.unique().tolist() == list(range(24, 37))
    assert seen.sum() == pytest.approx(255, abs=13)
    assert seen.max() < 2 * 255 / 13


def test_no_more_subframes_than_the_motion_needs():
    def moving(way):
        exposure = np.tile(np.eye(3), (SUBFRAMES, 1, 1))
        exposure[:, 0, 2] = np.linspace(0, way, SUBFRAMES)
        return needed_subframes(exposure, (60, 80))

    assert [len(moving(way)) for way in (0, 0.4, 2, 7, 10, 100)] == [1, 1, 3, 5, 9, SUBFRAMES]
    assert moving(0.4)[0, 0, 2] == pytest.approx(0.2)
    for way in (3, 6, 20):
        assert np.diff(moving(way)[:, 0, 2]).max() <= STEP


def test_independent_blur_has_the_given_share_and_length():
    motion = replace(published_motion(), blur=0.25)
    points = placed(path_of(0, length=400, motion=motion), (40.0, 30.0))
    ways = (points[:, -1] - points[:, 0]).norm(dim=1)
    blurred = ways > 0.01
    assert 0.18 < blurred.float().mean() < 0.32
    # Half of a streak is bent by the perspective of its frame, by little.
    assert ((ways[blurred] > 8.9) & (ways[blurred] < 11.1)).all()


def test_colours_change_for_the_whole_clip_and_leave_the_masks():
    clip = Canvas(coloured_clip(), path_of(0), (60, 80)).clip()
    changed = drift_colours(clip, 0.3, generator(3))
    assert torch.equal(drift_colours(clip, 0.0, generator()).frames, clip.frames)
    assert not torch.equal(changed.frames, clip.frames)
    assert torch.equal(changed.masks, clip.masks)
    difference = (changed.frames.float() - clip.frames.float()).mean((1, 2, 3))
    assert difference.diff().abs().max() < 20


@pytest.mark.parametrize(
    "field", [{"perspective": 0.2}, {"blur": 1.5}, {"shift": -1.0}, {"streak": (11.0, 9.0)}, {"exposure": float("nan")}]
)
def test_motion_that_makes_no_sense_is_refused(field):
    with pytest.raises(InputError, match=next(iter(field))):
        MotionConfig(**field)
