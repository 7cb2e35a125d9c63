"""The kinds of input, each with a sound one and the commands that read it."""

from __future__ import annotations

import base64
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.data.test_voc import palettes
from tests.formats import test_burst, test_datumaro, test_label_studio, test_panoptic, test_sav, test_scalabel, test_vos
from tests.formats.test_reading import NAMES, framed, kitti_step
from tests.robustness.harness import Kind, accepted, called, command

from chronomask.categories import LITE
from chronomask.config import SegmentConfig
from chronomask.engines.models import WEIGHTS
from chronomask.formats.capabilities import FORMATS, Format
from chronomask.formats.convert import write
from chronomask.formats.table import TABLE
from chronomask.formats.ytvis import write_results
from chronomask.model.checkpoint import save_network
from chronomask.model.importing.reading import read_tensors
from chronomask.outputs.choice import Outputs
from chronomask.runs.kept_spool import KeptSpool
from chronomask.runs.predict import predict
from chronomask.runs.resume import segment_into
from chronomask.runs.segment import segment_to_folder
from chronomask.segmenter.load import load
from chronomask.segmenter.segmenter import Segmenter
from chronomask.training.loop import train
from chronomask.video import VideoWriter, open_source
from data.files import small_set, textured, write_voc
from model import graphs
from model.networks import network_of, tiny
from segmenter.colour import ColourEngine, moving_objects, segmenter_of, settings
from training.runs import MACHINE, PLAIN, PLAIN_MODEL, open_sources, thin_network


def _read_by_commands(source: str, *options: str) -> Callable[[Path, Random], int]:
    """One of the commands that read a file or folder of annotations."""

    def run(folder: Path, random: Random) -> int:
        path, out = folder / source, folder / "out"
        sound = folder / "sound.json"
        match random.randrange(7):
            case 0:
                return command("validate", path)
            case 1:
                return command("evaluate", path, sound, "--class-agnostic", "--json", out)
            case 2:
                return command("evaluate", sound, path, "--class-agnostic", "--boxes", "--json", out)
            case 3:
                images = ("--images", folder / "JPEGImages") if random.random() < 0.5 else ()
                return command("dataset", "info", path, *images, *("--no-pixels",) * random.randrange(2), "--json", out)
            case 4:
                edited = folder / "edited.json"
                return accepted(command("edit", path, "class:robot", "--out", edited), edited)
            case 5 if source == "tracks.json":
                return command("convert", path, folder / "converted", "--to", random.choice(_WRITTEN))
            case _:
                converted = folder / "converted.json"
                return accepted(command("convert", path, converted, "--to", "youtube-vis", *options), converted)

    return run


def _annotations(source: str, made: Callable[[Path], object], *damaged: str, options: tuple[str, ...] = ()) -> Kind:
    def build(folder: Path) -> None:
        for name in NAMES:
            (folder / "JPEGImages" / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((7, 9, 3), 40, np.uint8)).save(folder / "JPEGImages" / name)
        made(folder)
        assert command("convert", folder / source, folder / "sound.json", "--to", "youtube-vis", *options) == 0

    return Kind(build, _read_by_commands(source, *options), damaged or (source,))


_WRITTEN = [name for name in FORMATS if TABLE[name].write is not None]


def _written(source: str, format: Format) -> Callable[[Path], object]:
    info = {"version": "1", "source": {"every": 2, "start": 0.5}}
    return lambda folder: write(replace(framed(), info=info), folder / source, format)


def _results(folder: Path, random: Random) -> int:
    path, sound = folder / "results.json", folder / "sound.json"
    match random.randrange(5):
        case 0:
            return command("validate", path, "--against", sound)
        case 1:
            return command("evaluate", sound, path, "--davis", "many")
        case 2:
            return command("compare", sound, sound, path, "--resamples", "5")
        case 3:
            return command("submit", path, "--out", folder / "out.zip", "--against", sound)
        case _:
            against = ("--against", sound) if random.random() < 0.5 else ()
            converted = folder / "converted.json"
            return accepted(command("convert", path, converted, "--to", "youtube-vis", *against), converted)


def _build_results(folder: Path) -> None:
    write(framed(), folder / "sound.json")
    file = framed()
    write_results(folder / "results.json", file.videos, file.tracks)


def _made(make: Callable[[Path], object], name: str) -> Callable[[Path], object]:
    """In a folder of its own."""

    def run(folder: Path) -> None:
        (folder / name).mkdir()
        make(folder / name)

    return run


def _vos(folder: Path) -> None:
    test_vos.data_set(folder, test_vos.of_both(test_vos.OBJECTS), images=False)


