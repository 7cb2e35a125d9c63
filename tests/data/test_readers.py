import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chronomask.categories import NO_CLASS, Category
from chronomask.data.annotation_file import CocoImages, YtvisVideos
from chronomask.data.labels import to_masks
from chronomask.data.mapping import CategoryMapping
from chronomask.data.protocol import InstanceInfo
from chronomask.errors import InputError
from data.files import NETWORK, box, textured, write_stills, write_videos

HEIGHT, WIDTH = 20, 30


def still(tmp_path, objects, **fields):
    """The only clip of a set of one image."""
    path = write_stills(tmp_path, [(textured(HEIGHT, WIDTH), objects, fields)])
    return CocoImages(path, tmp_path / "images", NETWORK).load(0)


def region(*sides):
    return torch.from_numpy(box(HEIGHT, WIDTH, *sides))


@given(st.integers(0, 4), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_masks_of_a_label_map(instances, seed):
    labels = torch.randint(instances + 1, (2, 3, 4), generator=torch.Generator().manual_seed(seed)).short()
    masks = torch.from_numpy(to_masks(labels.numpy(), instances))
    assert masks.shape == (instances, 2, 3, 4)
    for number, mask in enumerate(masks, 1):
        assert torch.equal(mask, labels == number)


def test_the_smaller_instance_wins_an_overlap(tmp_path):
    large, small = region(0, 0, 20, 20), region(5, 5, 10, 25)
    for order in ([large, small], [small, large]):
        clip = still(tmp_path, [(1, mask.numpy(), {}) for mask in order])
        masks = [large & ~small if mask is large else small for mask in order]
        assert torch.equal(clip.masks, torch.stack(masks)[:, None])


def test_a_still_with_polygons_and_run_lengths(tmp_path):
    pixels = textured(HEIGHT, WIDTH)
    polygon = [[2, 3, 12, 3, 12, 9, 2, 9], [20, 3, 25, 3, 25, 9, 20, 9]]
    plain = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 28, HEIGHT * 2]}
    path = write_stills(
        tmp_path, [(pixels, [(18, polygon, {}), (17, plain, {}), (99, region(15, 0, 20, 9).numpy(), {})])]
    )
    images = CocoImages(path, tmp_path / "images", NETWORK)
    clip = images.load(0)
    assert len(images) == 1
    np.testing.assert_array_equal(clip.frames[0].permute(1, 2, 0), pixels)
    assert torch.equal(clip.masks[0, 0], region(3, 2, 9, 12) | region(3, 20, 9, 25))
    assert torch.equal(clip.masks[1, 0], region(0, 28, 20, 30))
    assert torch.equal(clip.masks[2, 0], region(15, 0, 20, 9))
    # dog, cat, and what the network has no class for.
    assert clip.class_ids.tolist() == [1, 2, NO_CLASS]
    assert not clip.ignore.any()
    assert not clip.unknown.any()
    assert clip.source == "stills.json: stills-0.png"


def test_crowds_are_ignored_except_under_instances(tmp_path):
    crowd = region(0, 0, 20, 20)
    inside = region(5, 5, 10, 10)
    clip = still(tmp_path, [(1, crowd.numpy(), {"iscrowd": 1}), (1, inside.numpy(), {})])
    assert torch.equal(clip.ignore[0], crowd & ~inside)
    assert torch.equal(clip.masks, inside[None, None])
    assert clip.class_ids.tolist() == [0]


def test_a_merged_crowd_is_one_object_without_a_class(tmp_path):
    rider = region(0, 0, 20, 20)
    clip = still(tmp_path, [(1, rider.numpy(), {"iscrowd": 1, "merged": True}), (17, region(0, 25, 9, 30).numpy(), {})])
    assert not clip.ignore.any()
    assert torch.equal(clip.masks[0, 0], rider)
    assert clip.class_ids.tolist() == [NO_CLASS, 2]


def test_images_labelled_for_some_classes_have_no_known_background(tmp_path):
    objects = [(1, region(0, 0, 9, 9).numpy(), {})]
    assert still(tmp_path, objects, labelled_classes=["person"]).unknown.all()
    # All that the network knows is labelled, and that there may be unlabelled unicorns is no matter.
    assert not still(tmp_path, objects, labelled_classes=["person", "cat", "dog"]).unknown.any()
    assert not still(tmp_path, []).unknown.any()


def test_half_of_a_class_labelled_is_not_labelled(tmp_path):
    """Bicycles count as motorbikes, so an image that labels only motorcycles has unlabelled motorbikes."""
    path = write_stills(tmp_path, [(textured(HEIGHT, WIDTH), [], {"labelled_classes": ["motorcycle"]})])
    content = json.loads(path.read_text())
    content["categories"] = [{"id": 2, "name": "bicycle"}, {"id": 4, "name": "motorcycle"}]
    path.write_text(json.dumps(content))
    assert not CocoImages(path, tmp_path / "images", (Category(1, "motorcycle"),)).load(0).unknown.any()
    rules = CategoryMapping({"bicycle": "motorbike", "motorcycle": "motorbike"})
    assert CocoImages(path, tmp_path / "images", (Category(1, "motorbike"),), rules).load(0).unknown.all()


