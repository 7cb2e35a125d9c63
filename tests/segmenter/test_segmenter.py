import faulthandler
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

from chronomask.categories import OBJECT
from chronomask.errors import InputError
from chronomask.segmenter import clips as room
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.workers import Urgency
from chronomask.video import Frame
from segmenter.colour import (
    CATEGORIES,
    COLOURS,
    HEIGHT,
    WIDTH,
    ColourEngine,
    Frames,
    check_objects,
    moving_objects,
    same,
    segmenter_of,
    settings,
)

SETTINGS = [(8, 4), (8, 0), (8, 7), (4, 1), (1, 0), (5, 3)]
"""Frames a clip, and overlap."""


@pytest.mark.parametrize(("length", "overlap"), SETTINGS)
def test_every_frame_comes_out_once_in_order_with_its_objects(length, overlap):
    segmenter = segmenter_of(settings(length, overlap))
    # Up to two clips behind the first, and a longer video.
    for frames in {*range(1, min(20, length + 2 * (length - overlap)) + 1), 20}:
        video = moving_objects(frames)
        results = list(segmenter.segment(Frames(video)))
        assert [result.index for result in results] == list(range(frames))
        assert [result.time for result in results] == [index / 10 for index in range(frames)]
        if overlap:
            check_objects(results, video)


def test_the_network_always_sees_whole_clips():
    for frames in (1, 3, 8, 9, 13):
        engine = ColourEngine(8)
        list(Segmenter(engine, settings(8, 4)).segment(Frames(moving_objects(frames))))
        assert set(engine.lengths) == {8}
        assert len(engine.lengths) == max(1, -(-(frames - 4) // 4))


def test_every_frame_is_encoded_once_alone_or_with_those_that_come_with_it():
    video, results = moving_objects(13), {}
    for together, batches in ((False, [1] * 13), (True, [8, 4, 1])):
        engine = ColourEngine(8, threads=1, together=together)
        results[together] = list(Segmenter(engine, settings(8, 4)).segment(Frames(video)))
        assert engine.batches == batches
    same(results[True], results[False])


@pytest.mark.parametrize(("pixels", "most"), [(1, 1), (1 << 30, 2)])
def test_of_large_frames_fewer_clips_are_decoded_at_a_time(monkeypatch, pixels, most):
    """Two threads could decode two; an engine needs memory for each."""
    monkeypatch.setattr(room, "LARGE", pixels)
    engine, busy, seen = ColourEngine(4, threads=2), [], []
    decode = engine.decode

    def decoded(frames):
        busy.append(1)
        late = time.monotonic() + 0.1
        while len(busy) < 2 and time.monotonic() < late:
            time.sleep(0.001)
        seen.append(len(busy))
        pixels = decode(frames)
        busy.pop()
        return pixels

    monkeypatch.setattr(engine, "decode", decoded)
    assert len(list(Segmenter(engine, settings(4, 2)).segment(Frames(moving_objects(10))))) == 10
    assert max(seen) == most


def test_the_number_of_threads_changes_nothing():
    video = moving_objects(19)
    one, five = (Segmenter(ColourEngine(4, threads), settings(4, 2)) for threads in (1, 5))
    same(list(one.segment(Frames(video))), list(five.segment(Frames(video))))


def test_an_engine_for_clips_of_another_length_is_refused():
    with pytest.raises(InputError, match="clip_length 4: this engine was made for clips of 8 frames"):
        Segmenter(ColourEngine(8), settings(4, 2))


@pytest.mark.parametrize(("length", "overlap"), SETTINGS)
def test_pushing_gives_what_segmenting_gives_in_bounded_memory(length, overlap):
    segmenter, video = segmenter_of(settings(length, overlap)), moving_objects(19)
    expected = list(segmenter.segment(Frames(video)))
    results = []
    for number, image in enumerate(video):
        results += segmenter.push(image)
        stream = segmenter._pushed
        assert stream.waiting <= overlap
        reading = stream.reading
        assert len(reading.waiting) < length
        assert len(results) + stream.waiting + len(reading.waiting) == number + 1
        assert len(reading.seen) <= length
        assert not stream.due
        assert stream.tracker.stitcher.recent is None or len(stream.tracker.stitcher.recent) <= length
    same(results + segmenter.flush(), expected)
    assert segmenter.flush() == []


def test_pushed_buffers_may_be_used_again():
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(19)
    expected, buffer, results = list(segmenter.segment(Frames(video))), np.empty_like(video[0]), []
    for image in video:
        buffer[:] = image
        results += segmenter.push(buffer)
    same(results + segmenter.flush(), expected)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3)), np.zeros((0, 5, 3), np.uint8)],
)
def test_pushed_frames_must_be_images(frame):
    with pytest.raises(InputError, match="uint8 of shape"):
        segmenter_of(settings(8, 4)).push(frame)


