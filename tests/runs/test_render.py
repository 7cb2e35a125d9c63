"""Corrected tracks and their video become what editors use, and come back from it."""

import json

import av
import numpy as np
import pytest
from PIL import Image

from chronomask.cli import main
from chronomask.errors import InputError
from chronomask.outputs.choice import Outputs
from chronomask.outputs.cutout import GREEN
from chronomask.runs.render import render
from chronomask.runs.whole_video import segment
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import open_source
from chronomask.video import writer as room
from films import film
from segmenter.colour import ColourEngine, moving_objects, settings

TIMES = [0, 40, 80, 200, 240, 280, 320, 360, 400, 440, 480, 520]
"""Of the frames, in thousandths of a second: one is held longer than the others."""


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Coloured objects with a tone."""
    path = tmp_path_factory.mktemp("video") / "clip.mkv"
    return film(path, list(moving_objects(12)), "ffv1", "bgr0", times=TIMES, sounds=["flac"])


@pytest.fixture(scope="module")
def result(video):
    return segment(video, Segmenter(ColourEngine(4), settings(4, 2)))


@pytest.fixture(scope="module")
def tracks(result, tmp_path_factory):
    out = tmp_path_factory.mktemp("tracks")
    result.save(out, overlay=False)
    return out / "tracks.json"


def test_a_cutout_of_nobody_is_refused_before_the_work(video, result, tracks, tmp_path):
    with pytest.raises(InputError, match="there is no track 7; found: 1, 2, 3"):
        render(tracks, video, tmp_path / "out", Outputs(cutout="png", cutout_tracks="1,7"))
    with pytest.raises(InputError, match="there is no track 7; found: 1, 2, 3"):
        result.save(tmp_path / "out", cutout="png", cutout_tracks="7")
    assert not (tmp_path / "out").exists()


def test_the_table_is_that_of_segment(video, result, tracks, tmp_path):
    result.save(tmp_path / "made", overlay=False, csv=True)
    assert render(tracks, video, tmp_path / "out", Outputs(overlay=False, csv=True)) == [
        tmp_path / "out" / "tracks.csv"
    ]
    table = (tmp_path / "out/tracks.csv").read_text()
    assert table == (tmp_path / "made/tracks.csv").read_text()
    assert table.count("\n") > 12
    with pytest.raises(InputError, match=r"nothing to write: .* or --csv"):
        render(tracks, video, tmp_path / "other", Outputs(overlay=False))


def frames_of(path, decoder=None):
    """Times in thousandths of a second and RGBA pixels, and the seconds of sound."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = av.CodecContext.create(decoder, "r") if decoder else stream.codec_context
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [frame for packet in (*packets, None) for frame in context.decode(packet)]
        times = [round(1000 * float(frame.pts * stream.time_base)) for frame in frames]
        pixels = np.array([frame.to_ndarray(format="rgba") for frame in frames])
    with av.open(str(path)) as container:
        sound = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
    return times, pixels, sound


def masks_of(result):
    return np.array([np.asarray(frame.masks).any(0) for frame in result])


@pytest.mark.parametrize(
    ("kind", "ending", "decoder"), [("mov", ".mov", None), ("webm", ".webm", "libvpx-vp9"), ("matte", ".mp4", None)]
)
def test_videos_for_editors_come_back(video, result, tracks, tmp_path, kind, ending, decoder):
    outputs = Outputs(overlay=False, cutout=kind, cutout_tracks="together", feather=0.0)
    (folder,) = render(tracks, video, tmp_path / "out", outputs)
    times, pixels, sound = frames_of(folder / f"together{ending}", decoder)
    assert times == TIMES
    assert sound == pytest.approx(0.52, abs=0.06)
    masks = masks_of(result)
    alpha = pixels[..., 0 if kind == "matte" else 3].astype(int)
    assert np.abs(alpha - 255 * masks).mean() < 8
    assert ((alpha > 127) == masks).mean() > 0.98
    if kind != "matte":
        shown = np.abs(pixels[..., :3].astype(int) - moving_objects(12))[masks]
        assert np.median(shown) < 12


def test_prores_has_the_pixel_format_that_timelines_expect(video, tracks, tmp_path):
    (folder,) = render(tracks, video, tmp_path / "out", Outputs(overlay=False, cutout="mov"))
    with av.open(str(next(folder.iterdir()))) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.codec_tag, context.pix_fmt[:8]) == ("prores", "ap4h", "yuva444p")


def test_images(video, result, tracks, tmp_path):
    for feather in (0.0, 2.0):
        outputs = Outputs(overlay=False, cutout="png", cutout_tracks="together", feather=feather)
        (folder,) = render(tracks, video, tmp_path / str(feather), outputs)
        alpha = np.array(Image.open(folder / "together/00003.png"))[..., 3]
        assert ((alpha > 127) == masks_of(result)[3]).mean() > 0.99


