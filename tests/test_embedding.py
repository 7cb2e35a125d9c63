"""Coordinates by hand, and eq. (4) in NumPy and in PyTorch."""

from math import exp

import numpy as np
import pytest
import torch

from chronomask.embedding import coordinates, directed, squared_distance

KINDS = pytest.mark.parametrize("kind", [lambda x: np.asarray(x, np.float32), torch.tensor], ids=["numpy", "torch"])


def membership(embedding, mean, variance):
    """Eq. (4) without its normalising constant."""
    return torch.exp(-squared_distance(embedding, mean, variance) / 2)


@KINDS
def test_values_by_hand(kind):
    embedding = kind([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0]])
    distance = squared_distance(embedding, kind([0.0, 0.0]), kind([4.0, 9.0]))
    assert isinstance(distance, type(embedding))
    assert distance.dtype == embedding.dtype
    assert np.exp(-np.asarray(distance) / 2).tolist() == pytest.approx([1.0, exp(-1 / 8), exp(-0.5 * (4 / 4 + 9 / 9))])


@KINDS
def test_any_arrangement_of_pixels(kind):
    embedding = kind(np.random.default_rng(0).normal(size=(3, 2, 4, 5)).tolist())
    mean, variance = kind([0.0, 0.1, -0.1]), kind([0.5, 1.0, 2.0])
    distance = squared_distance(embedding, mean, variance)
    assert distance.shape == (2, 4, 5)
    assert (distance >= 0).all()
    flat = squared_distance(embedding.reshape(3, 40), mean, variance)
    np.testing.assert_allclose(distance.reshape(40), flat, rtol=1e-6)


def test_both_kinds_give_the_same():
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(4, 50)), random.normal(size=4), random.uniform(0.1, 2, 4)]
    ours = squared_distance(*arrays)
    theirs = squared_distance(*map(torch.tensor, arrays))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_it_is_equation_4_without_its_constant():
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(4, 10, generator=generator, dtype=torch.float64)
    mean = torch.randn(4, generator=generator, dtype=torch.float64)
    variance = torch.rand(4, generator=generator, dtype=torch.float64) + 0.1
    density = torch.distributions.MultivariateNormal(mean, torch.diag(variance))
    ratio = (density.log_prob(embedding.T) - density.log_prob(mean)).exp()
    torch.testing.assert_close(membership(embedding, mean, variance), ratio)


def test_gradient_by_finite_differences():
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.rand(shape, generator=generator, dtype=torch.float64) + 0.3 for shape in ((2, 3), (2,), (2,))]
    assert torch.autograd.gradcheck(membership, [x.requires_grad_() for x in inputs])


def test_coordinates_by_hand():
    found = coordinates(("y", "x", "t", "free"), 3, 2, 4, (8, 16))
    assert found.shape == (4, 3, 2, 4)
    # The short side lies in +-1 and the long one in +-2, at the centres of the cells.
    np.testing.assert_allclose(found[0], np.broadcast_to([[-0.5], [0.5]], (3, 2, 4)))
    np.testing.assert_allclose(found[1], np.broadcast_to([-1.5, -0.5, 0.5, 1.5], (3, 2, 4)))
    np.testing.assert_allclose(found[2], np.broadcast_to(np.array([-1, 0, 1])[:, None, None], (3, 2, 4)))
    assert not found[3].any()


def test_coordinates_are_those_of_the_unpadded_frame():
    """A frame of 6 x 10 pixels has cells that reach beyond it; a single frame is in the middle of time."""
    found = coordinates(("x", "y", "t"), 1, 2, 3, (6, 10))
    np.testing.assert_allclose(found[0, 0, 0], (np.array([2, 6, 10]) * 2 / 10 - 1) * 10 / 6, rtol=1e-6)
    np.testing.assert_allclose(found[1, 0, :, 0], np.array([2, 6]) * 2 / 6 - 1, atol=1e-6)
    assert not found[2].any()


def test_directions_make_distances_cosines():
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(4, 5)).astype(np.float32)
    found = directed(embedding, np.array([1, 1, 0, 1], np.float32))
    np.testing.assert_array_equal(found[2], embedding[2])
    unit = found[[0, 1, 3]]
    np.testing.assert_allclose((unit**2).sum(0), 1, rtol=1e-5)
    one, other = embedding[[0, 1, 3], 0], embedding[[0, 1, 3], 1]
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert ((unit[:, 0] - unit[:, 1]) ** 2).sum() == pytest.approx(2 - 2 * cosine, rel=1e-4)
