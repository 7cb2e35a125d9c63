"""Every format where evaluation and training read: the same scores and counts as from YouTube-VIS, or one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.formats import test_datumaro, test_label_studio, test_panoptic, test_sav, test_vos
from tests.formats.tubes import box, plain_file

from chronomask.annotations.records import Track, TracksFile
from chronomask.categories import OBJECT, Category
from chronomask.cli import main
from chronomask.config import EvaluateConfig
from chronomask.data.info import dataset_info
from chronomask.errors import InputError
from chronomask.evaluation.ap import evaluate
from chronomask.evaluation.compare import compare
from chronomask.evaluation.validate import read_results, read_truth, validate
from chronomask.formats.capabilities import FORMATS, Format
from chronomask.formats.convert import capabilities, read, write
from chronomask.formats.table import TABLE
from chronomask.formats.ytvis import write_results

WRITTEN = [format for format in FORMATS if TABLE[format].write is not None]
WITHOUT_CLASSES = [format for format in WRITTEN if capabilities(format).classes == "no"]
NAMES = tuple(f"clip/{t:05d}.jpg" for t in range(3))


def framed(length: int = 3, name: str = "clip") -> TracksFile:
    """`plain_file`, whose video has names of frames."""
    file = plain_file()
    video = replace(file.videos[0], length=length, file_names=NAMES[:length], name=name)
    tracks = tuple(replace(track, segmentations=track.segmentations[:length]) for track in file.tracks)
    return replace(file, videos=(video,), tracks=tracks)


def written(folder: Path, format: Format, file: TracksFile) -> Path:
    path = folder / f"{format}{TABLE[format].ending}"
    write(file, path, format)
    return path


@pytest.mark.parametrize("format", WRITTEN)
def test_truth_and_results_of_every_format(tmp_path: Path, format: Format) -> None:
    plain, other = tmp_path / "tracks.json", written(tmp_path, format, framed())
    write(framed(), plain)
    agnostic = EvaluateConfig(class_agnostic=True)
    for truth, results in ((other, other), (plain, other), (other, plain)):
        evaluation = evaluate(truth, results, agnostic)
        exact = capabilities(format).exact_pixels
        assert evaluation.scores.AP == 1 if exact else evaluation.scores.AP50 == 1
        assert [row.objects for row in evaluation.per_category] == [2]
    if format not in WITHOUT_CLASSES:
        assert [row.name for row in evaluate(plain, other).per_category] == ["cat"]


@pytest.mark.parametrize("format", WRITTEN)
def test_the_data_set_of_every_format(tmp_path: Path, format: Format) -> None:
    for name in NAMES:
        (tmp_path / "JPEGImages" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((7, 9, 3), 40, np.uint8)).save(tmp_path / "JPEGImages" / name)
    path = written(tmp_path, format, framed())
    info = dataset_info(path, images=tmp_path / "JPEGImages")
    assert (info.frames, info.masks, info.problems) == (3, 4, ())
    assert [one.name for one in info.classes] == ["object" if format in WITHOUT_CLASSES else "cat"]
    if capabilities(format).file_names == "no":
        with pytest.raises(InputError, match=r"says nowhere which pictures its frames are; .* --to dataset"):
            dataset_info(path)
        (tmp_path / "JPEGImages" / NAMES[0]).unlink()
        with pytest.raises(InputError, match="holds 2 pictures, but video clip has 3 frames"):
            dataset_info(path, images=tmp_path / "JPEGImages")
    else:
        assert dataset_info(path) == info


def kitti_step(folder: Path) -> Path:
    test_panoptic.step(folder / "0002/000000.png", [(7, 0), (13, 1), (13, 1)], [(11, 300), (7, 0), (7, 0)])
    return folder


@pytest.mark.parametrize(
    ("made", "tracks"),
    [
        (test_panoptic.vipseg, 2),
        (kitti_step, 2),
        (test_datumaro.written, 2),
        (test_label_studio.written, 2),
        (test_sav.validation_set, 2),
        (lambda folder: test_vos.data_set(folder, test_vos.of_both(test_vos.OBJECTS)), 4),
    ],
    ids=["panoptic", "kitti-step", "datumaro", "label-studio", "sa-v", "youtube-vos"],
)
def test_what_is_read_only(tmp_path: Path, made: Callable[[Path], Path], tracks: int) -> None:
    path = made(tmp_path)
    truth = read_truth(path)
    assert [track.category_id for track in truth.tracks] == [track.category_id for track in read(path).tracks]
    assert len(truth.tracks) == tracks
    assert evaluate(path, path).scores.AP == 1
    assert validate(path, path).errors == validate(path).errors == ()


def test_a_data_set_with_pictures_beside(tmp_path: Path) -> None:
    root = test_vos.data_set(tmp_path, test_vos.of_both(test_vos.OBJECTS))
    for picture in root.glob("JPEGImages/*/*.jpg"):
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(picture)
    info = dataset_info(root)
    assert (info.form, info.entries, info.frames, info.problems) == ("DAVIS PNG folders", 2, 4, ())
    assert [(one.name, one.instances) for one in info.classes] == [("dog", 2), ("penguin", 2)]
    assert "4 of 14 frames are annotated: the others are left out, as no frames at all" in info.notes[0]
    assert dataset_info(root / "Annotations").images == info.images


def test_frames_of_videos_in_coco_json(tmp_path: Path) -> None:
    path = written(tmp_path, "coco", framed())
    content = json.loads(path.read_text())
    assert len(read_truth(content).videos) == 1
    assert evaluate(content, content).scores.AP == 1


def test_results_find_their_videos_by_name(tmp_path: Path) -> None:
    both = framed()
    second = replace(both.videos[0], id=2, name="another")
    both = replace(both, videos=(*both.videos, second), tracks=(both.tracks[0], replace(both.tracks[1], video_id=2)))
    truth = written(tmp_path, "youtube-vis", both)
    results = tmp_path / "cvat"
    write(both, results, "cvat")
    assert [video.name for video in read(results).videos] == ["another", "clip"]
    assert [track.video_id for track in read_results(results, read_truth(truth))] == [2, 1]
    assert evaluate(truth, results).scores.AP == 1
    write(replace(both, videos=(replace(second, name="clop"), both.videos[0])), results, "cvat", overwrite=True)
    with pytest.raises(InputError, match=r"its video 'clop' is none of the annotations' \(clip, another\)"):
        evaluate(truth, results)


def renumbered(file: TracksFile, videos: tuple[str, ...], cat: int = 17) -> TracksFile:
    """`framed` with videos of these names, ids from 1, both tracks in the first; `cat` is the id of its class."""
    entries = tuple(replace(file.videos[0], id=number, name=name) for number, name in enumerate(videos, 1))
    tracks = tuple(replace(track, category_id=cat) for track in file.tracks)
    return replace(file, videos=entries, tracks=tracks, categories=(Category(cat, "cat"), Category(40, "dog")))


@pytest.mark.parametrize(("cat", "videos"), [(17, ("clip",)), (1, ("clip", "boat")), (40, ("x/clip", "other"))])
def test_json_results_are_joined_by_the_names_that_both_files_carry(
    tmp_path: Path, cat: int, videos: tuple[str, ...]
) -> None:
    file = renumbered(framed(), ("clip", "boat"))
    boat = replace(file, tracks=tuple(replace(track, video_id=2) for track in file.tracks))
    for annotated, names in ((file, videos), (boat, ("boat",))):
        truth, results = tmp_path / "truth.json", tmp_path / "results.json"
        write(annotated, truth, overwrite=True)
        found = replace(renumbered(framed(), names, cat), categories=(Category(cat, "cat"),))
        write(found, results, overwrite=True)
        assert evaluate(truth, results).scores.AP == 1
        assert [problem.message for problem in validate(results, truth).problems] == [
            f"no result for 1 of 2 videos: {'boat' if annotated is file else 'clip'}"
        ]


def test_json_results_of_other_videos_are_refused_or_said(tmp_path: Path) -> None:
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    write(renumbered(framed(), ("boat", "bus")), truth)
    write(renumbered(framed(), ("car-turn", "bus")), results)
    with pytest.raises(InputError, match="video 1 is 'car-turn' here and 'boat' in the annotations; give one video"):
        evaluate(truth, results)
    write(renumbered(framed(), ("boat",)), truth, overwrite=True)
    write(renumbered(framed(), ("holiday.mp4",)), results, overwrite=True)
    notes: list[str] = []
    assert len(read_results(results, read_truth(truth), notes.append)) == 2
    assert notes == [f"{results}: its only video, holiday.mp4, is taken for boat"]


def test_plain_lists_are_joined_by_id(tmp_path: Path) -> None:
    truth, results = tmp_path / "truth.json", tmp_path / "results.json"
    write(renumbered(framed(), ("boat", "bus")), truth)
    write_results(results, framed().videos, framed().tracks)
    assert evaluate(truth, results).scores.AP == 1


def test_mots_text_may_end_with_the_last_mask(tmp_path: Path) -> None:
    file = framed()
    short = replace(file, tracks=(replace(file.tracks[1]),))
    truth, results = written(tmp_path, "youtube-vis", short), written(tmp_path, "mots-text", short)
    assert [video.length for video in read(results).videos] == [2]
    assert evaluate(truth, results).scores.AP == 1


def test_what_results_take_for_granted_is_said(tmp_path: Path) -> None:
    file = framed()
    dog = replace(file.tracks[1], category_id=18)
    truth = written(tmp_path, "youtube-vis", file)
    categories = (*file.categories, Category(18, "dog"))
    results = written(tmp_path, "cvat", replace(file, categories=categories, tracks=(file.tracks[0], dog)))
    notes: list[str] = []
    assert len(read_results(results, read_truth(truth), notes.append)) == 1
    assert notes == [
        f"{results}: cvat has no scores: every result counts as sure",
        f"{results}: 1 result of 'dog' left out: no category of the annotations",
    ]
    assert len(read_results(results, read_truth(truth), any_class=True)) == 2
    crowd = replace(file, tracks=(file.tracks[0], replace(file.tracks[1], crowd=True)))
    assert len(read_results(written(tmp_path, "burst", crowd), read_truth(truth))) == 2  # which has no crowds
    assert len(read_results(written(tmp_path, "coco", crowd), read_truth(truth))) == 1


def higher(file: TracksFile) -> TracksFile:
    video = replace(file.videos[0], height=8)
    return replace(file, videos=(video,), tracks=(Track(1, 1, 17, 1.0, (box(video, 0, 0, 2, 2), None, None)),))


@pytest.mark.parametrize(
    ("format", "change", "sentence"),
    [
        ("davis", lambda file: file, r"davis: its categories \('object'\) are none .* --class-agnostic scores"),
        ("cvat", lambda file: framed(2), "cvat.xml: video clip has 2 frames, in the annotations 3; results must be"),
        ("cvat", higher, "cvat.xml: video clip is 9x8, in the annotations 9x7"),
    ],
)
def test_results_that_do_not_fit(
    tmp_path: Path, format: Format, change: Callable[[TracksFile], TracksFile], sentence: str
) -> None:
    truth, results = written(tmp_path, "youtube-vis", framed()), written(tmp_path, format, change(framed()))
    with pytest.raises(InputError, match=sentence) as error:
        evaluate(truth, results)
    assert "\n" not in str(error.value)


def test_annotations_without_classes_say_how_to_score_results_with_classes(tmp_path: Path) -> None:
    truth, results = written(tmp_path, "davis", framed()), written(tmp_path, "youtube-vis", framed())
    with pytest.raises(InputError, match=r"none of the annotations' \('object'\); --class-agnostic scores the masks"):
        evaluate(truth, results)
    objects = replace(framed(), categories=(OBJECT,), tracks=tuple(replace(t, category_id=0) for t in framed().tracks))
    write(objects, results, "youtube-vis", overwrite=True)
    assert evaluate(truth, results).scores.AP == 1


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, results = written(tmp_path, "sa-v", framed()), written(tmp_path, "davis", framed())
    assert main(["evaluate", str(truth), str(results)]) == 0
    assert f"chronomask: note: {results}: davis has no scores" in capsys.readouterr().err
    assert main(["validate", str(results), "--against", str(truth)]) == 0
    assert main(["compare", str(truth), str(results), "--resamples", "2", "--style", "csv"]) == 0
    assert main(["dataset", "info", str(truth)]) == 2
    assert "says nowhere which pictures" in capsys.readouterr().err
    assert compare(truth, {"it": results}, 0).methods[0].scores.AP == 1
    broken = json.loads(truth.read_text()) | {"video_height": "7"}
    truth.write_text(json.dumps(broken))
    for command in (["evaluate", str(truth), str(results)], ["validate", str(truth)], ["dataset", "info", str(truth)]):
        assert main(command) == 2
        assert "video_height: '7' is no finite number" in capsys.readouterr().err
