"""Objects that were hidden: what is taken up again, and what is not."""

import numpy as np
import pytest
import torch

from chronomask.config import StitchConfig
from chronomask.inference.memory import Look, TrackMemory, Visit, looks_of, visits
from chronomask.inference.segment import Segmenter
from chronomask.structures import Tube
from inference.test_segment import COLOURS, ColourNetwork, Frames, settings

SEEN, HIDDEN = 14, 20


def hidden_object(before="red", after="red", jump=0, cover=None):
    """A square that slides to the right, is hidden for 20 frames, and comes out again; a blue one stays in sight."""
    video = np.zeros((2 * SEEN + HIDDEN, 48, 96, 3), dtype=np.uint8)
    video[:, 36:48, 4:24] = COLOURS["blue"]
    for frame, image in enumerate(video):
        left = 4 + frame
        if frame < SEEN:
            image[8:28, left : left + 20] = COLOURS[before]
        elif frame >= SEEN + HIDDEN:
            image[8:28, left + jump : left + jump + 20] = COLOURS[after]
        elif cover:
            image[4:32, 8:56] = COLOURS[cover]
    return video


def ids_of(video, **stitch):
    """Ids of the upper half: before, while hidden, after."""
    config = settings(8, 4, stitch=StitchConfig(**stitch))
    results = list(Segmenter(ColourNetwork(), config, torch.device("cpu")).segment(Frames(video)))

    def upper(frame):
        found = [n for mask, n in zip(results[frame].masks, results[frame].track_ids, strict=True) if mask[:32].any()]
        return [int(number) for number in found]

    assert len({tuple(upper(frame)) for frame in range(SEEN)}) == 1
    assert len({tuple(upper(frame)) for frame in range(SEEN + HIDDEN, len(video))}) == 1
    return upper(0), upper(SEEN + HIDDEN // 2), upper(-1)


def test_an_occlusion_of_20_frames_keeps_its_id_with_the_memory_and_loses_it_without():
    before, _, after = ids_of(hidden_object())
    assert before == after
    before, _, after = ids_of(hidden_object(), memory_frames=0)
    assert before != after
    before, _, after = ids_of(hidden_object(), memory_frames=HIDDEN - 1)
    assert before != after


def test_another_object_in_the_same_place_is_another():
    before, _, after = ids_of(hidden_object(after="green"))
    assert before != after


def test_an_object_is_itself_again_after_another_passed_before_it():
    before, cover, after = ids_of(hidden_object(cover="green"))
    assert cover != before == after


@pytest.mark.parametrize(("similarity", "same"), [(0.1, True), (0.9, False)])
def test_far_away_it_must_be_more_alike(similarity, same):
    before, _, after = ids_of(hidden_object(jump=20), minimum_similarity=similarity)
    assert (before == after) is same


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


def test_visits():
    labels = np.zeros((3, 30, 40), np.int16)
    labels[1, 10:12, 5:9] = labels[2, 20:21, 5:9] = 1
    labels[0, 0, 0] = 2
    first, second = visits(labels, 2, 100)
    assert (first.first, first.last, first.area) == (101, 102, 8)
    assert first.start == pytest.approx((10.5 / 50, 6.5 / 50))
    assert first.end == pytest.approx((20 / 50, 6.5 / 50))
    assert second == Visit(100, 100, (0.0, 0.0), (0.0, 0.0), 1.0)


def test_looks_are_means_over_the_tube():
    probability = torch.zeros(2, 8, 8)
    probability[0, :4, :4] = probability[1, 4:, 4:] = 0.9
    features = torch.arange(16.0).view(2, 2, 2, 2)
    (found,) = looks_of([Tube(probability, torch.tensor([0.3, 0.7]), 1.0)], features)
    np.testing.assert_allclose(found.feature, [(features[0, c, 0, 0] + features[1, c, 1, 1]) / 2 for c in range(2)])
    np.testing.assert_allclose(found.classes, [0.3, 0.7])
    assert looks_of([], features) == []


def test_looks_leave_out_what_the_frame_was_filled_up_with():
    probability = torch.full((1, 6, 9), 0.9)  # 1.5 by 2.25 cells, of features that reach over 2 by 4
    features = torch.full((1, 1, 2, 4), 1e6)
    features[..., :2, :3] = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    (found,) = looks_of([Tube(probability, torch.tensor([1.0]), 1.0)], features)
    weights = np.array([[16, 16, 4], [8, 8, 2]])
    assert found.feature == pytest.approx((weights * [[1, 2, 3], [4, 5, 6]]).sum() / weights.sum())
