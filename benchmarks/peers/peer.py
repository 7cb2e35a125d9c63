"""One turn of another system, in the environment that compare.py makes; random weights where none are given.

python peer.py prepare FOLDER [YOLO_WEIGHTS.pt]      writes YOLO as PyTorch's and as OpenVINO's
python peer.py run FOLDER SYSTEM FRAMES.npy      prints frames a second, processor ms a frame, parameters in millions
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

SIZE = (256, 448)
SQUARE = 336
"""Side of the square that VidEoMT takes: about as many pixels."""

YOLO = {"yolo-torch": "yolo11n-seg.pt", "yolo-openvino": "yolo11n-seg_openvino_model"}

System = tuple[Callable[[np.ndarray], int], int, str]
"""Tracks all frames (T H W 3, RGB), and gives the number of tracks; its parameters; what computes it."""


def prepare(folder: Path, weights: str | None) -> None:
    from ultralytics import YOLO as Model

    torch.manual_seed(0)
    model = Model(weights or "yolo11n-seg.yaml", task="segment")
    os.chdir(folder)
    model.save(YOLO["yolo-torch"])
    Model(YOLO["yolo-torch"], task="segment").export(format="openvino", imgsz=SIZE)


def yolo(folder: Path, name: str) -> System:
    """YOLO11n-seg with ByteTrack, called frame by frame with its default settings, as its documentation shows."""
    from ultralytics import YOLO as Model
    from ultralytics import __version__ as version

    model = Model(str(folder / YOLO[name]), task="segment")
    parameters = sum(p.numel() for p in Model(str(folder / YOLO["yolo-torch"]), task="segment").model.parameters())

    def track(images: np.ndarray) -> int:
        if model.predictor is not None:
            for tracker in model.predictor.trackers:
                tracker.reset()
        found = set()
        for image in images:
            bgr = np.ascontiguousarray(image[..., ::-1])  # what it expects of arrays
            [result] = model.track(bgr, persist=True, tracker="bytetrack.yaml", imgsz=SIZE, device="cpu", verbose=False)
            if result.boxes is not None and result.boxes.id is not None:
                found |= set(result.boxes.id.int().tolist())
        return len(found)

    return track, parameters, f"Ultralytics {version}, {name.removeprefix('yolo-')}"


def mask_rcnn(*_: object) -> System:
    """torchvision's Mask R-CNN with a ResNet-50, which finds objects in single frames and follows none."""
    import torchvision

    model = torchvision.models.detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, min_size=SIZE[0], max_size=SIZE[1]
    ).eval()

    @torch.inference_mode()
    def find(images: np.ndarray) -> int:
        for image in images:
            model([torch.from_numpy(image).permute(2, 0, 1) / 255])
        return 0

    return find, sum(p.numel() for p in model.parameters()), f"torchvision {torchvision.__version__}"


def videomt(*_: object) -> System:
    """VidEoMT with a ViT-S, a transformer for video instance segmentation, in clips of 8; no masks at full size."""
    import transformers

    config = transformers.VideomtConfig(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, num_blocks=3, image_size=SQUARE
    )
    model = transformers.VideomtForUniversalSegmentation(config).eval()

    @torch.inference_mode()
    def find(images: np.ndarray) -> int:
        for begin in range(0, len(images), 8):
            clip = torch.from_numpy(images[begin : begin + 8]).permute(0, 3, 1, 2) / 255
            model(torch.nn.functional.interpolate(clip, (SQUARE, SQUARE), mode="bilinear", antialias=True)[None])
        return 0

    return find, sum(p.numel() for p in model.parameters()), f"transformers {transformers.__version__}"


SYSTEMS = {"yolo-torch": yolo, "yolo-openvino": yolo, "mask-rcnn": mask_rcnn, "videomt": videomt}


def main() -> None:
    command, folder, *rest = sys.argv[1:]
    if command == "prepare":
        prepare(Path(folder), rest[0] if rest else None)
        return
    name, frames = rest
    images = np.load(frames)
    torch.manual_seed(0)
    track, parameters, about = SYSTEMS[name](Path(folder), name)
    track(images[:16])
    begin, spent = time.perf_counter(), time.process_time()
    tracks = track(images)
    rate, spent = len(images) / (time.perf_counter() - begin), 1000 * (time.process_time() - spent) / len(images)
    figures = {"rate": rate, "spent": spent, "parameters": parameters / 1e6, "about": about, "tracks": tracks}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
