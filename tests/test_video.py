import os
import struct
from fractions import Fraction

import av
import av.stream
import numpy as np
import pytest
from PIL import Image

from chronomask.errors import InputError
from chronomask.video import VideoWriter, images, open_frames, open_source
from chronomask.video.writer import H264, MATTE, PRORES, VP9

RED, GREEN, BLUE = (200, 30, 30), (20, 180, 40), (30, 60, 220)


def picture(width, height, brightness=0):
    """Red left, green top right, blue bottom right: every turn and mirroring shows."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :, width // 2 :] = BLUE
    return image + np.uint8(brightness)


def corners(image):
    """The colours a little inside of the four corners, clockwise from the top left."""
    return [tuple(int(c) for c in image[y, x]) for y, x in ((4, 4), (4, -5), (-5, -5), (-5, 4))]


def assert_corners(image, expected, tolerance=6):
    np.testing.assert_allclose(corners(image), expected, atol=tolerance)


def make_video(path, frames=10, size=(64, 48), codec="libx264", pix_fmt="yuv420p", rate=25, **options):
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(*size, index), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def make_folder(path, names, size=(20, 14)):
    path.mkdir()
    for brightness, name in enumerate(names):
        Image.fromarray(picture(*size, brightness)).save(path / name)
    return path


def test_video_file(tmp_path):
    source = open_source(make_video(tmp_path / "clip.mp4"))
    assert (source.name, source.width, source.height, source.fps) == ("clip", 64, 48, 25.0)
    assert (source.length, source.file_names, source.damage) == (10, None, None)
    assert open_source(make_video(tmp_path / "quick.mp4", rate=1000)).fps == 1000
    assert open_source(make_video(tmp_path / "clock.mkv", rate=1000)).fps == 25  # so browsers say nothing of a rate
    for _ in range(2):
        frames = list(source)
        assert [frame.index for frame in frames] == list(range(10))
        np.testing.assert_allclose([frame.time for frame in frames], np.arange(10) / 25, atol=1e-6)
        assert_corners(frames[0].image, [RED, GREEN, BLUE, RED])
    assert source.damage is None


def test_order_is_that_of_display_with_b_frames(tmp_path):
    source = open_source(make_video(tmp_path / "b.mp4", 24, bf="3", g="12", crf="5", **{"x264-params": "b-adapt=0"}))
    frames = list(source)
    brightness = [int(frame.image[..., 0].mean().round()) for frame in frames]
    assert brightness == sorted(brightness)
    assert brightness[-1] - brightness[0] > 15
    assert np.diff([frame.time for frame in frames]).min() > 0.03


def turn(path, matrix):
    """Put the upper left 2 x 2 of a display matrix into the track header of an mp4, as telephones do."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44  # type, flags, times, ids, layer and volume stand before it
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    assert data[place : place + 36] == identity
    (a, b), (c, d) = matrix
    data[place : place + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (((0, 1), (-1, 0)), [RED, RED, GREEN, BLUE]),  # a telephone held upright
        (((0, -1), (1, 0)), [GREEN, BLUE, RED, RED]),
        (((-1, 0), (0, -1)), [BLUE, RED, RED, GREEN]),
    ],
)
def test_rotation_of_the_file_is_applied(tmp_path, matrix, expected):
    source = open_source(turn(make_video(tmp_path / "turned.mp4", 3), matrix))
    assert (source.width, source.height) == ((64, 48) if matrix[0][0] else (48, 64))
    for frame in source:
        assert frame.image.shape == (source.height, source.width, 3)
        assert_corners(frame.image, expected)


@pytest.mark.parametrize(
    ("turned", "sar", "expected"),
    [(False, "64/45", Fraction(64, 45)), (True, "64/45", Fraction(45, 64)), (False, "0/1", 1), (False, "100/1", 1)],
)
def test_pixels_that_are_not_square_stay_and_what_is_written_says_so(tmp_path, turned, sar, expected):
    path = make_video(tmp_path / "dv.mp4", 2, **{"x264-params": f"sar={sar}"})
    source = open_source(turn(path, ((0, 1), (-1, 0))) if turned else path)
    assert (source.width, source.height) == ((48, 64) if turned else (64, 48))
    assert source.pixel_aspect == expected
    for coding in (H264, MATTE, PRORES):
        with VideoWriter.like(source, tmp_path / "written", coding) as writer:
            for frame in source:
                writer.write(np.dstack([frame.image, frame.image[..., :1]]) if coding.alpha else frame.image)
        assert open_source(tmp_path / "written").pixel_aspect == expected


