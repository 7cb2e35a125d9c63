"""Pictures as people have them: one reading of them for training, segment and predict."""

from __future__ import annotations

import json
import re
import shutil
import struct
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.annotations.records import VideoEntry
from chronomask.cli import main
from chronomask.data.sources import open_reader
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.video import open_frames, open_source
from chronomask.video.pictures import PictureFile, opened, read_picture

CASES = Path(__file__).with_name("cases")
SHOWN = np.zeros((24, 40, 3), np.uint8)
SHOWN[:8, :8], SHOWN[:, 32:] = 255, (200, 0, 0)  # every turn and mirroring shows
STORED = {  # how a picture lies in the file that is shown as above: the meaning of the tag
    1: SHOWN,
    2: SHOWN[:, ::-1],
    3: SHOWN[::-1, ::-1],
    4: SHOWN[::-1],
    5: SHOWN.transpose(1, 0, 2),
    6: SHOWN[:, ::-1].transpose(1, 0, 2),
    7: SHOWN[::-1, ::-1].transpose(1, 0, 2),
    8: SHOWN[::-1].transpose(1, 0, 2),
}


def saved(path: Path, pixels: np.ndarray, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if path.suffix == ".webp" else {}
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_of_every_kind_of_file(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = saved(tmp_path / f"a{suffix}", STORED[orientation], orientation)
    np.testing.assert_array_equal(read_picture(path), SHOWN)
    with closing(PictureFile(path)) as picture:
        assert picture.size(0) == (40, 24)
    source = open_source(tmp_path)
    assert (source.width, source.height, source.damage) == (40, 24, None)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_tag_without_a_meaning_turns_nothing(tmp_path: Path, orientation: int) -> None:
    np.testing.assert_array_equal(read_picture(saved(tmp_path / "a.png", SHOWN, orientation)), SHOWN)


def test_a_tag_behind_the_pixels_turns_nothing(tmp_path: Path) -> None:
    content = saved(tmp_path / "a.png", SHOWN, 6).read_bytes()
    start = content.index(b"eXIf") - 4
    end = start + 12 + struct.unpack(">I", content[start : start + 4])[0]
    rest = content[:start] + content[end:]
    place = rest.index(b"IEND") - 4
    (tmp_path / "a.png").write_bytes(rest[:place] + content[start:end] + rest[place:])
    np.testing.assert_array_equal(next(iter(open_source(tmp_path))).image, SHOWN)


def test_annotations_are_of_the_picture_as_displayed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", STORED[6], 6)
    assert read_picture(path, (40, 24)).shape == (24, 40, 3)
    sizes = r"a\.png: 40x24 pixels as displayed \(24x40 as stored, EXIF orientation 6\), the annotations say 24x40"
    with pytest.raises(InputError, match=sizes):
        read_picture(path, (24, 40))
    with pytest.raises(InputError, match=r"40x24 pixels as displayed \(24x40 as stored.*the annotations say 7x7"):
        read_picture(path, (7, 7))


def test_upside_down_stills_annotated_as_displayed() -> None:
    reader = open_reader(CASES / "exif-upside-down/instances.json", None)
    for index in range(len(reader)):
        clip = reader.load(index)
        red = clip.frames[0, 0].int() - clip.frames[0, 1].int() > 60
        overlap = (red & clip.masks[0, 0]).sum() / (red | clip.masks[0, 0]).sum()
        assert overlap > 0.9


def test_tracks_beside_their_tagged_frames_lie_where_the_overlay_has_them(tmp_path: Path) -> None:
    frames = tmp_path / "JPEGImages"
    shutil.copytree(CASES / "exif-own-loop/JPEGImages", frames)
    source = open_source(frames)
    images = [frame.image for frame in source]
    bright = tuple(rle.encode(image[..., 0] > 128) for image in images)
    video = VideoEntry(1, source.name, source.width, source.height, len(images), source.fps, source.file_names)
    instances = tmp_path / "instances.json"
    write_tracks(instances, [video], [], [], {})
    content = json.loads(instances.read_text())
    content["categories"].append({"id": 0, "name": "object"})
    content["annotations"].append({"id": 1, "video_id": 1, "category_id": 0, "iscrowd": 0, "segmentations": bright})
    instances.write_text(json.dumps(content))
    clip = open_reader(tmp_path, None).load(0, range(len(images)))
    np.testing.assert_array_equal(clip.frames.permute(0, 2, 3, 1).numpy(), np.stack(images))
    assert (clip.masks[0] == (clip.frames[:, 0] > 128)).all()
    assert main(["dataset", "preview", str(tmp_path), "--out", str(tmp_path / "p.png"), "--width", "200"]) == 0


@pytest.mark.parametrize(("name", "fits"), [("stored.json", False), ("shown.json", True)])
def test_training_and_predict_take_one_size_for_the_right_one(
    name: str, fits: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES / "exif-predict-contradiction"
    assert main(["dataset", "info", str(case / name)]) == (0 if fits else 2)
    [video] = json.loads((case / name).read_text())["videos"]
    files = [case / "JPEGImages" / file for file in video["file_names"]]
    size = (video["width"], video["height"])
    if fits:
        assert next(iter(open_frames("v", files, annotated=size))).image.shape == (96, 64, 3)
    else:
        sentence = "0.jpg: 64x96 pixels as displayed (96x64 as stored, EXIF orientation 6), the annotations say 96x64"
        assert sentence in capsys.readouterr().err
        with pytest.raises(InputError) as caught:
            open_frames("v", files, annotated=size)
        assert sentence in str(caught.value)


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    reader = open_reader(CASES / "grey16-white", None)
    stored = np.asarray(Image.open(CASES / "grey16-white/000.png"))
    np.testing.assert_array_equal(reader.load(0).frames[0, 0].numpy(), stored >> 8)
    [first, *_] = open_source(CASES / "grey16-white")
    np.testing.assert_array_equal(first.image[..., 2], stored >> 8)


@pytest.mark.parametrize(
    ("suffix", "stored", "seen"),
    [
        (".png", np.uint16([[0, 0x12FF, 0xFFFF]]), [0, 0x12, 255]),
        (".tif", np.uint16([[0, 0x12FF, 0xFFFF]]), [0, 0x12, 255]),
        (".tif", np.float32([[0, 0.4, 1]]), [0, 102, 255]),
        (".tif", np.float32([[0, 102.4, 255]]), [0, 102, 255]),
        (".tif", np.uint8([[0, 102, 255]]), [0, 102, 255]),
    ],
)
def test_brightness_is_scaled_by_the_kind_of_file(tmp_path: Path, suffix: str, stored: np.ndarray, seen: list) -> None:
    Image.fromarray(stored).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_picture(tmp_path / f"a{suffix}"), np.uint8([[[v] * 3 for v in seen]]))


def test_a_tiff_of_12_bits_uses_all_of_them(tmp_path: Path) -> None:
    strip = bytes([0x80, 0x0F, 0xFF])  # 0x800 and 0xfff
    tags = [(256, 2), (257, 1), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, 3)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    content = b"II*\0" + struct.pack("<I", 12) + strip + b"\0" + struct.pack("<H", len(tags)) + directory + bytes(4)
    (tmp_path / "a.tif").write_bytes(content)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif")[0, :, 0], [0x80, 0xFF])


def test_a_big_endian_16_bit_tiff(tmp_path: Path) -> None:
    image = Image.frombytes("I;16B", (2, 1), bytes([0x12, 0xFF, 0xFF, 0x00]))
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif")[0, :, 0], [0x12, 0xFF])


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.int32([[0, 70000]]), "signed integers or 32 bits"),
        (np.float32([[-1, 1]]), "floating point from -1 to 1; only 0 to 1 and 0 to 255"),
        (np.float32([[0, 4095]]), "floating point from 0 to 4095"),
        (np.float32([[0, np.nan]]), "floating point from nan to nan"),
    ],
)
def test_brightness_without_a_scale_is_refused(tmp_path: Path, stored: np.ndarray, message: str) -> None:
    Image.fromarray(stored).save(tmp_path / "a.tif")
    with pytest.raises(InputError, match=rf"a\.tif: {message}"):
        read_picture(tmp_path / "a.tif")


