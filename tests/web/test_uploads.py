"""Uploads that nobody should send: each is refused with a status and a sentence, and nothing of it is left."""

import http.client
import struct
import zlib

import numpy as np
import pytest
from tests.web.served import Client, files_below, serving

from chronomask.web.limits import Limits
from films import film


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")
    with serving(folder, Limits(upload_bytes=2**20, pixels=640 * 480, frames=50, free_bytes=1)) as port:
        yield Client(port), folder


def _png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def _film(path, count=3, size=(48, 64), **options):
    return film(path, [np.full((*size, 3), 90, np.uint8)] * count, **options).read_bytes()


HOSTILE = {
    "a page": (lambda path: b"<html><script>alert(1)</script></html>" * 50, "not a video"),
    "a playlist": (lambda path: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "not a video"),
    "a list of files": (lambda path: b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a video"),
    "a picture that claims to be huge": (lambda path: _png(60_000, 60_000), "not a video"),
    "frames that are too large": (lambda path: _film(path, size=(640, 640)), "frames of 640x640; 307,200 pixels"),
    "too many frames": (lambda path: _film(path, 60), "60 frames; 50 are possible"),
    "one that was cut off": (lambda path: _film(path, 30)[:700], "not a video, or one that was cut off"),
    "sound alone": (lambda path: _sound(path), "holds no video stream"),
    "an archive": (lambda path: b"PK\x03\x04" + bytes(3000), "not a video"),
}


def _sound(path):
    import wave

    with wave.open(str(path.with_suffix(".wav")), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(4000))
    import av

    with av.open(str(path.with_suffix(".wav"))) as source, av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        for frame in source.decode(audio=0):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_videos_are_refused_and_nothing_is_left(small, tmp_path, kind):
    client, folder = small
    make, sentence = HOSTILE[kind]
    job = client.json("POST", "/api/projects?name=holiday.mp4", make(tmp_path / "made.mp4"))
    done = next(other for other in client.settled()["jobs"] if other["id"] == job["id"])
    assert (done["state"], done["error"].startswith(f"holiday: {sentence}")) == ("failed", True), done["error"]
    assert str(folder) not in done["error"]
    assert client.json("GET", "/api/session")["projects"] == []
    assert [name for name in files_below(folder) if not name.endswith("used")] == []


def test_names_are_no_paths(small):
    client, folder = small
    for name in ("..%2F..%2Fx.mp4", "..%5Cx.mp4", "a%00.mp4", "%2Fetc%2Fx.mp4", "", "..", "x" * 300 + ".mp4"):
        status, sentence = client.status("POST", f"/api/projects?name={name}", b"x")
        assert (status, "must be the name of a file, without folders" in sentence) == (400, True)
    assert client.status("POST", "/api/projects?name=x.m3u8", b"x")[0] == 415
    assert client.status("POST", "/api/projects?name=x.mp4", b"") == (400, "the upload is empty")
    assert [name for name in files_below(folder) if not name.endswith("used")] == []


def test_two_gigabytes_are_refused_before_they_are_sent(small):
    client, folder = small
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    connection.putrequest("POST", "/api/projects?name=large.mp4")
    connection.putheader("content-length", str(2 * 2**30))
    connection.putheader("cookie", "; ".join(f"{name}={value}" for name, value in client.cookies.items()))
    connection.endheaders(b"begin")
    answer = connection.getresponse()
    assert (answer.status, b"at most 1,048,576 are taken" in answer.read()) == (413, True)
    connection.close()
    pieces = (b"x" * 2**16 for _ in range(40))  # which do not say how many they are
    try:
        status, sentence = client.status("POST", "/api/projects?name=large.mp4", pieces)
        assert (status, "more than 1,048,576 bytes" in sentence) == (413, True)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server hangs up in the middle
    assert [name for name in files_below(folder) if not name.endswith("used")] == []


def test_a_full_disk_is_told(tmp_path):
    with serving(tmp_path, Limits(free_bytes=2**60)) as port:
        client = Client(port)
        assert client.status("POST", "/api/projects?name=x.mp4", b"x") == (
            507,
            "the disk has no room for this upload",
        )
        assert [name for name in files_below(tmp_path) if not name.endswith("used")] == []
