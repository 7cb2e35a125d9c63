import json

import pytest
import torch

from chronomask import rle
from chronomask.config import EVERYTHING
from chronomask.errors import InputError
from chronomask.evaluation.ap import evaluate
from chronomask.model.checkpoint import save_network
from chronomask.runs.predict import predict
from chronomask.segmenter.load import load
from chronomask.training.loop import train
from chronomask.training.validation import Validation, ValidationScores, read_scores
from data.files import box, small_set, textured, write_videos
from training.runs import MACHINE, MODEL, PLAIN, Each, ThinBackbone, open_sources, thin_network

pytestmark = pytest.mark.network

NAMES = [category.name for category in MODEL.categories]
GOOD, BAD = ValidationScores(0.5, 0.6, 0.7), ValidationScores(0.1, 0.2, 0.3)


@pytest.fixture
def videos(tmp_path):
    path = small_set(tmp_path / "data")[1]
    content = json.loads(path.read_text())
    for annotation in content["annotations"]:
        annotation["areas"] = [rle.area(mask) for mask in annotation["segmentations"]]
    path.write_text(json.dumps(content))
    return path


def test_scores_are_those_of_the_evaluator(videos, tmp_path, monkeypatch):
    validation = Validation(videos, NAMES, every=1, device="cpu")

    def perfect_but_for_the_name(segmenter, instances, frames, out):
        content = json.loads(instances.read_text())
        (truth,) = content["annotations"]
        out.write_text(json.dumps([{**truth, "category_id": 1, "score": 0.9}]))

    monkeypatch.setattr("chronomask.training.validation.predict", perfect_but_for_the_name)
    monkeypatch.setattr("chronomask.training.validation.load", lambda *_, **__: None)
    assert validation.scores(thin_network()) == ValidationScores(0.0, 0.0, 1.0)


def one_dog_everywhere():
    """A network that takes every frame for one dog from corner to corner."""
    network = thin_network()
    heads = {"embedding": 0.0, "variance": 3.0, "heat": 5.0, "foreground": 5.0, "class": 0.0}
    for name, bias in heads.items():
        head = getattr(network, f"{name}_head")
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, bias)
    network.class_head.bias.data[NAMES.index("dog")] = 5.0
    return network


def test_a_network_is_scored_as_its_file_would_be(tmp_path, monkeypatch):
    mask = box(48, 64, 2, 2, 46, 62)  # 86 percent of the frame
    dog = (18, [mask] * 5, {"areas": [int(mask.sum())] * 5})
    videos = write_videos(tmp_path, [([textured(48, 64, 0)] * 5, [dog])])
    network, weights, tracks = one_dog_everywhere(), tmp_path / "model.safetensors", tmp_path / "tracks.json"
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    monkeypatch.setattr("chronomask.model.network.build_backbone", lambda *_: ThinBackbone())
    scores = Validation(videos, NAMES, every=1, device="cpu").scores(network)
    save_network(weights, network, half=True)
    segmenter = load(weights, "cpu", "torch", config=EVERYTHING)
    predict(segmenter, videos, tmp_path / "JPEGImages", tracks)
    expected = evaluate(videos, tracks).scores
    assert scores == ValidationScores(expected.AP, expected.AP50, expected.AP50)
    assert pytest.approx((0.8, 1.0)) == (scores.AP, scores.AP50)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_the_best_checkpoint_is_that_of_the_highest_ap(videos, tmp_path, monkeypatch):
    validation = Validation(videos, NAMES, every=3, device="cpu")
    told = []
    validation.listeners = [lambda step, scores: told.append((step, scores))]
    monkeypatch.setattr(validation, "scores", lambda network, out: GOOD if not told else BAD)
    out, sources = tmp_path / "run", open_sources(tmp_path / "data")
    bests = []
    watch = Each(lambda step: bests.append((out / "best.safetensors").exists()))
    train(thin_network(), sources, PLAIN, out, MACHINE, [validation, watch])
    # Checkpoints at 2, 4, 6: the first beyond 3 is 4, and 6 is the end.
    assert told == [(4, GOOD), (6, BAD)]
    assert read_scores(out) == {4: GOOD, 6: BAD}
    assert bests == [False] * 4 + [True] * 2
    assert (out / "best.safetensors").read_bytes() != (out / "model.safetensors").read_bytes()


def test_a_step_is_scored_once_and_later_lines_are_dropped(videos, tmp_path, monkeypatch):
    validation = Validation(videos, NAMES, every=1, device="cpu")
    answers = iter([BAD, BAD, GOOD])
    monkeypatch.setattr(validation, "scores", lambda network, out: next(answers))
    for step in (0, 4):
        validation.run(step, thin_network(), tmp_path)
    assert validation.run(0, thin_network(), tmp_path) == BAD
    assert read_scores(tmp_path) == {0: BAD, 4: BAD}
    assert validation.run(2, thin_network(), tmp_path) == GOOD
    assert read_scores(tmp_path) == {0: BAD, 2: GOOD}


def test_files_that_cannot_validate_are_refused(videos, tmp_path):
    with pytest.raises(InputError, match="none of its categories is a class of the network"):
        Validation(videos, ["kite"], every=1)
    frames = [textured(48, 64, seed) for seed in range(2)]
    crowd = write_videos(
        tmp_path, [(frames, [(1, [box(48, 64, 2, 2, 20, 20)] * 2, {"iscrowd": 1, "areas": [324] * 2})])], "crowd.json"
    )
    with pytest.raises(InputError, match="not one annotated object"):
        Validation(crowd, NAMES, every=1)
    moved = tmp_path / "far" / "away" / "videos.json"
    moved.parent.mkdir(parents=True)
    moved.write_text(videos.read_text())
    with pytest.raises(InputError, match=r"video-0/00000\.png"):
        Validation(moved, NAMES, every=1)
