from math import inf, nan

import pytest

from chronomask.categories import COCO, LITE, Category
from chronomask.config import (
    NAMED_MODELS,
    ClusterConfig,
    LossConfig,
    MixtureConfig,
    ModelConfig,
    SegmentConfig,
    StitchConfig,
    TrainConfig,
    lite,
    model_from_json,
    model_to_json,
)
from chronomask.errors import InputError
from untyped import untyped


@pytest.mark.parametrize("name", NAMED_MODELS)
def test_models_survive_json(name):
    config = NAMED_MODELS[name]()
    assert model_from_json(model_to_json(config)) == config


def test_models_with_other_settings_survive_json():
    config = ModelConfig("resnet18", 8, (1, 1, 0, 0), embedding=("t", "free"), categories=(Category(5, "airplane"),))
    assert model_from_json(model_to_json(config)) == config


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("no json", "Expecting value"),
        ("{}", "categories"),
        (model_to_json(lite()).replace('"channels"', '"canals"'), "canals"),
        (model_to_json(lite()).replace("[2, 1, 1, 0]", "[0, 1, 1, 0]"), "squeezes"),
        (model_to_json(lite()).replace('["y", "x", "free", "free"]', "[]"), "embedding"),
        (model_to_json(lite()).replace('"free"]', '"z"]'), "'z' is none of y, x, t, free"),
        (model_to_json(lite()).replace('"batch"', '"layer"'), "norm 'layer'"),
        (model_to_json(lite()).replace("mobilenet_v2", "resnet19"), "backbone 'resnet19': must be one of resnet18"),
        (model_to_json(lite()).replace('"reduction": 16', '"reduction": 0'), "reduction 0"),
        (model_to_json(lite()).replace('"channels": 64', '"channels": "64"'), "channels '64'"),
        (model_to_json(lite()).replace('"channels": 64', '"channels": 1000000'), "channels 1000000: .* 1 to 4096"),
        (model_to_json(lite()).replace("[2, 1, 1, 0]", "[2, 1.0, 1, 0]"), "squeezes .*must be whole numbers"),
        (model_to_json(lite()).replace('"foreground": true', '"foreground": 1'), "foreground 1: must be true or false"),
        (
            model_to_json(lite()).replace('{"id": 1,', '{"id": "1",'),
            r"categories\[0\]: .*'1'.* is no id, a whole number",
        ),
        (model_to_json(lite()).replace('{"id": 2,', '{"id": 1,'), r"categories\[1\]: 1 is the id of an earlier"),
        (
            model_to_json(lite()).replace('"tube_score": []', f'"tube_score": [{", ".join(["NaN"] * 7)}]'),
            "finite numbers",
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_other_text_is_refused_with_its_cause(text, cause):
    with untyped(), pytest.raises(InputError, match=f"model configuration: .*{cause}"):
        model_from_json(text)


@pytest.mark.parametrize("overlap", [-1, 8, 9])
def test_overlap_must_leave_something_new(overlap):
    with pytest.raises(InputError, match=f"overlap {overlap} and clip_length 8"):
        SegmentConfig(overlap=overlap)


def test_category_tables():
    assert len(COCO) == 80
    assert [category.id for category in COCO] == sorted({category.id for category in COCO})
    by_id = {category.id: category.name for category in LITE}
    assert (by_id[1], by_id[13], by_id[90], by_id[95]) == ("person", "stop sign", "toothbrush", "fish")
    assert len(by_id) == len(LITE) == 85
    assert not {12, 26, 29, 30, 45, 66, 68, 69, 71, 83} & set(by_id)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ClusterConfig(membership_threshold=0.0), "membership_threshold"),
        (lambda: ClusterConfig(foreground_threshold=1.0), "foreground_threshold"),
        (lambda: ClusterConfig(maximum_rounds=-1), "maximum_rounds"),
        (lambda: ClusterConfig(seed_threshold=-2.0), "seed_threshold"),
        (lambda: StitchConfig(minimum_iou=-1.0), "minimum_iou"),
        (lambda: StitchConfig(minimum_likeness=85.0), "minimum_likeness"),
        (lambda: SegmentConfig(max_tracks=-1), "max_tracks"),
        (lambda: SegmentConfig(score=2.0), "score"),
        (lambda: SegmentConfig(short_side=3), "short_side"),
        (lambda: SegmentConfig(latency=-1), "latency -1: must be 0 or more"),
        (lambda: LossConfig(smooth=nan), "smooth nan: must be 0 or more"),
        (lambda: LossConfig(smooth=inf), "smooth inf: must be finite"),
        (lambda: TrainConfig(learning_rate=inf), "learning_rate inf: must be positive and finite"),
        (lambda: MixtureConfig(view=inf), "view inf: must be positive and finite"),
    ],
)
def test_settings_out_of_range_are_refused(make, named):
    with pytest.raises(InputError, match=named):
        make()
