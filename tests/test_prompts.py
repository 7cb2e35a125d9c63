"""What users point at: as it is typed, and what cannot be meant."""

from types import SimpleNamespace

import pytest

from chronomask.errors import InputError
from chronomask.prompts import Box, Point, check_prompts, read_prompts, shown
from chronomask.video import Selection


def source(**others):
    known = {"name": "film", "width": 640, "height": 360, "fps": 25.0, "length": 100, "file_names": None}
    return SimpleNamespace(**{**known, "again": True, "selection": Selection(), **others})


def test_prompts_as_they_are_typed():
    read = read_prompts(["1.5:320,180", "2=@12:3.5,4"], ["0:30:300,240"], ["3=1:02:03:10,20,30,40"])
    assert read == [
        Point(320, 180, time=1.5),
        Point(3.5, 4, frame=12, object=2),
        Point(300, 240, time=30, positive=False),
        Box(10, 20, 30, 40, time=3723, object=3),
    ]
    assert [shown(prompt) for prompt in read] == ["1.5:320,180", "2=@12:3.5,4", "30:300,240", "3=3723:10,20,30,40"]


@pytest.mark.parametrize("text", ["", "320,180", "1.5:320", "1.5:320,180,4", "x:3,4", "1.5:3;4", "-1:3,4", "a=1:3,4"])
def test_other_forms_are_refused_with_an_example(text):
    with pytest.raises(InputError, match=r"point '.*': must be TIME:X,Y, such as 1.5:320,180"):
        read_prompts([text])


def test_a_box_has_four_edges():
    with pytest.raises(InputError, match="box '1:2,3': must be TIME:LEFT,TOP,RIGHT,BOTTOM"):
        read_prompts(boxes=["1:2,3"])
    with pytest.raises(InputError, match=r"box: left 30\.0 must be less than right 10\.0"):
        read_prompts(boxes=["1:30,20,10,40"])


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        ({"x": float("nan")}, r"\(nan, 2\) is no place"),
        ({"time": -1}, "time -1 must be 0"),
        ({"frame": -1}, "frame -1 must be 0"),
        ({"object": 0}, "object 0 must be from 1"),
    ],
)
def test_impossible_points_are_refused(wrong, cause):
    with pytest.raises(InputError, match=cause):
        Point(**{"x": 1, "y": 2, **wrong})


@pytest.mark.parametrize(
    ("prompt", "cause"),
    [
        (Point(640, 10), r"point 0:640,10: x 640 lies outside the frame, 0 to 639"),
        (Point(10, -1), r"y -1 lies outside the frame, 0 to 359"),
        (Box(10, 10, 641, 20), r"box 0:10,10,641,20: x 641 lies outside"),
        (Point(10, 10, time=5.5), r"time 5.5 lies after the end of the video, at about 4.00 s"),
        (Point(10, 10, frame=200), r"frame 200 lies after the last one, 99"),
        (Point(10, 10, positive=False), "object 1: is said to be nowhere"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_frame_is_looked_at(prompt, cause):
    with pytest.raises(InputError, match=cause):
        check_prompts([prompt], source())


def test_what_may_be_meant_is_left_to_the_end_of_the_video():
    check_prompts([Point(639.5, 359.5), Box(0, 0, 640, 360, object=2), Point(1, 1, time=4.5, object=3)], source())
    check_prompts([Point(1, 1, time=1e6)], source(length=None))


def test_times_must_lie_in_what_is_looked_at():
    part = source(selection=Selection(1.0, 2.0), length=25)
    check_prompts([Point(1, 1, time=1.5)], part)
    for time in (0.5, 2.0):
        with pytest.raises(InputError, match="lies outside of what is looked at, 1 to 2 s"):
            check_prompts([Point(1, 1, time=time)], part)


def test_frames_that_pass_by_once_cannot_be_pointed_at():
    with pytest.raises(InputError, match="film: its frames pass by once"):
        check_prompts([Point(1, 1)], source(again=False))
