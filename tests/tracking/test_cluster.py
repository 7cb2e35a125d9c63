from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.ndimage import zoom

from chronomask.config import ClusterConfig
from chronomask.embedding import squared_distance
from chronomask.tracking.class_scores import cells_of, masked_class_logits, shares_of_cells
from chronomask.tracking.cluster import cluster, label_map
from tracking.outputs import outputs_of

LENGTH, ROWS, COLUMNS = 4, 12, 16
EVERYTHING = ClusterConfig(minimum_pixels=1, minimum_objectness=0.0)


def three_tubes():
    """A label map with three tubes that touch and move; 0 is nobody."""
    labels = np.zeros((LENGTH, ROWS, COLUMNS), np.int64)
    for frame in range(LENGTH):
        labels[frame, 2:8, 1 + frame : 5 + frame] = 1
        labels[frame, 2:8, 5 + frame : 10 + frame] = 2
        labels[frame, 8:11, 3:13] = 3
    return labels


def separable(labels, heats, spread=0.05, foreground=False, seed=0):
    """Outputs in which instance k lies around (3 k, -2 k) in embedding space, and nobody around (-9, -9)."""
    random = np.random.default_rng(seed)
    embedding = np.stack([3.0 * labels, -2.0 * labels])
    embedding[:, labels == 0] = -9.0
    embedding += random.normal(0, spread, embedding.shape)
    return outputs_of(
        embedding=embedding,
        log_variance=np.full_like(embedding, -1.0),
        heat=np.array([0.05, *heats])[labels] - 0.01 * random.random(labels.shape),
        class_logits=4.0 * (labels == np.arange(1, len(heats) + 1)[:, None, None, None]),
        foreground=np.where(labels > 0, 0.98, 0.02) if foreground else None,
    )


def masks_of(tubes, outputs):
    return [tube.mask(outputs.heat.shape) for tube in tubes]


def row_of(values):
    """A clip of one frame of one row."""
    return np.array(values, np.float32).reshape(1, 1, 1, -1)


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_separable_instances_are_found_exactly_in_the_order_of_their_heat(foreground, refinements):
    labels = three_tubes()
    outputs = separable(labels, [0.7, 0.95, 0.8], foreground=foreground)
    tubes = cluster(outputs, replace(EVERYTHING, refinements=refinements))
    assert len(tubes) == 3
    for tube, mask, instance in zip(tubes, masks_of(tubes, outputs), (2, 3, 1), strict=True):
        assert np.array_equal(mask, labels == instance)
        assert tube.class_probabilities.argmax() == instance - 1
        assert tube.class_probabilities.sum() == pytest.approx(1)
        assert 0 < tube.objectness <= 1
    assert tubes[0].objectness > tubes[2].objectness
    found = label_map(tubes, outputs.heat.shape)
    assert found.dtype == np.int16
    assert np.array_equal(found, np.array([0, 3, 1, 2])[labels])


def test_tubes_of_noise_are_disjoint():
    random = np.random.default_rng(0)
    outputs = outputs_of(
        random.random((2, 3, 8, 8)),
        np.full((2, 3, 8, 8), -3.0),
        random.random((3, 8, 8)),
        random.random((4, 3, 2, 2)),
        1 / (1 + np.exp(-random.normal(1, 1, (3, 8, 8)))),
    )
    for config in (EVERYTHING, ClusterConfig(minimum_pixels=8, membership_threshold=0.3, foreground_threshold=0.4)):
        tubes = cluster(outputs, config)
        assert len(tubes) > 3
        assert sum(mask.astype(int) for mask in masks_of(tubes, outputs)).max() == 1
        for tube in tubes:
            assert ((tube.probability >= 0) & (tube.probability <= 1)).all()
            assert tube.inside.sum() >= config.minimum_pixels


