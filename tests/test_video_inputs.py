"""Selections of frames, streams that pass by once, and the sound that goes with written video."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from chronomask.errors import InputError
from chronomask.video import Selection, VideoWriter, open_source, opening, streams
from chronomask.video.writer import PRORES
from films import film, moving_square


def times_of(source):
    return [round(frame.time, 4) for frame in source]


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    """30 s at 10 frames a second, a key frame every 2 s."""
    images = moving_square(300, (16, 16))
    return film(tmp_path_factory.mktemp("film") / "long.mp4", images, rate=10, g="20", preset="ultrafast")


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), range(300)),
        (Selection(start=0.25), range(3, 300)),
        (Selection(end=1.0), range(10)),
        (Selection(start=24.3), range(243, 300)),  # far enough in to be entered there
        (Selection(start=24.3, end=25.0, every=3), range(243, 250, 3)),
        (Selection(every=7), range(0, 300, 7)),
    ],
)
def test_selection_of_a_video(long_film, selection, expected):
    source = open_source(long_film, selection=selection)
    everything = [frame.image for frame in open_source(long_film)]
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(len(expected)))
    np.testing.assert_allclose([frame.time for frame in frames], [number / 10 for number in expected], atol=1e-6)
    for frame, number in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame.image, everything[number])
    assert (source.fps, source.length, source.damage) == (10 / selection.every, len(expected), None)


def test_frames_can_be_passed_over(long_film):
    source = open_source(long_film, selection=Selection(start=1.0, every=2))
    assert [(f.index, round(f.time, 4)) for f in source.frames(skip=3)][:2] == [(3, 1.6), (4, 1.8)]


def test_a_file_that_cannot_be_entered_is_read_from_its_beginning(tmp_path):
    """FFmpeg enters a transport stream at a key frame behind the place that was asked for, here behind the start."""
    path = film(tmp_path / "long.ts", moving_square(300, (16, 16)), rate=10, g="250", preset="ultrafast")
    late = open_source(path, selection=Selection(start=24.3))
    assert times_of(late) == times_of(open_source(path))[243:]


def test_selection_of_images(tmp_path):
    for number in range(10):
        Image.fromarray(np.full((4, 6, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    source = open_source(tmp_path, fps=10.0, selection=Selection(start=0.2, end=0.8, every=2))
    assert source.file_names == ("2.png", "4.png", "6.png")
    assert [(f.time, int(f.image[0, 0, 0])) for f in source] == [(0.2, 2), (0.4, 4), (0.6, 6)]
    assert (source.fps, source.length) == (5.0, 3)


def test_selections_that_hold_nothing(long_film, tmp_path):
    with pytest.raises(InputError, match=r"long\.mp4: no frame lies at 31"):
        open_source(long_film, selection=Selection(start=31.0))
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "1.png")
    with pytest.raises(InputError, match="none of its 1 images lies at 2"):
        open_source(tmp_path, selection=Selection(start=2.0))
    for wrong in ({"start": -1.0}, {"end": 0.0}, {"start": 3.0, "end": 2.0}, {"every": 0}):
        with pytest.raises(InputError):
            Selection(**wrong)


@pytest.mark.parametrize(("name", "sounds"), [("cut.mkv", ()), ("loud.mkv", ("aac",)), ("cut.flv", ())])
def test_a_file_that_counts_no_frames_and_was_cut_off(tmp_path, name, sounds):
    path = film(tmp_path / name, moving_square(100), sounds=sounds, g="10")
    whole = open_source(path)
    assert (len(list(whole)), whole.damage) == (100, None)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = open_source(path)
    assert 10 < len(list(cut)) < 90
    # Which of the two depends on the number of threads that decode.
    assert re.search(r"cut off: \d+ frames, \d\.\d s are missing|could not be decoded", str(cut.damage))


def test_a_last_frame_that_is_held_is_no_damage(tmp_path):
    source = open_source(film(tmp_path / "held.mkv", moving_square(4), times=[0, 100, 200, 4000]))
    assert (len(list(source)), source.damage) == (4, None)


@pytest.mark.parametrize("ending", ["mkv", "flv", "mp4", "ts"])
def test_a_late_start_is_no_damage(tmp_path, ending):
    source = open_source(film(tmp_path / f"late.{ending}", moving_square(10), times=range(5000, 5400, 40)))
    assert (len(list(source)), source.damage) == (10, None)


def test_fingerprints_tell_contents_apart(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / name / "1.png")
        film(tmp_path / f"{name}.mkv", moving_square(3 + (name == "b")), "ffv1")
    (tmp_path / "same.mkv").write_bytes((tmp_path / "a.mkv").read_bytes())
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "b" / "2.png")
    prints = {name: open_source(tmp_path / name).fingerprint() for name in ("a", "b", "a.mkv", "b.mkv", "same.mkv")}
    assert prints["a.mkv"] == prints["same.mkv"]
    assert len(set(prints.values())) == 4


def test_camera(monkeypatch):
    """FFmpeg's test picture stands in for a camera."""
    monkeypatch.setattr(streams, "camera_address", lambda text, platform: ("lavfi", f"testsrc=size=32x{text}:rate=10"))
    source = open_source("24", selection=Selection(end=0.5, every=2))
    assert (source.name, source.live, source.width, source.height, source.fps) == ("camera24", True, 32, 24, 5.0)
    assert times_of(source) == [0.0, 0.2, 0.4]
    assert open_source("camera:24").name == "camera24"


