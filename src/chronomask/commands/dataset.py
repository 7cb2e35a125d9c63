"""Commands about data sets: dataset info, dataset preview, dataset synthesize."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

from chronomask.commands.described import described
from chronomask.commands.naming import listed
from chronomask.commands.progress import progress_bar
from chronomask.config import CLASS_LISTS, MixtureConfig, lite_recipe
from chronomask.data.synthetic_config import SynthesizeConfig
from chronomask.errors import InputError
from chronomask.terminal import begin, console, note, tell

_MOST = 50
"""So many faults are printed; --json has all."""


def info(
    path: Annotated[Positional[Path], tyro.conf.arg(metavar="PATH")],
    /,
    images: Path | None = None,
    pixels: bool = True,
    skip_broken: bool = False,
    json: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Count what a data set holds, and find what is wrong with it.

    Prints sizes, lengths, areas, classes, and every fault that training would stop at, each with its file and entry.
    The exit code is 2 where there are such faults.

    Args:
        path: annotation file (COCO, YouTube-VIS or OVIS form), list of VOC images, the folder that holds one, or a file
            or folder of any other format that convert reads.
        images: folder of the images; found beside the annotations by default. For formats that name no frames, the
            folder that has a folder of them for each video.
        pixels: decode every image and mask; without it this takes seconds, but only finds the faults of the files.
        skip_broken: faults are to be left out in training too (train --skip-broken): list them, but exit with 0.
        json: also write all of it to this file.
        overwrite: replace --json where it is there already.
    """

    begin(f"reading {path}")

    from chronomask.claims import Output, claimed
    from chronomask.data.info import dataset_info, info_tables
    from chronomask.files import written_aside

    writes = [json] if json else []
    with claimed([Output(path) for path in writes], [path], [images], overwrite):
        found = dataset_info(path, images=images, pixels=pixels, writes=writes, progress=progress_bar)
        note(*found.notes)
        console().print(*info_tables(found))
        if json is not None:
            with written_aside(json) as aside:
                aside.write_text(dumps(asdict(found), indent=1))
    _list_faults("problem", found.problems)
    print(f"problems: {len(found.problems)}" + (", left out" if skip_broken and found.problems else ""))
    return 2 if found.problems and not skip_broken else 0


def preview(
    data: Annotated[Positional[str], tyro.conf.arg(metavar="DATA")],
    /,
    out: Path,
    count: int = 12,
    seed: int = 0,
    entries: str = "",
    as_trained: bool = False,
    classes: Literal["lite", "coco", "voc", "ytvis2019", "ytvis2021", "ovis"] = "lite",
    width: int = 1280,
    fps: float = 8.0,
    skip_broken: bool = False,
    overwrite: bool = False,
    config: Annotated[MixtureConfig, tyro.conf.arg(name="data")] = lite_recipe().data,  # noqa: B008  (frozen)
) -> None:
    """Draw some entries of a data set with their masks, numbers and names, as one picture or a short video.

    Ignored pixels (crowds, and what lies outside a moved still) are striped, unknown ones dotted. With --as-trained it
    shows what the network will see: clips after synthesis and augmentation, by the settings of train.

    Args:
        data: as for train: annotation file or folder, with options behind commas, such as FILE.json,partial.
        out: .png or .jpg for a contact sheet with up to four frames a video, .mp4 for a video.
        count: entries or clips.
        seed: of the choice; with --as-trained that of train, which draws the same clips from this source alone.
        entries: names of entries, joined by commas, instead of a choice by chance.
        as_trained: clips of the settings below, instead of the entries themselves.
        classes: the classes that are trained.
        width: of the sheet or video, in pixels.
        fps: frames a second of a video; a still stays for a second.
        skip_broken: go on where something cannot be read, and list it in the end.
        overwrite: replace --out where it is there already.
        config: the settings of --as-trained.
    """
    begin(f"reading {data}")

    from chronomask.claims import Output, check_frames, claimed
    from chronomask.data.preview import clip_strips, entry_strips, frames_for, write_preview
    from chronomask.data.protocol import WeightedSource
    from chronomask.data.sources import files_of, open_source

    names = listed(entries)
    _check_preview(names, as_trained, count, width, fps)
    frames, categories = frames_for(out, fps), CLASS_LISTS[classes]
    with claimed([Output(out)], files_of([data]), overwrite=overwrite):
        reader = open_source(data, categories, skip_broken=skip_broken)
        check_frames([out], reader.images, reader.frames)
        note(*reader.notes)
        if as_trained:
            strips = clip_strips(WeightedSource(reader, 1.0), categories, config, count, seed, frames)
        else:
            strips = entry_strips(reader, names, count, seed, frames)
        how = {"width": width, "fps": fps, "made": as_trained, "skip_broken": skip_broken}
        skipped = write_preview(strips, out, **how, progress=progress_bar)
    _list_faults("skipped", [*reader.skipped, *skipped])
    print(f"preview: {out}")


