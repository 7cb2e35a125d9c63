"""From any source to a folder of results: what is written, what is left alone, and what an interruption leaves."""

from __future__ import annotations

import csv
import dataclasses
import errno
import functools
import json
import os
import shlex
import shutil
import signal
import threading
import time

import av
import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.cli import main
from chronomask.config import ClusterConfig, SegmentConfig, StitchConfig
from chronomask.editing import AddClass, Relabel, edit
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks, write_tracks
from chronomask.outputs.choice import Outputs
from chronomask.prompts import Point
from chronomask.render import track_colour
from chronomask.runs import segment as room
from chronomask.runs.interruption import Interrupted
from chronomask.runs.live import Live
from chronomask.runs.segment import TrackRow, _unclear, segment_to_folder
from chronomask.segmenter import load, prompting
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import Selection, open_source, streams
from films import GREEN, film, moving_square
from runs.cameras import SilentCamera
from segmenter.colour import ColourEngine, moving_objects
from tracking.heads import by_membership

pytestmark = pytest.mark.usefixtures("ctrl_c")

EVERYTHING = Outputs(masks="png", cutout="png", csv=True)
NOTHING = Outputs(overlay=False)
KEPT = [".partial/frames.db", ".partial/replaces.json"]


@pytest.fixture
def segmenter():
    """Sees every patch of colour as an object, in clips of four frames."""
    cluster = ClusterConfig(seed_threshold=0.6, minimum_pixels=1)
    config = SegmentConfig(clip_length=4, overlap=2, score=0.0, cluster=cluster)
    return Segmenter(ColourEngine(4), config)


@pytest.fixture
def run(segmenter, tmp_path):
    """Segments a source into `out`."""

    def run(source, out=tmp_path / "out", outputs=NOTHING, **options):
        if not hasattr(source, "frames"):
            source = open_source(source)
        return segment_to_folder(segmenter, source, out, outputs=outputs, **options)

    return run


def tracks_of(out):
    return json.loads((out / "tracks.json").read_text())


def masks_of(out):
    """The masks of all tracks together, frame by frame; None where nobody is."""
    content = tracks_of(out)
    frames = [[] for _ in range(content["videos"][0]["length"])]
    for annotation in content["annotations"]:
        for frame, code in zip(frames, annotation["segmentations"], strict=True):
            frame += [code] if code else []
    return [rle.decode(rle.union(frame)) if frame else None for frame in frames]


def pixels_of(path):
    with Image.open(path) as image:
        return np.array(image)


def turned(path):
    """Notes in the file that it is to be shown a quarter turn clockwise, as telephones do."""
    data = path.read_bytes()
    upright = b"".join(number.to_bytes(4, "big") for number in (1 << 16, 0, 0, 0, 1 << 16))
    place = data.index(upright, data.index(b"tkhd"))
    quarter = [0, 1 << 16, 0, (1 << 32) - (1 << 16), 0]
    path.write_bytes(
        data[:place] + b"".join(number.to_bytes(4, "big") for number in quarter) + data[place + len(upright) :]
    )


ODD_VIDEOS = {
    "10-bit.mkv": {"codec": "ffv1", "pix_fmt": "yuv420p10le"},
    "grey.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "turned.mp4": {},
    "variable.mkv": {"codec": "ffv1", "times": [0, 40, 200, 210, 800, 900, 1000, 1500, 1501, 3000]},
    "odd.mkv": {"codec": "ffv1", "pix_fmt": "yuv444p", "size": (63, 47)},
    "3x1.mkv": {"codec": "ffv1", "pix_fmt": "yuv444p", "size": (3, 1)},
    "1x1.mkv": {"codec": "ffv1", "pix_fmt": "yuv444p", "size": (1, 1)},
    "b-frames.mp4": {"bf": "3", "x264-params": "b-adapt=0"},
    "sound.mp4": {"sounds": ["aac"]},
    "two sounds.mkv": {"sounds": ["aac", "ac3"]},
}


