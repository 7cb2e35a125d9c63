"""Results go through supervision as those of its own connectors do: annotators, counters, data sets."""

from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from PIL import Image

from chronomask.categories import COCO
from chronomask.runs.whole_video import segment
from chronomask.segmenter.segmenter import Segmenter
from segmenter.colour import ColourEngine, moving_objects, settings


@pytest.fixture(scope="module")
def result():
    return segment(moving_objects(20), Segmenter(ColourEngine(4), settings(4, 2)))


def test_annotators_draw_masks_boxes_and_names(result):
    image, detections = moving_objects(20)[6], result[6].to_supervision()
    labels = [f"{name} {number}" for name, number in zip(detections["class_name"], detections.tracker_id, strict=True)]
    scene = image.copy()
    for annotator in (sv.MaskAnnotator(), sv.BoxAnnotator(), sv.HaloAnnotator()):
        scene = annotator.annotate(scene, detections)
    scene = sv.LabelAnnotator(text_scale=0.3).annotate(scene, detections, labels=labels)
    assert (scene != image).any(2)[np.asarray(result[6].masks).any(0)].mean() > 0.9
    trace = sv.TraceAnnotator()
    for frame in result:
        scene = trace.annotate(scene, frame.to_supervision())


def test_counters_follow_the_ids(result):
    """The green object runs to the right, and again from the left; the red one lies in the zone all the time."""
    line = sv.LineZone(sv.Point(30, 60), sv.Point(30, 0), triggering_anchors=[sv.Position.CENTER])
    zone = sv.PolygonZone(np.array([[0, 22], [32, 22], [32, 47], [0, 47]]), [sv.Position.CENTER])
    counts = []
    for detections in result.to_supervision():
        line.trigger(detections)
        counts.append(int(zone.trigger(detections).sum()))
    assert line.in_count + line.out_count >= 1
    assert min(counts) == max(counts) == 1


def test_data_sets_are_written_and_read_again(result, tmp_path):
    classes = [category.name for category in COCO]
    places = {category.id: number for number, category in enumerate(COCO)}
    paths, annotations = [], {}
    for frame, image in zip(result, moving_objects(20), strict=True):
        detections = frame.to_supervision()
        detections.class_id = np.array([places[number] for number in detections.class_id])
        paths.append(str(tmp_path / f"{frame.index:03d}.png"))
        Image.fromarray(image).save(paths[-1])
        annotations[paths[-1]] = detections
    dataset = sv.DetectionDataset(classes=classes, images=paths, annotations=annotations)
    dataset.as_coco(images_directory_path=str(tmp_path / "images"), annotations_path=str(tmp_path / "coco.json"))
    again = sv.DetectionDataset.from_coco(str(tmp_path / "images"), str(tmp_path / "coco.json"), force_masks=True)
    assert len(again) == 20
    for path, _, detections in again:
        (frame,) = [frame for frame in result if f"{frame.index:03d}" == Path(path).stem]
        assert sorted(again.classes[number] for number in detections.class_id) == sorted(frame.names)
        found, mine = detections.mask.any(0), np.asarray(frame.masks).any(0)
        assert (found & mine).sum() / (found | mine).sum() > 0.8
