"""Short videos of photographs, and what a segmenter finds in them."""

from pathlib import Path

import numpy as np
from skimage import data

from chronomask.video import open_source

SAMPLE = Path(__file__).parents[2] / "examples" / "sample.mp4"


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
    """Masks (T H W) of the tracks by id, and what is known of these tracks."""
    results = [result for image in images for result in segmenter.push(image, raw=True)]
    results += segmenter.flush(raw=True)
    assert [result.index for result in results] == list(range(len(images)))
    tubes = {track.id: np.zeros((len(images), *images[0].shape[:2]), bool) for track in segmenter.tracks}
    for frame, result in enumerate(results):
        for number, mask in zip(result.track_ids, result.masks, strict=True):
            tubes[int(number)][frame] = mask
    return tubes, {track.id: track for track in segmenter.tracks}


def iou(one, other):
    return (one & other).sum() / max(1, (one | other).sum())
