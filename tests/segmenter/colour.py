"""A stand-in for the network that sees colours, and videos of coloured objects: what should be found is known."""

import numpy as np

from chronomask.categories import Category
from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.engines.description import Description
from chronomask.engines.engine import Engine, EngineInfo, features_of
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Frame, VideoSource

HEIGHT, WIDTH = 48, 64
COLOURS = {"red": (255, 0, 0), "green": (0, 230, 0), "blue": (0, 0, 200)}
CATEGORIES = (Category(1, "person"), Category(17, "cat"), Category(18, "dog"))


class ColourEngine(Engine):
    """Sees every colour as an instance of a class of its own (the first three), and black as nothing.

    Args:
        clip_length: frames of the clips that it takes.
        together: whether it wants frames in batches.
        precision: in which it claims to compute.

    Attributes:
        lengths: of the clips it has seen.
        batches: numbers of frames it was given at a time.
        prepared: how many threads have come, and None when they were said to be ready.
    """

    def __init__(self, clip_length=8, threads=2, together=False, categories=CATEGORIES, precision="float32"):
        self.threads, self.together = threads, together
        self.info = EngineInfo("openvino", "0", "cpu", precision)
        self.description = Description(
            checkpoint_sha256="0" * 64,
            categories=categories,
            embedding=("free",) * 3,
            foreground=False,
            tube_score=(),
            clip_length=clip_length,
            features=("level_16", "level_4"),
            decoded=("level_4",),
        )
        self.lengths, self.batches, self.prepared = [], [], []

    def prepare_thread(self):
        self.prepared.append(1)

    def threads_ready(self):
        self.prepared.append(None)

    def encode(self, frames):
        assert frames.shape[2] % 32 == frames.shape[3] % 32 == 0
        self.batches.append(len(frames))
        coarse, fine = (means(frames, side) for side in (16, 4))
        return [features_of(self.description, levels) for levels in zip(coarse, fine, strict=True)]

    def decode(self, frames):
        self.lengths.append(len(frames))
        colours = np.stack([level for [level] in (frame.decoded for frame in frames)])
        heat = colours.max(1, keepdims=True)
        others = np.zeros((len(frames), len(self.description.categories) - 3, *heat.shape[2:]), np.float32)
        return np.concatenate([colours * 3, np.zeros_like(colours), heat, colours * 9, others], 1)


def means(frames, side):
    """Of square cells, from 0 to 1."""
    count, channels, height, width = frames.shape
    cells = frames.reshape(count, channels, height // side, side, width // side, side)
    return (cells.mean((3, 5)) / 255).astype(np.float32)


class Frames(VideoSource):
    """Frames in memory as a source."""

    def __init__(self, images):
        self.name, self.fps, self.length = "memory", 10.0, len(images)
        self.images = images

    def __iter__(self):
        for index, image in enumerate(self.images):
            yield Frame(index, index / 10, image)


def moving_objects(length, height=HEIGHT, width=WIDTH):
    """A red object that stays, a green one that passes, and a blue one that is there only for a while."""
    video = np.zeros((length, height, width, 3), dtype=np.uint8)
    for frame in range(length):
        video[frame, 24:44, 4:28] = COLOURS["red"]
        left = 4 * (frame % 10)
        video[frame, 4:20, left : left + 20] = COLOURS["green"]
        if 4 <= frame < 17:
            video[frame, 24:40, 36:56] = COLOURS["blue"]
    return video


def cut_at(*places, length=30):
    """The same objects at the same places in every shot, on a ground that is darker or brighter."""
    video = moving_objects(length)
    for shot, (begin, end) in enumerate(zip((0, *places), (*places, length), strict=True)):
        ground = (video[begin:end] == 0).all(-1)
        video[begin:end][ground] = 90 * (shot % 2)
    return video


def settings(length, overlap, maximum_rounds=32, **others):
    cluster = ClusterConfig(seed_threshold=0.7, minimum_pixels=4, maximum_rounds=maximum_rounds)
    return SegmentConfig(clip_length=length, overlap=overlap, cluster=cluster, **others)


def segmenter_of(config):
    return Segmenter(ColourEngine(config.clip_length), config)


def check_objects(results, video):
    """Every colour has one id, and its masks are where the colour is; returns the ids by colour."""
    ids = {}
    for result, image in zip(results, video, strict=True):
        seen = {name: (image == colour).all(2) for name, colour in COLOURS.items()}
        seen = {name: mask for name, mask in seen.items() if mask.any()}
        assert len(result.track_ids) == len(seen)
        assert result.masks.shape == (len(seen), *image.shape[:2])
        assert np.sum(result.masks, axis=0).max() <= 1
        for mask, number, category in zip(result.masks, result.track_ids, result.category_ids, strict=True):
            (name,) = [name for name, truth in seen.items() if (mask & truth).any()]
            assert (mask & seen[name]).sum() / (mask | seen[name]).sum() > 0.8
            assert ids.setdefault(name, int(number)) == number
            assert category == CATEGORIES[list(COLOURS).index(name)].id
        assert ((result.scores > 0) & (result.scores <= 1)).all()
    assert len(set(ids.values())) == len(ids)
    return ids


def same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.index == other.index
        for name in ("masks", "track_ids", "category_ids", "scores"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