def make_hdr(path, transfer, grey):
    options = f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": options})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        image = np.full((48, 64, 3), grey, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("transfer", "grey", "expected"),
    [
        ("smpte2084", 148, 191),  # 203 nits, which ITU-R BT.2408 has at 58 % of PQ and at 75 % of HLG
        ("smpte2084", 192, 255),  # 1,000 nits
        ("smpte2084", 230, 255),
        ("smpte2084", 0, 0),
        ("arib-std-b67", 191, 191),
    ],
)
def test_hdr_is_hlg_and_what_is_written_says_so(tmp_path, transfer, grey, expected):
    source = open_source(make_hdr(tmp_path / "hdr.mp4", transfer, grey))
    assert source.hdr
    for coding, tags in ((H264, (9, 9, 18)), (PRORES, (9, 9, 18)), (VP9, (9, 9, 18)), (MATTE, (1, 1, 1))):
        with VideoWriter.like(source, tmp_path / "written", coding) as writer:
            for frame in source:
                np.testing.assert_allclose(frame.image[24, 32], expected, atol=3)
                alpha = np.full((48, 64, 1), 255, np.uint8)
                writer.write(np.dstack([frame.image, alpha]) if coding.alpha else frame.image)
        with av.open(str(tmp_path / "written")) as written:
            frame = next(written.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == tags
        np.testing.assert_allclose(frame.to_ndarray(format="rgb24")[24, 32], expected, atol=4)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [
        ("odd.mkv", "ffv1", "yuv444p", (63, 47)),
        ("full-range.avi", "mjpeg", "yuvj420p", (64, 48)),
        ("deep.mkv", "ffv1", "yuv420p10le", (64, 48)),
        ("old.avi", "mpeg4", "yuv420p", (64, 48)),
    ],
)
def test_other_codecs(tmp_path, name, codec, pix_fmt, size):
    source = open_source(make_video(tmp_path / name, 4, size, codec, pix_fmt))
    frames = list(source)
    assert len(frames) == 4
    assert frames[0].image.shape == (size[1], size[0], 3)
    assert_corners(frames[0].image, [RED, GREEN, BLUE, RED], tolerance=14)


def test_grey_video(tmp_path):
    frame = next(iter(open_source(make_video(tmp_path / "grey.mkv", 2, codec="ffv1", pix_fmt="gray"))))
    assert frame.image.shape == (48, 64, 3)
    assert frame.image.std(axis=2).max() <= 1


def test_times_start_at_the_start_of_the_file(tmp_path):
    """An MPEG transport stream starts its clock anywhere."""
    times = [frame.time for frame in open_source(make_video(tmp_path / "clip.ts", 5))]
    np.testing.assert_allclose(times, np.arange(5) / 25, atol=1e-3)


def test_a_stream_that_changes_its_size_keeps_the_first(tmp_path):
    parts = [make_video(tmp_path / "a.ts", 3).read_bytes(), make_video(tmp_path / "b.ts", 3, (96, 80)).read_bytes()]
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    assert {frame.image.shape for frame in open_source(tmp_path / "both.ts")} == {(48, 64, 3)}


