from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from track_builders import HEIGHT, WIDTH, annotation, mask, random_case, result, truth_file

from chronomask.annotations.reader import read
from chronomask.errors import InputError
from chronomask.evaluation.ap import evaluate
from chronomask.evaluation.coverage import left_aside
from chronomask.evaluation.validate import Validation, read_results, read_truth, validate, validation_table

BOX = mask((5, 5, 10, 10))


def good_truth() -> dict[str, Any]:
    return truth_file([annotation([BOX] * 3), annotation([None, BOX, BOX], 2)], categories=(1, 2, 0))


def good_results() -> list[dict[str, Any]]:
    return [result([BOX] * 3), result([BOX, BOX, None], 0.5, 2)]


def places(validation: Validation) -> list[tuple[str, str]]:
    return [(problem.severity, problem.place) for problem in validation.problems]


def test_sound_files_have_no_problems() -> None:
    assert validate(good_truth()).problems == ()
    assert validate(good_results(), good_truth()).problems == ()
    assert validate(good_results()).problems == ()
    assert validate([], good_truth()).errors == ()


@pytest.mark.parametrize("held_back", [{"annotations": None}, {}])
def test_public_files_of_test_sets_hold_no_ground_truth(tmp_path: Path, held_back: dict[str, Any]) -> None:
    truth = {key: value for key, value in good_truth().items() if key != "annotations"} | held_back
    path = tmp_path / "test.json"
    path.write_text(json.dumps(truth))
    found = validate(path)
    assert (found.kind, found.entries, found.errors) == ("annotations", 0, ())
    assert [str(problem) for problem in found.warnings] == [
        "annotations: none: this is no ground truth; it names videos and categories alone"
    ]
    assert read(path).file.tracks == ()
    assert validate(good_results(), path).errors == ()
    with pytest.raises(InputError, match=r"test\.json: holds no ground truth, only videos and categories") as error:
        evaluate(path, good_results())
    assert "\n" not in str(error.value)
    # Neither are they results without a result.
    with pytest.raises(InputError, match=r"test\.json: annotations: missing, and so there are no results"):
        read_results(path, read_truth(good_truth()))
    with pytest.raises(InputError, match="annotations without scores"):
        validate(path, good_truth())


TRUTH_FAULTS = {
    "wrong length": ("annotations[0].segmentations", lambda d: d["annotations"][0]["segmentations"].append(None)),
    "wrong size": (
        "annotations[0].segmentations[1]",
        lambda d: d["annotations"][0]["segmentations"].__setitem__(1, BOX | {"size": [WIDTH, HEIGHT]}),
    ),
    "repeated annotation id": ("annotations[1].id", lambda d: d["annotations"][1].update(id=1)),
    "text for an id": ("annotations[1].id", lambda d: d["annotations"][1].update(id="2")),
    "repeated video id": ("videos[1].id", lambda d: d["videos"].append(d["videos"][0])),
    "repeated category id": ("categories[3].id", lambda d: d["categories"].append({"id": 0, "name": "x"})),
    "unknown video": ("annotations[1].video_id", lambda d: d["annotations"][1].update(video_id=7)),
    "unknown category": ("annotations[1].category_id", lambda d: d["annotations"][1].update(category_id=7)),
    "corrupt text": (
        "annotations[1].segmentations[2]",
        lambda d: d["annotations"][1]["segmentations"].__setitem__(2, {"size": [HEIGHT, WIDTH], "counts": "ab\x7f"}),
    ),
    "runs that are not full": (
        "annotations[1].segmentations[2]",
        lambda d: d["annotations"][1]["segmentations"].__setitem__(2, {"size": [HEIGHT, WIDTH], "counts": [5, 6]}),
    ),
    "negative run": (
        "annotations[1].segmentations[2]",
        lambda d: d["annotations"][1]["segmentations"].__setitem__(
            2, {"size": [HEIGHT, WIDTH], "counts": [-5, HEIGHT * WIDTH + 5]}
        ),
    ),
    "areas of another length": ("annotations[0].areas", lambda d: d["annotations"][0]["areas"].pop()),
    "NaN area": ("annotations[0].areas[1]", lambda d: d["annotations"][0]["areas"].__setitem__(1, float("nan"))),
    "file names of another length": ("videos[0].file_names", lambda d: d["videos"][0]["file_names"].pop()),
    "no height": ("videos[0].height", lambda d: d["videos"][0].pop("height")),
    "no list of annotations": ("annotations", lambda d: d.update(annotations=5)),
}


