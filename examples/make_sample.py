"""Make the sample clip: a person and a cat side by side, filmed by a camera that pans and zooms.

    python examples/make_sample.py sample.mp4

Needs scikit-image, which brings the two photographs (see README.md beside this file for their licences).
"""

from __future__ import annotations

import argparse
from math import cos, pi, radians, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from skimage import data

from chronomask.video import VideoWriter

WIDTH, HEIGHT, FRAMES, FPS = 640, 360, 56, 25.0
SCENE_WIDTH, SCENE_HEIGHT, SEAM = 720, 405, 300
"""The scene in its own pixels: the person left of the seam, the cat right of it."""

FEATHER = 10
"""Half width, in pixels of the scene, over which one photograph passes into the other."""

BORDER = 90
"""Pixels by which the photograph of the cat, a close portrait, is continued on every side."""

SUPERSAMPLING = 2

Matrix = np.ndarray
"""3 x 3, of homogeneous coordinates (x, y, 1)."""


def placed(photo_centre: tuple[float, float], scene_centre: tuple[float, float], zoom: float, degrees: float) -> Matrix:
    """From the scene to a photograph that lies in it enlarged by `zoom` and turned by `degrees`."""
    c, s = cos(radians(degrees)) / zoom, sin(radians(degrees)) / zoom
    (px, py), (x, y) = photo_centre, scene_centre
    return np.array([[c, s, px - c * x - s * y], [-s, c, py + s * x - c * y], [0, 0, 1]])


def camera(t: float) -> Matrix:
    """From the picture to the scene, at time `t` from 0 to 1: to the right, and closer towards the middle."""
    eased = (1 - cos(pi * t)) / 2
    view = SCENE_HEIGHT * WIDTH / HEIGHT * (0.985 - 0.06 * sin(pi * t))
    zoom = view / WIDTH
    left = (SCENE_WIDTH - view) * eased
    top = (SCENE_HEIGHT - view * HEIGHT / WIDTH) * 0.5
    return np.array([[zoom, 0, left], [0, zoom, top], [0, 0, 1]])


def person(t: float) -> Matrix:
    """From the scene to the photograph of the person, who sways and comes a little closer."""
    centre = (200 + 9 * sin(2 * pi * t), 250 + 5 * sin(2 * pi * t + 1))
    return placed(centre, (SEAM / 2, SCENE_HEIGHT / 2), 0.86 + 0.05 * t, 1.0 * sin(pi * t))


def cat(t: float) -> Matrix:
    """From the scene to the photograph of the cat, which tilts its head."""
    centre = (BORDER + 193 + 8 * sin(1.5 * pi * t + 2), BORDER + 152 + 6 * sin(2 * pi * t))
    return placed(centre, ((SEAM + SCENE_WIDTH) / 2, SCENE_HEIGHT / 2), 1.12 - 0.04 * t, 2.0 * sin(2 * pi * t + 0.5))


def continued(photo: np.ndarray) -> Image.Image:
    """The photograph, mirrored outwards by BORDER pixels and more out of focus the farther out."""
    mirrored = np.pad(photo, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), mode="reflect")
    soft = Image.fromarray(mirrored).filter(ImageFilter.GaussianBlur(14))
    sharp = np.zeros(mirrored.shape[:2], np.uint8)
    sharp[BORDER + 8 : -BORDER - 8, BORDER + 8 : -BORDER - 8] = 255
    share = Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(7))
    return Image.composite(Image.fromarray(mirrored), soft, share)


def seen(photo: Image.Image, picture_to_photo: Matrix) -> np.ndarray:
    """The photograph as the camera sees it: float, HEIGHT x WIDTH x 3."""
    size = (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING)
    # Pixel centres lie at halves; Pillow adds them itself.
    shrink = np.diag([1 / SUPERSAMPLING, 1 / SUPERSAMPLING, 1])
    coefficients = (picture_to_photo @ shrink)[:2].ravel().tolist()
    large = photo.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return np.asarray(large.reduce(SUPERSAMPLING), dtype=np.float32)


def frame(t: float, left: Image.Image, right: Image.Image) -> np.ndarray:
    """One picture of the clip: uint8, HEIGHT x WIDTH x 3."""
    view = camera(t)
    scene_x = view[0, 0] * (np.arange(WIDTH) + 0.5) + view[0, 2]
    share = np.clip((scene_x - SEAM) / (2 * FEATHER) + 0.5, 0, 1)[None, :, None]
    mixed = (1 - share) * seen(left, person(t) @ view) + share * seen(right, cat(t) @ view)
    return mixed.round().clip(0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the mp4 to write")
    output = parser.parse_args().output
    left, right = Image.fromarray(data.astronaut()), continued(data.chelsea())
    with VideoWriter(output, WIDTH, HEIGHT, FPS) as writer:
        for index in range(FRAMES):
            writer.write(frame(index / (FRAMES - 1), left, right))


if __name__ == "__main__":
    main()