@pytest.mark.parametrize("name", ODD_VIDEOS)
def test_odd_videos(tmp_path, run, name):
    options = dict(ODD_VIDEOS[name])
    images = moving_square(10, options.pop("size", (64, 48)))
    film(tmp_path / name, images, **options)
    if name == "turned.mp4":
        turned(tmp_path / name)
        images = [np.rot90(image, -1) for image in images]
    summary = run(tmp_path / name, outputs=Outputs(csv=True, masks="png"))
    assert summary.frames == 10
    height, width = images[0].shape[:2]
    entry = tracks_of(tmp_path / "out")["videos"][0]
    assert (entry["width"], entry["height"], entry["length"]) == (width, height, 10)
    for image, mask in zip(images, masks_of(tmp_path / "out"), strict=True):
        inside = image.any(axis=2)
        assert mask is not None
        # The objects' cells are 4 pixels wide.
        assert (mask & inside).sum() / (mask | inside).sum() > 0.7
    source = open_source(tmp_path / name)
    expected = [frame.time for frame in source]
    assert source.damage is None
    overlay = open_source(tmp_path / "out/overlay.mp4")
    assert (overlay.width, overlay.height) == (width + width % 2, height + height % 2)
    np.testing.assert_allclose([frame.time for frame in overlay], np.array(expected) - expected[0], atol=2e-3)
    assert (overlay.sound is not None) == ("sound" in name)
    with (tmp_path / "out/tracks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted({float(row["time"]) for row in rows}) == pytest.approx(expected, abs=1e-6)
    assert pixels_of(tmp_path / "out/masks/00009.png").shape == (height, width)


def test_results_say_what_made_them(tmp_path, run, monkeypatch):
    monkeypatch.setattr("chronomask.runs.choice.processor_features", lambda: ("avx2", "avx512f"))
    source = film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    run(source)
    info = tracks_of(tmp_path / "out")["info"]
    assert set(info) == {
        "version",
        "checkpoint_sha256",
        "engine",
        "settings",
        "source",
        "classes",
        "relinked",
        "complete",
    }
    made = {"name": "openvino", "version": "0", "device": "cpu", "precision": "float32"}
    assert info["engine"] == made | {"processor": ["avx2", "avx512f"]}
    assert info["checkpoint_sha256"] == "0" * 64
    assert info["settings"]["clip_length"] == 4
    monkeypatch.setattr("chronomask.runs.choice.processor_features", lambda: ("avx2",))
    with pytest.raises(InputError, match="complete results of a run that differs in its engine"):
        run(source, resume=True)


def test_truncated_video(tmp_path, run):
    whole = film(tmp_path / "a.mp4", moving_square(40), g="5", container_options={"movflags": "+faststart"})
    whole = whole.read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    source = open_source(tmp_path / "a.mp4")
    summary = run(source, outputs=Outputs())
    assert 10 < summary.frames < 40
    assert "a.mp4" in source.damage
    assert tracks_of(tmp_path / "out")["videos"][0]["length"] == summary.frames
    assert len(list(open_source(tmp_path / "out/overlay.mp4"))) == summary.frames


def test_a_damaged_image_is_left_out_of_everything(tmp_path, run):
    (tmp_path / "frames").mkdir()
    for number, image in enumerate(moving_square(9)):
        Image.fromarray(image).save(tmp_path / f"frames/{number}.png")
    data = (tmp_path / "frames/4.png").read_bytes()
    (tmp_path / "frames/4.png").write_bytes(data[:-40])
    assert run(tmp_path / "frames", outputs=Outputs()).frames == 8
    entry = tracks_of(tmp_path / "out")["videos"][0]
    assert entry["file_names"] == [f"{number}.png" for number in range(9) if number != 4]
    assert len(list(open_source(tmp_path / "out/overlay.mp4"))) == 8


def test_results_speak_of_the_selected_frames(tmp_path, run):
    film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    selection = Selection(start=0.4, every=4)
    run(open_source(tmp_path / "a.mkv", selection=selection), outputs=Outputs(csv=True))
    content = tracks_of(tmp_path / "out")
    assert (content["videos"][0]["length"], content["videos"][0]["fps"]) == (5, 6.25)
    assert {"start": 0.4, "end": None, "every": 4}.items() <= content["info"]["source"].items()
    assert content["info"]["complete"] is True
    times = [frame.time for frame in open_source(tmp_path / "out/overlay.mp4")]
    np.testing.assert_allclose(times, np.arange(5) * 0.16, atol=1e-3)
    with (tmp_path / "out/tracks.csv").open() as file:
        assert {(row["frame"], row["time"]) for row in csv.DictReader(file)} == {
            ("0", "0.4"), ("1", "0.56"), ("2", "0.72"), ("3", "0.88"), ("4", "1.04")
        }  # fmt: skip


def test_the_table_of_boxes(tmp_path, run):
    film(tmp_path / "a.mkv", moving_square(6), "ffv1", "bgr0")
    (row,) = run(tmp_path / "a.mkv", outputs=Outputs(csv=True)).tracks
    lines = (tmp_path / "out/tracks.csv").read_text().splitlines()
    assert lines[0] == "track,class,score,class_score,frame,time,x,y,w,h,area"
    assert len(lines) == 7
    for frame, (line, mask) in enumerate(zip(lines[1:], masks_of(tmp_path / "out"), strict=True)):
        rows, columns = np.nonzero(mask)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        about = f"1,{row.name},{row.score},{row.class_score},{frame},{frame / 25}"
        assert line == f"{about},{','.join(map(str, box))},{mask.sum()}"


@pytest.mark.parametrize("relink", [True, False])
def test_what_was_lost_and_found_again_is_one_track_in_the_end(tmp_path, segmenter, relink):
    images = moving_square(22)
    images[8:14] = [np.full_like(images[0], images[0][-1, -1])] * 6
    film(tmp_path / "a.mkv", images, "ffv1", "bgr0")
    config = dataclasses.replace(segmenter.config, relink=relink, stitch=StitchConfig(memory_frames=0))
    forgetful = Segmenter(segmenter.engine, config)
    segment_to_folder(forgetful, open_source(tmp_path / "a.mkv"), tmp_path / "out", outputs=NOTHING)
    content = tracks_of(tmp_path / "out")
    seen = [[i for i, mask in enumerate(track["segmentations"]) if mask] for track in content["annotations"]]
    before, after = list(range(8)), list(range(14, 22))
    assert sorted(seen) == ([before + after] if relink else [before, after])
    assert content["info"]["relinked"] == ([[2, 1]] if relink else [])
    assert content["info"]["settings"]["relink"] == relink


def test_mask_images_hold_track_ids(tmp_path, run):
    film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    run(tmp_path / "a.mkv", outputs=Outputs(overlay=False, masks="png"))
    assert len(list((tmp_path / "out/masks").iterdir())) == 6
    for number, mask in enumerate(masks_of(tmp_path / "out")):
        with Image.open(tmp_path / f"out/masks/{number:05d}.png") as image:
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image), mask)
            assert tuple(image.getpalette()[3:6]) == track_colour(1)


