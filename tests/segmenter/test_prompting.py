"""Objects that are pointed at: found, and followed both ways from there."""

import numpy as np
import pytest

from chronomask import rle
from chronomask.errors import InputError
from chronomask.prompts import Box, Point
from chronomask.segmenter import prompting
from chronomask.segmenter.pointing import ClipPrompts
from chronomask.segmenter.prompting import Following
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.sights import look_at
from chronomask.video import open_source
from segmenter.colour import CATEGORIES, COLOURS, ColourEngine, cut_at, moving_objects, settings
from tracking.heads import by_membership

RED, GREEN, BLUE = (10, 30), (10, 8), (44, 30)
"""(x, y) of the objects of `moving_objects`: from the first frame on, in frame 0, and in frames 4 to 16."""


@pytest.fixture
def segmenter(monkeypatch):
    monkeypatch.setattr(prompting, "bundled_heads", by_membership)
    return Segmenter(ColourEngine(4), settings(4, 2))


def follow(segmenter, video, *prompts):
    following = Following(segmenter, open_source(video), prompts)
    results = list(following)
    assert [(result.index, result.time) for result in results] == [(n, n / 25) for n in range(len(video))]
    return results, following.tracks


def check_follows(results, video, number, colour):
    """The object of a number is where its colour is, in every frame."""
    for result, image in zip(results, video, strict=True):
        truth = (image == COLOURS[colour]).all(2)
        masks = dict(zip(result.track_ids.tolist(), result.masks, strict=True))
        assert (number in masks) == truth.any()
        if number in masks:
            assert (masks[number] & truth).sum() / (masks[number] | truth).sum() > 0.8


@pytest.mark.parametrize("frame", [0, 1, 5, 11, 19])
def test_a_click_is_followed_both_ways(segmenter, frame):
    video = moving_objects(20)
    results, [track] = follow(segmenter, video, Point(*RED, frame=frame))
    check_follows(results, video, 1, "red")
    assert (track.id, track.category) == (1, CATEGORIES[0])
    assert 0.5 < track.score <= 1


def test_nothing_else_is_given(segmenter):
    results, _ = follow(segmenter, moving_objects(12), Point(*RED))
    assert {number for result in results for number in result.track_ids.tolist()} == {1}


def test_several_objects_have_the_numbers_that_they_were_given(segmenter):
    video = moving_objects(20)
    points = (Point(*BLUE, frame=10, object=7), Point(*RED, object=2), Point(*GREEN, object=3))
    results, tracks = follow(segmenter, video, *points)
    for number, colour in ((7, "blue"), (2, "red"), (3, "green")):
        check_follows(results, video, number, colour)
    assert [track.id for track in tracks] == [2, 3, 7]
    assert all(np.sum(result.masks, axis=0).max() <= 1 for result in results)


@pytest.mark.parametrize("frame", [1, 17])
def test_an_object_is_taken_up_again_after_it_was_hidden(segmenter, frame):
    video = moving_objects(20)
    video[6:13, 24:44, 4:28] = 0
    results, _ = follow(segmenter, video, Point(*RED, frame=frame))
    check_follows(results, video, 1, "red")


@pytest.mark.parametrize("places", [(7,), (3, 12), (6, 7, 15)])
def test_an_object_is_followed_to_the_ends_of_its_shot(segmenter, places):
    video = cut_at(*places, length=20)
    for frame in (0, 6, 7, 11, 12, 19):
        results, _ = follow(segmenter, video, Point(*RED, frame=frame))
        begin = max(place for place in (0, *places) if place <= frame)
        end = min(place for place in (*places, 20) if place > frame)
        check_follows(results[begin:end], video[begin:end], 1, "red")
        assert [result.index for result in results if len(result.track_ids)] == list(range(begin, end))


def test_a_click_into_a_frame_is_about_the_one_that_is_shown_then(segmenter):
    video = moving_objects(12)
    for time, blue in ((0.159, False), (0.16, True), (0.199, True)):  # blue comes with frame 4, at 0.16 s
        results, _ = follow(segmenter, video[:6], Point(*BLUE, time=time))
        assert results[5].masks[0][30, 44] == blue  # else what is followed is the black of frame 3


def test_what_a_click_gathers_too_much_is_taken_away_by_another(segmenter, monkeypatch):
    far = by_membership()
    wide = far._replace(clicked=far.clicked._replace(biases=(np.array([1e3], np.float32),)))
    monkeypatch.setattr(prompting, "bundled_heads", lambda: wide)  # a first guess that holds all for the object
    video = moving_objects(4)
    results, _ = follow(segmenter, video, Point(*RED, frame=0), Point(60, 4, frame=0, positive=False))
    assert not results[0].masks[0][4, 60]


def test_a_box_chooses_what_fills_it(segmenter):
    video = moving_objects(12)
    results, _ = follow(segmenter, video, Box(3, 23, 30, 46, frame=2))
    check_follows(results, video, 1, "red")


@pytest.mark.parametrize(
    ("point", "cause"),
    [(Point(1, 1, time=0.5), r"point 0.5:1,1: time 0.5 lies after the end of the video: the last frame is number 11"),
     (Point(1, 1, frame=20), r"frame 20 lies after")],
)  # fmt: skip
def test_a_point_behind_the_last_frame_is_refused(segmenter, point, cause):
    source = open_source(moving_objects(12))
    source.length = None  # as of a file that does not say
    with pytest.raises(InputError, match=cause):
        list(Following(segmenter, source, [point]))


def test_a_clip_answers_at_once(segmenter):
    video = moving_objects(12)
    prompts = ClipPrompts(segmenter, look_at(segmenter, video[6:10], first=6), heads=by_membership())
    masks = prompts.masks([Point(*RED, frame=7), Point(*BLUE, frame=9, object=2)])
    for image, found in zip(video[6:10], masks, strict=True):
        for number, colour in ((1, "red"), (2, "blue")):
            truth, mask = (image == COLOURS[colour]).all(2), rle.decode(found[number])
            assert (mask & truth).sum() / (mask | truth).sum() > 0.8
    assert prompts.masks([Point(*RED, frame=3)]) == [{}] * 4  # a frame of another clip
    assert prompts.masks([]) == [{}] * 4


def test_a_clip_has_a_length(segmenter):
    for count in (0, 5):
        with pytest.raises(InputError, match=f"{count} images: a clip has from 1 to 4"):
            look_at(segmenter, moving_objects(8)[:count])


def test_what_lies_on_disk_is_read_as_often_for_many_objects_as_for_one(segmenter, monkeypatch):
    video, read, loads = moving_objects(12), [], prompting.pickle.loads
    monkeypatch.setattr(prompting.pickle, "loads", lambda data: read.append(1) or loads(data))
    counts = []
    for objects in ([RED], [RED, GREEN, (10, 32)]):
        read.clear()
        follow(segmenter, video, *[Point(*place, frame=0, object=number) for number, place in enumerate(objects, 1)])
        counts.append(len(read))
    assert counts[0] == counts[1]
