"""A whole video in Python: what came of it, and that it is what the command writes."""

import gc
import json

import numpy as np
import pytest
from PIL import Image

from chronomask.errors import InputError
from chronomask.outputs.choice import Outputs
from chronomask.runs.segment import segment_to_folder
from chronomask.runs.whole_video import segment
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import open_source
from segmenter.colour import CATEGORIES, ColourEngine, check_objects, moving_objects, same, settings


@pytest.fixture
def segmenter():
    return Segmenter(ColourEngine(4), settings(4, 2))


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, image in enumerate(moving_objects(12)):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    return folder


def test_a_result_is_the_sequence_of_its_frames(segmenter):
    video = moving_objects(12)
    result = segment(video, segmenter)
    assert len(result) == 12
    check_objects(result, video)
    assert [(frame.index, frame.time) for frame in result] == [(number, number / 25) for number in range(12)]
    same([result[-1], result[2]], [result[11], result[2]])
    same(result[-3::2], [result[9], result[11]])
    with pytest.raises(IndexError):
        result[12]
    # Final names and scores, whichever frame is asked for.
    scores = {track.id: track.score for track in result.tracks}
    assert all(info.score == pytest.approx(scores[info.id], abs=1e-6) for frame in result for info in frame.tracks)
    assert repr(result) == "VideoResult(frames: 12 frames, 3 tracks)"


def test_the_table_of_tracks(segmenter):
    result = segment(moving_objects(20), segmenter)
    assert {row.name for row in result.tracks} == {category.name for category in CATEGORIES}
    (dog,) = [row for row in result.tracks if row.name == "dog"]  # blue, there for a while
    assert (dog.first, dog.last) == (4, 16)
    seen = [mask is not None for mask in result.segmentations(dog.id)]
    assert seen == [4 <= frame < 17 for frame in range(20)]


def test_what_is_saved_is_what_the_command_writes(segmenter, frames, tmp_path):
    outputs = Outputs(masks="png", cutout="png", csv=True)
    segment_to_folder(segmenter, open_source(frames), tmp_path / "command", outputs=outputs, classes=("cat", "dog"))
    result = segment(frames, segmenter, classes=["dog", "cat"])
    paths = result.save(tmp_path / "python", masks="png", cutout="png", csv=True)
    assert paths == outputs.paths(tmp_path / "python")
    names = sorted(path.relative_to(tmp_path / "command") for path in (tmp_path / "command").rglob("*.*"))
    assert len(names) > 30
    for name in names:
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "command" / name).read_bytes(), name


def test_the_rule_for_outputs_holds(segmenter, frames, tmp_path):
    result = segment(frames, segmenter)
    result.save(tmp_path / "out", overlay=False)
    with pytest.raises(InputError, match=r"results.json: exists already"):
        result.save(tmp_path / "out")
    result.save(tmp_path / "out", overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["overlay.mp4", "results.json", "tracks.json"]


def test_frames_of_a_generator_are_drawn_too(segmenter, tmp_path):
    video = moving_objects(12)
    result = segment((image for image in video), segmenter)
    same(list(result), list(segment(video, segmenter)))
    result.save(tmp_path / "out")
    drawn = [frame.image for frame in open_source(tmp_path / "out/overlay.mp4")]
    assert len(drawn) == 12
    assert np.abs(drawn[6].astype(int) - np.asarray(result[6].plot(video[6]))).mean() < 12
    folder = result.spool.folder
    assert folder.exists()
    del result
    gc.collect()
    assert not folder.exists()


def test_supervision_and_pictures(segmenter, frames):
    result = segment(frames, segmenter)
    detections = list(result.to_supervision())
    assert [len(each) for each in detections] == [len(frame.tracks) for frame in result]
    sheet = np.asarray(result.plot(count=4, width=400))
    assert sheet.shape[1] == 400
    assert (sheet.max(2) > 150).mean() > 0.1  # the objects, in their own colours under those of the tracks
    assert result._repr_png_().startswith(b"\x89PNG")


def test_what_cannot_be_meant(segmenter, tmp_path):
    with pytest.raises(InputError, match="classes: 'Dogg' is not a class of this model; close ones are dog"):
        segment(moving_objects(3), segmenter, classes=["Dogg"])
    with pytest.raises(InputError, match="no frame"):
        segment([], segmenter)
    with pytest.raises(InputError, match="the name of the source is empty"):
        segment("", segmenter)
    assert segment(moving_objects(3), segmenter, classes="dog").info["classes"] == ["dog"]


def test_the_masks_lie_where_one_says_until_the_result_goes(segmenter, tmp_path):
    result = segment(moving_objects(6), segmenter, temporary=tmp_path)
    assert [path.name for path in tmp_path.rglob("*.db")] == ["spool.db"]
    del result
    gc.collect()
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="nowhere: no such folder, for temporary files"):
        segment(moving_objects(6), segmenter, temporary=tmp_path / "nowhere")


def test_a_part_of_a_video(segmenter, frames, tmp_path):
    result = segment(frames, segmenter, start=0.1, end=0.4, every=2, fps=25.0)
    assert [round(25 * frame.time) for frame in result] == [3, 5, 7, 9]
    result.save(tmp_path / "out", overlay=False)
    content = json.loads((tmp_path / "out/tracks.json").read_text())
    assert content["info"]["source"]["start"] == 0.1
    assert content["videos"][0]["length"] == 4