def test_images_cut_out(tmp_path, run):
    film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    run(tmp_path / "a.mkv", outputs=Outputs(overlay=False, cutout="png", feather=0.0))
    frames = [frame.image for frame in open_source(tmp_path / "a.mkv")]
    for number, (mask, frame) in enumerate(zip(masks_of(tmp_path / "out"), frames, strict=True)):
        pixels = pixels_of(tmp_path / f"out/cutouts/1/{number:05d}.png")
        np.testing.assert_array_equal(pixels[..., 3], mask * 255)
        np.testing.assert_array_equal(pixels[..., :3], frame * mask[..., None])


@pytest.mark.parametrize("which", ["all", "together", "1"])
def test_video_cut_out(tmp_path, run, which):
    times = [0, 40, 500, 540, 900, 1000]
    film(tmp_path / "a.mkv", moving_square(6, (63, 47)), "ffv1", "yuv444p", times=times)
    run(tmp_path / "a.mkv", outputs=Outputs(overlay=False, cutout="webm", cutout_tracks=which))
    (path,) = (tmp_path / "out/cutouts").iterdir()
    assert path.name == ("together.webm" if which == "together" else "1.webm")
    decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own knows no alpha
    with av.open(str(path)) as container:
        frames = [frame for packet in container.demux(video=0) if packet.size for frame in decoder.decode(packet)]
    assert [frame.pts for frame in frames] == times
    for frame, mask in zip(frames, masks_of(tmp_path / "out"), strict=True):
        pixels = frame.to_ndarray(format="rgba")
        assert ((pixels[..., 3] > 127) == mask).mean() > 0.98
        np.testing.assert_allclose(np.median(pixels[mask][:, :3], axis=0), GREEN, atol=25)


def test_asking_for_a_cutout_of_nobody(tmp_path, run):
    film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    summary = run(tmp_path / "a.mkv", outputs=Outputs(cutout="png", cutout_tracks="1,7"))
    assert summary.missing == "--cutout-tracks: there is no track 7; found: 1"
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"tracks.json", "overlay.mp4", "cutouts"}
    assert [path.name for path in (tmp_path / "out/cutouts").iterdir()] == ["1"]
    again = run(tmp_path / "a.mkv", outputs=Outputs(cutout="png", cutout_tracks="1,7"), resume=True)
    assert again == summary
    with pytest.raises(InputError, match="'one': all, together, or track ids"):
        Outputs(cutout="png", cutout_tracks="one")
    for which in ("1", "together"):
        with pytest.raises(InputError, match="is for --cutout webm, mov, matte or png"):
            Outputs(cutout_tracks=which)


