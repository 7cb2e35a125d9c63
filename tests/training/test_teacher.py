import numpy as np
import pytest
import torch
from torch.nn import functional as F

from chronomask.categories import Category
from chronomask.cli import main
from chronomask.config import MixtureConfig
from chronomask.data.protocol import WeightedSource
from chronomask.data.sources import open_reader
from chronomask.errors import InputError
from chronomask.model.checkpoint import load_network, save_network
from chronomask.training.class_head import calibrate_class_head, fit_class_head, fitted_calibration
from chronomask.training.teacher import Detector
from data.files import box, textured, write_stills
from model import graphs
from model.graphs import written
from model.networks import network_of, noise, tiny

pytestmark = pytest.mark.network

CATEGORIES = (Category(1, "person"), Category(2, "giant_panda"), Category(90, "toothbrush"))


def further(random):
    """The arrays that the detector has beside its trunk."""
    shapes = {
        "layer_19_1_Conv2d_2_1x1_256/weights": (1, 1, 1280, 256),
        "layer_19_2_Conv2d_2_3x3_s2_512_depthwise/depthwise_weights": (3, 3, 256, 1),
        "layer_19_2_Conv2d_2_3x3_s2_512/weights": (1, 1, 256, 512),
    }
    arrays = {}
    for name, shape in shapes.items():
        arrays[f"{graphs.TRUNK}/{name}"] = random.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape)
        width = shape[2] if name.endswith("depthwise_weights") else shape[3]
        for field, centre in graphs.NORM.items():
            place = f"{graphs.TRUNK}/{name.partition('/')[0]}/BatchNorm/{field}"
            arrays[place] = centre + random.uniform(-0.3, 0.3, width)
    for index, (width, anchors) in enumerate(((576, 3), (1280, 6), (512, 6))):
        place = f"BoxPredictor_{index}/ClassPredictor"
        arrays[f"{place}/weights"] = random.normal(0, (1 / width) ** 0.5, (3, 3, width, 91 * anchors))
        arrays[f"{place}/biases"] = random.normal(0, 1, 91 * anchors)
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def arrays():
    return graphs.trunk() | further(np.random.default_rng(1))


@pytest.fixture(scope="module")
def graph(arrays, tmp_path_factory):
    return written(graphs.graph(arrays), tmp_path_factory.mktemp("graph"))


def predicted(arrays, index, x):
    place = f"BoxPredictor_{index}/ClassPredictor"
    kernel = torch.tensor(arrays[f"{place}/weights"]).permute(3, 2, 0, 1)
    anchors = (graphs.same(x, kernel, 1) + torch.tensor(arrays[f"{place}/biases"]).view(-1, 1, 1)).sigmoid()
    return torch.stack([anchors[:, k::91].amax(1) for k in (1, 90)], 1)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 128), (96, 160)], ids=["even", "odd"])
def test_the_detector_scores_what_the_graph_describes(arrays, graph, size):
    teacher, stills = Detector(graph, CATEGORIES), noise(1, 3, *size)
    levels = graphs.features(arrays, stills)
    expanded = graphs.layer(levels[2], arrays, f"{graphs.TRUNK}/expanded_conv_13/expand")
    x = graphs.layer(levels[3], arrays, f"{graphs.TRUNK}/layer_19_1_Conv2d_2_1x1_256")
    x = graphs.layer(x, arrays, f"{graphs.TRUNK}/layer_19_2_Conv2d_2_3x3_s2_512_depthwise", 2)
    x = graphs.layer(x, arrays, f"{graphs.TRUNK}/layer_19_2_Conv2d_2_3x3_s2_512")
    expected = sum(
        F.interpolate(predicted(arrays, index, level), size=expanded.shape[2:], mode="bilinear")
        for index, level in enumerate((expanded, levels[3], x))
    )
    found = teacher(stills)
    assert teacher.knows == [True, False, True]
    torch.testing.assert_close(found[:, [0, 2]], expected, atol=1e-4, rtol=1e-4)
    assert not found[:, 1].any()


def test_a_graph_without_predictors_is_refused(arrays, tmp_path):
    path = written(graphs.graph(graphs.trunk()), tmp_path, "trunk.pb")
    with pytest.raises(InputError, match=r"trunk\.pb: has no .*layer_19.*: not a detector of the kind SSD MobileNetV2"):
        Detector(path, CATEGORIES)


def test_a_detector_of_other_classes_is_refused(arrays, tmp_path):
    others = {"BoxPredictor_1/ClassPredictor/biases": np.zeros(6 * 21, np.float32)}
    path = written(graphs.graph(arrays | others), tmp_path, "other.pb")
    with pytest.raises(InputError, match=r"other\.pb: its class predictors are not made for COCO's 90 category ids"):
        Detector(path, CATEGORIES)


