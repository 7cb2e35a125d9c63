import json

import pytest

from chronomask.categories import COCO, LITE, NO_CLASS, OVIS, VOC, YTVIS_2019, YTVIS_2021, Category
from chronomask.data.mapping import BY_NAME, CategoryMapping, Meaning, joined, read_mapping
from chronomask.errors import InputError

DATA_SETS = [COCO, LITE, OVIS, VOC, YTVIS_2019, YTVIS_2021]


def names(categories):
    return [category.name for category in categories]


def id_of(categories, name):
    return next(category.id for category in categories if category.name == name)


@pytest.mark.parametrize(
    ("categories", "count"), [(COCO, 80), (LITE, 85), (OVIS, 25), (VOC, 20), (YTVIS_2019, 40), (YTVIS_2021, 40)]
)
def test_every_table_is_whole(categories, count):
    assert len(categories) == len({c.id for c in categories}) == len(set(names(categories))) == count


def test_official_ids():
    """Spot checks against the published files, at both ends and where a slip would shift everything."""
    assert [id_of(YTVIS_2019, name) for name in ("person", "sedan", "hand", "train", "motorbike", "tennis_racket")] == [
        1, 6, 11, 17, 21, 40,
    ]  # fmt: skip
    assert [id_of(YTVIS_2021, name) for name in ("airplane", "car", "fish", "motorbike", "person", "zebra")] == [
        1, 5, 13, 23, 26, 40,
    ]  # fmt: skip
    assert [id_of(OVIS, name) for name in ("Person", "Giant_panda", "Turtle", "Vehical")] == [1, 13, 20, 25]
    assert [id_of(VOC, name) for name in ("aeroplane", "diningtable", "person", "tvmonitor")] == [1, 11, 15, 20]


def test_what_2021_changed():
    old, new = set(names(YTVIS_2019)), set(names(YTVIS_2021))
    assert old - new == {"eagle", "owl", "ape", "hand", "sedan"}
    assert new - old == {"bird", "car", "flying_disc", "squirrel", "whale"}


@pytest.mark.parametrize("source", DATA_SETS)
@pytest.mark.parametrize("network", DATA_SETS)
def test_every_join_ends_at_a_class(source, network):
    found = joined(names(source), names(network))
    assert set(found) <= set(names(source))
    assert set(found.values()) <= set(names(network))
    if source is network:
        assert found == {name: name for name in names(source)}


@pytest.mark.parametrize(
    ("source", "network", "count"),
    [
        (COCO, YTVIS_2019, 20), (VOC, YTVIS_2019, 10), (COCO, YTVIS_2021, 22), (VOC, YTVIS_2021, 11),
        (YTVIS_2019, YTVIS_2021, 39), (YTVIS_2021, YTVIS_2019, 36), (OVIS, YTVIS_2019, 21),
        (VOC, COCO, 20), (COCO, VOC, 20),
    ],
)  # fmt: skip
def test_how_many_names_join(source, network, count):
    assert len(joined(names(source), names(network))) == count


def test_the_published_recipe_for_coco_and_voc():
    coco, voc = (joined(names(source), names(YTVIS_2019)) for source in (COCO, VOC))
    renamed = {"bicycle": "motorbike", "motorcycle": "motorbike", "car": "sedan", "tennis racket": "tennis_racket"}
    assert {name: target for name, target in coco.items() if name != target} == renamed
    assert {name: target for name, target in voc.items() if name != target} == {"aeroplane": "airplane", "car": "sedan"}
    assert "motorbike" in voc
    assert "bicycle" not in voc


def test_names_that_only_look_alike_stay_apart():
    """COCO's mouse lies beside a keyboard."""
    for videos in (YTVIS_2019, YTVIS_2021):
        assert "mouse" not in joined(names(COCO), names(videos))
        assert "mouse" not in joined(names(videos), names(LITE))
    assert joined(["mouse"], names(LITE)) == {"mouse": "mouse"}


def test_videos_for_a_network_with_names_of_coco():
    found = joined(names(YTVIS_2019), names(LITE))
    expected = {"sedan": "car", "motorbike": "motorcycle", "owl": "bird", "tennis_racket": "tennis racket"}
    assert {name: found[name] for name in expected} == expected
    assert "hand" not in found
    assert found["tiger"] == "tiger"
    assert "tiger" not in joined(names(YTVIS_2019), names(COCO))


def test_a_data_set_of_ones_own_joins_by_name():
    network = names(YTVIS_2019)
    assert joined(["Person", "giant panda", "car", "drone"], network) == {
        "Person": "person",
        "giant panda": "giant_panda",
    }


NETWORK = (Category(1, "person"), Category(6, "sedan"))


@pytest.mark.parametrize(
    ("unmapped", "meaning"),
    [
        ("object", Meaning(NO_CLASS, "instance")),
        ("ignore", Meaning(NO_CLASS, "ignore")),
        ("drop", Meaning(NO_CLASS, "drop")),
    ],
)
def test_what_becomes_of_other_names(unmapped, meaning):
    found = CategoryMapping(unmapped=unmapped).meanings(["person", "drone", "object"], NETWORK)
    assert found["person"] == Meaning(0, "instance")
    assert found["drone"] == meaning
    # The data set's own word for an object without a class.
    assert found["object"] == Meaning(NO_CLASS, "instance")


def test_the_users_rules_come_first(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"van": "sedan", "person": "object", "crowd": "ignore", "haze": "drop"}))
    found = read_mapping(path).meanings(["person", "van", "crowd", "haze", "sedan", "lamp"], NETWORK)
    assert found == {
        "person": Meaning(NO_CLASS, "instance"),
        "van": Meaning(1, "instance"),
        "crowd": Meaning(NO_CLASS, "ignore"),
        "haze": Meaning(NO_CLASS, "drop"),
        "sedan": Meaning(1, "instance"),
        "lamp": Meaning(NO_CLASS, "instance"),
    }
    assert read_mapping(None) == BY_NAME


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"person": 1}', r"rules\.json: 'person': 1 is neither"),
        ('{"person": "sedna"}', r"rules\.json: 'person': 'sedna' is neither .* its classes are person, sedan"),
        ('{"persn": "person"}', r"rules\.json: 'persn': the data has no category of that name; it has person, drone"),
        ('["person"]', r"rules\.json: a json object is needed"),
        ("person", r"rules\.json: not json"),
    ],
)
def test_rules_that_cannot_be_used(tmp_path, text, cause):
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(InputError, match=cause):
        read_mapping(path).meanings(["person", "drone"], NETWORK)
    with pytest.raises(InputError, match=r"absent\.json: no such file"):
        read_mapping(tmp_path / "absent.json")