def test_an_image_without_objects(tmp_path):
    clip = still(tmp_path, [])
    assert clip.masks.shape == (0, 1, HEIGHT, WIDTH)
    assert clip.class_ids.shape == (0,)


def test_a_video(tmp_path):
    frames = [textured(HEIGHT, WIDTH, seed) for seed in range(4)]
    masks = [region(2, 2 + shift, 12, 12 + shift) for shift in range(4)]
    crowd = region(0, 0, 20, 8)
    objects = [
        (18, [mask.numpy() for mask in masks[:3]] + [None], {}),
        (1, [crowd.numpy()] * 3 + [None], {"iscrowd": 1}),
        (1, [None] * 3 + [region(0, 20, 20, 30).numpy()], {"iscrowd": 1, "merged": True}),
    ]
    path = write_videos(tmp_path, [(frames, objects), (frames[:2], [])])
    videos = YtvisVideos(path, tmp_path / "JPEGImages", NETWORK, complete=True)
    assert (len(videos), videos.length(0), videos.length(1), videos.name(0)) == (2, 4, 2, "video-0")
    clip = videos.load(0, [3, 0, 0])
    for frame, index in enumerate([3, 0, 0]):
        np.testing.assert_array_equal(clip.frames[frame].permute(1, 2, 0), frames[index])
    nothing = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    assert torch.equal(clip.masks[0], torch.stack([nothing, masks[0], masks[0]]))
    assert torch.equal(clip.masks[1], torch.stack([region(0, 20, 20, 30), nothing, nothing]))
    assert torch.equal(clip.ignore, torch.stack([nothing, crowd & ~masks[0], crowd & ~masks[0]]))
    assert clip.class_ids.tolist() == [1, NO_CLASS]
    assert not clip.unknown.any()
    assert "videos.json: video-0, frames [3, 0, 0]" in clip.source
    assert videos.load(1, [0]).masks.shape == (0, 1, HEIGHT, WIDTH)
    assert (videos.size(0), videos.class_names) == ((HEIGHT, WIDTH), ("person", "cat", "dog", "unicorn"))
    assert videos.instances(0) == [
        InstanceInfo("dog", 1, None, 3, crowd=False),
        InstanceInfo("person", NO_CLASS, None, 1, crowd=False),
        InstanceInfo("person", NO_CLASS, None, 3, crowd=True),
    ]


def test_a_partly_annotated_video_has_no_known_background(tmp_path):
    path = write_videos(tmp_path, [([textured(HEIGHT, WIDTH)], [(1, [region(0, 0, 9, 9).numpy()], {})])])
    assert YtvisVideos(path, tmp_path / "JPEGImages", NETWORK, complete=False).load(0, [0]).unknown.all()


def test_videos_left_out(tmp_path):
    path = write_videos(tmp_path, [([textured(9, 9, seed)], []) for seed in range(3)])
    videos = YtvisVideos(path, tmp_path / "JPEGImages", NETWORK, complete=True)
    videos.without(["video-1"])
    assert [videos.name(i) for i in range(len(videos))] == ["video-0", "video-2"]
    with pytest.raises(InputError, match=r"videos\.json: no entry named absent"):
        videos.without(["absent"])


def test_a_video_with_polygons_and_run_lengths(tmp_path):
    """Every form of mask that stands in published files, each in its own frame of one instance."""
    frames = [textured(HEIGHT, WIDTH, seed) for seed in range(4)]
    path = write_videos(tmp_path, [(frames, [(18, [region(3, 2, 9, 12).numpy()] + [None] * 3, {})])])
    content = json.loads(path.read_text())
    masks = content["annotations"][0]["segmentations"]
    masks[1] = [[2, 3, 12, 3, 12, 9, 2, 9]]
    masks[2] = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 28, HEIGHT * 2]}
    content["annotations"][0]["areas"] = [60, 60.0, 40, None]
    path.write_text(json.dumps(content))
    videos = YtvisVideos(path, tmp_path / "JPEGImages", NETWORK)
    clip = videos.load(0, range(4))
    expected = [region(3, 2, 9, 12), region(3, 2, 9, 12), region(0, 28, 20, 30), torch.zeros(HEIGHT, WIDTH) > 0]
    assert torch.equal(clip.masks[0], torch.stack(expected))
    assert videos.instances(0)[0].area == pytest.approx(160 / 3)


def test_an_open_file_holds_masks_as_they_stand_in_it(tmp_path):
    """A list of Python's numbers would take 36 bytes a number, and published files hold millions."""
    plain = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * 28, HEIGHT * 2]}
    path = write_stills(tmp_path, [(textured(HEIGHT, WIDTH), [(1, [[2, 3, 12, 3, 12, 9]], {}), (1, plain, {})])])
    for annotation in CocoImages(path, tmp_path / "images", NETWORK).entries[0].annotations:
        assert bytes(annotation.segmentations.encoded[0]) in path.read_bytes()
