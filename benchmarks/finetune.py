"""Fine-tuning on 30 images of two classes: AP50 on a fixed split of other images, before and after.

    python benchmarks/finetune.py COCO_FOLDER [--classes cat dog] [--seeds 0 1 2] [--weights lite] [--json FILE] [...]

COCO_FOLDER holds instances_train.json, instances_val.json and images/. The classes get names that no checkpoint knows,
so their scores begin anew. The split is the same for all seeds: 30 images to train on, all others of these classes,
under a moving camera, to score. `minutes` is what `chronomask train --fine-tune` took, from its start to its end;
it is given all further options.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic

import numpy as np
from figures import record
from rich.console import Console
from rich.table import Table

from chronomask.config import fine_tune_recipe
from chronomask.data.sources import open_reader
from chronomask.engines.models import checkpoint_file
from chronomask.model.checkpoint import load_network
from chronomask.training.finetune import fine_tuning, write_held
from chronomask.training.validation import Validation

TRAINED = 30


def split(coco: Path, names: list[str], out: Path) -> tuple[Path, Path]:
    """Writes train.json and held.json with the images of these classes, and nothing but their instances."""
    parts = [json.loads((coco / f"instances_{part}.json").read_text()) for part in ("train", "val")]
    numbers = {c["id"]: 1 + names.index(c["name"]) for c in parts[0]["categories"] if c["name"] in names}
    if len(numbers) != len(names):
        sys.exit(f"{coco}: its classes are not all of {', '.join(names)}")
    categories = [{"id": number, "name": f"{name} of mine"} for number, name in enumerate(names, 1)]
    annotated = [entry for part in parts for entry in part["annotations"] if entry["category_id"] in numbers]
    found = [{**entry, "category_id": numbers[entry["category_id"]]} for entry in annotated]
    labelled = {entry["image_id"] for entry in found if not entry.get("iscrowd")}
    images = [image for part in parts for image in part["images"] if image["id"] in labelled]
    if len(images) < TRAINED + 10:
        sys.exit(f"{coco}: {len(images)} images of {' and '.join(names)}; {TRAINED + 10} are needed")
    Random(0).shuffle(images)
    paths = out / "train.json", out / "held.json"
    for path, chosen in zip(paths, (images[:TRAINED], images[TRAINED:]), strict=True):
        ids = {image["id"] for image in chosen}
        annotations = [entry for entry in found if entry["image_id"] in ids]
        path.write_text(json.dumps({"images": chosen, "categories": categories, "annotations": annotations}))
    return paths


def run(data: str, validation: Validation, weights: str, seed: int, out: Path, options: list[str]) -> dict[str, float]:
    """One run of the command; the figures of its table row."""
    before = validation.scores(fine_tuning(weights, data, replace(fine_tune_recipe(), seed=seed), 0.0).network)
    command = [Path(sys.executable).with_name("chronomask"), "train", data, "--fine-tune", weights, "--out", str(out)]
    begun = monotonic()
    subprocess.run([*command, "--holdout", "0", "--seed", str(seed), *options], check=True)
    minutes = (monotonic() - begun) / 60
    after = validation.scores(load_network(out / "model.safetensors"))
    return {
        "seed": seed,
        "minutes": minutes,
        "AP50 before": before.AP50,
        "AP50 after": after.AP50,
        "gain": after.AP50 - before.AP50,
        "AP50 of any class before": before.AP50_any,
        "AP50 of any class after": after.AP50_any,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coco", type=Path)
    parser.add_argument("--classes", nargs=2, default=["cat", "dog"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--weights", default="lite", help="bundled model or checkpoint file")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--record", action="store_true", help="keep the figures for RESULTS.md")
    options, further = parser.parse_known_args()

    with TemporaryDirectory() as place:
        folder, images = Path(place), options.coco / "images"
        train, held = split(options.coco, options.classes, folder)
        reader = open_reader(held, None, images=images)
        instances, frames = write_held(reader, folder / "held", lambda items, task, total: items)
        validation = Validation(instances, reader.class_names, every=1, frames=frames)
        data, rows = f"{train},images={images}", []
        for seed in options.seeds:
            rows.append(run(data, validation, options.weights, seed, folder / f"seed-{seed}", further))
            print(json.dumps(rows[-1]), flush=True)
    table = Table(*rows[0], title=f"{TRAINED} images of {' and '.join(options.classes)}, {len(reader)} held back")
    for row in rows:
        table.add_row(str(row["seed"]), f"{row['minutes']:.1f}", *(f"{value:.3f}" for value in list(row.values())[2:]))
    table.add_section()
    means = [float(np.mean([row[key] for row in rows])) for key in list(rows[0])[1:]]
    table.add_row("mean", f"{means[0]:.1f}", *(f"{value:.3f}" for value in means[1:]))
    Console().print(table)
    if options.record:
        named = {f"seed {row['seed']}": row for row in rows} | {
            "mean": dict(zip(list(rows[0])[1:], means, strict=True))
        }
        seeds = " ".join(map(str, options.seeds))
        command = f"python benchmarks/finetune.py $D/coco-mini --seeds {seeds}"
        record("fine-tuning", named, command=command, weights=checkpoint_file(options.weights))
    if options.json:
        options.json.write_text(json.dumps({"classes": options.classes, "seeds": rows}, indent=1))


if __name__ == "__main__":
    main()
