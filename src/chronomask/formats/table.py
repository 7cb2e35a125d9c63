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
from chronomask.formats.capabilities import FORMATS, Format
from chronomask.formats.file_format import FileFormat

TABLE: dict[str, FileFormat] = {
    entry.name: entry
    for entry in (
        ytvis.FORMAT,
        coco.FORMAT,
        mots_text.FORMAT,
        mots_png.FORMAT,
        davis.FORMAT,
        labelme.FORMAT,
        cvat.FORMAT,
        sav.FORMAT,
        burst.FORMAT,
        panoptic.FORMAT,
        step.FORMAT,
        scalabel.FORMAT,
        datumaro.FORMAT,
        label_studio.FORMAT,
    )
}
"""By name. Json is of the last format that knows it, for the first are the least particular."""

assert tuple(TABLE) == FORMATS, "the command line names these formats"


def named(format: Format) -> FileFormat:
    """The format of a name."""
    return TABLE[format]
