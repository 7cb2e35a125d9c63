"""Videos in which objects are hidden: what is taken up again, and what is not."""

import numpy as np
import pytest

from chronomask.config import StitchConfig
from segmenter.colour import COLOURS, Frames, segmenter_of, settings

SEEN, HIDDEN = 14, 20


def hidden_object(before="red", after="red", jump=0, cover=None):
    """A square that slides to the right, is hidden for 20 frames, and comes out again; a blue one stays in sight."""
    video = np.zeros((2 * SEEN + HIDDEN, 48, 96, 3), dtype=np.uint8)
    video[:, 36:48, 4:24] = COLOURS["blue"]
    for frame, image in enumerate(video):
        left = 4 + frame
        if frame < SEEN:
            image[8:28, left : left + 20] = COLOURS[before]
        elif frame >= SEEN + HIDDEN:
            image[8:28, left + jump : left + jump + 20] = COLOURS[after]
        elif cover:
            image[4:32, 8:56] = COLOURS[cover]
    return video


def ids_of(video, **stitch):
    """Ids of the upper half: before, while hidden, after."""
    config = settings(8, 4, stitch=StitchConfig(**stitch))
    results = list(segmenter_of(config).segment(Frames(video)))

    def upper(frame):
        found = [n for mask, n in zip(results[frame].masks, results[frame].track_ids, strict=True) if mask[:32].any()]
        return [int(number) for number in found]

    assert len({tuple(upper(frame)) for frame in range(SEEN)}) == 1
    assert len({tuple(upper(frame)) for frame in range(SEEN + HIDDEN, len(video))}) == 1
    return upper(0), upper(SEEN + HIDDEN // 2), upper(-1)


def test_an_occlusion_of_20_frames_keeps_its_id_with_the_memory_and_loses_it_without():
    before, _, after = ids_of(hidden_object())
    assert before == after
    before, _, after = ids_of(hidden_object(), memory_frames=0)
    assert before != after
    before, _, after = ids_of(hidden_object(), memory_frames=HIDDEN - 1)
    assert before != after


def test_another_object_in_the_same_place_is_another():
    before, _, after = ids_of(hidden_object(after="green"))
    assert before != after


def test_an_object_is_itself_again_after_another_passed_before_it():
    before, cover, after = ids_of(hidden_object(cover="green"))
    assert cover != before == after


@pytest.mark.parametrize(("similarity", "same"), [(0.1, True), (0.9, False)])
def test_far_away_it_must_be_more_alike(similarity, same):
    before, _, after = ids_of(hidden_object(jump=20), minimum_similarity=similarity)
    assert (before == after) is same
