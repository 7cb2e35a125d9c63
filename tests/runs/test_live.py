"""A camera that does not wait."""

import threading

import pytest

from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.runs import live as room
from chronomask.runs.live import Live
from chronomask.video import Frame, given_up
from runs.cameras import Camera, SilentCamera
from segmenter.colour import Frames, check_objects, moving_objects, same, segmenter_of, settings


def test_late_frames_are_dropped_counted_and_said():
    camera = Camera(moving_objects(20))
    live = Live(camera, buffer=3)
    frames = iter(live)
    first = next(frames)
    assert camera.finished.wait(10)  # everything has come while the first frame was looked at
    rest = list(frames)
    assert [frame.index for frame in [first, *rest]] == list(range(live.taken))
    assert [frame.time for frame in [first, *rest][-3:]] == [1.7, 1.8, 1.9]  # the newest
    assert live.taken <= 1 + 3
    assert live.dropped == 20 - live.taken
    assert live.damage == f"memory: {live.dropped} of 20 frames came too late and were dropped"
    assert live.delay >= 0


def test_who_is_in_time_gets_every_frame():
    camera, gate = Camera(moving_objects(12)), threading.Semaphore(1)

    class Patient(Camera):
        def __iter__(self):
            for frame in camera:
                assert gate.acquire(timeout=10)
                yield frame

    live = Live(Patient(camera.images), buffer=1)
    times = []
    for frame in live:
        times.append(frame.time)
        gate.release()
    assert times == [index / 10 for index in range(12)]
    assert (live.taken, live.dropped, live.damage) == (12, 0, None)


def test_errors_of_the_camera_come_after_its_frames():
    live = Live(Camera(moving_objects(2), InputError("unplugged")), buffer=5)
    seen = []
    with pytest.raises(InputError, match="unplugged"):
        seen.extend(frame.index for frame in live)
    live = Live(Camera(moving_objects(2), InputError("unplugged")), buffer=5)
    frames = iter(live)
    assert [next(frames).index, next(frames).index] == [0, 1]
    with pytest.raises(InputError, match="unplugged"):
        next(frames)


def test_reading_ends_when_nobody_listens_any_more():
    class Endless(Camera):
        def __iter__(self):
            try:
                while True:
                    yield Frame(0, 0.0, self.images[0])
            finally:
                self.finished.set()

    camera = Endless(moving_objects(1))
    frames = iter(Live(camera))
    next(frames)
    frames.close()
    assert camera.finished.wait(10)


def test_nobody_need_wait_for_a_silent_camera(monkeypatch):
    monkeypatch.setattr(room, "STOP_SECONDS", 0.0)
    camera = SilentCamera(moving_objects(3))
    live = Live(camera, buffer=3)
    frames = iter(live)
    assert [next(frames).index for _ in range(3)] == [0, 1, 2]
    live.stop = lambda: True
    assert list(frames) == []
    assert not camera.finished.is_set()
    camera.silence_over.set()


def test_who_gives_up_frames_gives_up_their_source():
    camera = Camera(moving_objects(3))
    frames = camera.frames(1)
    assert next(frames).index == 1
    with given_up(frames):
        pass
    assert camera.finished.is_set()


def test_segmenting_a_live_source():
    video = moving_objects(12)
    live = Live(Camera(video), buffer=100)
    results = list(segmenter_of(settings(4, 2)).segment(live))
    check_objects(results, video)


def test_a_buffer_needs_room():
    with pytest.raises(InputError, match="buffer 0"):
        Live(Camera(moving_objects(1)), buffer=0)


@pytest.mark.parametrize(
    ("latency", "step", "held"), [(None, 4, 4), (20, 4, 4), (7, 4, 4), (5, 4, 2), (3, 4, 0), (2, 3, 0), (0, 1, 0)]
)
def test_latency_bounds_the_delay(latency, step, held):
    """Objects keep their ids whatever the delay, and push gives what segment gives."""
    config = settings(8, 4, latency=latency)
    assert (config.step, config.held) == (step, held)
    segmenter, video = segmenter_of(config), moving_objects(19)
    expected = list(segmenter.segment(Frames(video)))
    results = []
    for number, image in enumerate(video):
        results += segmenter.push(image)
        assert len(results) >= number + 1 - (7 if latency is None else latency)
    same(results + segmenter.flush(), expected)
    check_objects(expected, video)


def test_no_negative_latency():
    with pytest.raises(InputError, match="latency -1"):
        SegmentConfig(latency=-1)
