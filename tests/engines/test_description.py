import json
from dataclasses import replace

import pytest

from chronomask.categories import Category
from chronomask.engines.description import FILE, FORMAT, Description, describe, read_description
from chronomask.errors import InputError
from model.networks import CATEGORIES, tiny

DESCRIPTION = Description(
    checkpoint_sha256="ab" * 32,
    categories=CATEGORIES,
    embedding=("y", "x", "t", "free"),
    foreground=True,
    tube_score=(-1.0, 0.1, 2.0, 1.0, 1.0, -0.5, 0.5),
    clip_length=5,
    features=("level_16", "level_4", "class_logits"),
    decoded=("level_4",),
)


@pytest.mark.parametrize(
    "known", [DESCRIPTION, replace(DESCRIPTION, tube_score=(), categories=(Category(3, "canoë"),), foreground=False)]
)
def test_what_was_written_comes_back(tmp_path, known):
    (tmp_path / FILE).write_text(known.to_json("1.2"))
    assert read_description(tmp_path) == known
    assert {"format": FORMAT, "version": "1.2"}.items() <= json.loads((tmp_path / FILE).read_text()).items()


def test_it_says_what_the_configuration_says():
    config = tiny(embedding=("y", "t"), foreground=True)
    known = describe(config, "cd", 3, ("level_16",), ("level_16",))
    assert known == Description("cd", CATEGORIES, ("y", "t"), True, config.tube_score, 3, ("level_16",), ("level_16",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": "chronomask-export-1"},
            r"format is 'chronomask-export-1', .* 'chronomask-export-2'; export it again",
        ),
        ({"format": None}, "format is None"),
        ({"clip_length": "eight"}, "eight"),
        ({"clip_length": 0}, "clip_length 0: must be 1 or more"),
        ({"categories": [{"id": 1}]}, "name"),
        ({"categories": 7}, "not iterable"),
        ({"embedding": "yx"}, "embedding 'yx': must be a list of names"),
        ({"features": ["level_4"]}, "level_16 is not among them"),
        ({"decoded": ["level_8"]}, "level_8 is not among them"),
        ({"tube_score": [1.0]}, r"tube_score \(1.0,\): 7 finite numbers, or none"),
    ],
)
def test_what_it_must_not_say_is_named(tmp_path, change, message):
    fields = json.loads(DESCRIPTION.to_json("1.2")) | change
    (tmp_path / FILE).write_text(json.dumps(fields))
    with pytest.raises(InputError, match=rf"model\.json: .*{message}") as error:
        read_description(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["format", *vars(DESCRIPTION)])
def test_what_it_lacks_is_named(tmp_path, field):
    fields = json.loads(DESCRIPTION.to_json("1.2"))
    del fields[field]
    (tmp_path / FILE).write_text(json.dumps(fields))
    with pytest.raises(InputError, match=rf"model\.json: lacks the field '{field}'"):
        read_description(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, "\x00\xff"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=r"model\.json: "):
        read_description(tmp_path)
    (tmp_path / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"model\.json: "):
        read_description(tmp_path)


def test_a_folder_without_it_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"model\.json: No such file .* is this a folder that `chronomask export` wrote"
    ):
        read_description(tmp_path)
