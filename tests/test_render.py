import subprocess
import sys

import numpy as np
import pytest

from chronomask.render import contact_sheet, draw_tracks, track_colour

GREY = np.full((180, 320, 3), 90, np.uint8)


def squares(*corners, size=60):
    masks = np.zeros((len(corners), 180, 320), dtype=bool)
    for mask, (x, y) in zip(masks, corners, strict=True):
        mask[y : y + size, x : x + size] = True
    return masks


def test_areas_are_tinted_in_the_colour_of_the_track():
    masks = squares((40, 80), (200, 80))
    drawn = draw_tracks(GREY, masks, np.array([3, 8]), ["", ""])
    assert drawn.shape == GREY.shape
    assert (GREY == 90).all(), "the input is left as it is"
    for mask, track in zip(masks, (3, 8), strict=True):
        y, x = (int(c.mean()) for c in np.nonzero(mask))
        tint = drawn[y, x].astype(int) - 90
        np.testing.assert_allclose(tint, 0.45 * (np.array(track_colour(track)) - 90), atol=2)
    np.testing.assert_array_equal(drawn[:60], GREY[:60])


def test_areas_are_those_of_supervision():
    import supervision as sv

    masks = squares((40, 80), (70, 100), (200, 20))
    masks[1, :, 90:] = False  # smaller than the one it overlaps
    image = np.random.default_rng(0).integers(0, 256, GREY.shape, dtype=np.uint8)
    ids = np.array([3, 67, 8])
    boxes = sv.mask_to_xyxy(masks).astype(np.float32)
    colours = sv.ColorPalette([sv.Color(*track_colour(number)[::-1]) for number in range(60)])
    annotator = sv.MaskAnnotator(colours, opacity=0.45, color_lookup=sv.ColorLookup.TRACK)
    expected = annotator.annotate(image.copy(), sv.Detections(boxes, mask=masks, tracker_id=ids))
    drawn = draw_tracks(image, masks, ids, ["", "", ""])
    for near in (np.s_[85:135, 45:65], np.s_[105:135, 75:85], np.s_[25:75, 205:255], np.s_[:15, :]):
        np.testing.assert_allclose(drawn[near].astype(int), expected[near], atol=1)
    np.testing.assert_array_equal(drawn[:15], image[:15])


def test_outline_is_crisp():
    drawn = draw_tracks(GREY, squares((40, 80)), np.array([3]), [""])
    assert tuple(drawn[110, 40]) == track_colour(3)


def test_same_id_same_colour_and_neighbours_differ():
    colours = np.array([track_colour(track) for track in range(60)])
    assert track_colour(61) == track_colour(1)
    assert len({tuple(colour) for colour in colours}) == 60
    for first in range(60):
        for second in range(first + 1, min(first + 6, 60)):
            assert np.abs(colours[first] - colours[second]).max() > 50, (first, second)


@pytest.mark.parametrize("corner", [(0, 0), (260, 0), (0, 120), (260, 120)])
def test_labels_stay_inside(corner):
    """A label that ran over the edge would be cut, and show less of its own plate."""
    masks = squares(corner)
    middle = draw_tracks(GREY, squares((130, 100)), np.array([4]), ["4 fire hydrant 0.53"])
    drawn = draw_tracks(GREY, masks, np.array([4]), ["4 fire hydrant 0.53"])
    plain = draw_tracks(GREY, masks, np.array([4]), [""])

    def plate(picture):
        return (picture == track_colour(4)).all(axis=2).sum()

    outline = plate(plain)
    # Some of the plate may lie on the outline of the same colour.
    assert plate(drawn) - outline > 0.6 * (plate(middle) - outline)
    assert (drawn != plain).any()