@pytest.mark.parametrize(
    ("platform", "text", "expected"),
    [
        ("linux", "1", ("v4l2", "/dev/video1")),
        ("linux", "/dev/video7", ("v4l2", "/dev/video7")),
        ("darwin", "0", ("avfoundation", "0")),
        ("win32", "HD Camera", ("dshow", "video=HD Camera")),
    ],
)
def test_camera_addresses(platform, text, expected):
    assert streams.camera_address(text, platform) == expected


def test_no_camera_is_there():
    with pytest.raises(InputError, match="camera 77: "):
        open_source("77")


@pytest.fixture
def server():
    """Serves `server.content` without a length, as a live stream comes; or, for .mp4, as a file with one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            if self.path.endswith(".mp4"):
                self.send_header("Content-Length", str(len(self.server.content)))
            self.end_headers()
            self.wfile.write(self.server.content)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_stream_that_stops_gives_what_came(server, tmp_path):
    content = film(tmp_path / "live.ts", moving_square(12), "mpeg2video").read_bytes()
    server.content = content[: len(content) - 400]
    address = f"http://user:secret@127.0.0.1:{server.server_port}/front-door"
    source = open_source(address)
    assert (source.name, source.live, source.length) == ("front-door", True, None)
    times = times_of(source)
    assert 4 <= len(times) < 12
    assert times[0] == 0.0
    assert all(0.03 < later - earlier < 0.05 for earlier, later in pairwise(times))
    assert "secret" not in str(source.damage)


def test_an_address_that_stays_silent(monkeypatch):
    monkeypatch.setattr(opening, "SILENCE", 0.2)
    with pytest.raises(InputError, match=r"udp://127.0.0.1:9: .*nothing came for too long"):
        open_source("udp://127.0.0.1:9")


def test_what_cannot_be_reached_is_not_called_a_bad_video():
    with pytest.raises(InputError, match=r"http://127.0.0.1:9/film.mp4: cannot be opened: "):
        open_source("http://user:secret@127.0.0.1:9/film.mp4")


def test_a_file_behind_an_address_is_no_stream(server, tmp_path):
    options = {"movflags": "+faststart"}
    server.content = film(tmp_path / "film.mp4", moving_square(12), container_options=options).read_bytes()
    source = open_source(f"http://user:secret@127.0.0.1:{server.server_port}/film.mp4")
    assert (source.name, source.live, source.length) == ("film", False, 12)
    assert "secret" not in source.fingerprint()  # which is written into the results
    assert times_of(source) == times_of(source) == [round(index / 25, 4) for index in range(12)]


def sound_of(path):
    """Codec, first moment and length of the sound of a file, in seconds."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        frames = list(container.decode(stream))
        return stream.codec_context.name, frames[0].time, sum(frame.samples for frame in frames) / stream.rate


