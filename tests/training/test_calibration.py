from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from chronomask.cli import main
from chronomask.config import TUBE_STATISTICS, lite
from chronomask.engines.models import bundled_weights
from chronomask.errors import InputError
from chronomask.losses import Targets
from chronomask.model.checkpoint import load_network
from chronomask.tracking.cluster import Tube
from chronomask.tracking.tube_score import tube_score
from chronomask.training.calibration import _is_right, fit_tube_score
from data.files import box, write_stills

pytestmark = pytest.mark.network


def test_the_fit_finds_the_probabilities_that_the_answers_were_drawn_with():
    generator = torch.Generator().manual_seed(0)
    true = (-1.0, 0.8, 2.0, 0.0, -1.0, 0.0, 0.5)
    drawn = torch.randn(2000, len(true) - 1, generator=generator)
    statistics = [[1.0, *row] for row in drawn.tolist()]
    chances = [tube_score(values, true) for values in statistics]
    right = (torch.rand(len(chances), generator=generator) < torch.tensor(chances)).tolist()
    found = fit_tube_score(list(zip(statistics, right, strict=True)))
    error = [abs(tube_score(v, found) - chance) for v, chance in zip(statistics, chances, strict=True)]
    assert sum(error) / len(error) < 0.04


@pytest.mark.parametrize("answers", [[], [True, True], [False]])
def test_nothing_to_tell_apart(answers):
    with pytest.raises(InputError, match=f"of {len(answers)} tubes {sum(answers)} cover an object"):
        fit_tube_score([([1.0] * 7, answer) for answer in answers])


def test_a_configuration_needs_a_coefficient_for_every_statistic():
    with pytest.raises(InputError, match="tube_score"):
        replace(lite(), tube_score=(1.0, 2.0))


def photographs(folder):
    """A cat and a person of scikit-image, with the parts of the picture that they roughly fill."""
    cat, person = data.chelsea(), data.astronaut()
    return write_stills(
        folder,
        [
            (cat, [(17, box(300, 451, 5, 60, 300, 420), {})]),
            (person, [(1, box(512, 512, 10, 60, 512, 400), {})]),
        ],
    )


def test_calibrate_writes_the_same_weights_with_coefficients(tmp_path, capsys):
    out, weights = tmp_path / "calibrated.safetensors", bundled_weights("lite")
    options = ["--clips", "8", "--clip.height", "128", "--clip.width", "160", "--clip.length", "2"]
    assert main(["calibrate", str(weights), str(photographs(tmp_path)), "--out", str(out), *options]) == 0
    assert "of those right" in capsys.readouterr().out
    before, after = load_network(weights), load_network(out)
    assert len(after.config.tube_score) == len(TUBE_STATISTICS)
    assert replace(after.config, tube_score=()) == replace(before.config, tube_score=())
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[name])


def test_tubes_are_judged_where_the_annotation_tells():
    inside = torch.zeros(1, 8, 8, dtype=torch.bool)
    inside[:, :4] = True
    box, nothing = (slice(0, 8), slice(0, 8)), torch.zeros_like(inside)
    tube = Tube(box, inside.float().numpy(), np.ones(1, np.float32), 1.0)

    def judged(instance, known):
        return _is_right(tube, Targets(instance[None], torch.tensor([0]), ignore=nothing, background=known & ~instance))

    assert judged(inside, ~nothing) is True
    assert judged(inside.roll(3, 1), ~nothing) is False
    assert judged(inside.roll(4, 1), nothing) is None
    half = inside.clone()
    half[:, 2:] = False  # an IoU of just 0.5 is none above it
    assert judged(half, ~nothing) is False