def test_a_run_is_not_lost_for_a_cutout_of_nobody(tmp_path, segmenter, monkeypatch, capsys):
    source = film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    monkeypatch.setattr(load, "load", lambda *given: segmenter)
    command = ["segment", str(source), "--out", str(tmp_path / "out"), "--cutout", "png", "--cutout-tracks", "7"]
    assert main(command) == 2
    err = capsys.readouterr().err
    assert "chronomask: --cutout-tracks: there is no track 7; found: 1; the rest is written" in err
    assert {"tracks.json", "overlay.mp4"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert not (tmp_path / "out/.partial").exists()
    assert main(told(err)) == 0
    assert list((tmp_path / "out/cutouts").iterdir()) == [tmp_path / "out/cutouts/1"]


def told(message):
    """The command that an error tells to type, as the shell would split it."""
    return shlex.split(message.rpartition(": chronomask ")[2])


@pytest.mark.parametrize("resume", [False, True])
def test_what_is_drawn_later_is_told(tmp_path, run, resume):
    source = film(tmp_path / "a film.mkv", moving_square(6), "ffv1")
    run(source)
    masks = Outputs(masks="png", feather=0.0, csv=True)
    for folder in ("out", "out-more"):  # where there are masks, others are not replaced
        with pytest.raises(InputError, match="render") as error:
            run(source, outputs=dataclasses.replace(masks, cutout=None if folder == "out" else "png"), resume=resume)
        assert main(told(str(error.value))) == 0
        assert (tmp_path / folder / "masks").exists()
    assert {path.name for path in (tmp_path / "out-more").iterdir()} == {"masks", "cutouts", "tracks.csv"}


def test_other_files_are_left_alone(tmp_path, run):
    film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    out = tmp_path / "out"
    (out / "masks").mkdir(parents=True)
    (out / "masks/mine.png").write_text("a drawing")
    (out / "overlay.mp4").write_text("a film")
    with pytest.raises(InputError, match=r"overlay\.mp4: exists already"):
        run(tmp_path / "a.mkv", outputs=Outputs())
    with pytest.raises(InputError, match="masks: exists already"):
        run(tmp_path / "a.mkv", outputs=Outputs(overlay=False, masks="png"))
    with pytest.raises(InputError, match=r"masks: holds mine\.png"):
        run(tmp_path / "a.mkv", outputs=Outputs(overlay=False, masks="png"), overwrite=True)
    run(tmp_path / "a.mkv")
    assert (out / "masks/mine.png").read_text() == "a drawing"
    assert (out / "overlay.mp4").read_text() == "a film"
    run(tmp_path / "a.mkv", overwrite=True)
    assert (out / "masks/mine.png").exists()


def test_overwriting_replaces_what_is_written_again_and_nothing_else(tmp_path, run):
    source, other = (
        film(tmp_path / name, moving_square(6, size), "ffv1")
        for name, size in (("a.mkv", (64, 48)), ("b.mkv", (48, 64)))
    )
    paths = run(source, outputs=EVERYTHING).paths
    assert all(path.exists() for path in paths)
    before = contents(tmp_path / "out")
    run(other, overwrite=True)
    after = contents(tmp_path / "out")
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"results.json", "tracks.json"}
    (tmp_path / "out/masks/00077.png").write_text("of a longer video")
    run(other, overwrite=True, outputs=EVERYTHING)
    run(other, tmp_path / "new", outputs=EVERYTHING)
    assert contents(tmp_path / "out") == contents(tmp_path / "new")


@pytest.mark.parametrize("name", ["recording.mp4", "overlay.mp4", "masks", "cutouts/1"])
def test_a_source_is_never_replaced(tmp_path, run, name):
    """Among the results of an earlier run lies what is segmented now."""
    source = film(tmp_path / "a.mp4", moving_square(6))
    run(source, outputs=EVERYTHING)
    shutil.copy(source, tmp_path / "out/recording.mp4")
    before = contents(tmp_path / "out")
    path = tmp_path / "out" / name
    (tmp_path / "link").symlink_to(path)
    if name == "recording.mp4":  # is not written, and stays
        run(path, outputs=EVERYTHING, overwrite=True)
        assert contents(tmp_path / "out")[name] == before[name]
        return
    for named in (path, tmp_path / "link"):
        with pytest.raises(InputError, match=r"is read too|, which is read"):
            run(named, outputs=EVERYTHING, overwrite=True)
    assert contents(tmp_path / "out") == before


