"""A whole data set: ids of the data set, one entry a frame, and continuing behind finished videos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chronomask.config import ClusterConfig, ModelConfig, SegmentConfig
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks
from chronomask.inference.predict import predict
from chronomask.inference.segment import Segmenter
from chronomask.model.checkpoint import save_network
from chronomask.model.network import Network


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    network = Network(ModelConfig(backbone="resnet18", channels=16, squeezes=(2, 1, 0, 0)))
    torch.nn.init.constant_(network.heat_head.bias, 3.0)
    return Segmenter(
        network, SegmentConfig(score=0.0, max_tracks=4, cluster=ClusterConfig(minimum_pixels=1)), torch.device("cpu")
    )


@pytest.fixture
def data(tmp_path: Path, segmenter: Segmenter) -> Path:
    """Three videos of five small frames; `checkpoint` stands in for the file of the weights."""
    save_network(tmp_path / "checkpoint", segmenter.network, half=True)
    videos = []
    for number in range(1, 4):
        names = [f"v{number}/{frame:05d}.jpg" for frame in range(5)]
        for frame, name in enumerate(names):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            image = np.full((36, 50, 3), 30 * number, np.uint8)
            image[5:20, 5 * frame : 5 * frame + 15] = 220
            Image.fromarray(image).save(tmp_path / name)
        videos.append({"id": 10 * number, "width": 50, "height": 36, "length": 5, "file_names": names})
    # The data set numbers its classes in its own way.
    categories = [{"id": 7, "name": "person"}, {"id": 8, "name": "dog"}, {"id": 0, "name": "object"}]
    (tmp_path / "instances.json").write_text(json.dumps({"videos": videos, "categories": categories}))
    return tmp_path


def run(segmenter: Segmenter, data: Path, out: Path) -> int:
    return predict(segmenter, data / "instances.json", data, out, checkpoint=data / "checkpoint")


def test_predictions_carry_the_ids_of_the_data_set(segmenter: Segmenter, data: Path) -> None:
    found = run(segmenter, data, data / "out/tracks.json")
    tracks = read_tracks(data / "out/tracks.json")
    assert found == len(tracks.tracks) > 0
    assert {track.video_id for track in tracks.tracks} == {10, 20, 30}
    assert {track.category_id for track in tracks.tracks} <= {0, 7, 8}
    assert all(len(track.segmentations) == 5 for track in tracks.tracks)
    assert len(read_tracks(data / "out/results.json").tracks) == found
    assert sorted(path.name for path in (data / "out").iterdir()) == ["results.json", "tracks.json"]


def test_a_data_set_without_object_gets_the_best_of_its_classes(segmenter: Segmenter, data: Path) -> None:
    with_object = run(segmenter, data, data / "with/tracks.json")
    content = json.loads((data / "instances.json").read_text())
    content["categories"].pop()
    (data / "instances.json").write_text(json.dumps(content))
    assert run(segmenter, data, data / "without/tracks.json") == with_object
    assert {track.category_id for track in read_tracks(data / "without/tracks.json").tracks} <= {7, 8}


def test_a_partial_run_of_another_data_set_is_refused(segmenter: Segmenter, data: Path) -> None:
    (data / "out").mkdir()
    (data / "out/tracks.json.partial").write_text('{"info": {}, "instances_sha256": "0"}\n')
    with pytest.raises(InputError, match="other data"):
        run(segmenter, data, data / "out/tracks.json")


def test_a_killed_run_continues_behind_the_finished_videos(
    segmenter: Segmenter, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(segmenter, data, data / "whole/tracks.json")
    seen: list[str] = []
    segment = Segmenter.segment

    def killed_at_the_third(self: Segmenter, source: object) -> object:
        seen.append(source.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return segment(self, source)

    monkeypatch.setattr(Segmenter, "segment", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(segmenter, data, data / "cut/tracks.json")
    partial = data / "cut/tracks.json.partial"
    partial.write_bytes(partial.read_bytes() + b'{"video": 30, "tr')  # a line that was being written
    assert not (data / "cut/tracks.json").exists()
    run(segmenter, data, data / "cut/tracks.json")
    assert seen == ["v1", "v2", "v3", "v3"]
    assert (data / "cut/tracks.json").read_bytes() == (data / "whole/tracks.json").read_bytes()
    assert not partial.exists()


def test_bad_data_names_its_place(segmenter: Segmenter, data: Path) -> None:
    content = json.loads((data / "instances.json").read_text())
    for change, named in (
        ({"categories": [{"id": 1, "name": "unicorn"}]}, "categories"),
        ({"videos": [{**content["videos"][0], "width": 51}]}, "51x36"),
        ({"videos": [{**content["videos"][0], "file_names": ["v1/none.jpg"]}]}, "none.jpg"),
        ({"videos": [{"id": 1}]}, "file_names"),
        ({"videos": None}, "videos"),
    ):
        (data / "instances.json").write_text(json.dumps(content | change))
        with pytest.raises(InputError, match=named):
            run(segmenter, data, data / "out/tracks.json")
        assert not (data / "out/tracks.json").exists()
        (data / "out/tracks.json.partial").unlink(missing_ok=True)