def plain(outputs, config):
    """The algorithm word for word: every pixel of the clip is asked for everything."""
    variance = np.exp(outputs.log_variance)
    possible = np.ones(outputs.heat.shape, bool)
    if outputs.foreground is not None:
        possible = outputs.foreground > config.foreground_threshold

    def membership_of(inside):
        mean, spread = outputs.embedding[:, inside].mean(1), variance[:, inside].mean(1)
        return np.exp(-squared_distance(outputs.embedding, mean, spread) / 2)

    def owned(memberships):
        best = np.max(memberships, 0, initial=config.membership_threshold)
        return [possible & (m == best) & (m > config.membership_threshold) for m in memberships]

    memberships, tried = [], np.zeros_like(possible)
    for _ in range(config.maximum_rounds):
        explained = np.max([np.zeros_like(outputs.heat), *memberships], 0)
        open = possible & ~tried & (outputs.heat >= config.seed_threshold)
        open &= outputs.heat - explained > config.seed_margin
        if not open.any():
            break
        seed = np.zeros_like(possible)
        seed[np.unravel_index(np.where(open, outputs.heat, -1).argmax(), seed.shape)] = True
        tried |= seed
        membership = membership_of(seed)
        inside = possible & (membership > np.maximum(explained, config.membership_threshold))
        memberships.append(membership_of(inside) if inside.any() else membership)
    for _ in range(config.refinements):
        masks = owned(memberships)
        memberships = [membership_of(m) if m.any() else old for m, old in zip(masks, memberships, strict=True)]
    sizes = [mask.sum() for mask in owned(memberships)]
    large = owned([m for m, size in zip(memberships, sizes, strict=True) if size >= config.minimum_pixels])
    taken = np.any([np.zeros_like(possible), *large], 0)
    small = owned([m for m, size in zip(memberships, sizes, strict=True) if size < config.minimum_pixels])
    return [mask for mask in (*large, *(mask & ~taken for mask in small)) if mask.sum() >= config.minimum_pixels]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(13, 18), (8, 16), (5, 50), (9, 30)])