def test_an_error_while_drawing_leaves_what_was_there(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(8), "ffv1")
    run(source, outputs=EVERYTHING)
    before = contents(tmp_path / "out")
    with pytest.raises(ZeroDivisionError):
        run(
            source, outputs=EVERYTHING, overwrite=True, progress=stopping(5, ZeroDivisionError(), None, None, "drawing")
        )
    assert contents(tmp_path / "out") == before


@pytest.mark.usefixtures("saving_always")
def test_a_swap_that_was_cut_short_is_done_again(tmp_path, run, monkeypatch):
    source, other = (film(tmp_path / f"{n}.mkv", moving_square(n), "ffv1") for n in (30, 8))
    run(source, tmp_path / "whole", EVERYTHING)
    run(other, outputs=EVERYTHING)
    swap, copies = os.replace, []

    def copying(one, two):
        if os.fspath(two).startswith((str(tmp_path / "out/.partial/replaced"), str(tmp_path / "out"))):
            copies.append(shutil.copytree(tmp_path / "out", tmp_path / f"killed{len(copies)}"))
        swap(one, two)

    with monkeypatch.context() as patch:
        patch.setattr("chronomask.runs.partial.os.replace", copying)
        run(source, outputs=EVERYTHING, overwrite=True)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    halves = [copy for copy in copies if not (copy / "tracks.json").exists()]
    assert len(halves) >= 6
    for killed in halves[::3]:
        run(source, killed, EVERYTHING, resume=True)
        assert contents(killed) == contents(tmp_path / "whole")


def test_going_on_replaces_nothing_that_the_run_had_not_claimed(tmp_path, run):
    source, out = film(tmp_path / "a.mkv", moving_square(30), "ffv1"), tmp_path / "out"
    out.mkdir()
    for name in ("recording.mp4", "tracks.csv", "overlay.mp4"):
        (out / name).write_text("mine")
    with pytest.raises(Interrupted):
        run(source, progress=pressing_ctrl_c(11, "segmenting"))
    with pytest.raises(InputError, match=r"tracks\.csv: exists already"):
        run(source, outputs=Outputs(overlay=False, csv=True), resume=True)
    run(source, resume=True)
    for name in ("recording.mp4", "tracks.csv", "overlay.mp4"):
        assert (out / name).read_text() == "mine"


@pytest.mark.parametrize("damage", ["", "[1, null]", "{}", "7", "[" * 100_000])
def test_what_a_run_had_claimed_may_be_damaged(tmp_path, run, damage):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted):
        run(source, progress=pressing_ctrl_c(11, "segmenting"))
    (tmp_path / "out/.partial/replaces.json").write_text(damage)
    assert run(source, resume=True, overwrite=True).frames == 30


def test_what_is_in_the_way_of_a_run_is_refused(tmp_path, run):
    source, out = film(tmp_path / "a.mkv", moving_square(6), "ffv1"), tmp_path / "out"
    (out / ".partial").mkdir(parents=True)
    (out / ".partial/notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"\.partial: holds notes\.txt"):
        run(source, overwrite=True)
    shutil.rmtree(out / ".partial")
    (out / ".partial").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"\.partial: is a link"):
        run(source, overwrite=True)
    (out / ".partial").unlink()
    (tmp_path / "link").symlink_to(out)
    run(source, tmp_path / "link")  # the folder of the results may be a link: nothing replaces it
    assert (tmp_path / "link").is_symlink()
    (out / "tracks.json").rename(tmp_path / "moved.json")
    (out / "tracks.json").symlink_to(tmp_path / "moved.json")
    with pytest.raises(InputError, match=r"tracks\.json: is a link"):
        run(source, overwrite=True)


@pytest.mark.parametrize("task", ["segmenting", "drawing"])
@pytest.mark.parametrize("how", ["replaced", "written to", "removed"])
def test_a_source_that_changes_meanwhile_is_noticed(tmp_path, run, task, how):
    source, other = (film(tmp_path / name, moving_square(n), "ffv1") for name, n in (("a.mkv", 12), ("b.mkv", 9)))

    def progress(items, name, total):
        for number, item in enumerate(items):
            if number == 3 and name.startswith(task) and source.exists():
                if how == "replaced":
                    os.replace(other, source)
                elif how == "removed":
                    source.unlink()
                else:
                    source.write_bytes(other.read_bytes())
            yield item

    with pytest.raises(InputError, match=r"a(\.mkv)?: .*(has changed|segment it again|[Nn]o such file)"):
        run(source, outputs=EVERYTHING, progress=progress)
    assert not (tmp_path / "out").exists()


