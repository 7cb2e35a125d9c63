"""A whole video, clip after clip: on outputs of chance, in which some tubes go on and some come back."""

import numpy as np
import pytest

from chronomask.categories import OBJECT, Category
from chronomask.config import ClusterConfig, SegmentConfig, StitchConfig
from chronomask.state import from_bytes, to_bytes
from chronomask.tracking.cluster import label_map
from chronomask.tracking.memory import look_of
from chronomask.tracking.tracker import Tracker, find
from tracking.outputs import outputs_of, random_outputs

CLASSES = (Category(1, "person"), Category(17, "cat"), Category(18, "dog"))
CONFIG = SegmentConfig(
    clip_length=5,
    overlap=2,
    object_below=0.4,
    cluster=ClusterConfig(minimum_pixels=3),
    stitch=StitchConfig(minimum_iou=0.3, minimum_likeness=0.9, minimum_similarity=0.4, memory_tracks=8),
)


def random_clips(seed, clips=7, length=5, shared=2):
    """What is found in clips as chance has them, and how many frames each shares with the one before."""
    random = np.random.default_rng(seed)
    before = None
    for _ in range(clips):
        outputs = random_outputs(int(random.integers(1000)), length=length)
        if before is not None:  # so that some tubes do go on
            outputs.embedding[:, :shared] = before.embedding[:, -shared:]
            outputs.heat[:shared] = before.heat[-shared:]
        features = random.random((length, 6, 4, 6), dtype=np.float32)
        yield find(outputs, features, CONFIG, ()), 0 if before is None else shared
        before = outputs


def test_what_is_found_in_a_clip():
    outputs, features = random_outputs(1), np.random.default_rng(0).random((4, 6, 4, 6), dtype=np.float32)
    tubes, looks, labels, _ = find(outputs, features, CONFIG, (-1.0, 0.1, 2.0, 1.0, 1.0, -0.5, 0.5))
    assert len(tubes) == len(looks) > 5
    assert np.array_equal(labels, label_map(tubes, outputs.heat.shape))
    for tube, look in zip(tubes, looks, strict=True):
        assert np.array_equal(look.feature, look_of(tube, features).feature)
        assert 0 < tube.objectness < 1
    plain = find(outputs, features, CONFIG, ()).tubes
    assert [tube.objectness for tube in plain] != [tube.objectness for tube in tubes]


@pytest.mark.parametrize("seed", range(2))
def test_a_restored_tracker_goes_on_as_the_other(seed):
    tracker = Tracker(CONFIG, CLASSES)
    taken_up, joined, before = 0, 0, set()
    for found, shared in random_clips(seed):
        other = Tracker(CONFIG, CLASSES)
        other.restore(from_bytes(to_bytes(tracker.state())))
        known = tracker.stitcher.next_id
        ids = tracker.take(found, shared)
        assert other.take(found, shared) == ids
        assert other.tracks == tracker.tracks
        assert np.array_equal(other.stitcher.recent, tracker.stitcher.recent)
        assert list(other.stitcher.memory.tracks) == list(tracker.stitcher.memory.tracks)
        assert len(set(ids)) == len(ids)
        joined += len(set(ids) & before)
        taken_up += sum(number < known for number in set(ids) - before)
        before = set(ids)
    assert joined > 5
    assert taken_up > 0


def sure_of(index, probability):
    """A clip of one tube, whose classes have this probability and one half of the rest each."""
    others = (1 - probability) / 2
    logits = np.log(np.where(np.arange(3) == index, probability, others))[:, None, None, None] * np.ones((3, 5, 3, 3))
    nothing = np.zeros((2, 5, 12, 12))
    return find(
        outputs_of(nothing, nothing, np.full((5, 12, 12), 0.8), logits), np.ones((5, 4, 4, 4), np.float32), CONFIG, ()
    )


def test_tracks_are_named_by_all_their_clips():
    tracker = Tracker(CONFIG, CLASSES)
    assert tracker.tracks == []
    assert tracker.take(sure_of(2, 0.9), 0) == [1]
    assert tracker.info(1).category == CLASSES[2]
    for _ in range(2):
        assert tracker.take(sure_of(1, 0.8), 2) == [1]
    [track] = tracker.tracks
    assert (track.id, track.category) == (1, CLASSES[1])
    assert track.score == pytest.approx(0.8)
    assert tracker.info(1) == track
    [named] = tracker.named({"dog"})
    assert named.category == CLASSES[2]
    assert named.score < 0.8
    assert tracker.named({"person", OBJECT.name})[0].category == OBJECT


def test_tracks_come_best_first():
    tracker = Tracker(CONFIG, CLASSES)
    for found, shared in random_clips(0, clips=3):
        tracker.take(found, shared)
    scores = [track.score for track in tracker.tracks]
    assert len(scores) > 5
    assert scores == sorted(scores, reverse=True)
    assert [track.score for track in tracker.named({"cat"})] != scores