def test_file_cut_off_yields_what_decodes(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", 100, g="10").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 8 // 10])
    source = open_source(tmp_path / "cut.mp4")
    assert source.damage is None
    frames = list(source)
    assert 10 < len(frames) < 90
    assert "cut.mp4" in str(source.damage)
    assert list(source)[-1].index == len(frames) - 1


def test_damage_in_the_middle_is_passed_over(tmp_path):
    data = bytearray(make_video(tmp_path / "clip.mp4", 60, g="10").read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 200] = bytes(200)
    (tmp_path / "clip.mp4").write_bytes(data)
    source = open_source(tmp_path / "clip.mp4")
    frames = list(source)
    assert 45 <= len(frames) < 60
    # The time still counts what is missing, the index does not.
    assert frames[-1].index == len(frames) - 1
    assert frames[-1].time == pytest.approx(59 / 25, abs=1e-3)
    assert "could not be decoded" in str(source.damage)


def test_files_that_are_no_videos(tmp_path):
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    (tmp_path / "notes.txt").write_text("no video\n" * 50)
    (tmp_path / "empty.mp4").touch()
    whole = make_video(tmp_path / "whole.mkv", 5).read_bytes()
    (tmp_path / "head.mkv").write_bytes(whole[:600])
    for name in ("text.mp4", "notes.txt", "empty.mp4", "head.mkv"):
        with pytest.raises(InputError, match=rf"{name}: (not a video|not one frame|holds no)"):
            open_source(tmp_path / name)
    with pytest.raises(InputError, match=r"none\.mp4: no such file"):
        open_source(tmp_path / "none.mp4")


def make_sound(path, cover=False):
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100)
        if cover:
            picture_stream = container.add_stream("mjpeg")
            picture_stream.width, picture_stream.height, picture_stream.pix_fmt = 64, 48, "yuvj420p"
            picture_stream.disposition = av.stream.Disposition.attached_pic
            frame = av.VideoFrame.from_ndarray(picture(64, 48), format="rgb24")
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            container.mux(picture_stream.encode(frame.reformat(format="yuvj420p")))
            container.mux(picture_stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 44100
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("cover", [False, True])
def test_sound_is_no_video(tmp_path, cover):
    with pytest.raises(InputError, match=r"song\.mp3: holds no video stream"):
        open_source(make_sound(tmp_path / "song.mp3", cover))


def test_folder_is_sorted_naturally(tmp_path):
    folder = make_folder(tmp_path / "shots", ["f10.png", "f9.png", "f1.PNG"])
    (folder / "readme.txt").write_text("not a frame")
    (folder / "._f1.png").write_bytes(b"not a frame")
    source = open_source(folder, fps=10.0)
    assert source.file_names == ("f1.PNG", "f9.png", "f10.png")
    assert (source.name, source.width, source.height, source.fps, source.length) == ("shots", 20, 14, 10.0, 3)
    for _ in range(2):
        assert [(frame.index, frame.time) for frame in source] == [(0, 0.0), (1, 0.1), (2, 0.2)]
        assert [int(frame.image[0, 0, 0]) - RED[0] for frame in source] == [2, 1, 0]


def test_glob_and_one_image(tmp_path):
    make_folder(tmp_path / "a", ["1.png", "2.png"])
    make_folder(tmp_path / "b", ["1.png"])
    source = open_source(str(tmp_path / "*" / "*.png"))
    assert source.file_names == ("a/1.png", "a/2.png", "b/1.png")
    assert open_source(tmp_path / "a" / "*.png").file_names == ("1.png", "2.png")
    assert open_source(tmp_path / "a" / "2.png").length == 1


def test_a_name_with_brackets_is_no_pattern(tmp_path):
    folder = make_folder(tmp_path / "take [1]", ["1.png"])
    assert open_source(folder).length == 1
    assert open_source(folder / "1.png").length == 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = picture(40, 30)
    turns = {1: 0, 3: 2, 6: 1, 8: -1}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.rot90(upright, turns)).save(tmp_path / "1.png", exif=exif)
    source = open_source(tmp_path / "1.png")
    assert (source.width, source.height) == (40, 30)
    np.testing.assert_array_equal(next(iter(source)).image, upright)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16"])
def test_image_modes(tmp_path, mode):
    grey = Image.fromarray(np.full((6, 8), 255, np.uint8))
    image = Image.fromarray(np.full((6, 8), 65535, np.uint16)) if mode == "I;16" else grey.convert(mode)
    image.save(tmp_path / "1.png")
    np.testing.assert_array_equal(next(iter(open_source(tmp_path / "1.png"))).image, np.full((6, 8, 3), 255))