def test_frames_that_no_video_takes_are_refused_before_the_work(tmp_path, run, segmenter, monkeypatch):
    Image.new("RGB", (20_000, 1)).save(tmp_path / "wide.png")
    monkeypatch.setattr(type(segmenter), "segment", lambda *_, **__: pytest.fail("the work has begun"))
    with pytest.raises(InputError, match=r"overlay\.mp4: frames of 20000x1: a side of H\.264 has 1 to 16384 pixels"):
        run(tmp_path / "wide.png", outputs=Outputs())
    with pytest.raises(InputError, match="fps 1e-320: must be above 0, from 1e-06"):
        open_source(tmp_path / "wide.png", fps=1e-320)


def stopping(at, error, out, copy=None, task_begins="segmenting"):
    """A progress display under which the work ends at a frame, as if by a signal; a copy is made before."""

    def progress(items, task, total):
        for number, item in enumerate(items):
            if number == at and task.startswith(task_begins):
                if copy:
                    shutil.copytree(out, copy)
                raise error
            yield item

    return progress


@pytest.fixture
def saving_always(monkeypatch):
    monkeypatch.setattr(room, "segment_into", functools.partial(room.segment_into, seconds=0.0))


def contents(folder):
    """All files below a folder with what they hold."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def killed_run(run, source, at, task_begins):
    """The folders `whole` and `killed`: of a run of everything, and of one that was killed at a frame of a task."""
    whole, out, killed = (source.parent / name for name in ("whole", "out", "killed"))
    run(source, whole, EVERYTHING)
    with pytest.raises(RuntimeError):
        run(source, out, EVERYTHING, progress=stopping(at, RuntimeError(), out, killed, task_begins))
    return whole, killed


@pytest.mark.usefixtures("saving_always")
def test_a_killed_run_resumes_and_nobody_can_tell(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    whole, killed = killed_run(run, source, 17, "segmenting")
    assert list(contents(killed)) != []
    with pytest.raises(InputError, match=r"killed: holds an interrupted run; go on with it by --resume"):
        run(source, killed, EVERYTHING)
    with pytest.raises(InputError, match="source"):
        run(film(tmp_path / "b.mkv", moving_square(29), "ffv1"), killed, EVERYTHING, resume=True)
    with pytest.raises(InputError, match="source"):
        run(open_source(source, selection=Selection(every=2)), killed, EVERYTHING, resume=True)
    run(source, killed, EVERYTHING, resume=True)
    assert contents(killed) == contents(whole)


@pytest.mark.usefixtures("saving_always")
def test_what_a_run_killed_while_drawing_left_is_removed(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(8), "ffv1")
    whole, killed = killed_run(run, source, 5, "drawing")
    assert os.listdir(killed) == [".partial"]
    left = sorted(path.name.split(".")[1] for path in (killed / ".partial/results").iterdir())
    assert left == ["csv", "cutouts", "masks", "overlay"]
    (killed / ".overlay.89abcdef.mp4").touch()  # somebody else's
    run(source, killed, EVERYTHING, resume=True)
    assert {name: data for name, data in contents(killed).items() if name != ".overlay.89abcdef.mp4"} == contents(whole)


def test_two_runs_do_not_write_into_one_folder(tmp_path, run):
    source, refused = film(tmp_path / "a.mkv", moving_square(6), "ffv1"), []

    def progress(items, task, total):
        for item in items:
            for choice in ({"resume": True}, {"overwrite": True}):
                with pytest.raises(InputError, match="out: another run is writing there") as error:
                    run(source, **choice)
                refused.append(error)
            yield item

    run(source, tmp_path / "alone")
    run(source, progress=progress)
    assert len(refused) == 12
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")


def test_resuming_what_is_complete_changes_nothing(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    summary = run(source)
    before = contents(tmp_path / "out")
    assert run(source, resume=True) == summary
    assert contents(tmp_path / "out") == before
    with pytest.raises(InputError, match=r"complete without overlay\.mp4"):
        run(source, resume=True, outputs=Outputs())
    with pytest.raises(InputError, match="differs in its source"):
        run(film(tmp_path / "b.mkv", moving_square(5), "ffv1"), resume=True)
    with pytest.raises(InputError, match="differs in its classes"):
        run(source, resume=True, classes=("object",))


def test_resuming_what_was_corrected(tmp_path, run):
    source, path = film(tmp_path / "a.mkv", moving_square(6), "ffv1"), tmp_path / "out/tracks.json"
    (row,) = run(source).tracks
    file = edit(read_tracks(path), [AddClass("robot"), Relabel(1, "robot")])
    unseen = dataclasses.replace(file.tracks[0], id=2, segmentations=(None,) * 6)
    write_tracks(path, file.videos, file.categories, [*file.tracks, unseen], file.info)
    assert run(source, resume=True).tracks == [dataclasses.replace(row, name="robot")]


def test_resuming_asks_for_the_cutouts(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(6), "ffv1")
    cutout = Outputs(overlay=False, cutout="png")
    summary = run(source, outputs=cutout)
    assert run(source, outputs=dataclasses.replace(cutout, cutout_tracks="1"), resume=True) == summary
    with pytest.raises(InputError, match=r"complete without cutouts.1\.webm"):
        run(source, outputs=dataclasses.replace(cutout, cutout="webm"), resume=True)
    with pytest.raises(InputError, match=r"complete without cutouts.together;"):
        run(source, outputs=dataclasses.replace(cutout, cutout_tracks="together"), resume=True)


def pressing_ctrl_c(at, task_begins):
    """A progress display under which Ctrl-C is pressed at a frame."""

    def progress(items, task, total):
        for number, item in enumerate(items):
            if number == at and task.startswith(task_begins):
                signal.raise_signal(signal.SIGINT)
            yield item

    return progress


def test_ctrl_c_keeps_what_is_final(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted, match="after 12 frames"):
        run(source, outputs=Outputs(csv=True), progress=pressing_ctrl_c(11, "segmenting"))
    content = tracks_of(tmp_path / "out")
    assert content["videos"][0]["length"] == 12
    assert content["info"]["complete"] is False
    assert sorted(contents(tmp_path / "out")) == [*KEPT, "results.json", "tracks.csv", "tracks.json"]
    run(source, outputs=Outputs(csv=True), resume=True)
    run(source, tmp_path / "whole", outputs=Outputs(csv=True))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_run_goes_on_in_its_own_precision_alone(tmp_path, run, segmenter):
    """Half of a result in one and half in the other would be neither's."""
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted):
        run(source, progress=pressing_ctrl_c(11, "segmenting"))
    segmenter.engine = ColourEngine(4, precision="bfloat16")
    with pytest.raises(InputError, match=r"had precision 'float32', this one has 'bfloat16'; give the same"):
        run(source, resume=True)


