"""Where detections come from."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import supervision as sv
import torch
from onnx import TensorProto, helper, numpy_helper

from baselines.scenes import seen
from chronomask import rle
from chronomask.annotations.records import VideoEntry
from chronomask.baselines.detection_files import read_detections, write_detections
from chronomask.baselines.onnx_detector import OnnxDetector
from chronomask.baselines.others import TorchvisionDetector, from_supervision, from_torchvision
from chronomask.baselines.own_network import NetworkDetector, on_frames
from chronomask.categories import Category
from chronomask.config import SegmentConfig
from chronomask.errors import InputError
from chronomask.segmenter.segmenter import Segmenter
from segmenter.colour import CATEGORIES, COLOURS, ColourEngine

CLASSES = (Category(1, "person"), Category(7, "dog"))
VIDEOS = (VideoEntry(3, "a", 100, 60, 2, file_names=("a/0.png", "a/1.png")),)


def coloured(*squares, size=(48, 64)):
    """A black picture with squares: (colour, top, left, side)."""
    picture = np.zeros((*size, 3), np.uint8)
    for colour, top, left, side in squares:
        picture[top : top + side, left : left + side] = COLOURS[colour]
    return picture


def test_the_network_finds_objects_frame_by_frame():
    config = on_frames(SegmentConfig())
    detector = NetworkDetector(Segmenter(ColourEngine(clip_length=1), config))
    pictures = [coloured(("red", 8, 8, 16)), coloured(), coloured(("red", 8, 12, 16), ("blue", 16, 40, 16))]
    category_of = {"person": Category(11, "human"), "dog": Category(7, "dog")}
    found = list(detector.detect(pictures, category_of))
    assert [sorted(detection.category_id for detection in frame) for frame in found] == [[11], [], [7, 11]]
    (first,) = found[0]
    truth = pictures[0].any(2)
    assert rle.iou([first.mask], [rle.encode(truth)])[0, 0] > 0.8
    np.testing.assert_allclose(first.box, [8, 8, 24, 24], atol=2)
    assert first.feature.argmax() == 0  # red
    assert 0 < first.score <= 1


def test_classes_that_nobody_asks_for_are_named_by_others_or_left_out():
    detector = NetworkDetector(Segmenter(ColourEngine(clip_length=1), on_frames(SegmentConfig())))
    (found,) = detector.detect([coloured(("green", 8, 8, 16))], {CATEGORIES[0].name: Category(1, "person")})
    assert {detection.category_id for detection in found} <= {1}


def test_detections_are_read_as_they_were_written(tmp_path):
    frames = [[seen(10, score=0.75, category=7), seen(40, score=0.9)], []]
    write_detections(tmp_path / "d.json", VIDEOS, CLASSES, {3: frames})
    found = read_detections(tmp_path / "d.json", VIDEOS, CLASSES)
    assert [[d.score for d in frame] for frame in found[3]] == [[0.9, 0.75], []]
    best, other = found[3][0]
    assert (best.mask, best.category_id, other.category_id) == (frames[0][1].mask, 1, 7)
    np.testing.assert_array_equal(other.box, frames[0][0].box)
    np.testing.assert_allclose(other.feature, frames[0][0].feature)


def test_coco_json_of_others_joins_by_names(tmp_path):
    """Other ids, another order, no scores, images and categories that nobody asks for."""
    mask = rle.encode(np.pad(np.ones((4, 5), bool), ((10, 46), (20, 75))))
    images = [(9, "a/1.png"), (4, "a\\0.png"), (1, "other.png")]
    content = {
        "images": [{"id": number, "file_name": name, "width": 100, "height": 60} for number, name in images],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "unicorn"}],
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "segmentation": mask, "area": 20, "iscrowd": 0}
            for number, (image, category) in enumerate([(9, 1), (4, 2), (1, 1)], 1)
        ],
    }
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(content))
    found = read_detections(path, VIDEOS, CLASSES)[3]
    assert [len(frame) for frame in found] == [0, 1]
    assert (found[1][0].category_id, found[1][0].score, found[1][0].box.tolist()) == (7, 1.0, [20, 10, 25, 14])
    assert found[1][0].feature.size == 0


@pytest.mark.parametrize("feature", ["red", [1, None], [[1, 2]], [float("inf")]])
def test_a_wrong_feature_is_named(tmp_path, feature):
    path = tmp_path / "d.json"
    write_detections(path, VIDEOS, CLASSES, {3: [[seen(10)], []]})
    content = json.loads(path.read_text())
    content["annotations"][0]["attributes"]["feature"] = feature
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"d\.json: annotations\[0\]\.attributes\.feature: "):
        read_detections(path, VIDEOS, CLASSES)


def test_a_file_of_other_images_is_refused(tmp_path):
    write_detections(tmp_path / "d.json", VIDEOS, CLASSES, {3: [[], []]})
    others = (VideoEntry(3, "b", 100, 60, 1, file_names=("b/0.png",)),)
    with pytest.raises(InputError, match=r"d\.json: names none of the frames, such as b/0\.png"):
        read_detections(tmp_path / "d.json", others, CLASSES)


def supervised(**changes):
    mask = np.zeros((2, 20, 30), bool)
    mask[0, 2:6, 3:9] = mask[1, 10:15, 10:20] = True
    fields = {"xyxy": np.array([[3, 2, 9, 6], [10, 10, 20, 15.0]]), "mask": mask, "class_id": np.array([5, 7])}
    return sv.Detections(**fields | {"confidence": np.array([0.25, 0.75])} | changes)


def test_detections_of_supervision():
    best, other = from_supervision(supervised(data={"feature": np.eye(2)}))
    assert (best.score, best.category_id, best.feature.tolist()) == (0.75, 7, [0, 1])
    assert (rle.area(best.mask), rle.bbox(other.mask), other.box.tolist()) == (50, (3, 2, 6, 4), [3, 2, 9, 6])
    assert from_supervision(sv.Detections.empty()) == []
    assert [found.score for found in from_supervision(supervised(confidence=None))] == [1, 1]
    for missing in ("mask", "class_id"):
        with pytest.raises(InputError, match=f"detections: have no {missing}"):
            from_supervision(supervised(**{missing: None}))


def torchvision_output():
    masks = np.zeros((3, 1, 20, 30), np.float32)
    masks[0, 0, 2:6, 3:9], masks[1, 0, 10:15, 10:20], masks[2, 0, :4, :4] = 0.9, 0.6, 0.4
    boxes = np.array([[3, 2, 9, 6], [10, 10, 20, 15], [0, 0, 4, 4]], np.float32)
    scores = np.array([0.5, 0.75, 0.9], np.float32)
    fields = {"boxes": boxes, "labels": np.array([18, 1, 1]), "scores": scores, "masks": masks}
    return {name: torch.from_numpy(values) for name, values in fields.items()}


def test_what_torchvision_says_of_an_image():
    best, other = from_torchvision(torchvision_output(), {1: 11, 18: 7}, np.eye(3, dtype=np.float32))
    assert (best.score, best.category_id, best.feature.tolist(), rle.area(best.mask)) == (0.75, 11, [0, 1, 0], 50)
    assert (other.category_id, rle.area(other.mask)) == (7, 24)
    assert [found.category_id for found in from_torchvision(torchvision_output(), {18: 7})] == [7]
    with pytest.raises(InputError, match="output: has no 'masks'"):
        from_torchvision({"boxes": [], "labels": [], "scores": []}, {})
    with pytest.raises(InputError, match="output: lengths differ"):
        from_torchvision(torchvision_output() | {"scores": torch.zeros(2)}, {})


class FakeMaskRcnn(torch.nn.Module):
    """The parts of torchvision's network that are asked for, by its names; its images are shown at half their size."""

    def __init__(self, **options):
        super().__init__()
        self.options = options
        self.backbone, self.transform = torch.nn.Conv2d(3, 2, 1), HalfSize()
        self.roi_heads = torch.nn.Module()
        self.roi_heads.box_roi_pool = lambda levels, boxes, sizes: boxes[0]
        self.roi_heads.box_head = lambda pooled: pooled

    def forward(self, images):
        seen, _ = self.transform(images)
        self.backbone(seen.tensors)
        return [torchvision_output()]


