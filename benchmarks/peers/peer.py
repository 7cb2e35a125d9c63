"""One turn of YOLO11n-seg with ByteTrack, in the environment that compare.py makes.

python peer.py prepare FOLDER [WEIGHTS.pt]       writes the model as PyTorch's and as OpenVINO's
python peer.py run FOLDER torch|openvino FRAMES.npy      prints frames a second, and processor ms a frame
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from ultralytics import YOLO
from ultralytics import __version__ as version

SIZE = (256, 448)
MODELS = {"torch": "yolo11n-seg.pt", "openvino": "yolo11n-seg_openvino_model"}


def prepare(folder: Path, weights: str | None) -> None:
    torch.manual_seed(0)
    model = YOLO(weights or "yolo11n-seg.yaml", task="segment")
    os.chdir(folder)
    model.save(MODELS["torch"])
    YOLO(MODELS["torch"], task="segment").export(format="openvino", imgsz=SIZE)


def run(model: YOLO, images: np.ndarray) -> int:
    """Tracks all frames, which are RGB, as a new video; the number of tracks."""
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


def main() -> None:
    command, folder, *rest = sys.argv[1:]
    if command == "prepare":
        prepare(Path(folder), rest[0] if rest else None)
        return
    way, frames = rest
    images = np.load(frames)
    model = YOLO(str(Path(folder) / MODELS[way]), task="segment")
    run(model, images)
    begin, spent = time.perf_counter(), time.process_time()
    tracks = run(model, images)
    rate, spent = len(images) / (time.perf_counter() - begin), 1000 * (time.process_time() - spent) / len(images)
    print(json.dumps({"rate": rate, "spent": spent, "about": f"Ultralytics {version}, {way}", "tracks": tracks}))


if __name__ == "__main__":
    main()