def _labelme(folder: Path) -> None:
    write(framed(), folder / "labelme", "labelme")
    file = next((folder / "labelme").rglob("00001.json"))
    content = json.loads(file.read_text())
    corners = {"label": "cat", "group_id": None, "points": [[1, 1], [4, 4]], "flags": {}}
    kinds = [{**corners, "shape_type": kind} for kind in ("rectangle", "circle")]
    mask = Image.fromarray(np.full((3, 4), 255, np.uint8))
    mask.save(folder / "mask.png")
    coded = base64.b64encode((folder / "mask.png").read_bytes()).decode()
    kinds.append({**corners, "points": [[1, 1], [4, 3]], "shape_type": "mask", "mask": coded})
    file.write_text(json.dumps({**content, "shapes": content["shapes"] + kinds}))


def _cvat(folder: Path) -> None:
    shape = '<polygon frame="{}" keyframe="1" outside="{}" points="{},1;5,1;5,5;1,5"/>'
    shapes = "".join(shape.format(*values) for values in ((0, 0, 1), (2, 0, 2), (3, 1, 2)))
    write(framed(), folder / "cvat.xml", "cvat")
    text = (folder / "cvat.xml").read_text()
    track = f'<track id="7" label="dog">{shapes}</track></annotations>'
    (folder / "cvat.xml").write_text(text.replace("</annotations>", track))


def _data_set(folder: Path) -> None:
    small_set(folder)
    (folder / "rules.json").write_text(json.dumps({"cat": "object", "unicorn": "drop"}))


def _look(folder: Path, random: Random) -> int:
    """At pictures and what is said of them, as training does."""
    name = random.choice(("stills.json", "videos.json"))
    if random.random() < 0.5:
        return command("dataset", "info", folder / name, *("--skip-broken",) * random.randrange(2))
    return command(
        "dataset",
        "preview",
        f"{folder / name},mapping={folder / 'rules.json'}",
        "--out",
        folder / "out.png",
        "--width",
        "200",
    )


def _voc(folder: Path) -> None:
    found = (textured(24, 32), *palettes(), ["person", "sofa", "chair", "car"])
    write_voc(folder / "voc", {"2007_000032": found}, {"train": ["2007_000032"]})