def test_times_of_pushed_frames():
    segmenter, image = segmenter_of(settings(2, 1)), moving_objects(1)[0]
    results = segmenter.push(image) + segmenter.push(image, 7.5) + segmenter.push(image) + segmenter.flush()
    assert [(result.index, result.time) for result in results] == [(0, 0.0), (1, 7.5), (2, 2 / 25)]


def test_the_next_video_starts_anew():
    segmenter, video = segmenter_of(settings(4, 2)), moving_objects(10)
    first = list(segmenter.segment(Frames(video)))
    second = list(segmenter.segment(Frames(video)))
    same(first, second)
    assert {track.id for track in segmenter.tracks} == {1, 2, 3}
    interrupted = segmenter.segment(Frames(video))
    next(interrupted)  # and nobody asks for the rest
    same(list(segmenter.segment(Frames(video))), first)
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    same(results, first)


def test_tracks_sum_up_the_video():
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(20)
    ids = check_objects(list(segmenter.segment(Frames(video))), video)
    tracks = segmenter.tracks
    assert [track.score for track in tracks] == sorted((track.score for track in tracks), reverse=True)
    named = {ids[name]: category for name, category in zip(COLOURS, CATEGORIES, strict=True)}
    assert {track.id: track.category for track in tracks} == named


@pytest.mark.parametrize(("height", "width"), [(47, 61), (45, 70)])
def test_masks_have_the_size_of_the_source(height, width):
    video = moving_objects(6, height, width)
    check_objects(list(segmenter_of(settings(4, 2)).segment(Frames(video))), video)


def test_large_frames_are_shrunk_for_the_network_alone():
    video = moving_objects(5).repeat(3, 1).repeat(3, 2)
    results = list(segmenter_of(settings(4, 2, short_side=72, long_side=1000)).segment(Frames(video)))
    check_objects(results, video)


def test_frames_that_may_not_be_written_to_and_mirrored_ones():
    segmenter, video = segmenter_of(settings(2, 1)), moving_objects(4)
    expected = list(segmenter.segment(Frames(video[:, :, ::-1].copy())))
    video.setflags(write=False)
    same(list(segmenter.segment(Frames(video[:, :, ::-1]))), expected)
    assert len(list(segmenter.segment(Frames(video)))) == 4


def test_a_frame_of_another_size_is_refused():
    segmenter, image = segmenter_of(settings(4, 2)), moving_objects(1)[0]
    segmenter.push(image)
    with pytest.raises(InputError, match="frame 1: 64x40 pixels, the frames before have 64x48"):
        segmenter.push(image[:40])


def test_an_error_comes_after_what_was_found_before_it():
    images = [*moving_objects(12), np.zeros((HEIGHT, WIDTH + 4, 3), np.uint8)]
    found = []
    with pytest.raises(InputError, match="frame 12: 68x48"):
        found.extend(segmenter_of(settings(8, 4)).segment(Frames(images)))
    assert [result.index for result in found] == list(range(8))


@pytest.mark.parametrize("which", ["a frame", "the network"])
def test_after_an_error_no_thread_goes_on(monkeypatch, which):
    """Not even as long as somebody holds its traceback: an open file or spool would be closed under it."""
    images = list(moving_objects(400))
    if which == "a frame":
        images[12] = np.zeros((HEIGHT, WIDTH + 4, 3), np.uint8)
    else:
        monkeypatch.setattr(room, "find", None)
    with pytest.raises(Exception, match=r"frame 12|not callable") as error:
        list(segmenter_of(settings(8, 4)).segment(Frames(images)))
    assert not any(thread.name == "ahead" for thread in threading.enumerate()), error.value


