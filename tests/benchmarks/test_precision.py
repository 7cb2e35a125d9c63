import numpy as np
import torch
from precision import InPrecision, partners

from chronomask import rle
from chronomask.annotations.masks import Masks
from chronomask.categories import Category
from chronomask.config import SegmentConfig
from chronomask.inference.tracks import TrackInfo
from model.networks import network_of, tiny


def tube(start, stop):
    mask = np.zeros((4, 20), bool)
    mask[:, start:stop] = True
    return Masks.of([rle.encode(mask), None], 4, 20)


def infos(count):
    return [TrackInfo(number, Category(17, "cat"), 0.5) for number in range(1, count + 1)]


def test_partners_are_assigned_one_to_one():
    found = partners("v", infos(2), [tube(0, 8), tube(10, 20)], [tube(10, 19), tube(0, 8)])
    assert [(pair.track, round(pair.iou, 6)) for pair in found] == [("1 cat 0.50", 1.0), ("2 cat 0.50", 0.9)]


def test_a_track_without_partner():
    assert [pair.iou for pair in partners("v", infos(2), [tube(0, 8), tube(0, 7)], [tube(0, 8)])] == [1.0, 0.0]
    assert [pair.iou for pair in partners("v", infos(1), [tube(0, 8)], [])] == [0.0]
    assert partners("v", [], [], [tube(0, 8)]) == []


def test_precision_is_the_one_asked_for():
    segmenter = InPrecision(network_of(tiny(channels=8)), SegmentConfig(), torch.device("cpu"))
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        segmenter.precision = precision
        with segmenter._autocast():
            assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == dtype