def test_labels_give_way_to_each_other():
    masks = squares((0, 0), (6, 4), (12, 2), (3, 9), (9, 12), size=40)
    texts = [f"{track} person 0.8" for track in range(1, 6)]
    drawn = draw_tracks(GREY, masks, np.arange(1, 6), texts)
    for track, text in enumerate(texts, 1):
        alone = draw_tracks(GREY, masks[track - 1 : track], np.array([track]), [text])
        plain = draw_tracks(GREY, masks[track - 1 : track], np.array([track]), [""])
        whole = (alone == track_colour(track)).all(2).sum() - (plain == track_colour(track)).all(2).sum()
        assert (drawn == track_colour(track)).all(2).sum() > 0.8 * whole, f"label {track} is covered"


@pytest.mark.parametrize(("height", "thickness"), [(180, 1), (720, 2), (1080, 3), (2160, 6)])
def test_lines_grow_with_the_picture(height, thickness):
    width = height * 16 // 9
    mask = np.zeros((1, height, width), bool)
    mask[0, height // 4 : height // 2, width // 4 : width // 2] = True
    drawn = draw_tracks(np.zeros((height, width, 3), np.uint8), mask, np.array([1]), [""])
    across = (drawn[height // 3, : width // 3] == track_colour(1)).all(1).nonzero()[0]
    assert len(across) == thickness
    assert width // 4 - thickness <= across[0] <= width // 4 <= across[-1] < width // 4 + thickness


def test_the_edge_of_the_picture_is_an_edge_of_the_object():
    drawn = draw_tracks(GREY, squares((0, 0), size=60), np.array([3]), [""])
    for pixel in ((0, 0), (0, 30), (30, 0), (59, 59)):
        assert tuple(drawn[pixel]) == track_colour(3)


def test_empty_masks_and_no_tracks():
    nothing = np.zeros((0, 180, 320), dtype=bool)
    np.testing.assert_array_equal(draw_tracks(GREY, nothing, np.zeros(0, np.int64), []), GREY)
    one_empty = np.concatenate([np.zeros((1, 180, 320), bool), squares((40, 80))])
    both = draw_tracks(GREY, one_empty, np.array([1, 3]), ["1 gone", "3 cat"])
    np.testing.assert_array_equal(both, draw_tracks(GREY, one_empty[1:], np.array([3]), ["3 cat"]))


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (24, 32)])
def test_tiny_pictures(size):
    image = np.zeros((*size, 3), np.uint8)
    drawn = draw_tracks(image, np.ones((1, *size), bool), np.array([1]), ["1 é 0.5"])
    assert drawn.shape == image.shape


def test_no_warning_and_nothing_heavy_at_import():
    code = (
        "import sys, numpy as np, chronomask.render as render\n"
        "mask = np.zeros((1, 60, 80), bool); mask[0, 20:50, 20:70] = True\n"
        "drawn = render.draw_tracks(np.zeros((60, 80, 3), np.uint8), mask, np.array([1]), ['1 cat'])\n"
        "assert (drawn[30, 40] > 0).any()\n"
        "assert not {'supervision', 'cv2', 'scipy', 'matplotlib', 'av', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_contact_sheet():
    images = [np.full((30, 40, 3), value, np.uint8) for value in (50, 100, 150, 200, 250)]
    sheet = contact_sheet(images, columns=3, width=136)
    assert sheet.shape == (2 * 30 + 3 * 4, 136, 3)
    assert [int(sheet[10, x, 0]) for x in (10, 60, 110)] == [50, 100, 150]
    assert [int(sheet[50, x, 0]) for x in (10, 60, 110)] == [200, 250, 32]
    # What is a hundred times as tall as it is wide would take gigabytes at the width of its column.
    assert contact_sheet([np.zeros((5000, 3, 3), np.uint8)], columns=1, width=108).shape == (800 + 2 * 4, 108, 3)
    assert contact_sheet([np.zeros((3, 5000, 3), np.uint8)], columns=1, width=108).shape == (1 + 2 * 4, 108, 3)


@pytest.mark.parametrize(("count", "columns", "width"), [(0, 2, 100), (2, 0, 100), (2, 9, 20)])
def test_impossible_sheets(count, columns, width):
    with pytest.raises(ValueError, match="contact sheet"):
        contact_sheet([GREY] * count, columns, width)
