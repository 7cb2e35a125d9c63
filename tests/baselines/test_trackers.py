"""Each tracker on scripted detections with a known right answer."""

import numpy as np
import pytest

from baselines.scenes import apart, clutter, crossing, entry_and_exit, occlusion, seen, who_is_in
from chronomask.baselines import seq_tracker
from chronomask.baselines.deep_sort import DeepSort, DeepSortConfig
from chronomask.baselines.detections import FoundTrack
from chronomask.baselines.iou_tracker import IouConfig, IouTracker
from chronomask.baselines.mask_track import MaskTrack, MaskTrackAssociation, MaskTrackConfig
from chronomask.baselines.seq_tracker import SeqConfig, SeqTracker


def as_they_look(features):
    """Stands in for a trained head: alike ones have a product of 4 or 6, others of -2 or -4."""
    return 2 * (features - 0.5 * features.max(1, keepdims=True)) / np.float32(0.7)


TRACKERS = {
    "IoUTracker+": IouTracker(),
    "DeepSORT": DeepSort(DeepSortConfig(confirmed_after=2)),
    "SeqTracker": SeqTracker(),
    "MaskTrack": MaskTrack(as_they_look),
}
LOOKING = [TRACKERS["DeepSORT"], TRACKERS["MaskTrack"]]


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS)
def test_two_that_stay_apart(tracker):
    assert who_is_in(tracker.track(apart())) == [([1], list(range(8))), ([2], list(range(8)))]


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS)
def test_one_leaves_and_one_enters(tracker):
    assert who_is_in(tracker.track(entry_and_exit())) == [([1], list(range(5))), ([2], list(range(3, 10)))]


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS)
def test_false_detections_join_nobody_and_missed_ones_break_nothing(tracker):
    found = [track for track in who_is_in(tracker.track(clutter())) if track[0][0] < 10]
    assert found == [([1], [0, 1, 2, 4, 5, 6, 7]), ([2], [0, 1, 2, 3, 4, 6, 7])]


@pytest.mark.parametrize("tracker", LOOKING)
def test_who_looks_different_keeps_its_track_where_two_cross(tracker):
    assert who_is_in(tracker.track(crossing())) == [([1], list(range(16))), ([2], list(range(16)))]


def test_boxes_alone_confuse_two_that_cross_and_look_different():
    """What a tracker without appearance cannot know; it shows that the test above asks for something."""
    tracks = who_is_in(IouTracker(IouConfig(minimum_iou=0.05)).track(crossing()))
    assert any(len(objects) == 2 for objects, _ in tracks)


@pytest.mark.parametrize("tracker", LOOKING)
def test_a_hidden_object_comes_back_under_its_number(tracker):
    gone = [*range(5), *range(9, 16)]
    assert who_is_in(tracker.track(occlusion())) == [([1], gone), ([2], list(range(16)))]


@pytest.mark.parametrize(("memory", "pieces"), [(1, 2), (2, 2), (3, 1)])
def test_an_iou_track_waits_for_as_long_as_its_memory_says(memory, pieces):
    still = [[seen(10)], [], [], [seen(10)]]
    assert len(IouTracker(IouConfig(memory=memory)).track(still)) == pieces


@pytest.mark.parametrize(("gap", "pieces"), [(1, 2), (2, 1)])
def test_a_sequence_leads_over_gaps_of_bounded_length(gap, pieces):
    still = [[seen(10)], [], [], [seen(10)]]
    assert len(SeqTracker(SeqConfig(gap=gap)).track(still)) == pieces


def test_an_overlap_below_the_threshold_begins_a_track():
    moved = [[seen(0, width=10)], [seen(5, width=10)]]  # an IoU of one third
    assert len(IouTracker(IouConfig(minimum_iou=0.3)).track(moved)) == 1
    assert len(IouTracker(IouConfig(minimum_iou=0.34)).track(moved)) == 2


def test_boxes_are_assigned_together_and_not_one_by_one():
    first = [seen(0, width=12), seen(12, width=8)]
    # The second box overlaps track 1 most, but then nothing is left for the first.
    then = [seen(0, width=4), seen(4, width=14)]
    tracks = IouTracker(IouConfig(minimum_iou=0.1)).track([first, then])
    assert [[float(d.box[0]) for d in track.detections.values()] for track in tracks] == [[0, 0], [12, 4]]


@pytest.mark.parametrize("same_class", [True, False])
def test_another_class_is_another_object_where_that_is_asked_for(same_class):
    changed = [[seen(10, category=1)], [seen(10, category=2)]]
    assert len(IouTracker(IouConfig(same_class=same_class)).track(changed)) == 1 + same_class


def test_the_class_cue_of_mask_track_outweighs_looks_and_place():
    changed = [[seen(10, category=1)], [seen(10, category=2)]]
    assert len(MaskTrack(as_they_look).track(changed)) == 2
    assert len(MaskTrack(as_they_look, MaskTrackConfig(class_weight=0.0)).track(changed)) == 1


def test_the_terms_of_mask_track_are_those_of_the_paper():
    """v(n) = log p(n) + log s + 2 IoU + 10 [same class], with p = (1, e^{f.f'}) / (1 + e^{f.f'})."""
    association = MaskTrackAssociation(lambda features: features, MaskTrackConfig())
    association.update([seen(0, width=10, feature=(1.0, 2.0))])
    found = seen(5, width=10, score=0.5, feature=(3.0, 1.0), category=7)
    new, old = association._matches(np.array([found.feature]), [found])[0]
    product = 1 * 3 + 2 * 1
    assert new == pytest.approx(-np.log1p(np.exp(product)) + np.log(0.5) + 10)
    assert old == pytest.approx(product - np.log1p(np.exp(product)) + np.log(0.5) + 2 / 3)


def test_of_two_that_want_one_object_the_better_match_gets_it():
    twice = [[seen(10)], [seen(12, score=0.8), seen(10, score=0.8)]]
    (track,) = MaskTrack(as_they_look).track(twice)
    assert float(track.detections[1].box[0]) == 10


def test_young_tracks_of_deep_sort_do_not_survive_a_miss():
    frames = [[seen(10)], [], [seen(10)], [seen(10)], [seen(10)]]
    (track,) = DeepSort().track(frames)
    assert sorted(track.detections) == [2, 3, 4]


@pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS)
def test_nothing_is_nothing(tracker):
    assert tracker.track([]) == tracker.track([[], [], []]) == []


def test_a_track_has_the_mean_score_and_the_surest_class():
    track = FoundTrack({3: seen(0, score=0.2, category=5), 4: seen(0, score=0.3, category=5), 6: seen(0, score=0.4)})
    assert track.score == pytest.approx(0.3)
    assert track.category_id == 5


def test_sequences_that_end_long_before_are_left_alone(monkeypatch):
    """What one sequence takes away is looked at near it alone: the work grows with the video, not with its square."""
    looks = []
    changes = seq_tracker._Search._changes
    monkeypatch.setattr(
        seq_tracker._Search, "_changes", lambda self, frame: looks.append(frame) or changes(self, frame)
    )
    visitors = [[seen(10 + 3 * (t % 8), who=1 + t // 8)] * (t % 8 < 5) for t in range(40 * 8)]
    tracks = who_is_in(SeqTracker().track(visitors))
    assert sorted(tracks) == [([n + 1], list(range(8 * n, 8 * n + 5))) for n in range(40)]
    assert len(looks) < 4 * len(visitors)