def test_an_interrupted_run_may_still_choose_classes(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted):
        run(source, progress=pressing_ctrl_c(11, "segmenting"))
    assert run(source, resume=True, classes=("object",)).tracks == []
    assert tracks_of(tmp_path / "out")["info"]["classes"] == ["object"]


def test_part_of_a_run_cannot_go_on_without_what_it_kept(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted):
        run(source, progress=pressing_ctrl_c(11, "segmenting"))
    shutil.rmtree(tmp_path / "out/.partial")
    with pytest.raises(InputError, match=r"holds part of a run that cannot go on; .* --overwrite"):
        run(source, resume=True)


def test_ctrl_c_while_drawing_keeps_the_tracks(tmp_path, run):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted):
        run(source, outputs=Outputs(masks="png"), progress=pressing_ctrl_c(11, "drawing"))
    assert tracks_of(tmp_path / "out")["videos"][0]["length"] == 30
    assert sorted(contents(tmp_path / "out")) == [*KEPT, "results.json", "tracks.json"]


@pytest.mark.usefixtures("saving_always")
@pytest.mark.parametrize("phase", ["segmenting", "drawing"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, run, phase):
    def progress(items, task, total):
        for number, item in enumerate(items):
            if number == 5 and task.startswith(phase):
                raise OSError(errno.ENOSPC, "No space left on device")
            yield item

    source = film(tmp_path / "a.mkv", moving_square(12), "ffv1")
    with pytest.raises(InputError, match="out: the disk is full") as error:
        run(source, outputs=Outputs(masks="png"), progress=progress)
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith(("ahead", "behind")) for name in names), f"{names} after {error.value}"
    assert set(contents(tmp_path / "out")) <= {*KEPT}
    assert run(source, resume=True).frames == 12