class HalfSize(torch.nn.Module):
    def forward(self, images):
        small = torch.nn.functional.interpolate(images[0][None], scale_factor=0.5)
        return SimpleNamespace(tensors=small, image_sizes=[tuple(small.shape[2:])]), None


def test_mask_rcnn_of_torchvision(monkeypatch, tmp_path):
    package = SimpleNamespace(maskrcnn_resnet50_fpn=FakeMaskRcnn)
    for name in ("torchvision", "torchvision.models", "torchvision.models.detection"):
        monkeypatch.setitem(sys.modules, name, package)
    torch.save(FakeMaskRcnn().state_dict(), tmp_path / "w.pth")
    detector = TorchvisionDetector(tmp_path / "w.pth")
    assert detector.network.options == {"weights": None, "weights_backbone": None, "num_classes": 91}
    (found,) = detector.detect([np.zeros((20, 30, 3), np.uint8)], {"person": Category(11, "human")})
    assert [(d.category_id, d.score) for d in found] == [(11, 0.75)]
    np.testing.assert_allclose(found[0].feature, [5, 5, 10, 7.5])  # the box, as the network saw it
    torch.save({"other": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"x\.pth: not the weights of torchvision"):
        TorchvisionDetector(tmp_path / "x.pth")


def test_without_torchvision_there_is_a_word_of_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision.models.detection", None)
    with pytest.raises(InputError, match=r"pip install 'chronomask\[detectors\]'"):
        TorchvisionDetector(tmp_path / "w.pth")


def constant_model(path, outputs):
    """An ONNX model of a 16 x 32 input with constant outputs."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values, name))
        for name, values in outputs.items()
    ]
    kinds = {name: helper.np_dtype_to_tensor_dtype(values.dtype) for name, values in outputs.items()}
    ends = [helper.make_tensor_value_info(name, kinds[name], values.shape) for name, values in outputs.items()]
    given = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 16, 32])]
    graph = helper.make_graph(nodes, "constant", given, ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())


DESCRIPTION = {
    "input": {"name": "images", "height": 16, "width": 32},
    "outputs": {"boxes": "dets", "scores": "s", "labels": "l", "masks": "m"},
    "classes": ["person", "unicorn"],
    "first_label": 1,
}


@pytest.mark.parametrize(("boxes", "masks"), [("pixels", "frame"), ("shares", "box")])
def test_an_onnx_model_that_a_file_describes(tmp_path, boxes, masks):
    corners = np.array([[[8, 4, 16, 12], [0, 0, 8, 8], [0, 0, 4, 4]]], np.float32)
    pixels = np.zeros((1, 3, 16, 32), np.float32) if masks == "frame" else np.ones((1, 3, 4, 4), np.float32)
    if masks == "frame":
        pixels[:, :, 4:12, 8:16] = 1
    outputs = {"dets": corners / ([32, 16, 32, 16] if boxes == "shares" else [1, 1, 1, 1]), "m": pixels}
    outputs["dets"] = outputs["dets"].astype(np.float32)
    outputs |= {"s": np.array([[0.5, 0.75, 0.9]], np.float32), "l": np.array([[1, 1, 2]])}
    constant_model(tmp_path / "m.onnx", outputs)
    (tmp_path / "m.json").write_text(json.dumps(DESCRIPTION | {"boxes": boxes, "masks": masks}))
    detector = OnnxDetector(tmp_path / "m.onnx", tmp_path / "m.json")
    (found,) = detector.detect([np.zeros((32, 96, 3), np.uint8)], {"person": Category(11, "human")})
    assert [(d.score, d.category_id) for d in found] == [(0.75, 11), (0.5, 11)]
    np.testing.assert_allclose(found[1].box, [24, 8, 48, 24])
    assert rle.bbox(found[1].mask) == (24, 8, 24, 16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"outputs": {"boxes": "dets"}}, r"missing required field `scores` - at `\$\.outputs`"),
        ({"boxes": "feet"}, r"value 'feet' - at `\$\.boxes`"),
        ({"input": {"name": "images", "height": 0, "width": 32}}, r"`int` >= 1 - at `\$\.input\.height`"),
        ({"input": {"name": "images", "height": 16, "width": 32, "std": [1, 0, 1]}}, r"> 0\.0 - at `\$\.input\.std"),
        ({"input": "images"}, r"`object`, got `str` - at `\$\.input`"),
        ({"colour": 1}, "unknown field `colour`"),
        ({"classes": "person"}, r"`array`, got `str` - at `\$\.classes`"),
        ({"outputs": {"boxes": "dets", "scores": "s", "labels": "l", "masks": "q"}}, r"outputs\.masks: 'q' is none of"),
    ],
)
def test_what_is_wrong_in_a_description_is_named(tmp_path, changes, said):
    outputs = {"dets": np.zeros((1, 0, 4), np.float32), "m": np.zeros((1, 0, 4, 4), np.float32)}
    constant_model(tmp_path / "m.onnx", outputs | {"s": np.zeros((1, 0), np.float32), "l": np.zeros((1, 0), np.int64)})
    (tmp_path / "m.json").write_text(json.dumps(DESCRIPTION | changes))
    with pytest.raises(InputError, match=r"m\.json: .*" + said):
        OnnxDetector(tmp_path / "m.onnx", tmp_path / "m.json")
