from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from chronomask.config import ClusterConfig
from chronomask.gaussian import membership
from chronomask.inference.cluster import cluster, label_map
from chronomask.losses import ClipOutputs
from chronomask.model.class_scores import masked_class_logits

LENGTH, ROWS, COLUMNS = 4, 12, 16
EVERYTHING = ClusterConfig(minimum_pixels=1)


def three_tubes():
    """A label map with three tubes that touch and move; 0 is nobody."""
    labels = torch.zeros(LENGTH, ROWS, COLUMNS, dtype=torch.int64)
    for frame in range(LENGTH):
        labels[frame, 2:8, 1 + frame : 5 + frame] = 1
        labels[frame, 2:8, 5 + frame : 10 + frame] = 2
        labels[frame, 8:11, 3:13] = 3
    return labels


def separable(labels, heats, spread=0.05, foreground=False, seed=0):
    """Outputs in which instance k lies around (3 k, -2 k) in embedding space, and nobody around (-9, -9)."""
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.stack([3.0 * labels, -2.0 * labels])
    embedding[:, labels == 0] = -9.0
    embedding += spread * torch.randn(embedding.shape, generator=generator)
    heat = torch.tensor([0.05, *heats])[labels] - 0.01 * torch.rand(labels.shape, generator=generator)
    logits = F.one_hot(labels, len(heats) + 1).permute(3, 0, 1, 2)[1:] * 4.0
    return ClipOutputs(
        embedding=embedding,
        log_variance=torch.full_like(embedding, -1.0),
        heat=heat,
        class_logits=logits,
        foreground_logits=(labels > 0) * 8.0 - 4.0 if foreground else None,
    )


def masks_of(tubes):
    return [tube.probability > 0.5 for tube in tubes]


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("refinements", [0, 1, 3])
def test_separable_instances_are_found_exactly_in_the_order_of_their_heat(foreground, refinements):
    labels = three_tubes()
    outputs = separable(labels, [0.7, 0.95, 0.8], foreground=foreground)
    tubes = cluster(outputs, replace(EVERYTHING, refinements=refinements))
    assert len(tubes) == 3
    for tube, instance in zip(tubes, (2, 3, 1), strict=True):
        assert torch.equal(tube.probability > 0.5, labels == instance)
        assert tube.class_probabilities.argmax() == instance - 1
        assert tube.class_probabilities.sum().item() == pytest.approx(1)
        assert 0 < tube.objectness <= 1
    assert tubes[0].objectness > tubes[2].objectness
    expected = torch.tensor([0, 3, 1, 2], dtype=torch.int16)[labels]
    assert torch.equal(label_map(tubes, outputs.heat), expected)


def test_tubes_of_noise_are_disjoint():
    generator = torch.Generator().manual_seed(0)
    outputs = ClipOutputs(
        torch.rand(2, 3, 8, 8, generator=generator),
        torch.full((2, 3, 8, 8), -3.0),
        torch.rand(3, 8, 8, generator=generator),
        torch.rand(4, 3, 2, 2, generator=generator),
        torch.randn(3, 8, 8, generator=generator) + 1,
    )
    for config in (EVERYTHING, ClusterConfig(minimum_pixels=8, membership_threshold=0.3, foreground_threshold=0.4)):
        tubes = cluster(outputs, config)
        assert len(tubes) > 3
        assert torch.stack(masks_of(tubes)).sum(0).max() == 1
        for tube in tubes:
            assert ((tube.probability >= 0) & (tube.probability <= 1)).all()
            assert (tube.probability > 0.5).sum() >= config.minimum_pixels


