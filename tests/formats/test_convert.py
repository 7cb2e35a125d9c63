"""Every format against its own claims: what is written comes back equal, or its loss is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.formats.tubes import CAT, DOG, ROBOT, Drawn, box, built, drawn_videos, outlined, plain_file

from chronomask import rle
from chronomask.annotations.records import Track, TracksFile
from chronomask.errors import InputError
from chronomask.formats.assumed import Assumed
from chronomask.formats.capabilities import FORMATS, MANY, Capabilities, Format
from chronomask.formats.convert import capabilities, read, write
from chronomask.formats.fit import fit
from chronomask.formats.table import TABLE
from chronomask.formats.ytvis import write_results

DOCS = Path(__file__).parents[2] / "docs/formats.md"
PLAIN = plain_file()
CLIP = PLAIN.videos[0]
WRITTEN = tuple(format for format in FORMATS if TABLE[format].write is not None)


def place_of(format: Format, folder: Path) -> Path:
    """Where to write: a file or a folder."""
    single = TABLE[format].ending and not TABLE[format].held
    return folder / (f"tracks{TABLE[format].ending}" if single else "tracks")


def there_and_back(file: TracksFile, format: Format) -> tuple[TracksFile, tuple[str, ...]]:
    with TemporaryDirectory() as folder:
        path = place_of(format, Path(folder))
        losses = write(file, path, format)
        assert [entry.name for entry in Path(folder).iterdir()] == [path.name]
        return read(path, format), losses


def on_tracks(**change: Any) -> TracksFile:
    """The plain file with its first track changed."""
    return replace(PLAIN, tracks=(replace(PLAIN.tracks[0], **change), PLAIN.tracks[1]))


def on_video(**change: Any) -> TracksFile:
    return replace(PLAIN, videos=(replace(CLIP, **change),))


def longer() -> TracksFile:
    tracks = tuple(replace(track, segmentations=(*track.segmentations, None)) for track in PLAIN.tracks)
    return replace(on_video(length=4), tracks=tracks)


def two_videos(first: int, second: int) -> TracksFile:
    other = Track(3, second, 17, 1.0, PLAIN.tracks[0].segmentations)
    tracks = (*(replace(track, video_id=first) for track in PLAIN.tracks), other)
    return replace(PLAIN, tracks=tracks, videos=(replace(CLIP, id=first), replace(CLIP, id=second, name="clip2")))


def cat_and_dog(cat: int, dog: int) -> TracksFile:
    first, second = PLAIN.tracks
    tracks = (replace(first, id=cat), replace(second, id=dog, category_id=18))
    return replace(PLAIN, tracks=tracks, categories=(CAT, DOG))


def crowd_of_cats() -> TracksFile:
    """In a video with a dog too."""
    file = cat_and_dog(1, 2)
    crowd = Track(3, 1, 17, 1.0, (box(CLIP, 6, 0, 3, 1), None, None), crowd=True)
    return replace(file, tracks=(*file.tracks, crowd))


def round_object() -> TracksFile:
    """A disk, whose outline is simplified."""
    y, x = np.ogrid[:7, :9]
    mask = rle.encode((x - 4) ** 2 + (y - 3) ** 2 <= 9.5)
    return TracksFile((Track(1, 1, 17, 1.0, (mask,)),), (replace(CLIP, length=1),), (CAT,))


# A field of Capabilities, a file that needs it, and how the loss begins where a format lacks it.
NEEDS: list[tuple[str, Callable[[Capabilities], bool], TracksFile, str]] = [
    ("several_videos", lambda able: True, two_videos(1, 2), ""),
    ("video_ids", lambda able: able.video_ids, two_videos(4, 9), "video ids: 2 videos numbered anew: clip 4 → 1"),
    (
        "overlaps",
        lambda able: able.overlaps,
        on_tracks(segmentations=(None, box(CLIP, 0, 3, 9, 2), None)),
        "overlaps: 5 pixels of 1 frame in several tracks",
    ),
    ("exact_pixels", lambda able: able.exact_pixels, round_object(), "exact pixels: 1 of 1 masks change as polygons"),
    ("gaps", lambda able: able.gaps, on_tracks(segmentations=(box(CLIP, 1, 1, 3, 2), None, box(CLIP, 2, 1, 3, 2))), ""),
    (
        "empty_masks",
        lambda able: able.empty_masks,
        on_tracks(segmentations=(None, box(CLIP, 0, 0, 0, 0), None)),
        "empty masks: 1 mask without a pixel",
    ),
    ("empty_frames", lambda able: able.empty_frames, longer(), "empty frames: the last 1 of 4 frames of clip"),
    ("scores", lambda able: able.scores, on_tracks(score=0.25), "scores: 1 score left out"),
    (
        "class_scores",
        lambda able: able.class_scores,
        on_tracks(class_score=0.25),
        "class scores: 1 class score left out",
    ),
    ("classes", lambda able: able.classes != "no", PLAIN, "classes: 2 tracks written without a class: cat"),
    (
        "classes",
        lambda able: able.classes in ("ids and names", "numbers"),
        replace(on_tracks(category_id=3), categories=(replace(DOG, id=3), CAT)),
        "class",
    ),
    (
        "class_numbers",
        lambda able: able.classes == "ids and names" or (able.class_numbers is not None and 96 in able.class_numbers),
        replace(on_tracks(category_id=96), categories=(CAT, replace(ROBOT, name="tiger"))),
        "class",
    ),
    (
        "unused_classes",
        lambda able: able.unused_classes,
        replace(PLAIN, categories=(CAT, DOG)),
        "unused classes: 1 class",
    ),
    (
        "labelled_classes",
        lambda able: able.labelled_classes,
        replace(on_video(labelled_classes=("cat",)), categories=(CAT, DOG)),
        "labelled classes: which objects of clip are all annotated",
    ),
    ("track_ids", lambda able: able.track_ids == MANY, on_tracks(id=4000), "track ids: "),
    ("crowds", lambda able: able.crowds != "no", on_tracks(crowd=True), "crowds: 1 crowd written as"),
    ("crowds", lambda able: able.crowds == "yes", crowd_of_cats(), "crowds: 1 crowd written as"),
    (
        "ids_with_class",
        lambda able: able.ids_with_class or able.track_ids == MANY,
        cat_and_dog(17001, 18001),
        "track ids: ",
    ),
    ("merged", lambda able: able.merged, on_tracks(merged=True), "merged: 1 track no longer"),
    ("fps", lambda able: able.fps, on_video(fps=12.5), "fps: 12.5 left out"),
    (
        "file_names",
        lambda able: able.file_names != "no",
        on_video(file_names=("film/1.jpg", "film/2.jpg", "film/10.jpg")),
        "file names: paths of frames left out",
    ),
    ("file_names", lambda able: able.file_names != "needed", PLAIN, "file names: made up for clip, such as clip/00000"),
    ("info", lambda able: able.info, replace(PLAIN, info={"version": "1"}), "info: version left out"),
]


@pytest.mark.parametrize(
    ("name", "carried", "file", "named"), NEEDS, ids=[f"{n}-{row[0]}" for n, row in enumerate(NEEDS)]
)
@pytest.mark.parametrize("format", WRITTEN)
def test_every_cell_of_the_table(
    format: Format, name: str, carried: Callable[[Capabilities], bool], file: TracksFile, named: str
) -> None:
    able = capabilities(format)
    back, losses = there_and_back(file, format)
    said = [loss for loss in losses if named and loss.startswith(named)]
    fitted = fit(file, able).file
    assert bool(said) == (not carried(able)), losses
    assert back == (fitted if able.exact_pixels else outlined(fitted))
    if not losses:
        assert replace(back, tracks=_sorted(back)) == replace(file, tracks=_sorted(file))


def test_every_row_of_the_table_is_among_them() -> None:
    assert {name for name, *_ in NEEDS} == {entry.name for entry in fields(Capabilities)} - {"title"}


@pytest.mark.parametrize("format", [format for format in WRITTEN if capabilities(format).track_ids != MANY])
def test_track_ids_fit_as_far_as_the_table_says(format: Format) -> None:
    last = capabilities(format).track_ids[-1]
    for number, fits in ((last, True), (last + 1, False)):
        losses = there_and_back(on_tracks(id=number), format)[1]
        assert any(loss.startswith("track ids") for loss in losses) != fits


@pytest.mark.parametrize("format", [format for format in WRITTEN if capabilities(format).class_numbers])
def test_class_numbers_fit_as_far_as_the_table_says(format: Format) -> None:
    last = (capabilities(format).class_numbers or range(1))[-1]
    for number, fits in ((last, True), (last + 1, False)):
        file = replace(on_tracks(category_id=number), categories=(CAT, replace(ROBOT, id=number)))
        losses = there_and_back(file, format)[1]
        assert any(loss.startswith("class") for loss in losses) != fits


@pytest.mark.parametrize("format", WRITTEN)
def test_several_videos_lie_where_the_table_says(format: Format, tmp_path: Path) -> None:
    path = place_of(format, tmp_path)
    write(two_videos(1, 2), path, format)
    own = [] if path.is_file() else [entry for entry in path.iterdir() if entry.name != "labels.txt"]
    kind = "in the file" if path.is_file() else "a folder each" if own[0].is_dir() else "a file each"
    assert kind == capabilities(format).several_videos
    assert sorted(entry.stem.removesuffix("_manual") for entry in own) in ([], ["clip", "clip2"])


def _sorted(file: TracksFile) -> tuple[Track, ...]:
    return tuple(sorted(file.tracks, key=lambda track: (track.video_id, track.id)))


@pytest.mark.parametrize("format", WRITTEN)
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(drawn=st.lists(drawn_videos(), min_size=1, max_size=2), first_id=st.sampled_from([30, 200, 5000, 17003]))
def test_what_fits_comes_back_and_the_rest_is_named(format: Format, drawn: list[Drawn], first_id: int) -> None:
    file, able = built(drawn, first_id), capabilities(format)
    fitted = fit(file, able)
    assert bool(fitted.losses) == (fitted.file != file)
    if fitted.file.videos:
        back, losses = there_and_back(file, format)
        assert back == (fitted.file if able.exact_pixels else outlined(fitted.file))
        assert losses[: len(fitted.losses)] == fitted.losses


def test_the_smallest_mask_keeps_shared_pixels(tmp_path: Path) -> None:
    write(on_tracks(segmentations=(None, box(CLIP, 0, 3, 9, 4), None)), tmp_path / "d", "davis")
    middle = [track.segmentations[1] for track in read(tmp_path / "d").tracks]
    assert [rle.area(mask) for mask in middle if mask is not None] == [36 - 15, 15]


def test_formats_are_recognised_by_what_they_hold(tmp_path: Path) -> None:
    for format in WRITTEN:
        path = place_of(format, tmp_path / format)
        write(PLAIN, path, format)
        assert read(path) == read(path, format)
    write(PLAIN, tmp_path / "task.xml")
    assert read(tmp_path / "task.xml") == read(tmp_path / "cvat/tracks")


def test_one_video_of_a_set_can_be_read_alone(tmp_path: Path) -> None:
    for format in ("mots-png", "davis", "labelme"):
        write(two_videos(1, 2), tmp_path / format, format)
        assert [video.name for video in read(tmp_path / format / "clip2").videos] == ["clip2"]


def test_a_plain_list_takes_its_videos_from_the_masks_or_from_its_annotation_file(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", PLAIN.videos, PLAIN.tracks)
    write(on_video(fps=5.0), tmp_path / "instances.json")
    guessed = read(tmp_path / "results.json")
    assert (guessed.videos[0].name, guessed.videos[0].width, guessed.categories[0].name) == ("video 1", 9, "class 17")
    known = read(tmp_path / "results.json", assumed=Assumed(against=tmp_path / "instances.json"))
    assert known == on_video(fps=5.0)
    content = json.loads((tmp_path / "instances.json").read_text())
    head = {key: content[key] for key in ("videos", "categories")}
    for rest in ({"annotations": None}, {}):  # as test sets have them
        (tmp_path / "test.json").write_text(json.dumps(head | rest))
        assert read(tmp_path / "results.json", assumed=Assumed(against=tmp_path / "test.json")) == known
    (tmp_path / "test.json").write_text("[]")
    with pytest.raises(InputError, match=r"test\.json: an annotation file is needed, this is a list"):
        read(tmp_path / "results.json", assumed=Assumed(against=tmp_path / "test.json"))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"fps": float("nan")}, "fps nan: must be above 0"),
        ({"fps": 0.0}, r"fps 0\.0: must be above 0"),
        ({"length": -5}, "length -5: must be 1 frame or more"),
        ({"first_frame": -1}, "first_frame -1: must be 0 or more"),
    ],
)
def test_what_cannot_be_assumed(facts: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Assumed(**facts)


@pytest.mark.parametrize("format", ["davis", "mots-png"])
def test_pictures_are_no_label_maps_to_replace(format: Format, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    write(PLAIN, folder, format)
    write(PLAIN, folder, format, overwrite=True)
    Image.new("RGB", (4, 3)).save(folder / "screenshot.png")
    before = sorted(folder.rglob("*"))
    with pytest.raises(InputError, match=r"masks: is not replaced.*screenshot\.png: .* of the kind 'RGB'"):
        write(PLAIN, folder, format, overwrite=True)
    assert sorted(folder.rglob("*")) == before


def test_a_score_outside_the_unit_interval_is_named() -> None:
    with pytest.raises(InputError, match=r"track 1 has the score 17\.0"):
        fit(on_tracks(score=17.0), capabilities("coco"))
    with pytest.raises(InputError, match=r"track 1 has the class score -0\.5"):
        fit(on_tracks(class_score=-0.5), capabilities("coco"))


def test_more_tracks_than_a_palette_holds() -> None:
    many = tuple(replace(PLAIN.tracks[1], id=number) for number in range(1, 256))
    with pytest.raises(InputError, match="more than the 254 tracks that DAVIS PNG folders has ids for"):
        fit(replace(PLAIN, tracks=many), replace(capabilities("davis"), overlaps=True))


def test_a_format_of_objects_alone_needs_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video has an object"):
        write(replace(PLAIN, tracks=()), tmp_path / "out", "mots-text")
    assert list(tmp_path.iterdir()) == []


def test_the_table_says_what_is_only_read() -> None:
    assert [f for f in FORMATS if "read only" in capabilities(f).title] == [f for f in FORMATS if f not in WRITTEN]


def test_the_documentation_holds_the_table() -> None:
    known = [capabilities(format) for format in FORMATS]
    rows = [
        ("", *(one.title for one in known)),
        ("`--from`, `--to`", *(f"`{name}`" for name in FORMATS)),
        *(
            (entry.name.replace("_", " "), *(_cell(getattr(one, entry.name)) for one in known))
            for entry in fields(Capabilities)[1:]
        ),
    ]
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    lines.insert(1, "|---" * (len(known) + 1) + "|")
    assert "\n".join(lines) + "\n" in DOCS.read_text(encoding="utf-8")


def _cell(value: bool | str | range | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, range):
        return "any" if value == MANY else f"{value.start}-{value.stop - 1}"
    return value if isinstance(value, str) else "yes" if value else "no"


def test_info_that_json_does_not_hold_becomes_null(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(150):
        deep = [deep]
    file = replace(PLAIN, info={"a": float("nan"), "b": [float("inf"), 1.5], "c": deep})
    (loss,) = write(file, tmp_path / "a.json")
    assert loss == "info: 3 values that json does not hold, such as NaN, became null"
    info = read(tmp_path / "a.json").info
    assert (info["a"], info["b"]) == (None, [None, 1.5])
    assert json.dumps(info["c"]).count("[") == 99


@pytest.mark.parametrize("format", WRITTEN)
def test_long_names(tmp_path: Path, format: Format) -> None:
    names = tuple(f"{'n' * 300}{t}.jpg" for t in range(3))
    write(on_video(name="é" * 300, file_names=names), path := place_of(format, tmp_path), format)
    assert len(read(path, format).tracks) == 2
