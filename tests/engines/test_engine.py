from dataclasses import replace

import numpy as np
import pytest

from chronomask.engines.engine import Engine, FrameFeatures, features_of, padded
from engines.test_description import DESCRIPTION


class Still(Engine):
    """An engine that computes nothing."""

    description = DESCRIPTION


@pytest.mark.parametrize(("size", "expected"), [((32, 64), (32, 64)), ((33, 4), (64, 32)), ((1, 95), (32, 96))])
def test_frames_are_padded_with_zeros_to_multiples_of_32(size, expected):
    frames = np.full((2, 3, *size), 9, np.uint8)
    found = padded(frames)
    assert found.shape == (2, 3, *expected)
    assert found.dtype == np.uint8
    assert (found[..., : size[0], : size[1]] == 9).all()
    assert found.sum() == frames.sum()


def test_features_go_by_their_names():
    found = features_of(DESCRIPTION, ["look", "fine", "classes"])
    assert found == FrameFeatures(decoded=("fine",), look="look", class_logits="classes")
    engine = Still()
    assert engine.fine(found) == "fine"
    engine.description = replace(DESCRIPTION, decoded=("level_8",))
    assert engine.fine(found) is None
