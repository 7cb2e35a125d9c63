"""Small data sets on disk."""

import json

import numpy as np
from PIL import Image

from chronomask import rle
from chronomask.categories import Category

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


PALETTE = [channel for index in range(256) for channel in (index * 37 % 256, index * 91 % 256, index * 53 % 256)]


def write_palette(path, indices):
    """An image whose pixels are the indices themselves, as VOC's masks are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(indices, dtype=np.uint8))
    image.putpalette(PALETTE)
    image.save(path)


def write_voc(root, images, lists=None):
    """Writes the folders of Pascal VOC.

    `images`: by name, the pixels (H W 3), the object image and the class image (or None), and the names in the xml (or
    None). `lists`: by name of a list, names of images.
    """
    (root / "JPEGImages").mkdir(parents=True)
    for name, (pixels, objects, classes, xml) in images.items():
        Image.fromarray(pixels).save(root / "JPEGImages" / f"{name}.jpg")
        write_palette(root / "SegmentationObject" / f"{name}.png", objects)
        if classes is not None:
            write_palette(root / "SegmentationClass" / f"{name}.png", classes)
        if xml is not None:
            (root / "Annotations").mkdir(exist_ok=True)
            named = "".join(f"<object><name>{entry}</name></object>" for entry in xml)
            (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{named}</annotation>")
    for name, listed in (lists or {}).items():
        path = root / "ImageSets" / "Segmentation" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{entry}\n" for entry in listed))
    return root
