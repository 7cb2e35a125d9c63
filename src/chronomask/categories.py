"""Category names and ids. Files carry the data set's own ids (COCO's 1-90 with gaps); the network counts 0..L-1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chronomask.errors import InputError


@dataclass(frozen=True)
class Category:
    """A class name and its id in annotation files."""

    id: int
    name: str


OBJECT = Category(0, "object")
"""An object whose class is none of the known ones, or not sure. Never predicted by the network itself."""

NO_CLASS = -1
"""Class index of an instance that is an object, but of no single known class; never a class target."""

_COCO = (
    "1 person|2 bicycle|3 car|4 motorcycle|5 airplane|6 bus|7 train|8 truck|9 boat|10 traffic light|11 fire hydrant|"
    "13 stop sign|14 parking meter|15 bench|16 bird|17 cat|18 dog|19 horse|20 sheep|21 cow|22 elephant|23 bear|"
    "24 zebra|25 giraffe|27 backpack|28 umbrella|31 handbag|32 tie|33 suitcase|34 frisbee|35 skis|36 snowboard|"
    "37 sports ball|38 kite|39 baseball bat|40 baseball glove|41 skateboard|42 surfboard|43 tennis racket|44 bottle|"
    "46 wine glass|47 cup|48 fork|49 knife|50 spoon|51 bowl|52 banana|53 apple|54 sandwich|55 orange|56 broccoli|"
    "57 carrot|58 hot dog|59 pizza|60 donut|61 cake|62 chair|63 couch|64 potted plant|65 bed|67 dining table|"
    "70 toilet|72 tv|73 laptop|74 mouse|75 remote|76 keyboard|77 cell phone|78 microwave|79 oven|80 toaster|81 sink|"
    "82 refrigerator|84 book|85 clock|86 vase|87 scissors|88 teddy bear|89 hair drier|90 toothbrush"
)
_ANIMALS = "91 deer|92 tiger|93 turtle|94 monkey|95 fish"


def _parse(table: str) -> tuple[Category, ...]:
    return tuple(Category(int(number), name) for number, name in (row.split(" ", 1) for row in table.split("|")))


def _numbered(names: str) -> tuple[Category, ...]:
    return tuple(Category(number, name) for number, name in enumerate(names.split(), 1))


COCO: tuple[Category, ...] = _parse(_COCO)
"""The 80 classes of COCO 2017 instances, with COCO's own ids."""

LITE: tuple[Category, ...] = COCO + _parse(_ANIMALS)
"""The classes of the bundled model: COCO's, and five animals that COCO lacks (ids 91-95)."""

YTVIS_2019: tuple[Category, ...] = _numbered(
    "person giant_panda lizard parrot skateboard sedan ape dog snake monkey hand rabbit duck cat cow fish train horse "
    "turtle bear motorbike giraffe leopard fox deer owl surfboard airplane truck zebra tiger elephant snowboard boat "
    "shark mouse frog eagle earless_seal tennis_racket"
)
"""The 40 classes of YouTube-VIS 2019, with its ids."""

YTVIS_2021: tuple[Category, ...] = _numbered(
    "airplane bear bird boat car cat cow deer dog duck earless_seal elephant fish flying_disc fox frog giant_panda "
    "giraffe horse leopard lizard monkey motorbike mouse parrot person rabbit shark skateboard snake snowboard "
    "squirrel surfboard tennis_racket tiger train truck turtle whale zebra"
)
"""The 40 classes of YouTube-VIS 2021, with its ids. Eagle and owl became bird, ape became monkey, sedan is called car,
hand is gone, and flying_disc, squirrel and whale are new."""

OVIS: tuple[Category, ...] = _numbered(
    "Person Bird Cat Dog Horse Sheep Cow Elephant Bear Zebra Giraffe Poultry Giant_panda Lizard Parrot Monkey Rabbit "
    "Tiger Fish Turtle Bicycle Motorcycle Airplane Boat Vehical"
)
"""The 25 classes of OVIS, with its ids and its spelling."""

VOC: tuple[Category, ...] = _numbered(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep "
    "sofa train tvmonitor"
)
"""The 20 classes of Pascal VOC; ids are the palette indices of its class images."""


def categories_of(entries: Any) -> tuple[Category, ...]:
    """The categories in the json of a checkpoint, [{"id": 1, "name": "person"}, ...].

    Raises:
        InputError: an entry of another form, or an id that an earlier one has; the message names entry and value.
    """
    if not isinstance(entries, list):
        raise InputError(f"categories: {entries!r:.80} is not iterable, a list is needed")
    found: dict[int, Category] = {}
    for place, entry in enumerate(entries):
        number, name = (entry.get("id"), entry.get("name")) if isinstance(entry, dict) else (None, None)
        if type(number) is not int or not isinstance(name, str) or not name or len(entry) != 2:
            raise InputError(f"categories[{place}]: {entry!r:.80} is no id, a whole number, and no name")
        if number in found:
            raise InputError(f"categories[{place}]: {number} is the id of an earlier category too")
        found[number] = Category(number, name)
    return tuple(found.values())


def plain(name: str) -> str:
    """A class name as it is compared: case and the choice of `_` or a blank make no difference."""
    return name.lower().replace(" ", "_")