def _pictures(folder: Path) -> None:
    """Frames in as many kinds of file as there are."""
    for name, options in (("a.png", {}), ("b.jpg", {}), ("c.webp", {}), ("d.bmp", {})):
        (folder / "frames").mkdir(exist_ok=True)
        Image.fromarray(moving_objects(1)[0]).save(folder / "frames" / name, **options)
    pages = [Image.fromarray(image) for image in moving_objects(3)]
    pages[0].save(folder / "frames/e.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(folder / "frames/f.gif", save_all=True, append_images=pages[1:])
    Image.fromarray(np.full((48, 64), 40000, np.uint16)).save(folder / "frames/g.png")


def _video(folder: Path) -> None:
    with VideoWriter(folder / "video.mp4", 64, 48, 10.0) as writer:
        for image in moving_objects(12):
            writer.write(image)


def _segmented(source: str) -> Callable[[Path, Random], int]:
    def run(folder: Path, random: Random) -> int:
        out = folder / "out"

        def segment() -> None:
            outputs = Outputs(overlay=False, csv=True)
            segment_to_folder(
                segmenter_of(settings(4, 2)), open_source(folder / source), out, outputs=outputs, resume=True
            )

        return accepted(called(segment), out / "tracks.json")

    return run


def _spool(folder: Path) -> None:
    """A run that was interrupted in the middle."""
    _video(folder)
    out, outputs = folder / "out", Outputs(overlay=False)

    def segment() -> None:
        segment_to_folder(segmenter_of(settings(4, 2)), open_source(folder / "video.mp4"), out, outputs=outputs)

    import chronomask.runs.segment as room

    original = room.segment_into

    def stopped(spool: KeptSpool, segmenter: Segmenter, source, seconds=10.0):
        for result in segment_into(spool, segmenter, source, 0.0):
            yield result
            if result.index == 7:
                raise OSError("stopped")

    room.segment_into = stopped
    try:
        segment()
    except OSError:
        pass
    finally:
        room.segment_into = original


def _to_predict(folder: Path) -> None:
    videos = []
    for number in (1, 2):
        names = [f"v{number}/{frame}.png" for frame in range(3)]
        for name, image in zip(names, moving_objects(3), strict=True):
            (folder / name).parent.mkdir(exist_ok=True)
            Image.fromarray(image).save(folder / name)
        videos.append({"id": number, "width": 64, "height": 48, "length": 3, "file_names": names})
    categories = [{"id": 7, "name": "person"}, {"id": 0, "name": "object"}]
    (folder / "instances.json").write_text(json.dumps({"videos": videos, "categories": categories}))
    _predict(folder, stop=True)


def _predict(folder: Path, stop: bool = False) -> None:
    segmenter = Segmenter(ColourEngine(categories=LITE), SegmentConfig(score=0.0, max_tracks=4))
    out = folder / "tracks.json"
    if not stop:
        predict(segmenter, folder / "instances.json", folder, out)
        return
    moved = folder / "v2"
    moved.rename(folder / "away")
    try:
        predict(segmenter, folder / "instances.json", folder, out)
    except ValueError:
        (folder / "away").rename(moved)


def _predicted(folder: Path, random: Random) -> int:
    tracks = folder / "tracks.json"
    return accepted(called(lambda: _predict(folder)), tracks, tracks.with_name("results.json"))


def _checkpoint(folder: Path) -> None:
    save_network(folder / "tiny.safetensors", network_of(tiny(channels=8)), half=True)


def _loaded(folder: Path, random: Random) -> int:
    def use() -> None:
        segmenter = load(folder / "tiny.safetensors", engine="torch", precision="float32", config=settings(4, 2))
        for image in moving_objects(4):
            segmenter.push(image)
        segmenter.flush()

    return called(use)


def _weights(folder: Path) -> None:
    """Of other programs, one of each kind of file."""
    arrays = {"stem.weight": np.ones((2, 3, 3, 3), np.float32), "stem.bias": np.ones(2, np.float32)}
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    torch.save({"model": tensors, "epoch": 3}, folder / "a.pth")
    save_file(tensors, folder / "b.safetensors", metadata={"config": "{}"})
    (folder / "c.pkl").write_bytes(pickle.dumps({"model": arrays}))
    graphs.written(graphs.graph({"a/weights": arrays["stem.weight"]}), folder, "d.pb")


def _weights_read(folder: Path, random: Random) -> int:
    return called(lambda: [read_tensors(path) for path in sorted(folder.glob("?.*"))])


def _exported(folder: Path) -> None:
    shutil.copytree(WEIGHTS / "lite", folder / "lite")


def _exported_loaded(folder: Path, random: Random) -> int:
    return called(lambda: load(folder / "lite", engine="openvino", precision="float32"))


_SHORT = replace(PLAIN, steps=3)


def _run_of_training(folder: Path) -> None:
    small_set(folder)
    _train(folder)
    (folder / "run/state-00000003.pt").unlink()
    shutil.copy(folder / "run/state-00000002.pt", folder / "run/state-00000001.pt")


def _train(folder: Path) -> None:
    train(thin_network(PLAIN_MODEL), open_sources(folder), _SHORT, folder / "run", replace(MACHINE, checkpoint_every=1))


def _trained(folder: Path, random: Random) -> int:
    return called(lambda: _train(folder))


KINDS: dict[str, Kind] = {
    "youtube-vis": _annotations("tracks.json", _written("tracks.json", "youtube-vis")),
    "results": Kind(_build_results, _results, ("results.json",)),
    "coco": _annotations("coco.json", _written("coco.json", "coco")),
    "mots-text": _annotations("mots", _written("mots", "mots-text"), "mots/*"),
    "mots-png": _annotations("mots", _written("mots", "mots-png"), "mots/**/*.*"),
    "davis": _annotations("davis", _written("davis", "davis"), "davis/*/*"),
    "vos": _annotations("vos", _made(_vos, "vos"), "vos/*.json", "vos/*/*/*"),
    "labelme": _annotations("labelme", _labelme, "labelme/*/*"),
    "cvat": _annotations("cvat.xml", _cvat),
    "sa-v": _annotations(
        "sav", _made(lambda folder: test_sav.written(folder, test_sav.annotated()), "sav"), "sav/*.json"
    ),
    "burst": _annotations(
        "burst/all_classes.json",
        _made(lambda folder: test_burst.written(folder, test_burst.sequence()), "burst"),
    ),
    "panoptic": _annotations(
        "panoptic/panoptic.json",
        _made(test_panoptic.vipseg, "panoptic"),
        "panoptic/*.json",
        "panoptic/panomasksRGB/*/*",
    ),
    "kitti-step": _annotations("step", _made(kitti_step, "step"), "step/*/*"),
    "scalabel": _annotations("labels.json", test_scalabel.changed, options=("--size", "9x7")),
    "datumaro": _annotations("datumaro", _made(test_datumaro.written, "datumaro"), "datumaro/annotations/*"),
    "label-studio": _annotations("project.json", test_label_studio.written),
    "data-set": Kind(_data_set, _look, ("*.json", "images/*", "JPEGImages/*/*")),
    "voc": Kind(
        _voc, lambda folder, random: command("dataset", "info", folder / "voc"), ("voc/*/*.*", "voc/ImageSets/*/*")
    ),
    "pictures": Kind(_pictures, _segmented("frames"), ("frames/*",)),
    "video": Kind(_video, _segmented("video.mp4"), ("video.mp4",)),
    "spool": Kind(_spool, _segmented("video.mp4"), ("out/.partial/*",)),
    "predict": Kind(_to_predict, _predicted, ("instances.json", "*.partial/*.*", "v2/*")),
    "checkpoint": Kind(_checkpoint, _loaded, ("tiny.safetensors",)),
    "weights": Kind(_weights, _weights_read, ("?.*",)),
    "exported": Kind(_exported, _exported_loaded, ("lite/model.json", "lite/*")),
    "training": Kind(_run_of_training, _trained, ("run/state-*.pt", "run/config.json", "run/log.csv")),
}
"""By name."""