@pytest.mark.parametrize("fault", TRUTH_FAULTS)
def test_annotation_faults_are_errors_with_their_place(fault: str) -> None:
    place, break_it = TRUTH_FAULTS[fault]
    data = good_truth()
    break_it(data)
    found = validate(data)
    assert ("error", place) in places(found)
    with pytest.raises(InputError, match=place.replace("[", r"\[")):
        evaluate(data, [])


RESULT_FAULTS = {
    "wrong length": ("results[0].segmentations", lambda r: r[0]["segmentations"].append(BOX)),
    "wrong size": ("results[0].segmentations[0]", lambda r: r[0].update(segmentations=[BOX | {"size": [1, 1]}] * 3)),
    "unknown video": ("results[1].video_id", lambda r: r[1].update(video_id=9)),
    "unknown category": ("results[1].category_id", lambda r: r[1].update(category_id=9)),
    "NaN score": ("results[1].score", lambda r: r[1].update(score=float("nan"))),
    "no score": ("results[1].score", lambda r: r[1].pop("score")),
    "corrupt runs": (
        "results[1].segmentations[0]",
        lambda r: r[1]["segmentations"].__setitem__(0, {"size": [HEIGHT, WIDTH], "counts": "n`P"}),
    ),
    "no object": ("results[1]", lambda r: r.__setitem__(1, 5)),
    "no masks": ("results[0].segmentations", lambda r: r[0].pop("segmentations")),
}


@pytest.mark.parametrize("fault", RESULT_FAULTS)
def test_result_faults_are_errors_with_their_place(fault: str) -> None:
    place, break_it = RESULT_FAULTS[fault]
    results = good_results()
    break_it(results)
    assert ("error", place) in places(validate(results, good_truth()))
    with pytest.raises(InputError, match=place.replace("[", r"\[")):
        evaluate(good_truth(), results)


WARNINGS = {
    "missing iscrowd": (good_truth(), "annotations[0].iscrowd", lambda d: d["annotations"][0].pop("iscrowd")),
    "missing areas": (good_truth(), "annotations[0].areas", lambda d: d["annotations"][0].pop("areas")),
    "nameless category": (good_truth(), "categories[1].name", lambda d: d["categories"][1].pop("name")),
    "one name twice": (good_truth(), "categories[1].name", lambda d: d["categories"][1].update(name="class1")),
    "annotation id 0": (good_truth(), "annotations[0].id", lambda d: d["annotations"][0].update(id=0)),
    "never in sight": (
        good_truth(),
        "annotations[0].segmentations",
        lambda d: d["annotations"][0].update(segmentations=[None] * 3, areas=[None] * 3, bboxes=[None] * 3),
    ),
    "other area": (
        good_truth(),
        "annotations[0].areas[2]",
        lambda d: d["annotations"][0]["areas"].__setitem__(2, 20),
    ),
    "other box": (
        good_truth(),
        "annotations[0].bboxes[1]",
        lambda d: d["annotations"][0]["bboxes"].__setitem__(1, [0, 0, 3, 3]),
    ),
    "a box of three": (good_truth(), "annotations[0].bboxes", lambda d: d["annotations"][0]["bboxes"][1].pop()),
    "a box of text": (
        good_truth(),
        "annotations[0].bboxes",
        lambda d: d["annotations"][0]["bboxes"][1].__setitem__(0, "1"),
    ),
    "a box too many": (good_truth(), "annotations[0].bboxes", lambda d: d["annotations"][0]["bboxes"].append(None)),
    "NaN box": (
        good_truth(),
        "annotations[0].bboxes[1]",
        lambda d: d["annotations"][0]["bboxes"][1].__setitem__(0, float("nan")),
    ),
    "score above 1": (good_results(), "results[0].score", lambda r: r[0].update(score=1.5)),
    "too many": (good_results(), "results", lambda r: r.extend([r[0]] * 100)),
}


@pytest.mark.parametrize("fault", WARNINGS)
def test_harmless_faults_are_warnings(fault: str) -> None:
    data, place, break_it = copy.deepcopy(WARNINGS[fault])
    break_it(data)
    assert places(validate(data)) == [("warning", place)]
    truth = data if isinstance(data, dict) else good_truth()
    evaluate(truth, [] if isinstance(data, dict) else data)


def test_every_problem_is_found_at_once() -> None:
    data = good_truth()
    data["annotations"][0]["segmentations"].append(None)
    data["annotations"][1].update(iscrowd=2, category_id=12)
    found = validate(data)
    assert [problem.place for problem in found.errors] == [
        "annotations[0].segmentations",
        "annotations[1].iscrowd",
        "annotations[1].category_id",
    ]
    assert str(found.errors[0]) == "annotations[0].segmentations: 4 masks for a video of 3 frames"
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(validation_table(found))
    assert "4 masks for a video of 3 frames" in console.export_text()


