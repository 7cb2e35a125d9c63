"""What is read of annotation and result files, and how absurd ones are refused: with file, place and value."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chronomask import rle
from chronomask.annotations.listing import STILLS
from chronomask.annotations.masks import EncodedMasks, Masks
from chronomask.annotations.reader import read
from chronomask.annotations.records import Track, VideoEntry
from chronomask.categories import Category
from chronomask.errors import InputError

HEIGHT, WIDTH = 8, 9


def square(left: int = 2) -> rle.Rle:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:5, left : left + 3] = True
    return rle.encode(mask)


def truth() -> dict[str, Any]:
    names = ["deer/0.jpg", "deer/1.jpg"]
    video = {"id": 4, "width": WIDTH, "height": HEIGHT, "length": 2, "file_names": names}
    ids = {"video_id": 4, "category_id": 17}
    return {
        "videos": [video],
        "categories": [{"id": 17, "name": "cat"}],
        "annotations": [
            {"id": 1, **ids, "iscrowd": 0, "segmentations": [square(), None], "areas": [9, None]},
            {"id": 2, **ids, "iscrowd": 1, "segmentations": [None, square(3)], "areas": [None, 8.5]},
        ],
    }


def stills() -> dict[str, Any]:
    image = {"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}
    polygon = {"id": 1, "image_id": 1, "category_id": 17, "segmentation": [[1, 1, 4, 1, 4, 3]], "area": 3}
    return {"images": [image], "categories": [{"id": 17, "name": "cat"}], "annotations": [polygon]}


def results() -> list[dict[str, Any]]:
    return [{"video_id": 4, "category_id": 17, "score": 0.5, "segmentations": [square(), None]}]


def written(folder: Path, content: Any) -> Path:
    path = folder / "file.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_records(tmp_path: Path) -> None:
    file = read(written(tmp_path, truth())).file
    assert file.videos == (VideoEntry(4, "deer", WIDTH, HEIGHT, 2, None, ("deer/0.jpg", "deer/1.jpg")),)
    assert file.categories == (Category(17, "cat"),)
    assert file.tracks == (
        Track(1, 4, 17, 1.0, (square(), None)),
        Track(2, 4, 17, 1.0, (None, square(3)), crowd=True),
    )
    assert [track.stated_area for track in file.tracks] == [9, 8.5]
    assert all(isinstance(track.segmentations, Masks) for track in file.tracks)
    assert read(truth()).file == file


def test_masks_may_stay_as_they_stand_in_the_file(tmp_path: Path) -> None:
    content = truth()
    content["annotations"][0]["segmentations"][0] = {"size": [HEIGHT, WIDTH], "counts": [3]}
    tracks = read(written(tmp_path, content), masks="encoded").file.tracks
    assert isinstance(tracks[0].segmentations, EncodedMasks)
    assert [track.segmentations.seen for track in tracks if isinstance(track.segmentations, EncodedMasks)] == [1, 1]
    assert tracks[1].segmentations[1] == square(3)
    with pytest.raises(
        InputError, match=r"file\.json: annotations\[0\]\.segmentations\[0\]: run lengths .* add up to 3"
    ):
        tracks[0].segmentations[0]


def test_what_may_be_missing(tmp_path: Path) -> None:
    content = truth()
    for key in ("iscrowd", "areas"):
        del content["annotations"][0][key]
    content["annotations"][1]["iscrowd"] = None
    del content["videos"][0]["length"]
    del content["categories"][0]["name"]
    file = read(written(tmp_path, content)).file
    assert (file.videos[0].length, file.categories[0].name) == (2, "class 17")
    assert [(track.crowd, track.stated_area) for track in file.tracks] == [(False, None), (False, 8.5)]
    del content["videos"][0]["file_names"]
    with pytest.raises(InputError, match=r"file\.json: videos\[0\]\.length: missing"):
        read(written(tmp_path, content))


def test_stills_are_videos_of_one_frame(tmp_path: Path) -> None:
    file = read(written(tmp_path, stills())).file
    assert file.videos == (VideoEntry(1, "a.jpg", WIDTH, HEIGHT, 1, None, ("a.jpg",)),)
    assert rle.area(file.tracks[0].segmentations[0] or {}) == 3


def test_results_need_no_ids_and_their_videos_are_guessed(tmp_path: Path) -> None:
    reading = read(written(tmp_path, results()))
    assert reading.listing.videos == {4: VideoEntry(4, "video 4", WIDTH, HEIGHT, 2)}
    assert reading.file.tracks == (Track(1, 4, 17, 0.5, (square(), None)),)
    listing = read(truth()).listing
    assert read(results(), against=listing, results=True).listing is listing
    with pytest.raises(InputError, match=r"data: results\[0\]\.video_id: 4 is no known video"):
        read(results(), against=read(stills()).listing, results=True)


def test_all_faults_at_once_and_what_is_sound() -> None:
    content = truth()
    content["videos"] += [{**content["videos"][0], "id": 5}, {**content["videos"][0], "id": 6, "height": 0}]
    content["annotations"][0] |= {"video_id": 5, "iscrowd": 2, "category_id": 3}
    content["annotations"] += [{**content["annotations"][1], "id": 3, "video_id": 6}, 7]
    reading = read(content, "collect")
    assert [str(problem) for problem in reading.problems.errors] == [
        "videos[2].height: 0 is no whole number from 1",
        "annotations[0].iscrowd: 2 is neither 0 nor 1",
        "annotations[0].category_id: 3 is no known category",
        "annotations[3]: 7 is no object",
    ]
    # Annotations of a video that is lost are no faults of their own.
    assert (list(reading.tracks), list(reading.listing.videos), reading.robbed) == ([1], [4, 5], {5})


DIGITS = "1" * 5000
ABSURD = {
    "id of 5,000 digits": ('"id": 4', f'"id": {DIGITS}', r"videos\[0\]\.id: inf is no whole number"),
    "id beyond what json programs hold": ('"id": 4', f'"id": {2**60}', r"videos\[0\]\.id: \d+ > 9007199254740992"),
    "score of 5,000 digits": ('"score": 0.5', f'"score": {DIGITS}', r"results\[0\]\.score: inf is no finite"),
    "score of 350 digits": (
        '"score": 0.5',
        f'"score": {DIGITS[:350]}',
        r"results\[0\]\.score: 1{50,}\.\.\. is no finite",
    ),
    "score of NaN": ('"score": 0.5', '"score": NaN', r"results\[0\]\.score: nan is no finite number"),
    "score of 1e400": ('"score": 0.5', '"score": 1e400', r"results\[0\]\.score: inf is no finite number"),
    "score of true": ('"score": 0.5', '"score": true', r"results\[0\]\.score: True is no finite number"),
    "videos that are a number": ('"videos": [', '"videos": 5, "v": [', "videos: 5 is no list"),
    "annotations that are a text": ('"annotations": [', '"annotations": "no", "a": [', "annotations: 'no' is no list"),
    "a float for a size": (f'"width": {WIDTH}', f'"width": {WIDTH}.0', r"videos\[0\]\.width: 9\.0 is no whole number"),
    "an endless side": (f'"width": {WIDTH}', '"width": 1000000', r"videos\[0\]\.width: 1000000 > 32768"),
    "an endless video": ('"length": 2', f'"length": {10**12}', r"videos\[0\]\.length: 1000000000000 > 10000000"),
    "floats for the size of a mask": (
        f'"size": [{HEIGHT}, {WIDTH}]',
        f'"size": [{HEIGHT}.0, {WIDTH}.0]',
        r"segmentations\[0\]: (segmentation has size \[8\.0, 9\.0\]|run lengths with a size)",
    ),
    "a mask of 5,000 digits": ('"counts": "', f'"counts": {DIGITS}, "c": "', r"\[0\]: segmentation has counts inf"),
    "a mask that is no text": ('"counts": "', '"counts": "\\ud800', r"segmentations\[0\]: counts are no compressed"),
    "one list in another": (
        '"segmentations": [',
        f'"segmentations": [{"[" * 9}{"]" * 9}, ',
        r"segmentations(: 3 masks|\[0\]: a polygon must be)",
    ),
    "a list of endless depth": ('"id": 17', f'"id": {"[" * 200_000}{"]" * 200_000}', "nested too deeply"),
    "masks of endless depth": (
        '"segmentations": [',
        f'"segmentations": [{"[" * 200_000}{"]" * 200_000}, ',
        "nested too deeply",
    ),
    "cut off": ('"annotations"', '"annotations', "not json: .*line 1 column"),
}


def all_masks(path: Path, masks: Any) -> list[Any]:
    return [list(track.segmentations) for track in read(path, masks=masks).file.tracks]


@pytest.mark.parametrize("case", ABSURD)
@pytest.mark.parametrize("masks", ["checked", "encoded"])
def test_absurd_files_are_refused_with_place_and_value(tmp_path: Path, case: str, masks: Any) -> None:
    old, new, message = ABSURD[case]
    scored = truth()
    for annotation, result in zip(scored["annotations"], results() * 2, strict=True):
        annotation["score"] = result["score"]
    hit = False
    for content in (scored, results()):
        text = json.dumps(content)
        if old not in text or ("results" in message and content is scored):
            continue
        hit = True
        with pytest.raises(InputError, match=message) as caught:
            all_masks(written(tmp_path, text.replace(old, new, 1)), masks)
        assert str(tmp_path / "file.json") in str(caught.value)
    assert hit


@pytest.mark.parametrize(
    "inside", ["[" * 2**22 + "]" * 2**22, ",".join(["[]"] * 2**22), ",".join(['{"a":[]}'] * 2**21)]
)
def test_lists_that_hold_nothing_are_not_made(tmp_path: Path, inside: str) -> None:
    """Two hundred megabytes of them would take gigabytes, and minutes."""
    path = written(tmp_path, f'{{"info": [{inside}], "videos": []}}')
    with pytest.raises(InputError, match=r"file\.json: not json that can be read: next to nothing but lists"):
        read(path)


def test_json_of_other_tools(tmp_path: Path) -> None:
    """A byte order mark, NaN where nobody looks, and more digits than Python converts in a field that nobody reads."""
    text = json.dumps(truth()).replace('"videos"', f'"info": {{"a": NaN, "b": {DIGITS}}}, "videos"', 1)
    (tmp_path / "file.json").write_text(text, encoding="utf-8-sig")
    assert read(tmp_path / "file.json").file.tracks == read(truth()).file.tracks


def test_repeated_ids() -> None:
    for key, place in (
        ("videos", "videos[1].id"),
        ("categories", "categories[1].id"),
        ("annotations", "annotations[2].id"),
    ):
        content = truth()
        content[key].append(copy.deepcopy(content[key][0]))
        with pytest.raises(InputError, match="is the id of an earlier entry too"):
            read(content)
        assert [problem.place for problem in read(content, "collect").problems.errors] == [place]
    content = stills()
    content["annotations"].append({key: value for key, value in content["annotations"][0].items() if key != "id"})
    assert [track.id for track in read(content, form=STILLS).file.tracks] == [1, 2]
