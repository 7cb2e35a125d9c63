"""What users get from the network arranged for inference is what they would get from the network as it is trained."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from chronomask.config import SegmentConfig
from chronomask.inference.load import bundled_weights, load
from chronomask.inference.segment import Segmenter
from chronomask.model.checkpoint import load_network
from chronomask.video import open_source

SAMPLE = Path(__file__).parents[2] / "examples" / "sample.mp4"
CONFIG = SegmentConfig(short_side=128, long_side=224, score=0.0)


def panned(image, frames=14):
    """A window that moves over a photograph, with every second pixel left out."""
    small = image[::2, ::2]
    return [small[t : t + 130, 3 * t : 3 * t + 170] for t in range(frames)]


VIDEOS = {
    "cat": lambda: panned(data.chelsea()),
    "cup": lambda: panned(data.coffee()),
    "sample": lambda: [frame.image for frame, _ in zip(open_source(SAMPLE), range(14), strict=False)],
}


def tubes_of(segmenter, images):
    """Masks (T H W) and categories of the tracks by id, and their scores."""
    results = [result for image in images for result in segmenter.push(image)] + segmenter.flush()
    tubes = {track.id: np.zeros((len(images), *images[0].shape[:2]), bool) for track in segmenter.tracks}
    for frame, result in enumerate(results):
        for number, mask in zip(result.track_ids, result.masks, strict=True):
            tubes[int(number)][frame] = mask
    return tubes, {track.id: (track.category, track.score) for track in segmenter.tracks}


@pytest.mark.parametrize("name", VIDEOS)
def test_tracks_are_those_of_the_plain_network(name):
    images = VIDEOS[name]()
    plain = Segmenter(load_network(bundled_weights("lite")), CONFIG, torch.device("cpu"))
    expected, named = tubes_of(plain, images)
    tubes, found = tubes_of(load("lite", "cpu", CONFIG), images)
    assert tubes.keys() == expected.keys()
    assert tubes
    for number, mask in expected.items():
        assert (tubes[number] & mask).sum() >= 0.99 * (tubes[number] | mask).sum()
        assert found[number][0] == named[number][0]
        assert found[number][1] == pytest.approx(named[number][1], abs=1e-3)
