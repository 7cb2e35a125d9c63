import numpy as np
import pytest
from time_probe import LENGTH, Probe

from chronomask.tracking.outputs import ClipOutputs

SIZE = (40, 64)


def moving_square(step):
    """A square that goes `step` columns to the right with every frame."""
    masks = np.zeros((1, LENGTH, *SIZE), bool)
    for frame in range(LENGTH):
        masks[0, frame, 10:20, 5 + step * frame : 15 + step * frame] = True
    return masks


def outputs_of(embedding, variance=0.01):
    shape = embedding.shape[1:]
    return ClipOutputs(
        embedding.astype(np.float32),
        np.full(embedding.shape, np.log(variance), np.float32),
        np.ones(shape, np.float32),
        np.zeros((1, LENGTH, 3, 4), np.float32),
        None,
    )


def embedding_following(masks, share):
    """Every pixel points to the square's centre, which goes along with this share of its way."""
    embedding = np.zeros((2, LENGTH, *SIZE))
    places = np.array([np.argwhere(frame).mean(0) for frame in masks[0]]) / (SIZE[0] / 2)
    embedding[:] = (places[0] + share * (places - places[0])).T[:, :, None, None]
    return embedding


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_what_goes_along_with_an_object_follows_it(share):
    probe, masks = Probe(), moving_square(4)
    probe.motion("clip", outputs_of(embedding_following(masks, share)), masks)
    assert probe.follows["clip"] == pytest.approx([share], abs=1e-5)


def test_objects_that_stay_are_not_asked():
    probe, masks = Probe(), moving_square(0)
    probe.motion("clip", outputs_of(embedding_following(masks, 1.0)), masks)
    assert probe.follows["clip"] == []


def test_members_are_lost_with_the_drift():
    probe, masks = Probe(), moving_square(4)
    probe.objects(outputs_of(embedding_following(masks, 1.0)), masks)
    # 0.2 a frame, in deviations of 0.1: exp(-2) is below one half.
    assert np.mean(probe.apart["members"][0]) == 1
    assert np.mean(probe.apart["members"][1]) == 0
    assert np.mean(probe.apart["drift"][1], 0) == pytest.approx([0, 2], abs=1e-4)
    assert not probe.apart["claimed"]


def test_what_is_of_another_object_is_claimed():
    masks = np.concatenate([moving_square(0), np.roll(moving_square(0), 20, 3)])
    probe = Probe()
    probe.objects(outputs_of(np.zeros((2, LENGTH, *SIZE))), masks)
    assert np.mean(probe.apart["claimed"][3]) == 1


def test_a_change_of_one_frame_counts_in_the_others():
    masks = moving_square(0)
    plain = outputs_of(np.zeros((2, LENGTH, *SIZE)))
    changed = np.zeros((2, LENGTH, *SIZE))
    changed[:, 1] = 0.05
    probe = Probe()
    probe.change(plain, outputs_of(changed), 0, masks)
    assert probe.apart["sensitivity"][1] == pytest.approx([0.5])
    assert probe.apart["sensitivity"][2] == [0]
    assert 0 not in probe.apart["sensitivity"]
