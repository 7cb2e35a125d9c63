"""Make short clips of what the bundled model is bad at, for the picture in its model card.

    python examples/make_failures.py FOLDER

Each is a still of 640x360, composed of photographs that scikit-image brings (see README.md beside this file for their
licences), under a camera that pans and turns a little.
"""

from __future__ import annotations

import argparse
from math import pi, sin
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from chronomask.video import VideoWriter

WIDTH, HEIGHT, FRAMES, FPS = 640, 360, 24, 25.0
MARGIN = 40
"""Pixels of a still on every side that the camera sees only on its way."""


STILL = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
"""Width and height."""


def resized(photo: np.ndarray, size: tuple[int, int] = STILL) -> np.ndarray:
    return cv2.resize(photo, size, interpolation=cv2.INTER_AREA)


def reflection() -> np.ndarray:
    """A cat over its own image in water: bluish, blurred, and in waves."""
    width, height = STILL
    shore = 235
    above = resized(data.chelsea(), (width, round(300 * width / 451)))[40 : 40 + shore]
    below = cv2.GaussianBlur(above[::-1], (0, 0), 2.5)[: height - shore]
    rows = np.arange(len(below))
    waves = (4 * np.sin(rows / 4.5)).round().astype(int)
    moved = np.stack([np.roll(row, shift, axis=0) for row, shift in zip(below, waves, strict=True)])
    water = 0.7 * moved + 0.3 * np.array([70, 110, 140])
    return np.concatenate([above, water.astype(np.uint8)])


def crowd() -> np.ndarray:
    """People who stand before each other, far away."""
    lawn = resized(data.grass())
    still = (lawn[..., None] * np.array([0.55, 0.8, 0.4])).astype(np.uint8)
    for place in range(9):
        height = 70 + 4 * place
        width = round(height * 360 / 512)
        photo = resized(data.astronaut()[:, 40:400], (width, height))
        shape = np.zeros((height, width), np.uint8)
        cv2.ellipse(shape, (width // 2, height // 4), (width // 5, height // 4), 0, 0, 360, 1, -1)
        cv2.ellipse(shape, (width // 2, height), (width // 2, height * 3 // 5), 0, 0, 360, 1, -1)
        top, left = 120 + 12 * (place % 3), 110 + 45 * place
        cv2.copyTo(photo[:, :: 1 - 2 * (place % 2)], shape, still[top : top + height, left : left + width])
    return still


def unknown() -> np.ndarray:
    """Coins, which are no class of the model."""
    photo = resized(data.coins())
    return cv2.cvtColor(photo, cv2.COLOR_GRAY2RGB)


def cup() -> np.ndarray:
    return resized(data.coffee())


STILLS = {"reflection": reflection, "crowd": crowd, "unknown": unknown, "cup": cup}


def seen(still: np.ndarray, t: float) -> np.ndarray:
    """The still as the camera sees it at time `t` from 0 to 1."""
    centre = ((WIDTH / 2 + MARGIN), (HEIGHT / 2 + MARGIN))
    matrix = cv2.getRotationMatrix2D(centre, 1.5 * sin(2 * pi * t), 1.0)
    matrix[:, 2] -= np.array([MARGIN + 0.8 * MARGIN * sin(pi * (t - 0.5)), MARGIN + 0.3 * MARGIN * sin(2 * pi * t)])
    return cv2.warpAffine(still, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, still in STILLS.items():
        picture = still()
        with VideoWriter(folder / f"{name}.mp4", WIDTH, HEIGHT, FPS) as writer:
            for index in range(FRAMES):
                writer.write(seen(picture, index / (FRAMES - 1)))


if __name__ == "__main__":
    main()