def test_it_is_the_plain_algorithm(seed, foreground, rows, columns):
    """Also where the cells of class scores do not divide the frame."""
    random = np.random.default_rng(seed)

    def smooth(channels, height=rows, width=columns):
        coarse = random.normal(size=(channels, 4, 4, 5))
        return 1.5 * zoom(coarse, (1, LENGTH / 4, height / 4, width / 5), order=1)

    def logistic(x):
        return 1 / (1 + np.exp(-x))

    outputs = outputs_of(
        smooth(3),
        smooth(3) * 0.5 - 1,
        logistic(smooth(1)[0]),
        smooth(5, -(-rows // 4), -(-columns // 4)),
        logistic(smooth(1)[0] + 1) if foreground else None,
    )
    config = ClusterConfig(
        minimum_pixels=6, membership_threshold=0.45, foreground_threshold=0.6, seed_margin=0.1, sure_objectness=0.0
    )
    tubes, expected = cluster(outputs, config), plain(outputs, config)
    assert len(tubes) == len(expected) > 2
    fine = outputs.class_logits.repeat(4, 2).repeat(4, 3)[:, :, :rows, :columns]
    for tube, found, mask in zip(tubes, masks_of(tubes, outputs), expected, strict=True):
        assert np.array_equal(found, mask)
        classes = np.exp(fine[:, mask].mean(1))
        np.testing.assert_allclose(tube.class_probabilities, classes / classes.sum(), rtol=1e-4)


def test_no_seed_below_the_threshold():
    outputs = separable(three_tubes(), [0.4, 0.95, 0.8])
    assert len(cluster(outputs, replace(EVERYTHING, seed_threshold=0.9))) == 1
    assert len(cluster(outputs, replace(EVERYTHING, seed_threshold=0.5))) == 2
    assert cluster(outputs, replace(EVERYTHING, seed_threshold=0.99)) == []


def test_membership_threshold_cuts_equation_4():
    embedding = row_of([0.0, 0.5, 1.0, 1.5])
    p = np.exp(-0.5 * embedding.ravel() ** 2)
    outputs = outputs_of(embedding, np.zeros((1, 1, 1, 4)), row_of([0.9, 0.1, 0.1, 0.1])[0], np.zeros((2, 1, 1, 4)))
    for threshold in (0.3, 0.5, 0.7, 0.95):
        (tube,) = cluster(outputs, ClusterConfig(membership_threshold=threshold, refinements=0, minimum_pixels=1))
        mask = tube.mask(outputs.heat.shape)
        assert np.array_equal(mask[0, 0], p > threshold)
        assert tube.objectness == pytest.approx(outputs.heat[mask].mean() * p[p > threshold].mean())


def test_only_foreground_is_clustered():
    labels = three_tubes()
    outputs = separable(labels, [0.7, 0.95, 0.8], foreground=True)
    outputs.foreground[labels == 2] = 0.27
    assert len(cluster(outputs, EVERYTHING)) == 2
    tubes = cluster(outputs, replace(EVERYTHING, foreground_threshold=0.2))
    assert np.array_equal(tubes[0].mask(labels.shape), labels == 2)


def test_refinement_takes_the_instance_from_a_seed_at_its_edge():
    """The seed sits at the rim of its cluster and sees only half of it; the members' own mean and variance see all."""
    values = row_of(np.linspace(-1, 1, 41))
    heat = row_of([0.9] + [0] * 40)[0]
    outputs = outputs_of(values, np.full_like(values, -0.5), heat, np.zeros((2, 1, 1, 41)))
    sizes = []
    for refinements in (0, 1, 2):
        (tube,) = cluster(outputs, ClusterConfig(refinements=refinements, minimum_pixels=1))
        sizes.append(int(tube.inside.sum()))
    assert sizes[0] < sizes[1] <= sizes[2]


def two_hills(variance):
    """One row of two objects side by side, each hot in its middle, at 0.5 and -0.5 in embedding space."""
    place = np.linspace(-1, 1, 41)
    heat = np.maximum(np.exp(-((place + 0.5) ** 2) / 0.08), 0.95 * np.exp(-((place - 0.5) ** 2) / 0.08))
    values = row_of(place)
    return outputs_of(values, np.full_like(values, np.log(variance)), heat[None, None], np.zeros((2, 1, 1, 41)))


def test_of_two_objects_that_touch_each_gets_what_is_more_its_own():
    """The first seed alone would take a third of the second object, too: its membership is above 0.5 up to 0.33."""
    outputs = two_hills(0.5)
    masks = masks_of(cluster(outputs, ClusterConfig(minimum_pixels=1, refinements=0)), outputs)
    assert [mask.ravel().tolist() for mask in masks] == [[True] * 21 + [False] * 20, [False] * 21 + [True] * 20]


def test_heat_that_an_instance_explains_is_no_seed():
    """The second hill is hardly hotter than it belongs to the first instance, whose variance is wide."""
    outputs = two_hills(2.0)
    assert len(cluster(outputs, ClusterConfig(minimum_pixels=1, refinements=0))) == 1
    assert len(cluster(outputs, ClusterConfig(minimum_pixels=1, refinements=0, seed_margin=0.1))) == 2


def test_what_is_hardly_an_object_gets_the_pixels_that_no_other_wants():
    """A tube of 9 pixels beside one of 32 that would take 5 of them: it keeps those when it is sure enough."""
    values = row_of([0.0] * 32 + [0.6] * 5 + [1.0] * 4)
    heat = row_of([0.9] + [0.5] * 31 + [0.2] * 5 + [0.8] + [0.2] * 3)[0]
    outputs = outputs_of(values, np.full_like(values, -1.0), heat, np.zeros((2, 1, 1, 41)))
    config = ClusterConfig(minimum_pixels=1, refinements=0, minimum_objectness=0.0)
    sizes = {
        sure: [int(tube.inside.sum()) for tube in cluster(outputs, replace(config, sure_objectness=sure))]
        for sure in (0.0, 0.4)
    }
    assert sizes == {0.0: [32, 9], 0.4: [37, 4]}
    dropped = cluster(outputs, replace(config, sure_objectness=0.4, minimum_objectness=0.4))
    assert [int(tube.inside.sum()) for tube in dropped] == [37]
    assert cluster(outputs, replace(config, minimum_objectness=0.99)) == []


def test_number_of_rounds_is_bounded():
    outputs = separable(three_tubes(), [0.7, 0.95, 0.8])
    assert len(cluster(outputs, replace(EVERYTHING, maximum_rounds=2))) == 2
    assert cluster(outputs, replace(EVERYTHING, maximum_rounds=0)) == []


def test_it_ends_when_refinement_leaves_the_seed_outside():
    """The seed's wide variance takes the crowd nearby; the crowd's own narrow one leaves the seed alone."""
    values = row_of([0.0] + [1.0] * 20)
    log_variance = row_of([1.0] + [-8.0] * 20)
    heat = row_of([0.9] + [0.6] * 20)[0]
    outputs = outputs_of(values, log_variance, heat, np.zeros((2, 1, 1, 21)))
    (tube,) = cluster(outputs, ClusterConfig(minimum_pixels=1, refinements=3, maximum_rounds=100))
    assert tube.mask(heat.shape).ravel().tolist() == [False] + [True] * 20


@pytest.mark.parametrize("minimum_pixels", [0, 1])
def test_a_seed_that_takes_nobody_with_it_gives_no_tube(minimum_pixels):
    """A wide seed joins two far crowds of narrow variance: their common mean is nobody's place."""
    values = row_of([-1.0] * 20 + [0.6] + [1.0] * 20)
    log_variance = row_of([-20.0] * 20 + [1.4] + [-20.0] * 20)
    heat = row_of([0.1] * 20 + [0.9] + [0.1] * 20)[0]
    outputs = outputs_of(values, log_variance, heat, np.zeros((2, 1, 1, 41)))
    assert cluster(outputs, ClusterConfig(minimum_pixels=minimum_pixels, refinements=1)) == []


def test_empty_input():
    labels = np.zeros((LENGTH, ROWS, COLUMNS), np.int64)
    assert cluster(separable(labels, [0.9]), EVERYTHING) == []
    assert cluster(separable(labels, [0.9], foreground=True), EVERYTHING) == []
    hot = separable(labels, [0.9], foreground=True)
    assert cluster(replace(hot, heat=np.ones_like(hot.heat)), EVERYTHING) == []
    assert label_map([], hot.heat.shape).sum() == 0


def test_a_tube_is_looked_at_in_a_box_of_whole_cells_with_a_margin_for_painting():
    labels = np.zeros((2, 30, 43), np.int64)
    labels[:, 9:12, 36:40] = 1
    (tube,) = cluster(separable(labels, [0.9]), EVERYTHING)
    assert tube.box == (slice(4, 16), slice(32, 43))
    assert cells_of(tube.box) == (slice(1, 4), slice(8, 11))
    assert tube.probability.shape == (2, 12, 11)
    assert np.array_equal(tube.mask(labels.shape), labels == 1)


def test_shares_of_cells_by_hand():
    inside = np.zeros((1, 6, 9), bool)
    inside[0, :5, 2:] = True
    expected = np.array([[8, 16, 4], [2, 4, 1]]) / 16
    assert np.array_equal(shares_of_cells(inside), expected[None])


def test_coarse_class_scores_count_by_the_share_of_their_cells():
    inside = np.zeros((2, 8, 8), bool)
    inside[0, :4, 4:] = inside[1, 4:6, :4] = True
    nothing = np.zeros((1, 2, 16, 16))
    coarse = outputs_of(nothing, nothing, nothing[0], np.arange(32.0).reshape(1, 2, 4, 4))
    box = (slice(4, 12), slice(8, 16))  # cells 1 and 2 of rows, 2 and 3 of columns
    expected = (16 * coarse.class_logits[0, 0, 1, 3] + 8 * coarse.class_logits[0, 1, 2, 2]) / 24
    assert masked_class_logits(coarse, box, inside) == pytest.approx(expected)
    fine = replace(coarse, class_logits=coarse.class_logits.repeat(4, 2).repeat(4, 3))
    assert masked_class_logits(fine, box, inside) == pytest.approx(expected)


def smooth_discs(scale):
    """Two discs with smooth embeddings at 1 / scale of a 48 x 64 frame, sampled at the centres of the cells."""
    y, x = ((np.arange(side // scale) + 0.5) * scale for side in (48, 64))
    rows, columns = np.meshgrid(y, x, indexing="ij")
    heats, places = [], []
    for centre in (18.0, 46.0):
        heats.append(np.exp(-((rows - 22) ** 2 + (columns - centre) ** 2) / 150))
        places.append(np.stack([(rows - 22) / 12, (columns - centre) / 12]))
    right = columns > 32
    embedding = np.where(right, places[1] + np.array([0.0, 10.0])[:, None, None], places[0])[:, None]
    heat = np.where(right, heats[1] * 0.9, heats[0])[None]
    return outputs_of(embedding, np.full_like(embedding, -0.33), heat, np.zeros((3, *heat.shape)))


def test_clustering_at_full_resolution_agrees_with_upsampled_probabilities():
    """Clustering at stride 4 and upsampling the tubes' probability is the same but for the border, and much cheaper."""
    config = ClusterConfig(refinements=0, minimum_pixels=4)
    outputs, coarse = smooth_discs(1), cluster(smooth_discs(4), config)
    fine = masks_of(cluster(outputs, config), outputs)
    assert len(fine) == len(coarse) == 2
    for mask, tube in zip(fine, coarse, strict=True):
        small = np.zeros((12, 16), np.float32)
        small[tube.box] = tube.probability[0]
        full = cv2.resize(small, (64, 48), interpolation=cv2.INTER_LINEAR) > 0.5
        assert (full & mask[0]).sum() / (full | mask[0]).sum() > 0.9
        square = np.ones((5, 5), np.uint8)
        border = cv2.dilate(mask[0].astype(np.uint8), square) - cv2.erode(mask[0].astype(np.uint8), square)
        assert not ((full != mask[0]) & (border == 0)).any()  # at most two pixels of the border differ
