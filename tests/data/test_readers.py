import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chronomask.data.coco import CocoImages
from chronomask.data.labels import to_labels, to_masks
from chronomask.data.sources import open_training_source
from chronomask.data.ytvis import YtvisVideos
from chronomask.errors import InputError
from chronomask.structures import NO_CLASS
from data.files import NETWORK, box, small_set, textured, write_stills, write_videos

HEIGHT, WIDTH = 20, 30


def still(tmp_path, objects, **fields):
    """The only clip of a set of one image."""
    path = write_stills(tmp_path, [(textured(HEIGHT, WIDTH), objects, fields)])
    return CocoImages(path, tmp_path / "images", NETWORK).load(0)


def region(*sides):
    return torch.from_numpy(box(HEIGHT, WIDTH, *sides))


@given(st.integers(0, 4), st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_labels_and_back(instances, seed):
    labels = torch.randint(instances + 1, (2, 3, 4), generator=torch.Generator().manual_seed(seed)).short()
    masks = to_masks(labels, instances)
    assert masks.shape == (instances, 2, 3, 4)
    assert masks.sum(0).max() <= 1
    assert torch.equal(to_labels(masks), labels)


def test_the_smaller_instance_wins_an_overlap(tmp_path):
    large, small = region(0, 0, 20, 20), region(5, 5, 10, 25)
    labels = to_labels(torch.stack([small, large])[:, None])
    assert torch.equal(labels[0] == 1, small)
    assert torch.equal(labels[0] == 2, large & ~small)
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
    clip = still(tmp_path, [(1, region(0, 0, 9, 9).numpy(), {})], labelled_classes=["person"])
    assert clip.unknown.all()
    assert not still(tmp_path, []).unknown.any()


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


def test_unusable_images_are_named(tmp_path):
    path = write_stills(tmp_path, [(textured(HEIGHT, WIDTH), [])] * 3)
    images = CocoImages(path, tmp_path / "images", NETWORK)
    (tmp_path / "images" / "stills-0.png").unlink()
    (tmp_path / "images" / "stills-1.png").write_text("no image")
    content = json.loads(path.read_text())
    content["images"][2]["width"] = 31
    path.write_text(json.dumps(content))
    for index in (0, 1):
        with pytest.raises(InputError, match=f"stills-{index}.png: cannot be read as an image"):
            images.load(index)
    with pytest.raises(InputError, match=r"stills-2\.png: 30x20 pixels, the annotations say 31x20"):
        CocoImages(path, tmp_path / "images", NETWORK).load(2)


def test_unusable_annotations_are_named(tmp_path):
    path = write_stills(tmp_path, [(textured(HEIGHT, WIDTH), [(1, [[1, 2, 3]], {})])])
    with pytest.raises(InputError, match=r"stills\.json: annotation 0: segmentation: a polygon must"):
        CocoImages(path, tmp_path / "images", NETWORK).load(0)
    path.write_text(json.dumps({"images": [], "categories": []}))
    with pytest.raises(InputError, match=r"stills\.json: has no list `annotations`"):
        CocoImages(path, tmp_path / "images", NETWORK)


def test_training_sources(tmp_path):
    stills, videos = small_set(tmp_path)
    source = open_training_source(str(stills), NETWORK)
    assert isinstance(source.reader, CocoImages)
    assert source.weight == 1
    source = open_training_source(f"{videos},weight=0.25,partial", NETWORK)
    assert source.weight == 0.25
    assert source.reader.load(0, [0]).unknown.all()
    source = open_training_source(f"{videos},without=video-0", NETWORK)
    assert len(source.reader) == 0


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("stills.json,wieght=2", "unknown option 'wieght=2'; known: weight=, partial, without="),
        ("stills.json,partial=yes", "unknown option 'partial=yes'"),
        ("stills.json,weight=0", "weight=0 is not a positive number"),
        ("stills.json,weight=much", "weight=much is not a positive number"),
        ("stills.json,weight=inf", "weight=inf is not a positive number"),
        ("stills.json,partial", "`partial` and `without` are for videos"),
        ("stills.json,without=video-0", "`partial` and `without` are for videos"),
        ("videos.json,without=absent", "no entry named absent"),
        ("images", "is a folder"),
        ("absent.json", "No such file"),
        ("text.json", "not json"),
        ("list.json", "a json object is needed, this is a list"),
        ("empty.json", "has no list `categories`"),
    ],
)
def test_training_sources_that_cannot_be_used(tmp_path, options, cause):
    small_set(tmp_path)
    (tmp_path / "text.json").write_text("no json")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "empty.json").write_text("{}")
    name = options.split(",")[0].split(".")[0]
    with pytest.raises(InputError, match=cause) as caught:
        open_training_source(f"{tmp_path}/{options}", NETWORK)
    assert name in str(caught.value)


def test_an_unknown_category_is_named(tmp_path):
    with pytest.raises(InputError, match=r"stills\.json: annotation 0: category_id 7 "):
        still(tmp_path, [(7, region(0, 0, 9, 9).numpy(), {})])