class Contrary(Detector):
    """Takes whatever it sees for the first class, and does not know the last."""

    def __init__(self):
        self.knows = [True, True, False]

    def __call__(self, stills):
        scores = torch.zeros(len(stills), 3, stills.shape[2] // 16, stills.shape[3] // 16)
        scores[:, 0] = 2.0
        return scores


def test_a_teacher_is_believed_where_it_knows_the_class(tmp_path):
    stills = []
    for number in range(10):
        pixels, mask = textured(48, 64, number) // 8, box(48, 64, 8, 8, 40, 56)
        pixels[mask] = (200, 20, 20) if number % 2 else (20, 20, 200)
        stills.append((pixels, [(18 if number % 2 else 99, mask, {})]))
    classes = (Category(1, "person"), Category(18, "dog"), Category(99, "unicorn"))
    reader = open_reader(write_stills(tmp_path, stills), classes)
    network = network_of(tiny(class_source="backbone", categories=classes))
    data = MixtureConfig(length=1, height=32, width=64, max_pastes=0)
    fit_class_head(network, [WeightedSource(reader, 1.0)], data, stills=16, steps=150, teacher=Contrary())
    for number in range(4):
        with torch.no_grad():
            logits = network(reader.load(number).frames[None]).class_logits[0].mean((1, 2, 3))
        assert logits.argmax() == (0 if number % 2 else 2)


def oversure(objects=3000, factor=3.0, favoured=1.5):
    """Scores whose softmax is right once divided by `factor` and, for the first class, lowered by `favoured`."""
    random = np.random.default_rng(0)
    true = torch.from_numpy(random.normal(0, 1.5, (objects, 3)).astype(np.float32))
    shares = true.softmax(1).numpy()
    classes = torch.from_numpy(np.array([random.choice(3, p=p / p.sum()) for p in shares.astype(np.float64)]))
    return true * factor + torch.tensor([favoured * factor, 0.0, 0.0]), classes, true


def test_calibration_finds_the_factor_and_the_offset():
    scores, classes, true = oversure()
    factors, offsets = fitted_calibration(scores, classes)
    calibrated = (scores * factors + offsets).softmax(1)
    assert factors.tolist() == pytest.approx([1 / 3] * 3, abs=0.06)
    assert (offsets[0] - offsets[1:].mean()).item() == pytest.approx(-1.5, abs=0.3)
    assert (calibrated - true.softmax(1)).abs().mean() < 0.03
    surest, answer = calibrated.max(1)
    for low in (0.4, 0.6, 0.8):
        there = (surest >= low) & (surest < low + 0.2)
        share = (answer == classes)[there].float().mean()
        assert share.item() == pytest.approx(surest[there].mean().item(), abs=0.05)


def test_a_class_that_is_not_in_the_data_gets_what_holds_for_all():
    scores, classes, _ = oversure(favoured=0.0)
    factors, offsets = fitted_calibration(torch.cat([scores, torch.full((3000, 1), -60.0)], 1), classes)
    assert factors[3].item() == pytest.approx(1 / 3, abs=0.06)
    assert abs(offsets[3]) < 0.05


def test_a_prior_makes_a_class_as_much_less_likely():
    scores, classes, _ = oversure()
    plain_factors, plain_offsets = fitted_calibration(scores, classes)
    factors, offsets = fitted_calibration(scores, classes, torch.tensor([0.25, 1.0, 1.0]))
    surer = (factors / plain_factors).mean()
    assert (factors / plain_factors).tolist() == pytest.approx([surer.item()] * 3)
    shift = offsets / surer - plain_offsets
    assert shift.tolist() == pytest.approx([np.log(0.25), 0, 0], abs=0.05)


def test_sureness_is_that_of_the_objects_as_they_come():
    """One class is common and easy, the other rare and hard: fitted to both alike, the common one is unsure."""
    random = np.random.default_rng(1)
    easy = np.stack([random.normal(4, 1, 2000), np.zeros(2000)], 1)
    hard = np.stack([random.normal(0, 4, 40), np.zeros(40)], 1)
    scores = torch.from_numpy(np.concatenate([easy, hard]).astype(np.float32))
    classes = torch.tensor([0] * 2000 + [1] * 40)
    factors, offsets = fitted_calibration(scores, classes)
    surest, answer = (scores * factors + offsets).softmax(1).max(1)
    assert surest.mean().item() == pytest.approx((answer == classes).float().mean().item(), abs=0.02)


def test_calibration_changes_the_class_scores_alone_and_for_the_better(tmp_path):
    stills = []
    for number in range(8):
        pixels, mask = textured(48, 64, number), box(48, 64, 8, 8, 40, 56)
        stills.append((pixels, [(18 if number % 4 else 99, mask, {})]))
    classes = (Category(1, "person"), Category(18, "dog"), Category(99, "unicorn"))
    sources = [WeightedSource(open_reader(write_stills(tmp_path, stills), classes), 1.0)]
    network = network_of(tiny(class_source="backbone", categories=classes))
    with torch.no_grad():
        network.class_head.scores.weight *= 20
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    calibrate_class_head(network, sources, MixtureConfig(length=1, height=32, width=64, max_pastes=0), stills=16)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {"class_head.scores.weight", "class_head.scores.bias"}
    with torch.no_grad():
        logits = network(sources[0].reader.load(1).frames[None]).class_logits[0].mean((1, 2, 3))
    assert logits.softmax(0).argmax() == 1


def test_the_command_teaches_the_class_head_alone(graph, tmp_path, capsys):
    classes = (Category(1, "person"), Category(18, "dog"), Category(99, "unicorn"))
    network = network_of(tiny(class_source="backbone", categories=classes))
    save_network(tmp_path / "before.safetensors", network, half=True)
    objects = [[(18 if number % 2 else 99, box(64, 96, 8, 8, 40, 60), {})] for number in range(4)]
    stills = write_stills(tmp_path, [(textured(64, 96, number), shapes) for number, shapes in enumerate(objects)])
    words = ["names", str(tmp_path / "before.safetensors"), str(stills), "--detector", str(graph)]
    words += ["--stills", "4", "--steps", "2", "--out", str(tmp_path / "after.safetensors")]
    assert main(words) == 0
    before, after = (load_network(tmp_path / f"{name}.safetensors").state_dict() for name in ("before", "after"))
    assert {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])} == {"class_head"}
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err