COLOUR = (200, 100, 50)


@pytest.mark.parametrize(
    ("mode", "suffix", "tolerance"),
    [("RGBA", ".png", 0), ("CMYK", ".jpg", 2), ("YCbCr", ".tif", 2), ("LAB", ".tif", 3)],
)
def test_colours_of_other_kinds(tmp_path: Path, mode: str, suffix: str, tolerance: int) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (9, 9), COLOUR).convert(mode).save(path)
    np.testing.assert_allclose(read_picture(path).reshape(-1, 3), [COLOUR] * 81, atol=tolerance)


def test_a_palette_with_alpha_keeps_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, *COLOUR])
    image.save(tmp_path / "a.png", transparency=bytes([255, 10]))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png")[0, 0], COLOUR)


def moving(count: int) -> list[Image.Image]:
    """Frame i is black, but for white column i."""
    frames = np.zeros((count, 12, 16, 3), np.uint8)
    for index in range(count):
        frames[index, :, index] = 255
    return [Image.fromarray(frame) for frame in frames]


def columns(source) -> list[int]:
    return [int(frame.image[5, :, 0].argmax()) for frame in source]


@pytest.mark.parametrize(
    ("name", "options", "fps"),
    [
        ("a.webp", {"lossless": True, "duration": 50}, 20.0),
        ("a.png", {"duration": 50}, 20.0),
        ("a.gif", {"duration": 50}, 20.0),
        ("a.tif", {}, 25.0),
    ],
)
def test_files_of_many_pictures_are_frames(tmp_path: Path, name: str, options: dict, fps: float) -> None:
    first, *others = moving(5)
    first.save(tmp_path / name, save_all=True, append_images=others, **options)
    alone = open_source(tmp_path / name)
    assert (alone.length, alone.fps, alone.file_names, columns(alone)) == (5, fps, None, [0, 1, 2, 3, 4])
    folder = open_source(tmp_path)
    assert (folder.length, folder.fps, folder.file_names, columns(folder)) == (5, 25.0, None, [0, 1, 2, 3, 4])
    assert columns(folder.frames(skip=3)) == [3, 4]
    with pytest.raises(InputError, match=rf"{name}: holds 5 pictures where one is meant"):
        open_frames("v", [tmp_path / name])
    with pytest.raises(InputError, match=rf"{name}: holds 5 pictures where one is meant"):
        read_picture(tmp_path / name)


