"""Everything that frames may come from gives the same frames."""

import numpy as np
import pytest
from PIL import Image

from chronomask.errors import InputError
from chronomask.video import Selection, VideoWriter, open_source


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 24, 32, 3), np.uint8)


def reused(images):
    """As cameras and decoders do, in one buffer."""
    buffer = np.empty_like(images[0])
    for image in images:
        buffer[:] = image
        yield buffer


@pytest.fixture
def sources(images, tmp_path):
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return {
        "array": images,
        "list": list(images),
        "generator": reused(images),
        "pictures": [Image.fromarray(image) for image in images],
        "paths": [tmp_path / f"{number}.png" for number in range(5)],
        "folder": tmp_path,
        "pattern": f"{tmp_path}/*.png",
        "source": open_source(tmp_path),
    }


@pytest.mark.parametrize("kind", ["array", "list", "generator", "pictures", "paths", "folder", "pattern", "source"])
def test_frames_of_every_kind(sources, images, kind):
    source = open_source(sources[kind])
    assert (source.width, source.height, source.fps) == (32, 24, 25.0)
    assert source.length == (None if kind == "generator" else 5)
    frames = list(source)
    np.testing.assert_array_equal([frame.image for frame in frames], images)
    assert [(frame.index, frame.time) for frame in frames] == [(number, number / 25) for number in range(5)]
    if kind == "generator":
        with pytest.raises(InputError, match="pass by once"):
            next(iter(source))
    else:
        assert len(list(source.frames(skip=2))) == 3


@pytest.mark.parametrize("kind", ["array", "generator"])
def test_a_part_of_them(sources, images, kind):
    source = open_source(sources[kind], 10.0, Selection(start=0.1, end=0.4, every=2))
    assert source.fps == 5
    found = [(frame.index, frame.time) for frame in source]
    assert found == [(0, 0.1), (1, 0.3)]
    assert source.length in (2, None)


def test_single_pictures(images):
    for picture in (images[0], Image.fromarray(images[0])):
        (frame,) = open_source(picture)
        np.testing.assert_array_equal(frame.image, images[0])


def test_pictures_are_upright(images):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(images[0])
    picture.info["exif"] = exif.tobytes()
    (frame,) = open_source([picture])
    np.testing.assert_array_equal(frame.image, np.rot90(images[0], 3))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([], "no frame"),
        (np.zeros((0, 4, 4, 3), np.uint8), "no frame"),
        (np.zeros((2, 4, 4, 3)), r"frame 0: is float64 of shape \(4, 4, 3\); wanted is uint8"),
        (np.zeros((4, 4), np.uint8), "frame 0: is uint8 of shape"),
        ([np.zeros((4, 4, 4), np.uint8)], "frame 0"),
        ([3, 4], "frame 0"),
    ],
)
def test_what_is_no_source(source, message):
    with pytest.raises(InputError, match=message):
        open_source(source)


def test_a_number_is_a_camera(monkeypatch, tmp_path):
    path = tmp_path / "camera.mp4"
    with VideoWriter(path, 32, 24, 25.0) as writer:
        writer.write(np.zeros((24, 32, 3), np.uint8))
    monkeypatch.setattr("chronomask.video.streams.camera_address", lambda text, platform: (None, str(path)))
    source = open_source(3)
    assert (source.name, source.live, source.again) == ("camera3", True, False)
    assert len(list(source)) == 1
