from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from track_builders import random_case

from chronomask.annotations.records import Track
from chronomask.evaluation.ap import HEADLINE, THRESHOLDS, score
from chronomask.evaluation.compare import resampled
from chronomask.evaluation.error_analysis import break_down
from chronomask.evaluation.matching import match
from chronomask.evaluation.records import GroundTruth
from chronomask.evaluation.validate import read_results, read_truth

SEEDS = st.integers(0, 10**6)


def read(seed: int, ties: bool = False) -> tuple[GroundTruth, list[Track]]:
    truth, results = random_case(seed, videos=4, crowds=0.2, ties=ties)
    annotated = read_truth(truth)
    return annotated, read_results(results, annotated)


@given(SEEDS, st.booleans())
@settings(max_examples=20, deadline=None)
def test_matching_gives_the_evaluators_numbers(seed: int, ties: bool) -> None:
    truth, found = read(seed, ties)
    expected, matches = score(truth, found).scores, match(truth, found)
    ours = resampled(matches, np.ones((1, len(truth.videos))))
    for key in HEADLINE:
        value = getattr(expected, key)
        assert (value == -1 and np.isnan(ours[key][0])) or ours[key][0] == pytest.approx(value, abs=1e-12)
    broken = break_down(matches)
    assert pytest.approx((expected.AP, expected.AP50), abs=1e-12) == (broken.AP, broken.AP50)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_resample_is_the_set_with_its_videos_repeated(seed: int) -> None:
    truth, found = read(seed)
    draws = np.random.default_rng(seed).multinomial(4, [0.25] * 4, 3).astype(float)
    ours = resampled(match(truth, found), draws)
    for number, draw in enumerate(draws):
        expected = score(*repeated(truth, found, draw.astype(int).tolist())).scores
        for key in HEADLINE:
            value = getattr(expected, key)
            assert (value == -1 and np.isnan(ours[key][number])) or ours[key][number] == pytest.approx(value, abs=1e-12)


def repeated(truth: GroundTruth, found: list[Track], times: list[int]) -> tuple[GroundTruth, list[Track]]:
    """Each video as often as said, its copies next to each other."""
    videos, true, ours = {}, [], []
    for number, copies in zip(truth.videos, times, strict=True):
        for copy in range(copies):
            fresh = 100 * number + copy
            videos[fresh] = replace(truth.videos[number], id=fresh)
            true += [replace(t, video_id=fresh) for t in truth.tracks if t.video_id == number]
            ours += [replace(t, video_id=fresh) for t in found if t.video_id == number]
    return GroundTruth(videos, truth.categories, true), ours


def test_thresholds_are_the_official_ones() -> None:
    assert THRESHOLDS.tolist() == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95])


class Counted(list):
    """Counts how often somebody goes through all of it."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_tracks_are_gone_through_as_often_whatever_the_number_of_videos() -> None:
    times = []
    for videos in (2, 8):
        truth, results = random_case(1, videos=videos)
        annotated = read_truth(truth)
        found = Counted(read_results(results, annotated))
        counted = replace(annotated, tracks=Counted(annotated.tracks))
        match(counted, found)
        times.append((counted.tracks.times, found.times))
    assert times[0] == times[1]
