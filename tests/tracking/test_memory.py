"""Objects that were hidden: when a track is taken up again, and when not."""

import numpy as np
import pytest

from chronomask.config import StitchConfig
from chronomask.tracking.cluster import Tube
from chronomask.tracking.memory import Look, TrackMemory, Visit, look_of, visit_of


def look(angle=0.0, classes=(1.0, 0.0)):
    return Look(np.array([np.cos(angle), np.sin(angle)], np.float32), np.array(classes, np.float32))


def visit(first, last, y=0.5, x=0.5, area=100.0):
    return Visit(first, last, (y, x), (y, x), area)


def memory_of(*tracks, **config):
    memory = TrackMemory(StitchConfig(**config))
    for number, (look_, visit_) in enumerate(tracks, 1):
        memory.note(number, look_, visit_)
    return memory


def test_similarity():
    assert look().likeness(look(0.5)) == pytest.approx(np.cos(0.5))
    assert look().similarity(look(0.5)) == pytest.approx(np.cos(0.5))
    assert look().similarity(look(2.0)) == 0
    assert look().similarity(look(classes=(0.36, 0.64))) == pytest.approx(0.6)
    assert look().similarity(look(classes=(3.6, 6.4))) == pytest.approx(0.6)
    nothing = Look(np.zeros(2, np.float32), np.ones(2, np.float32))
    assert nothing.likeness(look(1.0)) == 1


def test_the_assignment_is_optimal():
    memory = memory_of((look(0.0), visit(0, 3)), (look(0.6), visit(0, 3)))
    tubes = [look(0.1), look(-0.9)]  # both are most like track 1; only together do they suit 2 and 1
    assert memory.recall(tubes, [visit(9, 9)] * 2, {0, 1}, set()) == {0: 2, 1: 1}
    assert memory.recall(tubes, [visit(9, 9)] * 2, {0}, set()) == {0: 1}
    assert memory.recall(tubes, [visit(9, 9)] * 2, {0}, {1}) == {0: 2}
    assert memory.recall([], [], set(), set()) == {}


@pytest.mark.parametrize(
    ("place", "taken"),
    [
        (visit(9, 12), True),
        (visit(3, 12), False),  # both at once
        (visit(103, 110), True),
        (visit(104, 110), False),  # too long ago
        (visit(9, 12, x=0.95), False),
        (visit(33, 36, x=0.75), True),  # more time to get there
        (visit(9, 12, area=8.0), True),
        (visit(9, 12, area=5.0), False),
    ],
)
def test_what_makes_a_return_plausible(place, taken):
    memory = memory_of((look(), visit(0, 3)), memory_frames=100)
    assert memory.recall([look()], [place], {0}, set()) == ({0: 1} if taken else {})


def test_the_memory_is_bounded():
    tracks = [(look(), visit(start, start + 3)) for start in range(0, 100, 10)]
    memory = memory_of(*tracks, memory_frames=60, memory_tracks=3)
    memory.forget(104, [1])
    assert list(memory.tracks) == [1, 8, 9, 10]
    memory.forget(150, [])
    assert list(memory.tracks) == [10]
    memory.forget(154, [])
    assert list(memory.tracks) == []


def test_looks_fade():
    memory = memory_of((look(0.0), visit(0, 7)))
    likeness = [memory.likeness(1, look(1.0))]
    for clip in range(4):
        memory.note(1, look(1.0), visit(4 * clip, 4 * clip + 7))
        likeness.append(memory.likeness(1, look(1.0)))
    assert likeness == sorted(likeness)
    assert likeness[0] == pytest.approx(np.cos(1.0))
    assert likeness[-1] > 0.95


def test_a_restored_memory_is_the_same():
    tracks = [(look(number, (0.2, 0.8)), visit(number, number + 3, area=9.5)) for number in range(5)]
    memory, other = memory_of(*tracks), TrackMemory(StitchConfig())
    memory.note(2, look(0.3), visit(20, 23))
    other.restore(memory.state())
    assert list(other.tracks) == [1, 3, 4, 5, 2]
    for number, track in memory.tracks.items():
        same = other.tracks[number]
        assert (same.last, same.end, same.area) == (track.last, track.end, track.area)
        assert same.look.feature.dtype == same.look.classes.dtype == np.float32
        assert np.array_equal(same.look.feature, track.look.feature)
        assert np.array_equal(same.look.classes, track.look.classes)
    nobody = TrackMemory(StitchConfig())
    other.restore(nobody.state())
    assert other.tracks == {}


def tube_of(mask, box, classes=(0.3, 0.7)):
    """A tube of these pixels, which lie in this box."""
    return Tube(box, np.where(mask[(slice(None), *box)], np.float32(0.9), np.float32(0.1)), np.float32(classes), 1.0)


def test_visits():
    shape = (3, 30, 40)
    mask = np.zeros(shape, bool)
    mask[1, 10:12, 5:9] = mask[2, 20:21, 5:9] = True
    first = visit_of(tube_of(mask, (slice(4, 24), slice(4, 16))), 100, shape)
    assert (first.first, first.last, first.area) == (101, 102, 8)
    assert first.start == pytest.approx((10.5 / 50, 6.5 / 50))
    assert first.end == pytest.approx((20 / 50, 6.5 / 50))
    corner = np.zeros(shape, bool)
    corner[0, 0, 0] = True
    box = (slice(0, 4), slice(0, 4))
    assert visit_of(tube_of(corner, box), 100, shape) == Visit(100, 100, (0.0, 0.0), (0.0, 0.0), 1.0)


def test_the_box_of_a_tube_changes_neither_its_visit_nor_its_look():
    mask = np.zeros((2, 24, 32), bool)
    mask[0, 9:14, 13:19] = mask[1, 10:15, 12:20] = True
    features = np.random.default_rng(0).random((2, 3, 6, 8), dtype=np.float32)
    boxes = (slice(0, 24), slice(0, 32)), (slice(8, 16), slice(12, 20))
    wide, close = (tube_of(mask, box) for box in boxes)
    assert visit_of(wide, 7, mask.shape) == visit_of(close, 7, mask.shape)
    np.testing.assert_allclose(look_of(wide, features).feature, look_of(close, features).feature, rtol=1e-6)


def test_looks_are_means_over_the_tube():
    mask = np.zeros((2, 8, 8), bool)
    mask[0, :4, :4] = mask[1, 4:, 4:] = True
    features = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
    found = look_of(tube_of(mask, (slice(0, 8), slice(0, 8))), features)
    np.testing.assert_allclose(found.feature, [(features[0, c, 0, 0] + features[1, c, 1, 1]) / 2 for c in range(2)])
    np.testing.assert_allclose(found.classes, [0.3, 0.7], rtol=1e-6)


def test_looks_leave_out_what_the_frame_was_filled_up_with():
    mask = np.ones((1, 6, 9), bool)  # 1.5 by 2.25 cells, of features that reach over 2 by 4
    features = np.full((1, 1, 2, 4), 1e6, np.float32)
    features[..., :2, :3] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    found = look_of(tube_of(mask, (slice(0, 6), slice(0, 9))), features)
    weights = np.array([[16, 16, 4], [8, 8, 2]])
    assert found.feature == pytest.approx((weights * [[1, 2, 3], [4, 5, 6]]).sum() / weights.sum())
