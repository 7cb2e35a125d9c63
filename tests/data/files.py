"""Small data sets on disk."""

import json

import numpy as np
from PIL import Image

from chronomask import rle
from chronomask.data.categories import Category

NETWORK = (Category(1, "person"), Category(18, "dog"), Category(17, "cat"))
"""The network's classes: the file's ids and order differ from its indices on purpose."""

FILE_CATEGORIES = [{"id": 1, "name": "person"}, {"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}]
FILE_CATEGORIES.append({"id": 99, "name": "unicorn"})


def box(height, width, top, left, bottom, right):
    mask = np.zeros((height, width), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def textured(height, width, seed=0):
    """Smooth random colours, so that moving them by a fraction of a pixel changes little."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def write_stills(folder, images, name="stills.json"):
    """Writes a COCO file.

    `images`: an array (H W 3), a list of (category id, mask or segmentation, fields), and further fields of the image.
    """
    content = {"categories": FILE_CATEGORIES, "images": [], "annotations": []}
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number, (pixels, objects, *more) in enumerate(images):
        height, width = pixels.shape[:2]
        file_name = f"{name.split('.')[0]}-{number}.png"
        Image.fromarray(pixels).save(folder / "images" / file_name)
        image = {"id": number, "file_name": file_name, "height": height, "width": width}
        content["images"].append({**image, **(more[0] if more else {})})
        for category, shape, fields in objects:
            if isinstance(shape, np.ndarray):
                shape, area = rle.encode(shape), int(shape.sum())
            else:
                area = 1000
            entry = {"id": len(content["annotations"]), "image_id": number, "category_id": category, "iscrowd": 0}
            content["annotations"].append({**entry, "segmentation": shape, "area": area, **fields})
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def write_videos(folder, videos, name="videos.json"):
    """Writes a YouTube-VIS file.

    `videos`: frames (T H W 3), and a list of (category id, one mask or None a frame, fields).
    """
    content = {"categories": FILE_CATEGORIES, "videos": [], "annotations": []}
    for number, (frames, objects) in enumerate(videos):
        directory = folder / "JPEGImages" / f"video-{number}"
        directory.mkdir(parents=True, exist_ok=True)
        for index, pixels in enumerate(frames):
            Image.fromarray(pixels).save(directory / f"{index:05d}.png")
        names = [f"video-{number}/{index:05d}.png" for index in range(len(frames))]
        height, width = frames[0].shape[:2]
        video = {"id": number + 1, "height": height, "width": width, "length": len(frames), "file_names": names}
        content["videos"].append(video)
        for category, masks, fields in objects:
            segmentations = [None if mask is None else rle.encode(mask) for mask in masks]
            entry = {"id": len(content["annotations"]) + 1, "video_id": number + 1, "category_id": category}
            content["annotations"].append({**entry, "segmentations": segmentations, "iscrowd": 0, **fields})
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def small_set(folder):
    """Two stills and one video with three kinds of objects; returns the two files."""
    stills = [
        (textured(50, 70, seed), [(1, box(50, 70, 5, 5, 45, 30), {}), (17, box(50, 70, 10, 35, 48, 68), {})])
        for seed in range(2)
    ]
    frames = [textured(48, 64, seed) for seed in range(5)]
    masks = [box(48, 64, 8, 4 + 6 * index, 40, 30 + 6 * index) for index in range(5)]
    return write_stills(folder, stills), write_videos(folder, [(frames, [(18, masks, {})])])
