"""From the category names of a data set to the network's classes.

Names join where they are equal, case and `_` aside. Between the known data sets, tables add what is spelt or divided
otherwise, and keep apart what is only spelt alike. A user's own file of rules comes before both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from chronomask.annotations.content import read_row
from chronomask.categories import LITE, NO_CLASS, OBJECT, OVIS, VOC, YTVIS_2019, YTVIS_2021, Category, plain
from chronomask.errors import InputError

Unmapped = Literal["object", "ignore", "drop"]
"""What becomes of a category that is no class of the network: an instance without a class, ignored pixels (no loss
term sees them), or unknown pixels (they may be background, or may not)."""

_DATA_SETS = {"coco": LITE, "ytvis-2019": YTVIS_2019, "ytvis-2021": YTVIS_2021, "voc": VOC, "ovis": OVIS}

# COCO's mouse is a computer's, YouTube-VIS's an animal. VOC's bicycle has no class in YouTube-VIS, COCO's counts as
# motorbike: so says the published recipe, whose 20 and 10 classes these tables give.
_TO_OVIS = {"motorbike": "motorcycle", "truck": "vehical", "duck": "poultry"}
_VOC_TO_COCO = {
    "aeroplane": "airplane", "diningtable": "dining_table", "motorbike": "motorcycle",
    "pottedplant": "potted_plant", "sofa": "couch", "tvmonitor": "tv",
}  # fmt: skip
_RENAMED: dict[tuple[str, str], dict[str, str]] = {
    ("coco", "ytvis-2019"): {"bicycle": "motorbike", "motorcycle": "motorbike", "car": "sedan", "mouse": ""},
    ("coco", "ytvis-2021"): {
        "bicycle": "motorbike", "motorcycle": "motorbike", "frisbee": "flying_disc", "mouse": "",
    },
    ("coco", "ovis"): {"car": "vehical", "bus": "vehical", "truck": "vehical"},
    ("voc", "ytvis-2019"): {"aeroplane": "airplane", "car": "sedan"},
    ("voc", "ytvis-2021"): {"aeroplane": "airplane"},
    ("voc", "coco"): _VOC_TO_COCO,
    ("coco", "voc"): {coco: voc for voc, coco in _VOC_TO_COCO.items()},
    ("ytvis-2019", "ytvis-2021"): {"sedan": "car", "ape": "monkey", "eagle": "bird", "owl": "bird"},
    ("ytvis-2021", "ytvis-2019"): {"car": "sedan"},
    ("ytvis-2019", "coco"): {
        "sedan": "car", "motorbike": "motorcycle", "ape": "monkey", "eagle": "bird", "owl": "bird",
        "parrot": "bird", "duck": "bird", "mouse": "",
    },
    ("ytvis-2021", "coco"): {
        "motorbike": "motorcycle", "flying_disc": "frisbee", "parrot": "bird", "duck": "bird", "mouse": "",
    },
    ("ytvis-2019", "ovis"): {**_TO_OVIS, "sedan": "vehical", "ape": "monkey", "eagle": "bird", "owl": "bird"},
    ("ytvis-2021", "ovis"): {**_TO_OVIS, "car": "vehical"},
    ("ovis", "ytvis-2019"): {"bicycle": "motorbike", "motorcycle": "motorbike"},
    ("ovis", "ytvis-2021"): {"bicycle": "motorbike", "motorcycle": "motorbike"},
    ("ovis", "coco"): {"poultry": "bird", "parrot": "bird"},
}  # fmt: skip


class Meaning(NamedTuple):
    """What a category of a file is to the network.

    Attributes:
        class_id: the network's index, or NO_CLASS.
        role: of its annotations: instances of a clip, ignored pixels, or (`drop`) unknown pixels.
    """

    class_id: int
    role: Literal["instance", "ignore", "drop"]


@dataclass(frozen=True)
class CategoryMapping:
    """How the categories of a file become classes of the network.

    Attributes:
        rules: from names in the file to a class of the network or one of `Unmapped`; they come before everything else.
        unmapped: what becomes of names that neither rules nor `joined` turn into a class. A category called `object`
            is always one without a class.
        file: that the rules were read from, for messages.
    """

    rules: Mapping[str, str] = field(default_factory=dict)
    unmapped: Unmapped = "object"
    file: Path | None = None

    def meanings(self, names: Sequence[str], categories: Sequence[Category]) -> dict[str, Meaning]:
        """The meaning of every category name of a file, for a network with these classes.

        Raises:
            InputError: a rule for a name that the file does not have, or with a target that there is not.
        """
        index_of = {category.name: index for index, category in enumerate(categories)}
        for name, target in self.rules.items():
            if name not in names:
                raise InputError(f"{self.file}: {name!r}: the data has no category of that name; it has {_few(names)}")
            if target not in index_of and target not in get_args(Unmapped):
                raise InputError(
                    f"{self.file}: {name!r}: {target!r} is neither object, ignore or drop nor a class of the network;"
                    f" its classes are {_few(index_of)}"
                )
        targets = dict.fromkeys(names, self.unmapped) | joined(names, list(index_of))
        targets |= {OBJECT.name: OBJECT.name} | dict(self.rules)
        return {name: _meaning(targets[name], index_of) for name in names}


BY_NAME = CategoryMapping()
"""Names as they are, and the built-in tables."""


def joined(names: Iterable[str], network: Iterable[str]) -> dict[str, str]:
    """The network's class for those names of a data set that have one, without any rules of the user's.

    Who predicts asks the other way round: for the data set's category of each of the network's classes.

    Args:
        names: of all categories of the data set: together they tell which of the known data sets they are from.
        network: names of the network's classes.
    """
    names = list(names)
    class_of = {plain(name): name for name in network}
    table: dict[str, str] = {}
    if not {plain(name) for name in names} <= class_of.keys():
        table = _RENAMED.get((_data_set(names), _data_set(class_of)), {})
    found = {name: table.get(plain(name), plain(name)) for name in names}
    return {name: class_of[target] for name, target in found.items() if target in class_of}


def read_mapping(file: Path | None, unmapped: Unmapped = "object") -> CategoryMapping:
    """A user's rules: a json object {"name in the file": "class of the network" | "object" | "ignore" | "drop"}.

    Raises:
        InputError: missing file, or no such object; the message names the entry.
    """
    if file is None:
        return CategoryMapping(unmapped=unmapped)
    rules = read_row(file).fields
    for name, target in rules.items():
        if not isinstance(target, str):
            raise InputError(f"{file}: {name!r}: {target!r} is neither object, ignore or drop nor a class's name")
    return CategoryMapping(rules, unmapped, file)


def _meaning(target: str, index_of: Mapping[str, int]) -> Meaning:
    match target:
        case "object":
            return Meaning(NO_CLASS, "instance")
        case "ignore":
            return Meaning(NO_CLASS, "ignore")
        case "drop":
            return Meaning(NO_CLASS, "drop")
    return Meaning(index_of[target], "instance")


def _data_set(names: Iterable[str]) -> str:
    """The known data set that has all these names; "" for none."""
    asked = {plain(name) for name in names} - {OBJECT.name}
    fitting = (key for key, known in _DATA_SETS.items() if asked <= {plain(category.name) for category in known})
    return next(fitting, "")


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:12]) + (", ..." if len(listed) > 12 else "")