@pytest.mark.parametrize(
    ("name", "codec", "sounds", "expected"),
    [
        ("a.mp4", "libx264", ["aac"], "aac"),
        ("two.mkv", "libx264", ["aac", "ac3"], "aac"),
        ("a.ts", "libx264", ["aac"], "aac"),
        ("a.avi", "mpeg4", ["pcm_s16le"], "aac"),
        ("a.mkv", "ffv1", ["flac"], "flac"),
        ("b.mkv", "ffv1", ["ac3"], "aac"),
    ],
)
def test_sound_goes_with_the_frames(tmp_path, name, codec, sounds, expected):
    source = open_source(film(tmp_path / name, moving_square(40), codec, sounds=sounds))
    for first, seconds in ((0, 1.6), (20, 0.8)):
        with VideoWriter(tmp_path / "out.mp4", 64, 48, 25.0, source.sound) as writer:
            for frame in source.frames(first):
                writer.write(frame.image, frame.time)
        found, begin, length = sound_of(tmp_path / "out.mp4")
        assert found == expected
        assert 0 <= begin < 0.11
        # Whole packets only, of up to 0.1 s.
        assert begin + length == pytest.approx(seconds, abs=0.11)
    assert len(list(open_source(tmp_path / "out.mp4"))) == 20


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24be"])
def test_sound_of_cameras_is_copied_for_editors(tmp_path, codec):
    source = open_source(film(tmp_path / "a.mov", moving_square(20), sounds=[codec]))
    with VideoWriter.like(source, tmp_path / "out.mov", PRORES) as writer:
        for frame in source:
            writer.write(np.dstack([frame.image, frame.image[..., :1]]), frame.time)
    assert sound_of(tmp_path / "out.mov") == sound_of(tmp_path / "a.mov")
    assert sound_of(tmp_path / "out.mov")[0] == codec


def test_sound_that_breaks_off_does_not_stop_the_pictures(tmp_path):
    path = film(tmp_path / "a.mkv", moving_square(40), "ffv1", sounds=["ac3"])
    path.write_bytes(path.read_bytes()[:-6000])
    with VideoWriter(tmp_path / "out.mp4", 64, 48, 25.0, str(path)) as writer:
        for image in moving_square(40):
            writer.write(image)
    assert sound_of(tmp_path / "out.mp4")[2] < 1.6
    assert len(list(open_source(tmp_path / "out.mp4"))) == 40


def test_pictures_and_sound_that_nothing_here_decodes(tmp_path):
    """As sound of telephones, or films that are protected."""
    path = film(tmp_path / "a.mp4", moving_square(4), sounds=["aac"])
    sound = path.read_bytes().replace(b"mp4a", b"apac").replace(b"esds", b"free")
    (tmp_path / "silent.mp4").write_bytes(sound)
    source = open_source(tmp_path / "silent.mp4")
    assert source.sound is None
    assert len(list(source)) == 4
    (tmp_path / "b.mp4").write_bytes(sound.replace(b"avc1", b"encv"))
    with pytest.raises(InputError, match=r"b\.mp4: cannot be decoded: its codec is not known, or it is protected"):
        open_source(tmp_path / "b.mp4")


def test_no_sound_is_no_fault(tmp_path):
    assert open_source(film(tmp_path / "a.mkv", moving_square(2), "ffv1")).sound is None
    with (
        pytest.raises(InputError, match="sound of the source: there is none that can be decoded"),
        VideoWriter(tmp_path / "out.mp4", 64, 48, 25.0, str(tmp_path / "a.mkv")),
    ):
        pass
    assert not (tmp_path / "out.mp4").exists()