def plain(outputs, config):
    """Equation (7) word for word: every pixel of the clip is asked in every round."""
    foreground = outputs.foreground_logits.sigmoid()
    free = foreground > config.foreground_threshold
    masks = []
    for _ in range(config.maximum_rounds):
        heat = outputs.heat.where(free, torch.tensor(-1.0))
        if heat.max() < config.seed_threshold:
            break
        seed = (heat == heat.max()).nonzero()[0].tolist()
        inside = torch.zeros_like(free)
        inside[tuple(seed)] = True
        for _ in range(1 + config.refinements):
            if inside.any():
                mean, variance = outputs.embedding[:, inside].mean(1), outputs.log_variance[:, inside].exp().mean(1)
                inside = free & (membership(outputs.embedding, mean, variance) > config.membership_threshold)
        if inside.sum() >= max(1, config.minimum_pixels):
            masks.append(inside)
        free = free & ~inside
        free[tuple(seed)] = False
    return masks


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rows", "columns"), [(13, 18), (8, 16)])
def test_it_is_the_plain_algorithm(seed, rows, columns):
    generator = torch.Generator().manual_seed(seed)

    def smooth(channels, height=rows, width=columns):
        coarse = torch.randn(1, channels, 4, 4, 5, generator=generator)
        return F.interpolate(coarse, (LENGTH, height, width), mode="trilinear")[0] * 1.5

    cells = (-(-rows // 4), -(-columns // 4))
    outputs = ClipOutputs(smooth(3), smooth(3) * 0.5 - 1, smooth(1)[0].sigmoid(), smooth(5, *cells), smooth(1)[0] + 1)
    config = ClusterConfig(minimum_pixels=6)
    tubes, expected = cluster(outputs, config), plain(outputs, config)
    assert len(tubes) == len(expected) > 2
    for tube, mask in zip(tubes, expected, strict=True):
        assert torch.equal(tube.probability > 0.5, mask)
        classes = masked_class_logits(outputs.class_logits, mask).softmax(0)
        torch.testing.assert_close(tube.class_probabilities, classes)


def test_no_seed_below_the_threshold():
    outputs = separable(three_tubes(), [0.4, 0.95, 0.8])
    assert len(cluster(outputs, replace(EVERYTHING, seed_threshold=0.9))) == 1
    assert len(cluster(outputs, replace(EVERYTHING, seed_threshold=0.5))) == 2
    assert cluster(outputs, replace(EVERYTHING, seed_threshold=0.99)) == []


def test_membership_threshold_cuts_equation_4():
    embedding = torch.tensor([0.0, 0.5, 1.0, 1.5]).view(1, 1, 1, 4)
    p = torch.exp(-0.5 * embedding[0, 0, 0] ** 2)
    outputs = ClipOutputs(
        embedding,
        torch.zeros(1, 1, 1, 4),
        torch.tensor([0.9, 0.1, 0.1, 0.1]).view(1, 1, 4),
        torch.zeros(2, 1, 1, 4),
        None,
    )
    for threshold in (0.3, 0.5, 0.7, 0.95):
        (tube,) = cluster(outputs, ClusterConfig(membership_threshold=threshold, refinements=0, minimum_pixels=1))
        assert ((tube.probability > 0.5)[0, 0] == (p > threshold)).all()
        assert tube.objectness == pytest.approx(outputs.heat[tube.probability > 0.5].mean() * p[p > threshold].mean())


def test_only_foreground_is_clustered():
    labels = three_tubes()
    outputs = separable(labels, [0.7, 0.95, 0.8], foreground=True)
    outputs.foreground_logits[labels == 2] = -1.0  # a probability of 0.27
    assert len(cluster(outputs, EVERYTHING)) == 2
    tubes = cluster(outputs, replace(EVERYTHING, foreground_threshold=0.2))
    assert torch.equal(tubes[0].probability > 0.5, labels == 2)


def test_refinement_takes_the_instance_from_a_seed_at_its_edge():
    """The seed sits at the rim of its cluster and sees only half of it; the members' own mean and variance see all."""
    values = torch.linspace(-1, 1, 41).view(1, 1, 1, 41)
    heat = torch.zeros(1, 1, 41)
    heat[..., 0] = 0.9
    outputs = ClipOutputs(values, torch.full_like(values, -0.5), heat, torch.zeros(2, 1, 1, 41), None)
    sizes = []
    for refinements in (0, 1, 2):
        (tube,) = cluster(outputs, ClusterConfig(refinements=refinements, minimum_pixels=1))
        sizes.append(int((tube.probability > 0.5).sum()))
    assert sizes[0] < sizes[1] <= sizes[2]


def test_tubes_that_are_too_small_are_dropped_and_their_pixels_stay_removed():
    labels = three_tubes()
    labels[labels == 3] = 0
    labels[0, 10, 3:5] = 3
    outputs = separable(labels, [0.7, 0.8, 0.95])
    outputs.embedding[:, labels == 1] = outputs.embedding[:, labels == 3].mean(1, keepdim=True)
    # The best seed, with a small variance of its own, takes two pixels only; instance 1 would take them too.
    outputs.log_variance[:, labels == 3] = -12.0
    outputs.embedding[:, labels == 3] += torch.tensor([[0.2], [0.0]])
    tubes = cluster(outputs, ClusterConfig(minimum_pixels=10, refinements=0))
    assert [int(mask.sum()) for mask in masks_of(tubes)] == [int((labels == 2).sum()), int((labels == 1).sum())]
    assert not (label_map(tubes, outputs.heat) > 0)[labels == 3].any()


def test_number_of_rounds_is_bounded():
    outputs = separable(three_tubes(), [0.7, 0.95, 0.8])
    assert len(cluster(outputs, replace(EVERYTHING, maximum_rounds=2))) == 2
    assert cluster(outputs, replace(EVERYTHING, maximum_rounds=0)) == []


def test_it_ends_when_refinement_leaves_the_seed_outside():
    """The seed's wide variance takes the crowd nearby; the crowd's own narrow one leaves the seed alone."""
    values = torch.cat([torch.tensor([0.0]), torch.full((20,), 1.0)]).view(1, 1, 1, 21)
    log_variance = torch.full_like(values, -8.0)
    log_variance[..., 0] = 1.0
    heat = torch.full((1, 1, 21), 0.6)
    heat[..., 0] = 0.9
    outputs = ClipOutputs(values, log_variance, heat, torch.zeros(2, 1, 1, 21), None)
    (tube,) = cluster(outputs, ClusterConfig(minimum_pixels=1, refinements=3, maximum_rounds=100))
    assert (tube.probability > 0.5).flatten().tolist() == [False] + [True] * 20


@pytest.mark.parametrize("minimum_pixels", [0, 1])
def test_a_seed_that_takes_nobody_with_it_gives_no_tube(minimum_pixels):
    """A wide seed joins two far crowds of narrow variance: their common mean is nobody's place."""
    values = torch.tensor([-1.0] * 20 + [0.6] + [1.0] * 20).view(1, 1, 1, 41)
    log_variance = torch.full_like(values, -20.0)
    log_variance[..., 20] = 1.4
    heat = torch.full((1, 1, 41), 0.1)
    heat[..., 20] = 0.9
    outputs = ClipOutputs(values, log_variance, heat, torch.zeros(2, 1, 1, 41), None)
    assert cluster(outputs, ClusterConfig(minimum_pixels=minimum_pixels, refinements=1)) == []


def test_empty_input():
    labels = torch.zeros(LENGTH, ROWS, COLUMNS, dtype=torch.int64)
    assert cluster(separable(labels, [0.9]), EVERYTHING) == []
    assert cluster(separable(labels, [0.9], foreground=True), EVERYTHING) == []
    hot = separable(labels, [0.9], foreground=True)
    assert cluster(replace(hot, heat=torch.ones_like(hot.heat)), EVERYTHING) == []
    assert label_map([], hot.heat).sum() == 0


def smooth_discs(scale):
    """Two discs with smooth embeddings at 1 / scale of a 48 x 64 frame, sampled at the centres of the cells."""
    rows = (torch.arange(48 // scale) + 0.5).view(-1, 1) * scale
    columns = (torch.arange(64 // scale) + 0.5).view(1, -1) * scale
    heats, places = [], []
    for x, y in ((18.0, 22.0), (46.0, 22.0)):
        heats.append(torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 150))
        places.append(torch.stack([(rows - y) / 12 + 0 * columns, (columns - x) / 12 + 0 * rows]))
    right = (columns > 32).expand(rows.shape[0], -1)
    embedding = torch.where(right, places[1] + torch.tensor([0.0, 10.0]).view(2, 1, 1), places[0])
    heat = torch.where(right, heats[1] * 0.9, heats[0])
    shape = (2, 1, *heat.shape)
    return ClipOutputs(embedding[:, None], torch.zeros(shape) - 0.33, heat[None], torch.zeros(3, 1, *heat.shape), None)


def test_clustering_at_full_resolution_agrees_with_upsampled_probabilities():
    """Clustering at stride 4 and upsampling the tubes' probability is the same but for the border, and much cheaper."""
    config = ClusterConfig(refinements=0, minimum_pixels=4)
    fine = masks_of(cluster(smooth_discs(1), config))
    coarse = cluster(smooth_discs(4), config)
    assert len(fine) == len(coarse) == 2
    for mask, tube in zip(fine, coarse, strict=True):
        full = F.interpolate(tube.probability[None], scale_factor=4, mode="bilinear", align_corners=False)[0] > 0.5
        assert (full & mask).sum() / (full | mask).sum() > 0.9
        ring = F.max_pool2d(mask.float(), 5, 1, 2) - (1 - F.max_pool2d(1 - mask.float(), 5, 1, 2))
        assert not ((full != mask) & (ring == 0)).any()  # at most two pixels of the border differ
