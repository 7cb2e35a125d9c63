"""CVAT as it is exported: projects, closing shapes, key frames alone, no size, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronomask import rle
from chronomask.annotations.records import TracksFile
from chronomask.cli import main
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.convert import read
from chronomask.formats.cvat_shapes import between_polygons

CASES = Path(__file__).with_name("cases")
SIZE = "<original_size><width>40</width><height>20</height></original_size>"


def polygon(frame: int, *corners: tuple[float, float], outside: int = 0) -> str:
    points = ";".join(f"{x},{y}" for x, y in corners)
    return f'<polygon frame="{frame}" keyframe="1" outside="{outside}" points="{points}"/>'


def square(frame: int, left: float, outside: int = 0) -> str:
    return polygon(frame, (left, 2), (left + 8, 2), (left + 8, 12), (left, 12), outside=outside)


def task(path: Path, shapes: Sequence[str], facts: str = SIZE, length: int = 5) -> Path:
    head = f"<meta><task><size>{length}</size>{facts}</task></meta>"
    path.write_text(f'<annotations>{head}<track id="0" label="cat">{"".join(shapes)}</track></annotations>')
    return path


def lefts(file: TracksFile) -> list[int | None]:
    return [None if mask is None else int(rle.bbox(mask)[0]) for mask in file.tracks[0].segmentations]


def test_the_case_of_a_closing_shape_behind_the_last_frame() -> None:
    file = read(CASES / "cvat-outside-past-end/outside_past_end.xml")
    assert [mask and rle.area(mask) for mask in file.tracks[0].segmentations] == [100] * 10
    assert file.notes == ()


def test_a_closing_shape_may_stand_between_the_frames_of_a_step(tmp_path: Path) -> None:
    facts = SIZE + "<start_frame>10</start_frame><frame_filter>step=3</frame_filter>"
    file = read(task(tmp_path / "a.xml", [square(10, 4), square(14, 4, outside=1)], facts))
    assert lefts(file) == [4, 4, None, None, None]
    with pytest.raises(InputError, match=r"track 0\.frame: 14 is none of the task's 5 frames"):
        read(task(tmp_path / "a.xml", [square(10, 4), square(14, 4)], facts))
    with pytest.raises(InputError, match=r"track 0\.frame: 9 is none of the task's 5 frames"):
        read(task(tmp_path / "a.xml", [square(9, 4, outside=1)], facts))


def test_the_case_of_a_project_has_a_video_for_every_task() -> None:
    file = read(CASES / "cvat-project/project.xml")
    assert [(v.id, v.name, v.width, v.height, v.length) for v in file.videos] == [
        (1, "a", 64, 48, 4),
        (2, "b", 32, 48, 4),
    ]
    assert [(track.video_id, [rle.area(mask or {}) for mask in track.segmentations]) for track in file.tracks] == [
        (1, [100] * 4),
        (2, [100] * 4),
    ]


def test_a_track_of_no_task_of_its_project(tmp_path: Path) -> None:
    text = (CASES / "cvat-project/project.xml").read_text()
    for old, new, message in [
        ('task_id="12"', 'task_id="13"', "track 1.task_id: '13' is none of the project's tasks: 11, 12"),
        ('task_id="12"', "", "track 1.task_id: '' is none of the project's tasks: 11, 12"),
    ]:
        (tmp_path / "p.xml").write_text(text.replace(old, new))
        with pytest.raises(InputError, match=message):
            read(tmp_path / "p.xml")
    start, end = text.index("<tasks>"), text.index("</tasks>")
    (tmp_path / "p.xml").write_text(text[:start] + text[end + 8 :])
    with pytest.raises(InputError, match="is a project without <tasks>"):
        read(tmp_path / "p.xml")


def test_polygons_move_between_key_frames(tmp_path: Path) -> None:
    file = read(task(tmp_path / "a.xml", [square(0, 4), square(4, 20)]))
    assert lefts(file) == [4, 8, 12, 16, 20]
    assert file.notes == ("3 masks between key frames made of the polygons there",)
    held = read(task(tmp_path / "a.xml", [square(0, 4), square(2, 4), square(3, 30, outside=1), square(4, 9)]))
    assert lefts(held) == [4, 4, 4, None, 9]
    assert held.notes == ()


def test_an_object_out_of_sight_does_not_move_on(tmp_path: Path) -> None:
    file = read(task(tmp_path / "a.xml", [square(0, 4), square(1, 6, outside=1), square(3, 20)]))
    assert lefts(file) == [4, None, None, 20, 20]


def test_corners_may_come_and_go() -> None:
    square = np.array([[0.0, 0], [10, 0], [10, 10], [0, 10]])
    more = np.array([[20.0, 0], [25, 0], [30, 0], [30, 10], [20, 10]])
    for first, second in ((square, more), (more, square)):
        half = between_polygons(first, second, 0.5)
        mask = rle.from_annotation([half.ravel().tolist()], 20, 40)
        assert rle.bbox(mask) == (10, 0, 10, 10)
        assert rle.area(mask) >= 85  # a corner that goes to its nearest may cut the shape, as it does in CVAT
    np.testing.assert_allclose(between_polygons(square, square + 4, 0.25)[:4], square + 1)


def test_a_size_that_the_file_lacks_is_that_of_the_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(5):
        Image.new("RGB", (40, 20)).save(frames / f"{number}.png")
    source, out = task(tmp_path / "a.xml", [square(0, 4)], facts=""), tmp_path / "t.json"
    assert main(["convert", str(source), str(out)]) == 2
    assert "a has no size; give --size WIDTHxHEIGHT, or its video or frames by --video" in (capsys.readouterr().err)
    assert main(["convert", str(source), str(out), "--video", str(frames)]) == 0
    assert read(out).videos[0] == read(source, assumed=Assumed(size=(40, 20))).videos[0]
    task(source, [square(0, 4)], SIZE.replace("40", "41"))
    assert main(["convert", str(source), str(out), "--video", str(frames), "--overwrite"]) == 2
    assert "frames: is 40x20, the tracks are of 41x20" in capsys.readouterr().err
    assert main(["convert", str(source), str(out), "--video", str(frames), str(frames), "--overwrite"]) == 2
    assert "2 videos given, the tracks are of 1: a" in capsys.readouterr().err


def test_boxes_are_said_in_one_sentence(tmp_path: Path) -> None:
    boxes = [f'<box frame="{n}" outside="0" xtl="1" ytl="1" xbr="5" ybr="5"/>' for n in range(3)]
    with pytest.raises(InputError, match=r"a\.xml: 3 <box> of its 4 shapes have no mask; draw polygons or masks"):
        read(task(tmp_path / "a.xml", [*boxes, square(3, 4)]))