def test_the_cases_of_many_pages() -> None:
    case = CASES / "many-page-pictures"
    for name in ("a.webp", "multi.tif"):
        source = open_source(case / name)
        images = np.stack([frame.image for frame in source])
        assert (source.length, len(images)) == (6, 6)
        assert (images[1:] != images[:-1]).any((1, 2, 3)).all()  # the square moves
    floats = next(iter(open_source(case / "f32"))).image
    assert (floats.min(), floats.max()) == (102, 204)  # 0.4 and 0.8 of white


def test_pages_and_single_pictures_mix(tmp_path: Path) -> None:
    first, second, third, fourth = moving(4)
    first.save(tmp_path / "1.png")
    second.save(tmp_path / "2.tif", save_all=True, append_images=[third])
    fourth.save(tmp_path / "3.png")
    assert columns(open_source(tmp_path)) == [0, 1, 2, 3]


def test_thumbnails_and_shows_of_the_frames_are_no_frames(tmp_path: Path) -> None:
    first, second = moving(2)
    small = first.resize((4, 3))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    first.save(tmp_path / "1.tif", save_all=True, append_images=[small], tiffinfo={254: 0})
    with opened(tmp_path / "1.tif") as image:
        image.seek(1)
        marked = image.tag_v2.get(254) == 1
    assert marked, "the file is not as meant"
    second.save(tmp_path / "2.tif")
    first.save(tmp_path / "show.gif", save_all=True, append_images=[second])
    source = open_source(tmp_path)
    assert (columns(source), source.file_names) == ([0, 1], ("1.tif", "2.tif"))


def test_previews_in_photographs_are_no_frames(tmp_path: Path) -> None:
    first, second = moving(2)
    first.save(tmp_path / "1.jpg", "MPO", save_all=True, append_images=[second])
    assert open_source(tmp_path / "1.jpg").length == 1
    assert read_picture(tmp_path / "1.jpg").shape == (12, 16, 3)


def test_a_damaged_page_is_left_out_and_said(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 40, 40, 3), np.uint8)
    first, *others = (Image.fromarray(frame) for frame in noise)
    path = tmp_path / "a.tif"
    first.save(path, save_all=True, append_images=others, compression="tiff_adobe_deflate")
    content = bytearray(path.read_bytes())
    with opened(path) as image:
        image.seek(1)
        place = image.tag_v2[273][0]
    content[place : place + 600] = bytes(600)
    path.write_bytes(content)
    source = open_source(path)
    assert [round(frame.time * 25) for frame in source] == [0, 2]
    assert re.search(r"1 of 3 images are left out: .*a\.tif: cannot be read as an image", str(source.damage))


def png_header(path: Path, width: int, height: int) -> Path:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


@pytest.mark.parametrize(("width", "height"), [(30000, 30000), (12000, 12000)])
def test_more_pixels_than_a_picture_may_have(tmp_path: Path, width: int, height: int) -> None:
    path = png_header(tmp_path / "a.png", width, height)
    for read in (read_picture, open_source):
        with pytest.raises(InputError, match=rf"a\.png: {width}x{height} pixels are more than the 134,217,728"):
            read(path)
    with pytest.raises(InputError, match=r"a\.png: cannot be read as an image"):
        read_picture(png_header(tmp_path / "a.png", 11000, 12000))  # allowed, but there is nothing in it


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".gif", ".bmp"])
@pytest.mark.parametrize("kept", [0.05, 0.6])
def test_cut_off_pictures_give_one_sentence(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match=rf"^.*a\{suffix}: cannot be read as an image: .+$"):
        read_picture(path)


def test_paths_that_were_written_on_windows() -> None:
    case = CASES / "windows-paths"
    for place, images in ((case / "win", case / "win"), (case / "yv", case / "yv/JPEGImages")):
        assert main(["dataset", "info", str(place)]) == 0
        assert main(["dataset", "info", str(place), "--images", str(images)]) == 0
    stills, videos = open_reader(case / "win", None), open_reader(case / "yv", None)
    assert (stills.name(0), videos.name(1)) == ("sub/000.jpg", "vid2")
    assert len(videos.load(1, [0, 3]).frames) == 2
    for video in read_tracks(case / "yv/instances.json").videos:  # as predict has them
        assert open_frames(video.name, [case / "yv/JPEGImages" / name for name in video.file_names or ()]).length == 4