def _check_preview(names: Sequence[str], as_trained: bool, count: int, width: int, fps: float) -> None:
    if names and as_trained:
        raise InputError(f"--entries {','.join(names)}: the clips of --as-trained are drawn by chance (--seed)")
    if not 200 <= width <= 16_384:
        raise InputError(f"--width {width}: must lie between 200 and 16384")
    if count < 1:
        raise InputError(f"--count {count}: must be at least 1")
    if not 0 < fps <= 240:
        raise InputError(f"--fps {fps}: must lie above 0 and not above 240")


def synthesize(
    source: Annotated[Positional[str], tyro.conf.arg(metavar="SOURCE")],
    out: Annotated[Positional[Path], tyro.conf.arg(metavar="OUT")],
    /,
    objects: str = "",
    images: Path | None = None,
    skip_broken: bool = False,
    overwrite: bool = False,
    config: Annotated[SynthesizeConfig, tyro.conf.arg(name="")] = SynthesizeConfig(),  # noqa: B008  (frozen)
) -> None:
    """Make a data set of videos: a camera moves over stills, and objects of others pass over stills and videos.

    For whoever has labelled images only, or videos of one object each. The result has YouTube-VIS form, with
    instances.json and JPEGImages, and the data set's own classes; train, predict, evaluate, validate and preview read
    it. The camera stays inside the still; objects out of videos keep their own movement, and masks lose exactly
    what lies in front.

    Args:
        source: stills or videos, as for train: annotation file or folder, with options behind commas, such as
            FILE.json,without=NAME+NAME.
        out: folder for the data set.
        objects: where the copied objects (--max-pastes) come from, named likewise; from SOURCE by default.
        images: folder of the images of SOURCE; found beside the annotations by default.
        skip_broken: go on where something cannot be read, and list it in the end.
        overwrite: replace OUT where it holds an earlier data set, and nothing else.
        config: the settings below.
    """
    begin(f"reading {source}")

    from chronomask.claims import claimed
    from chronomask.data.sources import files_of, open_source
    from chronomask.data.synthetic_videos import synthesize as run
    from chronomask.formats.training_data import data_set

    named = files_of([text for text in (source, objects) if text])
    with claimed([data_set(out)], named, [images], overwrite):
        reader = open_source(source, None, images=images, skip_broken=skip_broken)
        others = open_source(objects, reader.file_categories, skip_broken=skip_broken) if objects else None
        note(*reader.notes, *(others.notes if others else []))
        made = run(reader, out, config, others, skip_broken=skip_broken, overwrite=overwrite, progress=progress_bar)
    _list_faults("skipped", [*reader.skipped, *made.skipped])
    print(f"{made.videos} videos, {made.instances} instances, {made.ignored} ignored: {out / 'instances.json'}")


def _list_faults(kind: str, messages: Iterable[str]) -> None:
    faults = list(messages)
    for message in faults[:_MOST]:
        tell(message, kind)
    if len(faults) > _MOST:
        tell(f"and {len(faults) - _MOST:,} more", kind)


dataset_app = tyro.extras.SubcommandApp()
for command in (info, preview, synthesize):
    dataset_app.command(described(command))
