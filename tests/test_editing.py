import numpy as np
import pytest

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import Category
from chronomask.editing import (
    AddClass,
    AddTrack,
    Delete,
    Merge,
    Paint,
    Relabel,
    Split,
    Swap,
    apply,
    edit,
    parse_operation,
    shared_frames,
)
from chronomask.errors import InputError

VIDEOS = (VideoEntry(1, "clip", 4, 2, 4), VideoEntry(2, "other", 4, 2, 4))
CATEGORIES = (Category(17, "cat"), Category(18, "dog"))


def dots(*columns):
    """One mask a frame: a dot in that column, None where it is None."""
    return tuple(None if c is None else rle.encode(np.arange(8).reshape(2, 4) == c) for c in columns)


FILE = TracksFile(
    (
        Track(1, 1, 17, 0.9, dots(0, 0, None, None)),
        Track(4, 1, 18, 0.3, dots(None, 1, 1, 1)),
        Track(7, 2, 17, 0.5, dots(2, None, None, 2)),
    ),
    VIDEOS,
    CATEGORIES,
)


def by_id(file):
    return {track.id: track for track in file.tracks}


def test_every_operation_has_a_spelling():
    operations = (
        Delete(3),
        Relabel(2, "traffic light"),
        Merge((1, 4, 2)),
        Split(5, 120),
        AddClass("robot"),
        Swap(1, 4, 20),
        Paint(3, 7, "4bR0o1"),
        Paint(3, 7, ""),
        AddTrack("traffic light"),
        AddTrack("dog", 2),
    )
    assert tuple(parse_operation(str(operation)) for operation in operations) == operations


@pytest.mark.parametrize(
    "text",
    [
        "delete",
        "delete:x",
        "relabel:2",
        "merge:1",
        "split:5",
        "class:",
        "paint:3",
        "paint:3@1=p",
        "swap:1@3",
        "add: ",
        "merge:1+",
    ],
)
def test_other_spellings_are_refused(text):
    with pytest.raises(InputError, match=r"is no operation; these are: delete:3"):
        parse_operation(text)


def test_delete():
    edited = apply(FILE, Delete(4))
    assert edited.tracks == (FILE.tracks[0], FILE.tracks[2])
    assert len(FILE.tracks) == 3


def test_relabel():
    assert by_id(apply(FILE, Relabel(1, "dog")))[1].category_id == 18


def test_merge_unites_masks_and_weighs_scores():
    edited = apply(FILE, Merge((1, 4)))
    assert [track.id for track in edited.tracks] == [1, 7]
    merged = edited.tracks[0]
    assert (merged.category_id, merged.score) == (17, pytest.approx((2 * 0.9 + 3 * 0.3) / 5))
    assert [rle.area(mask) for mask in merged.segmentations] == [1, 2, 1, 1]
    assert shared_frames(FILE, Merge((1, 4))) == (1,)


def test_split_gives_the_later_frames_to_a_new_track():
    edited = apply(FILE, Split(4, 2))
    assert [track.id for track in edited.tracks] == [1, 4, 8, 7]
    assert edited.tracks[1].segmentations == dots(None, 1, None, None)
    assert edited.tracks[2].segmentations == dots(None, None, 1, 1)
    assert edited.tracks[2].category_id == 18


def test_merge_undoes_split():
    assert edit(FILE, [Split(4, 3), Merge((4, 8))]).tracks == FILE.tracks


def test_new_ids_never_were_another_tracks():
    edited = edit(FILE, [Delete(7), Split(4, 2)])
    assert [track.id for track in edited.tracks] == [1, 4, 8]
    again = edit(edited, [Delete(8), Split(1, 1)])
    assert [track.id for track in again.tracks] == [1, 9, 4]
    assert again.info == {"edits": ["delete:7", "split:4@2", "delete:8", "split:1@1"], "last_track_id": 9}


def test_a_class_of_the_annotators_own():
    edited = edit(FILE, [AddClass("robot"), Relabel(1, "robot")])
    assert edited.categories[-1] == Category(19, "robot")
    assert by_id(edited)[1].category_id == 19


def test_swap_exchanges_what_lies_behind():
    edited = by_id(apply(FILE, Swap(1, 4, 1)))
    assert edited[1].segmentations == dots(0, 1, 1, 1)
    assert edited[4].segmentations == dots(None, 0, None, None)
    assert edit(FILE, [Swap(1, 4, 1), Swap(4, 1, 1)]).tracks == FILE.tracks


def test_paint_gives_another_mask_or_none():
    counts = dots(2)[0]["counts"]
    edited = edit(FILE, [Paint(1, 3, counts), Paint(1, 0, "")])
    assert by_id(edited)[1].segmentations == dots(None, 0, None, 2)
    empty = rle.encode(np.zeros((2, 4), bool))["counts"]
    assert by_id(apply(FILE, Paint(1, 0, empty)))[1].segmentations == dots(None, 0, None, None)


def test_a_new_track_is_painted():
    edited = edit(FILE, [AddTrack("dog", 2), Paint(8, 1, dots(3)[0]["counts"])])
    assert edited.tracks[-1] == Track(8, 2, 18, 1.0, dots(None, 3, None, None), class_score=1.0)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Swap(1, 1, 0), "swap:1\\+1@0: needs two tracks"),
        (Swap(1, 7, 0), "of different videos"),
        (Swap(1, 4, 4), "neither track is seen in frame 4 or behind it"),
        (Paint(1, 4, ""), "paint:1@4: the video has 4 frames"),
        (Paint(1, 0, "2"), "paint:1@0: run lengths of a segmentation add up to 2, not to 2 x 4 = 8"),
        (AddTrack("dog"), "add:dog: the file has 2 videos; say which by add:dog@ID"),
        (AddTrack("dog", 5), "no video 5"),
        (AddTrack("dg", 1), "close ones are dog"),
        (Delete(3), "delete:3: there is no track 3; the file's are 1, 4, 7"),
        (Relabel(1, "dg"), "relabel:1=dg: the file has no class 'dg'; close ones are dog; to add it, say class:dg"),
        (Relabel(1, "submarine"), "no class 'submarine'; to add it, say class:submarine first"),
        (Relabel(9, "dog"), "no track 9"),
        (Merge((1, 9)), "no track 9"),
        (Merge((1, 1)), "at least two tracks, each named once"),
        (Merge((1, 7)), "of different videos"),
        (Split(4, 1), "seen from frame 1 to 3; nothing would lie on one side of frame 1"),
        (Split(4, 4), "nothing would lie on one side of frame 4"),
        (Split(4, 99), "nothing would lie on one side of frame 99"),
        (AddClass("dog"), "has a class 'dog' already"),
    ],
)
def test_refused_operations_are_named(operation, message):
    with pytest.raises(InputError, match=message):
        apply(FILE, operation)