@pytest.fixture
def camera(monkeypatch):
    """FFmpeg's test picture stands in for a camera, of odd size."""
    monkeypatch.setattr(streams, "camera_address", lambda text, platform: ("lavfi", "testsrc=size=33x25:rate=10"))
    return open_source("0", selection=Selection(end=2.0))


def test_a_camera_is_recorded(tmp_path, run, camera):
    summary = run(camera, outputs=Outputs(masks="png"))
    assert summary.frames == 20
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "masks", "overlay.mp4", "recording.mp4", "results.json", "tracks.json"
    ]  # fmt: skip
    assert sorted(path.name for path in summary.paths) == sorted(path.name for path in (tmp_path / "out").iterdir())
    assert pixels_of(tmp_path / "out/masks/00019.png").shape == (25, 33)
    recording = list(open_source(tmp_path / "out/recording.mp4"))
    np.testing.assert_allclose([frame.time for frame in recording], np.arange(20) / 10, atol=1e-3)


def test_ctrl_c_ends_a_camera_cleanly(tmp_path, run, camera):
    summary = run(camera, outputs=Outputs(), progress=pressing_ctrl_c(3, "segmenting"))
    assert 4 <= summary.frames < 20
    assert tracks_of(tmp_path / "out")["info"]["complete"] is True
    assert len(list(open_source(tmp_path / "out/overlay.mp4"))) == summary.frames


def test_ctrl_c_ends_a_camera_that_has_fallen_silent(tmp_path, run):
    def last_words():
        time.sleep(0.5)  # until somebody waits for the next frame; were it too short, the test would see less, and pass
        signal.raise_signal(signal.SIGINT)

    camera = SilentCamera(moving_objects(6), last_words)
    summary = run(Live(camera, buffer=6), outputs=Outputs())
    assert not camera.finished.is_set()
    camera.silence_over.set()
    assert 1 <= summary.frames <= 6
    assert len(list(open_source(tmp_path / "out/recording.mp4"))) == summary.frames
    assert tracks_of(tmp_path / "out")["info"]["complete"] is True


def test_nobody_goes_on_with_a_run_that_a_camera_replaced(tmp_path, run, camera):
    source = film(tmp_path / "a.mkv", moving_square(30), "ffv1")
    with pytest.raises(Interrupted):
        run(source, progress=pressing_ctrl_c(11, "segmenting"))
    run(camera, overwrite=True)
    with pytest.raises(InputError, match="differs in its source"):
        run(source, resume=True)
    assert sorted(contents(tmp_path / "out")) == ["recording.mp4", "results.json", "tracks.json"]


def test_a_camera_cannot_be_resumed(run, camera):
    with pytest.raises(InputError, match="live source"):
        run(camera, resume=True)


def test_pointing_at_nothing_is_said():
    rows = [TrackRow(1, "object", 0.004, None, 3, 3, 138.0), TrackRow(2, "cat", 0.8, 0.9, 0, 11, 900.0)]
    first, other = Point(0.2, 20, time=1.5), Point(5, 5, positive=False)
    points = [first, other, Point(9, 9, object=2), Point(7, 8, frame=4, object=3)]
    assert sorted(_unclear(points, rows)) == [
        "object 1: nothing clear was found at 0.2,20, 1.5 s (score 0.00, frames 3 to 3); point at another place of it,"
        " or draw a box around it",
        "object 3: nothing clear was found at 7,8, frame 4 (no mask); point at another place of it, or draw a box"
        " around it",
    ]


def test_what_is_pointed_at_is_all_that_is_written(segmenter, run, tmp_path, monkeypatch):
    monkeypatch.setattr(prompting, "bundled_heads", by_membership)
    video = moving_objects(12)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, image in enumerate(video):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    points = [Point(44, 30, frame=10, object=5), Point(10, 30, time=0.1, object=2)]
    summary = run(folder, prompts=points)
    file = read_tracks(tmp_path / "out" / "tracks.json")
    assert [row.id for row in summary.tracks] == [track.id for track in file.tracks] == [2, 5]
    assert [(row.first, row.last) for row in summary.tracks] == [(0, 11), (4, 11)]
    assert file.info["prompts"] == [dataclasses.asdict(point) for point in points]
    assert file.info["complete"]
    for options, cause in (({"classes": ("cat",)}, "classes cat: choose among"), ({"resume": True}, "resume: a run")):
        with pytest.raises(InputError, match=cause):
            run(folder, prompts=points, **options)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["results.json", "tracks.json"]