def test_tracks_file_is_a_result_file() -> None:
    truth = good_truth()
    tracks = good_truth()
    for entry, score in zip(tracks["annotations"], (0.9, 0.8), strict=True):
        entry["score"] = score
        del entry["iscrowd"]
    assert validate(tracks).kind == "results"
    assert validate(tracks, truth).problems == ()
    assert len(read_results(tracks, read_truth(truth))) == 2
    tracks["annotations"][1]["id"] = 1
    assert places(validate(tracks)) == [("error", "annotations[1].id")]


def test_results_alone_must_agree_among_themselves() -> None:
    results = [*good_results(), result([BOX] * 2), result([None] * 4, video_id=3)]
    assert places(validate(results)) == [
        ("error", "results[2].segmentations"),
        ("warning", "results[3].segmentations"),
    ]


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), ("{", "not json"), ("5", "a list of results")]
)
def test_unreadable_files(content: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=f"results.json: .*{message}"):
        evaluate(good_truth(), path)


def test_plain_runs_and_polygons_pass_as_compressed_ones_do() -> None:
    truth = good_truth()
    counts = [5 * HEIGHT + 5, *[10, HEIGHT - 10] * 9, 10, (WIDTH - 15) * HEIGHT + HEIGHT - 15]
    plain = {"size": [HEIGHT, WIDTH], "counts": counts}
    polygon = [[5, 5, 5, 15, 15, 15, 15, 5]]
    truth["annotations"][0]["segmentations"] = [plain, polygon, BOX]
    assert validate(truth).problems == ()
    assert read_truth(truth).tracks[0].masks == [BOX] * 3


def test_results_as_json_and_as_objects_agree(tmp_path: Path) -> None:
    truth, results = random_case(3)
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert evaluate(tmp_path / "truth.json", tmp_path / "results.json").scores == evaluate(truth, results).scores


@pytest.mark.parametrize("key", ["videos", "categories", "annotations"])
@pytest.mark.parametrize("value", [5, {}, "x"])
def test_what_should_be_a_list_is_a_problem(key: str, value: object) -> None:
    assert ("error", key) in places(validate(good_truth() | {key: value}))


def shown(validation: Validation) -> str:
    console = Console(width=300, file=io.StringIO(), record=True)
    console.print(validation_table(validation))
    return " ".join(console.export_text().split())


def test_what_was_read_is_said() -> None:
    truth = good_truth()
    truth["annotations"][1]["iscrowd"] = 1
    assert shown(validate(truth)) == (
        "data: 1 object, 1 crowd in 1 video of 3 frames, read as youtube-vis: 0 errors, 0 warnings"
    )
    assert "2 results in 1 video of 3 frames, read as a list of results: 0 errors" in shown(validate(good_results()))
    for entry in truth["annotations"]:
        entry["score"] = 1.0
    assert validate(truth).kind == "annotations"
    assert validate(truth, good_truth()).kind == "results"


def test_a_missing_field_is_one_line() -> None:
    truth = good_truth()
    for entry in truth["annotations"]:
        del entry["areas"]
    (problem,) = validate(truth).problems
    assert str(problem) == "annotations[0].areas: missing here and in 1 more, and the official evaluator stops without"
    stills = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": truth["categories"],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": BOX}],
    }
    assert places(validate(stills)) == [("warning", "annotations[0].area")]


def test_results_that_do_not_count_are_warnings() -> None:
    truth = truth_file(
        [annotation([BOX] * 3), annotation([BOX] * 3, video_id=2)], lengths={1: 3, 2: 3}, categories=(1, 2)
    )
    results = [result([BOX] * 3), result([BOX] * 3, 0.5, 2), result([BOX] * 3, 0.4, 2)]
    expected = [
        "2 of 3 results left out: no annotation is of the class 'class2'",
        "no result for 1 of 2 videos: video2",
    ]
    assert [problem.message for problem in validate(results, truth).problems] == expected
    assert list(left_aside(read_truth(truth), read_results(results, read_truth(truth)))) == expected
    del truth["annotations"]
    assert [problem.message for problem in validate(results, truth | {"annotations": None}).problems] == expected[1:]


def test_crowds_are_said() -> None:
    truth = good_truth()
    truth["annotations"][1]["iscrowd"] = 1
    said = list(left_aside(read_truth(truth), read_results([result([BOX] * 3)], read_truth(truth))))
    assert said == ["2 annotations: 1 object and 1 crowd, which need not be found"]
