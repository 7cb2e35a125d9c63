from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronomask import rle
from chronomask.annotations.masks import EncodedMasks, Masks, differing_pixels
from chronomask.annotations.problems import Problems
from chronomask.annotations.runs import bitmaps
from chronomask.errors import InputError

HEIGHT, WIDTH = 40, 60


def ragged(seed: int) -> rle.Rle:
    return rle.encode(np.random.default_rng(seed).random((HEIGHT, WIDTH)) < 0.1 * (seed % 11))


def checked(masks: list, problems: Problems | None = None) -> Masks | None:
    encoded = EncodedMasks(masks, HEIGHT, WIDTH, "file.json", "annotations[0].segmentations[{}]")
    return encoded.checked(problems or Problems("file.json"))


SEEDS = st.lists(st.integers(0, 10**6) | st.none(), min_size=1, max_size=5)


def pixels(mask: rle.Rle | None) -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), bool) if mask is None else rle.decode(mask)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_areas_of_many_masks_at_once(seeds: list[int | None]) -> None:
    masks = [None if seed is None else ragged(seed) for seed in seeds]
    found = checked(masks)
    assert found is not None
    assert found.areas.tolist() == [0 if m is None else rle.area(m) for m in masks]
    assert found == masks


@given(SEEDS, st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_common_pixels_are_those_of_the_bitmaps(seeds: list[int | None], seed: int, kept: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        [
            None if s is None or rng.random() < 0.2 else rle.encode(rle.decode(ragged(s)) ^ (rng.random() < 0.2))
            for s in seeds
        ]
        for _ in range(2)
    ]
    first, second = (Masks([m and m["counts"] for m in row], HEIGHT, WIDTH, kept) for row in rows)
    expected = sum(int((pixels(a) ^ pixels(b)).sum()) for a, b in zip(*rows, strict=True))
    assert differing_pixels(first, second) == differing_pixels(second, first) == expected


def test_runs_of_no_length_change_nothing() -> None:
    """Tools that write column by column make them where two columns touch; pycocotools stops where both masks do."""
    plain = [HEIGHT, HEIGHT, HEIGHT * (WIDTH - 2)]
    split = [HEIGHT, HEIGHT // 2, 0, HEIGHT // 2, 0, 0, HEIGHT * (WIDTH - 2)]
    first, second = (
        Masks([rle.from_run_lengths(runs, HEIGHT, WIDTH)["counts"]], HEIGHT, WIDTH) for runs in (plain, split)
    )
    assert second.areas.tolist() == [HEIGHT]
    assert second == first
    assert differing_pixels(first, second) == differing_pixels(second, second) == 0


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
        problems = Problems("file.json", "collect")
        assert checked(masks, problems) is None
        assert [problem.place for problem in problems.found] == ["annotations[0].segmentations[1]"]
        with pytest.raises(InputError, match=r"file\.json: annotations\[0\]\.segmentations\[1\]: "):
            checked(masks)
    else:
        assert checked(masks) is not None


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_bitmaps_of_many_masks_at_once(seeds: list[int]) -> None:
    masks = [ragged(seed) for seed in seeds]
    expected = [rle.decode(mask) for mask in masks]
    np.testing.assert_array_equal(bitmaps([mask["counts"] for mask in masks], (HEIGHT, WIDTH)), expected)
