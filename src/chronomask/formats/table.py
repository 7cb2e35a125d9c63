"""The formats that there are."""

from __future__ import annotations

from chronomask.formats import (
    burst,
    coco,
    cvat,
    datumaro,
    davis,
    label_studio,
    labelme,
    mots_png,
    mots_text,
    panoptic,
    sav,
    scalabel,
    step,
    ytvis,
)
from chronomask.formats.capabilities import FORMATS
from chronomask.formats.file_format import FileFormat

_FORMATS = (
    *(ytvis, coco, mots_text, mots_png, davis, labelme, cvat),
    *(sav, burst, panoptic, step, scalabel, datumaro, label_studio),
)
TABLE: dict[str, FileFormat] = {module.FORMAT.name: module.FORMAT for module in _FORMATS}
"""By name. Json is of the last format that knows it, for the first are the least particular."""

assert tuple(TABLE) == FORMATS, "the command line names these formats"