def test_who_stops_early_stops_the_work():
    engine = ColourEngine(4)
    segmenter = Segmenter(engine, settings(4, 0))
    results = segmenter.segment(Frames(moving_objects(400)))
    next(results)
    results.close()
    segmenter.finder.workers.submit(Urgency.FRAME, lambda: None).result()  # all that was begun before is done
    assert len(engine.lengths) < 20
    check_objects(list(segmenter.segment(Frames(moving_objects(19)))), moving_objects(19))


def test_loops_side_by_side_do_not_disturb_each_other():
    segmenter, videos = segmenter_of(settings(4, 2)), (moving_objects(19), moving_objects(23, 40, 72))
    expected = [list(segmenter_of(settings(4, 2)).segment(Frames(video))) for video in videos]
    loops, found = [segmenter.segment(Frames(video)) for video in videos], ([], [])
    for _ in range(23):  # one frame of each in turn, until one ends
        for results, loop in zip(found, loops, strict=True):
            results += [result for result in [next(loop, None)] if result]
    same(found[0], expected[0])
    same(found[1], expected[1])
    with ThreadPoolExecutor(3) as pool:
        which = (0, 1, 1)
        results = pool.map(lambda number: list(segmenter.segment(Frames(videos[number]))), which)
        for number, result in zip(which, results, strict=True):
            same(result, expected[number])


def test_frames_pushed_beside_a_loop_are_a_video_of_their_own():
    segmenter, video = segmenter_of(settings(4, 2)), moving_objects(19)
    expected = list(segmenter.segment(Frames(video)))
    pushed, looped = [], []
    for result, image in zip(segmenter.segment(Frames(video)), video, strict=True):
        looped.append(result)
        pushed += segmenter.push(image)
    same(looped, expected)
    same(pushed + segmenter.flush(), expected)


def test_what_is_handed_out_is_what_would_be_written():
    """Tracks of the wanted score, and not too many of them, by the estimates so far; all of them if asked for."""
    video = moving_objects(10)
    every = list(segmenter_of(settings(4, 2)).segment(Frames(video), raw=True))
    middle = float(np.median(np.concatenate([result.scores for result in every])))
    for limits in ({"score": middle}, {"score": 0.0, "max_tracks": 1}, {"score": 1.0}):
        segmenter = segmenter_of(settings(4, 2, **limits))
        same(list(segmenter.segment(Frames(video), raw=True)), every)
        results = list(segmenter.segment(Frames(video)))
        good = [[info for info in result.tracks if info.score >= limits["score"]] for result in every]
        if "max_tracks" in limits:
            assert [len(result.tracks) <= 1 for result in results] == [True] * 10
            assert sum(len(result.tracks) for result in results) > 8
        else:
            assert [list(result.tracks) for result in results] == good
        same([result for image in video for result in segmenter.push(image)] + segmenter.flush(), results)
        raw = [result for image in video for result in segmenter.push(image, raw=True)]
        same(raw + segmenter.flush(raw=True), every)
        assert len(segmenter.tracks) == 3


def test_pictures_come_back_where_they_are_asked_for():
    segmenter, video, buffer = segmenter_of(settings(4, 2)), moving_objects(9), np.empty((HEIGHT, WIDTH, 3), np.uint8)
    results = []
    for image in video:
        buffer[:] = image
        results += segmenter.push(buffer, keep_images=True)
    for found in (results + segmenter.flush(), list(segmenter.segment(Frames(video), keep_images=True))):
        np.testing.assert_array_equal([result.image for result in found], video)
    assert all(result.image is None for result in segmenter.segment(Frames(video)))


def test_categories_answer_for_every_track():
    assert segmenter_of(settings(4, 2)).categories == (OBJECT, *CATEGORIES)


def test_whose_tracks_are_meant_is_never_guessed():
    segmenter, videos = segmenter_of(settings(4, 2)), (moving_objects(19), moving_objects(3))
    expected = []
    for video in videos:
        alone = segmenter_of(settings(4, 2))
        list(alone.segment(Frames(video)))
        expected.append(alone.tracks)
    assert expected[0] != expected[1]
    loop, other = (segmenter.segment(Frames(video)) for video in videos)
    next(loop), next(other)
    for ask in (lambda: segmenter.tracks, lambda: segmenter.named({"cat"}), segmenter.snapshot):
        with pytest.raises(InputError, match="several videos are in progress here"):
            ask()
    other.close()
    list(loop)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: list(segmenter.segment(Frames(videos[0])))).result()
        list(segmenter.segment(Frames(videos[1])))
        assert pool.submit(lambda: segmenter.tracks).result() == expected[0]
    assert segmenter.tracks == expected[1]