@pytest.mark.parametrize("background", ["green", "blur", "picture"])
def test_other_backgrounds(video, result, tracks, tmp_path, background):
    picture = tmp_path / "wide.png"
    Image.new("RGB", (400, 50), (250, 10, 200)).save(picture)
    name = str(picture) if background == "picture" else background
    (path,) = render(tracks, video, tmp_path / "out", Outputs(overlay=False, background=name))
    times, pixels, sound = frames_of(path)
    assert times == TIMES
    assert sound > 0.4
    masks, film_ = masks_of(result), moving_objects(12)
    assert np.median(np.abs(pixels[..., :3].astype(int) - film_)[masks]) < 15
    ground = np.median(pixels[..., :3][~masks], axis=0)
    expected = {"green": GREEN, "picture": (250, 10, 200)}
    if background in expected:
        np.testing.assert_allclose(ground, expected[background], atol=12)
    else:
        assert pixels[..., :3][~masks].mean() > film_[~masks].mean() + 2  # the colours of the objects run out


def test_an_encoder_that_drops_alpha_is_found_out(video, tracks, tmp_path, monkeypatch):
    """As prores_ks does for profile hq, without a word."""
    monkeypatch.setitem(room.PRORES.options, "profile", "hq")
    monkeypatch.setitem(room.PRORES.options, "alpha_bits", "0")
    with pytest.raises(RuntimeError, match="prores_ks of this FFmpeg drops the alpha channel"):
        render(tracks, video, tmp_path / "out", Outputs(overlay=False, cutout="mov"))
    assert not (tmp_path / "out/cutouts").exists()


def test_corrected_tracks_are_drawn_without_a_network(video, result, tracks, tmp_path, capsys):
    number = result.tracks[0].id
    assert main(["edit", str(tracks), f"relabel:{number}=object", "--out", str(tmp_path / "corrected.json")]) == 0
    out = tmp_path / "drawn"
    command = ["render", str(tmp_path / "corrected.json"), "--video", str(video), "--out", str(out)]
    assert main([*command, "--classes", "object", "--masks", "png"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["masks", "overlay.mp4"]
    ids = {value for path in (out / "masks").iterdir() for value in np.unique(np.array(Image.open(path)))}
    assert ids == {0, number}
    assert f"written: {out / 'overlay.mp4'}" in capsys.readouterr().out
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*command, "--overwrite", "--classes", "objekt"]) == 2
    assert "close ones are object" in capsys.readouterr().err


def test_a_recording_holds_the_selected_frames_alone(video, tracks, tmp_path):
    content = json.loads(tracks.read_text())
    for name, source in (
        ("file", content["info"]["source"]),
        ("live", {"fingerprint": None, "every": 2}),
        ("mine", "?"),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({**content, "info": {"source": source}}))
        render(tmp_path / f"{name}.json", video, tmp_path / name, Outputs(masks="png"))
    masks = [[path.read_bytes() for path in sorted((tmp_path / name / "masks").iterdir())] for name in ("file", "live")]
    assert len(masks[0]) == 12
    assert masks[0] == masks[1]


def test_what_cannot_be_meant(video, tracks, tmp_path):
    out = tmp_path / "out"
    other = film(tmp_path / "other.mkv", [image[:40] for image in moving_objects(12)], "ffv1", "bgr0")
    with pytest.raises(InputError, match="other: 64x40 pixels, the tracks are of a video of 64x48"):
        render(tracks, other, out, Outputs())
    for length, message in ((9, "9 frames could be read, 12 when it was segmented"), (14, "has more frames")):
        changed = film(tmp_path / f"{length}.mkv", list(moving_objects(length)), "ffv1", "bgr0")
        with pytest.raises(InputError, match=message):
            render(tracks, changed, out, Outputs())
    with pytest.raises(InputError, match="nothing to write"):
        render(tracks, video, out, Outputs(overlay=False))
    with pytest.raises(InputError, match=r"background .*nowhere.png.: must be green, blur or a picture, and there"):
        render(tracks, video, out, Outputs(background=str(tmp_path / "nowhere.png")))
    with pytest.raises(InputError, match="feather 80"):
        Outputs(feather=80.0)
    assert not out.exists()


def test_the_frames_that_the_tracks_speak_of(video, tmp_path):
    segmenter = Segmenter(ColourEngine(4), settings(4, 2))
    segment(video, segmenter, start=0.1, every=2).save(tmp_path / "part", overlay=False)
    content = json.loads((tmp_path / "part/tracks.json").read_text())
    assert content["videos"][0]["length"] == 5
    (path,) = render(tmp_path / "part/tracks.json", video, tmp_path / "out", Outputs())
    assert len(list(open_source(path))) == 5
