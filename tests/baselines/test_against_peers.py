"""Associations and filters against kept packages, and sequences against all that there are, on random inputs."""

import itertools

import numpy as np
import pytest
from deep_sort_realtime.deep_sort import detection as peer_detection
from deep_sort_realtime.deep_sort import kalman_filter, nn_matching
from deep_sort_realtime.deep_sort import tracker as peer_tracker
from pycocotools import mask as coco
from scipy.optimize import linear_sum_assignment

from chronomask import rle
from chronomask.baselines.deep_sort import DeepSortAssociation, DeepSortConfig
from chronomask.baselines.detections import Detection, box_iou
from chronomask.baselines.iou_tracker import IouAssociation, IouConfig
from chronomask.baselines.kalman import Filters, measured
from chronomask.baselines.seq_tracker import SeqConfig, SeqTracker

EMPTY = rle.encode(np.zeros((2, 2), bool))


def found(box, score=1.0, category=1, feature=()):
    return Detection(EMPTY, np.array(box, np.float32), score, category, np.array(feature, np.float32))


def random_boxes(rng, count, spread=200.0):
    corner = rng.uniform(0, spread, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(10, 60, (count, 2))], 1).astype(np.float32)


def wandering(rng, objects, frames, channels=4):
    """Detections of objects that move, look like themselves, are missed at times, and false ones."""
    boxes, speed = random_boxes(rng, objects), rng.normal(0, 4, (objects, 2))
    looks = rng.normal(size=(objects, channels))
    for _ in range(frames):
        boxes += np.tile(speed, 2) + np.tile(rng.normal(0, 1, (objects, 2)), 2)
        there = rng.random(objects) > 0.2
        frame = [
            (box, look + rng.normal(0, 0.1, channels)) for box, look in zip(boxes[there], looks[there], strict=True)
        ]
        frame += [(box, rng.normal(size=channels)) for box in random_boxes(rng, rng.integers(0, 3))]
        yield [frame[k] for k in rng.permutation(len(frame))]


def test_box_iou_is_that_of_coco():
    rng = np.random.default_rng(0)
    first, second = random_boxes(rng, 30).astype(np.float64), random_boxes(rng, 40).astype(np.float64)
    sides = [np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1) for boxes in (first, second)]
    np.testing.assert_allclose(box_iou(first, second), coco.iou(*sides, [0] * 40), atol=1e-12)
    assert box_iou(np.zeros((1, 4)), np.zeros((1, 4))) == 0


