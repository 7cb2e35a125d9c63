"""How a browser finds frames: by a table of times, and by a copy where it cannot play a file."""

import base64

import av
import numpy as np
import pytest

from chronomask.errors import InputError
from chronomask.progress import silent
from chronomask.video import Selection, VideoWriter, open_source
from chronomask.web import media
from chronomask.web.packets import packets_of
from chronomask.web.tasks import copy, look
from films import film, moving_square


def _table(path):
    return np.frombuffer(path.read_bytes(), "<f8").reshape(2, -1)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("a.mp4", {}, ""),
        ("a.webm", {"codec": "libvpx-vp9"}, ""),
        ("a.mkv", {}, ""),
        ("mpeg4.mp4", {"codec": "mpeg4"}, "browsers do not play mpeg4 in mov"),
        ("hevc.mp4", {"codec": "libx265", "x265-params": "log-level=none"}, "browsers do not play hevc in mov"),
        ("a.avi", {}, "browsers do not play h264 in avi"),
        ("fragments.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}, "its last frames"),
    ],
)
def test_what_browsers_cannot_play_is_known(tmp_path, name, options, reason):
    path = film(tmp_path / name, moving_square(8), **options)
    found = media.looked_at(open_source(path))
    assert (found.copy, reason in found.reason, found.frames) == ("needed" if reason else "", True, 8)


def test_key_frames_that_lie_far_apart_want_a_copy(tmp_path):
    path = film(tmp_path / "long.mp4", [np.zeros((32, 32, 3), np.uint8)] * 700, g="400", preset="ultrafast", bf="0")
    found = media.looked_at(open_source(path))
    assert (found.copy, found.reason) == ("wanted", "its key frames lie far apart")


@pytest.mark.parametrize("bf", ["0", "3"])
def test_frames_are_asked_for_between_their_time_and_the_next(tmp_path, bf):
    times = [500, 540, 700, 710, 1300, 1400]
    path = film(tmp_path / "variable.mkv", moving_square(6), times=times, bf=bf)
    assert media.write_times(tmp_path / "times", path, 0, None) == 6
    shown, asked = _table(tmp_path / "times")
    np.testing.assert_allclose(shown, np.array(times) / 1000)
    np.testing.assert_allclose(asked, [0.52, 0.62, 0.705, 1.005, 1.35, 1.45])


def test_the_table_has_the_frames_that_tracks_speak_of(tmp_path):
    path = film(tmp_path / "a.mp4", moving_square(20), bf="0")
    assert media.write_times(tmp_path / "times", path, 0, Selection(0.2, 0.6, 3)) == 4
    shown, asked = _table(tmp_path / "times")
    np.testing.assert_allclose(shown * 25, [5, 8, 11, 14], atol=1e-6)
    np.testing.assert_allclose(asked * 25, [5.5, 8.5, 11.5, 14.5], atol=1e-6)
    assert media.write_times(tmp_path / "times", path, 7, None) == 7  # a run that was cancelled
    with pytest.raises(InputError, match=r"a\.mp4: 20 frames can be shown, the tracks speak of 21"):
        media.write_times(tmp_path / "times", path, 21, None)


def test_copies_are_whole_in_front_tagged_and_quick_to_enter(tmp_path):
    source = film(tmp_path / "a.avi", moving_square(30, (63, 47)), "ffv1", "bgr0")
    made = copy(silent, str(source), str(tmp_path), 25.0, None, 0)
    assert made == {"length": 30, "width": 63, "height": 47}
    content = (tmp_path / "copy.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content
    with av.open(str(tmp_path / "copy.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (6, 6, 6)
        keys = [packet.is_keyframe for packet in container.demux(stream) if packet.size]
    assert [place for place, key in enumerate(keys) if key] == [0, 12, 24]
    assert _table(tmp_path / "times-copy.bin").shape == (2, 30)
    for frame, image in zip(open_source(tmp_path / "copy.mp4"), moving_square(30, (63, 47)), strict=True):
        assert np.abs(frame.image[:47, :63].astype(int) - image).mean() < 12


def test_folders_of_frames_are_copied(tmp_path):
    from PIL import Image

    for number, image in enumerate(moving_square(3)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    (tmp_path / "out").mkdir()
    found = look(silent, str(tmp_path), str(tmp_path / "out"), "frames")
    assert (found["copy"], found["reason"], found["length"]) == ("needed", "it is a folder of images", 0)


def test_written_video_keeps_its_colours_by_default(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 16, 16, 25.0) as writer:
        writer.write(np.zeros((16, 16, 3), np.uint8))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == 1


def test_pages_are_told_where_the_packets_of_h264_in_mp4_lie(tmp_path):
    path = film(tmp_path / "a.mp4", moving_square(12), bf="2", g="6", sounds=["aac"])
    found = packets_of(path)
    assert found is not None
    content, header = path.read_bytes(), found.description
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.video[0]) if packet.size]
        assert base64.b64decode(header) == container.streams.video[0].codec_context.extradata
    stretches = [content[begin : begin + size] for begin, size in zip(found.offsets, found.sizes, strict=True)]
    assert stretches == [bytes(packet) for packet in packets]
    assert found.keys == [packet.is_keyframe for packet in packets]
    assert found.times != sorted(found.times)  # they come in the order of decoding
    times, _ = media.packet_times(path)
    np.testing.assert_array_equal(np.sort(found.times), times)


@pytest.mark.parametrize(
    ("name", "options"), [("a.mkv", {}), ("a.webm", {"codec": "libvpx-vp9"}), ("a.mp4", {"codec": "mpeg4"})]
)
def test_browsers_decode_all_else(tmp_path, name, options):
    path = film(tmp_path / name, moving_square(4), **options)
    assert packets_of(path) is None
    media.write_times(tmp_path / "times.bin", path, 0, None)
    assert (tmp_path / "times.json").read_bytes() == b"null"
