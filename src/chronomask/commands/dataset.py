"""Commands about data sets: dataset synthesize."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional

from chronomask.commands.progress import progress_bar
from chronomask.datasets.config import SynthesizeConfig

dataset_app = tyro.extras.SubcommandApp()


@dataset_app.command
def synthesize(
    stills: Annotated[Positional[Path], tyro.conf.arg(metavar="STILLS")],
    out: Annotated[Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    skip_broken: bool = False,
    config: Annotated[SynthesizeConfig, tyro.conf.arg(name="")] = SynthesizeConfig(),  # noqa: B008  (frozen)
) -> None:
    """Make a data set of videos from annotated stills, by moving a camera over each.

    For whoever has labelled images only: the result is of YouTube-VIS form (instances.json, JPEGImages), with the data
    set's own classes, and is read by train, predict, evaluate and validate. The camera stays inside the still.

    Args:
        stills: annotation file of COCO form.
        out: folder for the data set; must not exist yet, or be empty.
        skip_broken: go on where a still cannot be read, and list those in the end.
        config: the settings below.
    """
    from chronomask.data.categories import Category
    from chronomask.data.coco import CocoImages
    from chronomask.data.reading import read_json
    from chronomask.data.sources import _images_beside
    from chronomask.datasets.synthesize import synthesize as run

    categories = tuple(Category(entry["id"], entry["name"]) for entry in read_json(stills)["categories"])
    reader = CocoImages(stills, _images_beside(stills), categories)
    made = run(reader, categories, out, config, skip_broken=skip_broken, progress=progress_bar)
    for message in made.skipped:
        print(f"chronomask: skipped: {message}", file=sys.stderr)
    print(f"{made.videos} videos, {made.instances} instances, {made.ignored} ignored: {out / 'instances.json'}")
