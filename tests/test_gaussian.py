from math import exp

import pytest
import torch

from chronomask.gaussian import membership


def test_values_by_hand():
    embedding = torch.tensor([[0.0, 1.0, 2.0], [0.0, 0.0, 3.0]])
    p = membership(embedding, torch.tensor([0.0, 0.0]), torch.tensor([4.0, 9.0]))
    assert p.tolist() == pytest.approx([1.0, exp(-1 / 8), exp(-0.5 * (4 / 4 + 9 / 9))])


def test_any_arrangement_of_pixels():
    embedding = torch.randn(3, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    mean, variance = torch.zeros(3), torch.tensor([0.5, 1.0, 2.0])
    p = membership(embedding, mean, variance)
    assert p.shape == (2, 4, 5)
    torch.testing.assert_close(p.flatten(), membership(embedding.flatten(1), mean, variance))
    assert ((p >= 0) & (p <= 1)).all()


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
