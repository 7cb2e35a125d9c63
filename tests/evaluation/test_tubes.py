from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from track_builders import HEIGHT, WIDTH

from chronomask import rle
from chronomask.errors import InputError
from chronomask.evaluation.tubes import mask_problems, read_tube


def ragged(seed: int) -> rle.Rle:
    return rle.encode(np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.1 * (seed % 11))


@given(st.lists(st.integers(0, 10**6) | st.none(), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_areas_of_many_masks_at_once(seeds: list[int | None]) -> None:
    masks = [None if seed is None else ragged(seed) for seed in seeds]
    assert read_tube(masks, HEIGHT, WIDTH).areas.tolist() == [0 if m is None else rle.area(m) for m in masks]


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.characters(max_codepoint=300) | st.just(""))
@settings(max_examples=200, deadline=None)
def test_a_damaged_mask_is_refused_or_still_a_mask(seed: int, place: int, letter: str) -> None:
    counts = ragged(seed)["counts"]
    place %= len(counts)
    damaged = {"size": [HEIGHT, WIDTH], "counts": counts[:place] + letter + counts[place + 1 :]}
    masks = [ragged(seed + 1), damaged, ragged(seed + 2)]
    try:
        rle.from_annotation(damaged, HEIGHT, WIDTH)
    except InputError:
        assert [frame for frame, _ in mask_problems(masks, HEIGHT, WIDTH)] == [1]
        with pytest.raises(InputError, match=r"segmentations\[1\]"):
            read_tube(masks, HEIGHT, WIDTH)
    else:
        read_tube(masks, HEIGHT, WIDTH)