@pytest.mark.parametrize("seed", range(5))
def test_iou_association_is_scipys_optimum(seed):
    rng = np.random.default_rng(seed)
    ours = IouAssociation(IouConfig(minimum_iou=0.2))
    before = random_boxes(rng, 25, 120)
    ours.update([found(box) for box in before])
    after = random_boxes(rng, 20, 120)
    numbers = ours.update([found(box) for box in after])
    gain = np.maximum(box_iou(before, after) - 0.2, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = {(row + 1, column) for row, column in zip(rows, columns, strict=True) if gain[row, column] > 0}
    assert {(number, column) for column, number in enumerate(numbers) if number <= 25} == pairs


def test_filters_are_those_of_deep_sort():
    rng = np.random.default_rng(0)
    peer, boxes = kalman_filter.KalmanFilter(), measured(random_boxes(rng, 6))
    ours, theirs = Filters.begun(boxes), [peer.initiate(box) for box in boxes]
    for step in range(12):
        ours, theirs = ours.predicted(), [peer.predict(*state) for state in theirs]
        boxes = measured(random_boxes(rng, 6))
        gates = np.array([peer.gating_distance(*state, boxes) for state in theirs])
        np.testing.assert_allclose(ours.distances(boxes), gates, rtol=1e-9, atol=1e-8)
        which = np.flatnonzero(rng.random(6) > 0.4)
        ours = ours.corrected(which, boxes[which])
        theirs = [peer.update(*state, boxes[k]) if k in which else state for k, state in enumerate(theirs)]
        means = np.concatenate([ours.place, ours.velocity], 1)
        np.testing.assert_allclose(means, [mean for mean, _ in theirs], rtol=1e-9, atol=1e-9, err_msg=str(step))
        for k, (_, covariance) in enumerate(theirs):
            own = np.diag(np.concatenate([ours.place_variance[k], ours.velocity_variance[k]]))
            own[np.arange(4), np.arange(4, 8)] = own[np.arange(4, 8), np.arange(4)] = ours.shared_variance[k]
            np.testing.assert_allclose(own, covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_deep_sort_tracks_as_the_published_one(seed):
    rng = np.random.default_rng(seed)
    config = DeepSortConfig(maximum_age=5)
    ours = DeepSortAssociation(config)
    metric = nn_matching.NearestNeighborDistanceMetric("cosine", config.maximum_distance, config.gallery)
    peer = peer_tracker.Tracker(metric, config.maximum_iou_distance, config.maximum_age, config.confirmed_after)
    names: dict[int, int] = {}
    confirmed = 0
    for frame in wandering(rng, 8, 25):
        numbers = ours.update([found(box, feature=look) for box, look in frame])
        peer.predict()
        boxes = [np.concatenate([box[:2], box[2:] - box[:2]]) for box, _ in frame]
        peer.update([peer_detection.Detection(box, 1.0, look) for box, (_, look) in zip(boxes, frame, strict=True)])
        theirs = {tuple(t.to_ltwh(orig=True)): int(t.track_id) for t in peer.tracks if not t.time_since_update}
        for number, box in zip(numbers, boxes, strict=True):
            # New ones are numbered in another order there; a young track keeps no box of its first detection.
            if (name := theirs.get(tuple(box))) is not None:
                assert names.setdefault(name, number) == number
        assert len(set(names.values())) == len(names)
        alive = {names[int(track.track_id)] for track in peer.tracks if track.is_confirmed()}
        confirmed += len(alive)
        assert set(ours.numbers[ours.hits >= config.confirmed_after].tolist()) == alive
    assert confirmed > 50


def all_sequences(frames, config):
    """Every chain of links in a lattice, and what it is worth."""
    nodes = [(t, k) for t, frame in enumerate(frames) for k in range(len(frame))]
    for length in range(1, len(frames) + 1):
        for chain in itertools.combinations(nodes, length):
            worth, linked = sum(frames[t][k].score for t, k in chain), True
            for (t, k), (u, m) in itertools.pairwise(chain):
                iou = float(box_iou(frames[t][k].box[None], frames[u][m].box[None])[0, 0])
                linked &= 1 <= u - t <= 1 + config.gap and iou >= config.minimum_iou
                same = frames[t][k].category_id == frames[u][m].category_id
                worth += config.iou_weight * iou + config.class_weight * same
            if linked:
                yield worth, chain


@pytest.mark.parametrize("seed", range(8))
def test_the_first_sequence_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    config = SeqConfig(minimum_iou=0.1, gap=seed % 3, iou_weight=0.7, class_weight=0.3)
    frames = [
        [found(box, rng.uniform(0.1, 1), int(rng.integers(2))) for box in random_boxes(rng, rng.integers(0, 4), 40)]
        for _ in range(4)
    ]
    best = SeqTracker(config).track(frames)[0]
    worth, chain = max(all_sequences(frames, config))
    assert [(t, d) for t, d in best.detections.items()] == [(t, frames[t][k]) for t, k in chain], worth


def test_every_detection_is_in_one_sequence():
    rng = np.random.default_rng(1)
    frames = [[found(box, rng.uniform(0.1, 1)) for box in random_boxes(rng, 4, 60)] for _ in range(6)]
    used = [id(d) for track in SeqTracker().track(frames) for d in track.detections.values()]
    assert sorted(used) == sorted(id(d) for frame in frames for d in frame)