def test_frames_wait_without_their_pictures():
    """Of 4K, twenty would fill half a gigabyte; there is only the one that is being shrunk, and the source's own."""
    pictures, alive = [], []

    class Watched(Frames):
        def __iter__(self):
            for index, image in enumerate(self.images):
                picture = image.copy()
                pictures.append(weakref.ref(picture))
                yield Frame(index, index / 10, picture)
                alive.append(sum(reference() is not None for reference in pictures))

    list(segmenter_of(settings(8, 4)).segment(Watched(moving_objects(30))))
    assert len(alive) == 30
    assert max(alive) <= 2


def test_two_threads_cannot_push_into_one_video(monkeypatch):
    segmenter, refused = segmenter_of(settings(4, 2)), []
    take = segmenter.finder.clip_of

    def meanwhile(*given):
        with ThreadPoolExecutor(1) as pool:
            for call in (lambda: segmenter.push(video[0]), segmenter.flush):
                with pytest.raises(InputError, match="another thread is pushing"):
                    pool.submit(call).result()
                refused.append(call)
        return take(*given)

    video = moving_objects(19)
    monkeypatch.setattr(segmenter.finder, "clip_of", meanwhile)
    pushed = [result for image in video for result in segmenter.push(image)]
    assert len(refused) == 38
    same(pushed + segmenter.flush(), list(segmenter_of(settings(4, 2)).segment(Frames(video))))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("call", ["loop", "push", "another loop"])
def test_a_forked_process_is_told_and_does_not_wait_for_ever(call):
    segmenter = segmenter_of(settings(4, 2))
    loop = segmenter.segment(Frames(moving_objects(40)))
    next(loop)
    if (child := os.fork()) == 0:
        try:
            faulthandler.dump_traceback_later(60, exit=True)
            if call == "loop":
                list(loop)
            elif call == "push":
                segmenter.push(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
            else:
                list(segmenter.segment(Frames(moving_objects(4))))
        except RuntimeError as error:
            os._exit(5 if "does not survive a fork" in str(error) else 6)
        finally:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5


def test_loops_that_begin_at_once_have_a_video_each():
    segmenter, videos = segmenter_of(settings(4, 2)), (moving_objects(19), moving_objects(23, 40, 72))
    begun = Barrier(2, timeout=60)

    class Waiting(Frames):
        def frames(self, skip=0):
            begun.wait()
            return super().frames(skip)

    with ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda video: list(segmenter.segment(Waiting(video))), videos)
        for video, result in zip(videos, results, strict=True):
            same(result, list(segmenter_of(settings(4, 2)).segment(Frames(video))))


def test_a_loop_that_is_given_up_ends_its_video():
    segmenter, video = segmenter_of(settings(4, 2)), moving_objects(19)
    loop = segmenter.segment(Frames(moving_objects(40)))
    next(loop)
    loop.close()
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    same(results, list(segmenter_of(settings(4, 2)).segment(Frames(video))))


def test_what_is_pushed_after_a_failure_is_another_video(monkeypatch):
    segmenter, video = segmenter_of(settings(4, 1)), moving_objects(19)

    def failing(*_):
        raise RuntimeError("no more")

    for image in video[:3]:
        assert segmenter.push(image) == []
    monkeypatch.setattr(room, "find", failing)
    with pytest.raises(RuntimeError, match="no more"):
        segmenter.push(video[3])
    monkeypatch.undo()
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    assert [result.index for result in results] == list(range(19))


def test_a_video_without_objects():
    segmenter = segmenter_of(settings(4, 2))
    results = list(segmenter.segment(Frames(np.zeros((6, 40, 44, 3), dtype=np.uint8))))
    assert [result.masks.shape for result in results] == [(0, 40, 44)] * 6
    assert segmenter.tracks == []