def test_refused_folders_and_globs(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("")
    (tmp_path / "clips").mkdir()
    for name in ("b.mov", "a.mp4", "c.gif"):
        (tmp_path / "clips" / name).write_bytes(b"")
    for path, message in [
        (tmp_path / "clips", "clips: the folder holds videos and no frames of one; name them, such as .*a.mp4, or"),
        (tmp_path / "empty", "empty: the folder is empty"),
        (tmp_path / "texts", "texts: the folder holds no images"),
        (tmp_path / "*.jpg", r"\*\.jpg: no file matches"),
        (tmp_path / "clips" / "*.m*", "matches 2 files, none of them an image .* `chronomask batch` takes videos"),
        (tmp_path / "texts" / "*.txt", "matches 1 files, none of them an image"),
    ]:
        with pytest.raises(InputError, match=message):
            open_source(path)
    with pytest.raises(InputError, match=r"fps 0\.0: must be above 0"):
        open_source(tmp_path, fps=0.0)


def test_frames_of_differing_sizes_name_both(tmp_path):
    folder = make_folder(tmp_path / "shots", ["1.png", "2.png"])
    Image.fromarray(picture(30, 14)).save(folder / "3.png")
    with pytest.raises(InputError, match=r"3\.png is 30x14, but .*1\.png is 20x14"):
        open_source(folder)


def test_unreadable_images_are_left_out(tmp_path):
    folder = make_folder(tmp_path / "shots", ["1.png", "2.png", "3.png"], size=(200, 140))
    data = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(data[: len(data) // 2])
    source = open_source(folder)
    frames = list(source)
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (1, 2 / 25)]
    assert (source.file_names, source.length) == (("1.png", "3.png"), 2)
    assert "1 of 3 images are left out" in str(source.damage)
    (folder / "1.png").write_text("text")
    assert open_source(folder).file_names == ("3.png",)
    (folder / "3.png").write_text("text")
    with pytest.raises(InputError, match=r"1\.png: cannot be read as an image"):
        open_source(folder)


def test_reading_an_image_does_nothing_to_the_others(tmp_path):
    """Else a folder of thirty thousand takes a quarter of a second for each."""
    source = open_source(make_folder(tmp_path / "shots", [f"{number}.png" for number in range(9)]))
    names = source.file_names
    assert len(list(source)) == 9
    assert source.file_names is names


def test_a_piece_of_a_folder_reads_its_own_images_alone(tmp_path, monkeypatch):
    """Else the last piece of a long one reads all that those before it have read."""
    folder = make_folder(tmp_path / "shots", [f"{number}.png" for number in range(9)])
    (folder / "2.png").write_text("text")
    source = open_source(folder)
    expected, times, read = list(source)[5:], source.times(), []
    album = images._Album.read
    monkeypatch.setattr(images._Album, "read", lambda *given: read.append(given[1].file.name) or album(*given))
    found = list(source.frames_from(5, times[5]))
    assert read == ["6.png", "7.png", "8.png"]
    assert [(frame.index, frame.time) for frame in found] == [(frame.index, frame.time) for frame in expected]
    assert len(list(source.frames_from(5, None))) == 3


def test_names_are_looked_through_once_however_many_images_are_unreadable(tmp_path, monkeypatch):
    """Else thirty thousand files that are no images take minutes to be refused."""
    folder = make_folder(tmp_path / "shots", [f"{number}.png" for number in range(9)], size=(200, 140))
    whole = (folder / "8.png").read_bytes()
    for number in range(5):
        (folder / f"{number}.png").write_text("text")
    (folder / "8.png").write_bytes(whole[: len(whole) // 2])
    noted, note = [], images.ImageFiles._note
    monkeypatch.setattr(images.ImageFiles, "_note", lambda source: (noted.append(1), note(source)))
    source = open_source(folder)
    assert (len(noted), source.length) == (1, 4)
    for _ in range(2):
        assert len(list(source)) == 3
        assert (len(noted), source.length, source.file_names) == (2, 3, ("5.png", "6.png", "7.png"))
    assert str(source.damage).startswith("6 of 9 images are left out: ")


def test_listed_images_must_all_be_readable(tmp_path):
    folder = make_folder(tmp_path / "shots", ["1.png", "2.png"])
    (folder / "2.png").write_text("text")
    with pytest.raises(InputError, match=r"2\.png: cannot be read as an image"):
        open_frames("shots", [folder / "1.png", folder / "2.png"])


@pytest.mark.parametrize("size", [(64, 48), (65, 47), (1, 1)])
def test_written_video_comes_back(tmp_path, size):
    path = tmp_path / "new" / "out.mp4"
    with VideoWriter(path, *size, fps=29.97) as writer:
        for _ in range(6):
            writer.write(picture(*size))
        assert not path.exists()
    source = open_source(path)
    assert (source.width, source.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert source.fps == pytest.approx(29.97, abs=0.01)
    frames = list(source)
    assert len(frames) == source.length == 6
    assert frames[-1].time == pytest.approx(5 / 29.97, abs=1e-3)
    if size != (1, 1):
        assert_corners(frames[0].image, [RED, GREEN, BLUE, RED])
        # Padded, not scaled: the border between the colours lies where it lay.
        np.testing.assert_allclose(frames[0].image[4, size[0] // 2 + 2], GREEN, atol=12)


def test_written_times_are_kept_and_the_index_lies_in_front(tmp_path):
    path = tmp_path / "out.mp4"
    times = [5.0, 5.1, 5.5, 5.5, 6.0, 9.0]
    with VideoWriter(path, 64, 48, fps=10.0) as writer:
        for time in times:
            writer.write(picture(64, 48), time)
    np.testing.assert_allclose([frame.time for frame in open_source(path)], np.array(times) - 5, atol=1e-3)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(4.1, abs=1e-2)
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_failed_writing_leaves_nothing(tmp_path):
    def write_wrong_size():
        with VideoWriter(tmp_path / "out.mp4", 64, 48, 25.0) as writer:
            writer.write(picture(64, 48))
            writer.write(picture(48, 64))

    def write_nothing():
        with VideoWriter(tmp_path / "out.mp4", 64, 48, 25.0):
            pass

    with pytest.raises(ValueError, match=r"frame is \(64, 48, 3\), the video \(48, 64, 3\)"):
        write_wrong_size()
    with pytest.raises(ValueError, match="no frame was written"):
        write_nothing()
    with pytest.raises(ValueError, match="0x48"):
        VideoWriter(tmp_path / "out.mp4", 0, 48, 25.0)
    assert os.listdir(tmp_path) == []
