"""Make the bundled weights again, from random ones: every stage of their recipe, one after the other.

    python examples/make_weights.py DATA --detector frozen_inference_graph.pb --out weights

DATA holds the folders of the model card (davis-train, coco-mini, more-images, more-stills); docs/weights.md says where
the detector is to be had. Five and a half core-hours. Stages that are done, which finished.txt lists, are not done
again, and a training that was interrupted goes on: the same command continues. The last result is the folder `lite`,
with lite.safetensors beside it. `--short` does every stage with next to no steps, in a few minutes, and begins with the
bundled weights, for random ones find nothing that a score could be fitted to: the result is worth nothing, but whatever
would stop the long run stops this one.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
from pathlib import Path

from chronomask.engines.models import bundled_weights

HELD_BACK = "boat+car-turn+dog-agility+hike+mallard-water+scooter-gray"


def sources(data: Path, davis: float, coco: float, images: float, stills: float) -> list[str]:
    """What is trained on, and in which shares; the validation videos are left out."""
    shares = {"coco-mini": coco, "more-images": images, "more-stills": stills}
    named = [f"{data / name}/instances_train.json,weight={share}" for name, share in shares.items() if share]
    return [f"{data / 'davis-train'}/instances.json,weight={davis},partial,without={HELD_BACK}", *named]


def stages(data: Path, detector: Path, out: Path) -> dict[Path, list[str]]:
    """The command that makes each file or folder, in order."""
    one_object, moving = sources(data, 0.3, 0.4, 0.3, 0.0), sources(data, 0.5, 0.2, 0.12, 0.18)
    plain = "--data.moving 0 --data.meeting 0 --data.behind 0 --data.hidden 0 --data.max-stride 3 --precision float32"
    slow = "--data.objects.shift 0.2 --data.objects.rotation 6 --data.objects.zoom 0.1 --data.objects.blur 0"
    crossing = f"{slow} --data.meeting 0.3 --data.hidden 0.1 --precision bfloat16"
    stills = sources(data, 0.0, 0.4, 0.25, 0.35)[1:]
    made: dict[Path, list[str]] = {}

    def file(name: str) -> Path:
        return out / name / "model.safetensors"

    def train(name: str, mix: list[str], start: Path | None, options: str) -> None:
        init = ["--init", str(start)] if start else []
        made[file(name)] = ["chronomask", "train", *mix, "--out", str(out / name), *init, *options.split()]

    def named(result: str, start: Path, *options: Path | str) -> Path:
        made[out / result] = ["chronomask", "names", str(start), *map(str, options), "--out", str(out / result)]
        return out / result

    def mean_of(result: str, *checkpoints: Path) -> Path:
        made[out / result] = ["chronomask", "average", *map(str, checkpoints), "--out", str(out / result)]
        return out / result

    small = "--data.length 1 --batch 16 --data.height 128 --data.width 224"
    train("A", one_object, None, f"{small} --steps 1200 --warmup 50 --seed 71 --ema 0.995 {plain}")
    single = f"--data.length 1 --batch 16 --steps 850 --warmup 30 --seed 72 --ema 0.995 {plain}"
    train("B", one_object, file("A"), single)
    train(
        "C", one_object, file("B"), f"--data.length 4 --batch 4 --steps 2100 --warmup 30 --seed 73 --ema 0.997 {plain}"
    )
    train(
        "D", one_object, file("C"), f"--data.length 4 --batch 4 --steps 2900 --warmup 30 --seed 74 --ema 0.997 {plain}"
    )
    train(
        "E", one_object, file("C"), f"--data.length 8 --batch 2 --steps 2900 --warmup 30 --seed 75 --ema 0.997 {plain}"
    )
    mean = mean_of("mean.safetensors", *(file(name) for name in "CDE"))
    names = ["--detector", detector, "--stills", "1600", "--held", "0", "--share", "0.2"]
    fifth = named("fifth.safetensors", mean, *sources(data, 0.0, 0.5, 0.5, 0.0)[1:], *names)
    # Fitted here: on what follows it would rank as well, but leave fewer objects above the default score.
    before = out / "before.safetensors"
    made[before] = ["chronomask", "calibrate", str(fifth), *one_object, "--clips", "160", "--out", str(before)]
    train("F", moving, before, f"--data.length 4 --batch 4 --steps 750 --warmup 30 --seed 91 --ema 0.99 {crossing}")
    mean = mean_of("moving.safetensors", before, file("F"))
    lite = named("lite.safetensors", mean, *stills, "--detector", detector, "--share", "0.333")
    made[out / "lite"] = ["chronomask", "export", str(lite), str(out / "lite"), "--half"]
    return made


def shortened(command: list[str]) -> list[str]:
    """The same stage with next to no steps, stills and clips; the first one begins with the bundled weights."""
    least = {"--steps": "2", "--warmup": "1", "--stills": "8", "--clips": "8"}
    short = [least.get(option, value) for option, value in zip(["", *command], command, strict=False)]
    own = ("--steps", "--stills") if command[1] == "names" else ()
    short += [word for option in own if option not in command for word in (option, least[option])]
    random = command[1] == "train" and "--init" not in command
    return [*short, "--init", str(bundled_weights("lite"))] if random else short


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--show", action="store_true", help="print the commands instead")
    parser.add_argument("--short", action="store_true", help="with next to no steps, to see whether all stages run")
    options = parser.parse_args()
    noted = options.out / "finished.txt"
    finished = noted.read_text().splitlines() if noted.exists() else []
    for result, long in stages(options.data, options.detector, options.out).items():
        command = shortened(long) if options.short else long
        text = shlex.join(command)
        print(text, flush=True)
        if not options.show and text not in finished:
            # What a killed call made, and could not note any more, is its own; a training knows that itself.
            again = ["--overwrite"] if result.exists() and command[1] != "train" else []
            subprocess.run([*command, *again], check=True)
            with noted.open("a") as file:
                print(text, file=file)


if __name__ == "__main__":
    main()
