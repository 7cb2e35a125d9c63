"""The tracker without PyTorch is held to the one with it; `test_export` runs it on exported files."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from chronomask import export as room
from chronomask.config import ClusterConfig, SegmentConfig, StitchConfig
from chronomask.inference import cluster as torch_cluster
from chronomask.inference import memory as torch_memory
from chronomask.inference import stitch as torch_stitch
from chronomask.inference.load import bundled_weights, load
from chronomask.losses import ClipOutputs
from chronomask.model.checkpoint import load_network
from chronomask.runner import Runner, memory, network, stitch
from chronomask.runner.cluster import cluster, label_map
from chronomask.runner.description import FILE
from chronomask.runner.shrink import shrunk
from chronomask.video import open_source

SAMPLE = Path(__file__).parent.parent / "examples" / "sample.mp4"
COEFFICIENTS = (-1.0, 0.1, 2.0, 1.0, 1.0, -0.5, 0.5)


@pytest.fixture(scope="module")
def bundled():
    """The two halves of the bundled model, by name, and its checkpoint file."""
    path = bundled_weights("lite")
    with torch.no_grad():
        return path, {half.name: half for half in room._halves(room._prepared(load_network(path)), 8)}


@pytest.fixture(scope="module")
def photographs():
    """The sample clip, its frames without those between."""
    return [frame.image for frame in open_source(SAMPLE) if frame.index % 3 == 0]


def random_outputs(seed, rows=13, columns=18, length=4, classes=3):
    """Outputs with blobs in embedding space, over noise; at sizes that no cell of class scores divides."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns][:, None] / 6 + random.normal(0, 0.1, (2, length, rows, columns))
    return {
        "embedding": np.stack([np.round(y), np.round(x)] + 0.2 * random.normal(size=(2, *y.shape))).astype(np.float32),
        "log_variance": random.normal(-2.5, 0.2, (2, *y.shape)).astype(np.float32),
        "heat": random.random(y.shape, dtype=np.float32),
        "class_logits": random.normal(0, 3, (classes, length, -(-rows // 4), -(-columns // 4))).astype(np.float32),
        "foreground_logits": random.normal(1, 2, y.shape).astype(np.float32),
    }


def tensors(arrays):
    return ClipOutputs(**{name: None if x is None else torch.tensor(x) for name, x in arrays.items()})


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("coefficients", [(), COEFFICIENTS])
@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(13, 18), (9, 30), (5, 50)])
def test_clustering_finds_the_same_tubes(seed, coefficients, foreground, rows, columns):
    arrays = random_outputs(seed, rows, columns)
    if not foreground:
        arrays["foreground_logits"] = None
    config = ClusterConfig(minimum_pixels=3, membership_threshold=0.4, foreground_threshold=0.6)
    mine = cluster(network.ClipOutputs(**arrays), config, coefficients)
    theirs = torch_cluster.cluster(tensors(arrays), config, coefficients)
    assert len(mine) == len(theirs) > 5
    for tube, other in zip(mine, theirs, strict=True):
        near = other.probability.numpy() > 0  # further away PyTorch's is not computed
        np.testing.assert_allclose(tube.probability[near], other.probability[near], atol=1e-5)
        assert np.array_equal(tube.probability > 0.5, other.probability > 0.5)
        np.testing.assert_allclose(tube.class_probabilities, other.class_probabilities, atol=1e-5)
        assert tube.objectness == pytest.approx(other.objectness, abs=1e-5)


def random_clips(seed, clips=7, length=5, shared=2):
    """Tubes of clips as chance has them, with their features and how many frames each clip shares."""
    random = np.random.default_rng(seed)
    before = None
    for _ in range(clips):
        arrays = random_outputs(int(random.integers(1000)), length=length)
        if before is not None:  # so that some tubes do go on
            for name in ("embedding", "heat"):
                arrays[name][..., :shared, :, :] = before[name][..., -shared:, :, :]
        yield arrays, random.random((length, 6, 4, 6), dtype=np.float32), 0 if before is None else shared
        before = arrays


@pytest.mark.parametrize("seed", range(2))
def test_stitching_and_memory_give_the_same_ids(seed):
    config = StitchConfig(minimum_iou=0.3, minimum_likeness=0.9, minimum_similarity=0.4, memory_tracks=8)
    mine, theirs = stitch.Stitcher(config), torch_stitch.Stitcher(config)
    clustering = ClusterConfig(minimum_pixels=3)
    taken_up = joined = 0
    for arrays, features, shared in random_clips(seed):
        tubes = cluster(network.ClipOutputs(**arrays), clustering, ())
        labels = label_map(tubes, arrays["heat"].shape)
        seen = memory.sights(tubes, labels, features, mine.seen - shared)
        theirs_tubes = torch_cluster.cluster(tensors(arrays), clustering)
        looks = torch_memory.looks_of(theirs_tubes, torch.tensor(features))
        known = theirs.next_id
        ids, new = mine.add(labels, seen, shared)
        assert (ids, new) == theirs.add(torch.tensor(labels), looks, shared)
        assert np.array_equal(mine.recent, theirs.recent)
        assert list(mine.memory.tracks) == list(theirs.memory.tracks)
        joined += len(set(ids) - new)
        taken_up += sum(number < known for number in new)
    assert joined > 5
    assert taken_up > 0


@pytest.mark.parametrize(("rows", "columns"), [(13, 18), (5, 30), (9, 30), (1, 30)])
def test_sights_agree_where_cells_do_not_divide(rows, columns):
    arrays = random_outputs(1, rows, columns)
    config = ClusterConfig(minimum_pixels=3)
    tubes = cluster(network.ClipOutputs(**arrays), config, ())
    labels = label_map(tubes, arrays["heat"].shape)
    # Of frames that are filled up to whole cells of stride 32.
    features = np.random.default_rng(0).random((4, 6, -(-rows // 8) * 2, -(-columns // 8) * 2), dtype=np.float32)
    theirs = torch_cluster.cluster(tensors(arrays), config)
    looks = torch_memory.looks_of(theirs, torch.tensor(features))
    visits = torch_memory.visits(labels, len(tubes), 7)
    for sight, look, visit in zip(memory.sights(tubes, labels, features, 7), looks, visits, strict=True):
        np.testing.assert_allclose(sight.feature, look.feature, rtol=1e-4)
        assert (sight.first, sight.last, sight.area) == (visit.first, visit.last, visit.area)
        assert sight.start == pytest.approx(visit.start)
        assert sight.end == pytest.approx(visit.end)


@pytest.mark.parametrize("size", [(640, 360), (90, 122), (1001, 333), (33, 900), (256, 128)])
def test_frames_are_shrunk_alike(photographs, bundled, size):
    image = np.asarray(Image.fromarray(photographs[0]).resize(size))
    config = SegmentConfig(short_side=98, long_side=200)
    assert np.array_equal(shrunk(image, config), load(bundled[0], "cpu", config)._shrunk(image))


def masks_of(results, length):
    """Masks (T H W) by track id; the results are complete and in order."""
    assert [result.index for result in results] == list(range(length))
    ids = sorted({int(number) for result in results for number in result.track_ids})
    masks = {number: np.zeros((length, *results[0].masks.shape[1:]), bool) for number in ids}
    for result in results:
        for number, mask in zip(result.track_ids, result.masks, strict=True):
            masks[int(number)][result.index] = mask
    return masks


def in_pytorch(half):
    """In place of onnxruntime, which `test_export` holds to PyTorch: exporting the bundled model takes too long."""

    def run(_, feeds):
        with torch.no_grad():
            return [x.numpy() for x in half.module(*map(torch.tensor, feeds.values()))]

    inputs, outputs = ([SimpleNamespace(name=name) for name in names] for names in (half.inputs, half.outputs))
    return SimpleNamespace(run=run, get_inputs=lambda: inputs, get_outputs=lambda: outputs)


@pytest.mark.parametrize(
    ("size", "length", "changes"),
    [
        ((192, 108), 17, {}),
        ((200, 120), 9, {"short_side": 98}),  # shrunk, and padded
        ((120, 154), 5, {}),  # shorter than a clip
        ((160, 96), 11, {"latency": 1, "overlap": 6}),
    ],
)
def test_the_tracker_without_pytorch_gives_the_same_tubes(
    bundled, photographs, tmp_path, monkeypatch, size, length, changes
):
    path, halves = bundled
    segmenter = load(path, "cpu", SegmentConfig(**changes))
    monkeypatch.setattr(segmenter, "_autocast", nullcontext)
    monkeypatch.setattr(network, "_session", lambda path, providers: in_pytorch(halves[path.stem]))
    (tmp_path / FILE).write_text(room._description(path, load_network(path), segmenter.config).to_json())
    runner = Runner(tmp_path)
    images = [np.asarray(Image.fromarray(image).resize(size)) for image in photographs[:length]]
    mine = masks_of(list(runner.segment(images)), length)
    theirs = masks_of([r for image in images for r in segmenter.push(image)] + segmenter.flush(), length)
    assert len(mine) == len(theirs) > 3
    for number, mask in mine.items():
        assert (mask & theirs[number]).sum() / (mask | theirs[number]).sum() > 0.99
    for track, other in zip(runner.tracks, segmenter.tracks, strict=True):
        assert (track.id, track.category) == (other.id, other.category)
        assert track.score == pytest.approx(other.score, abs=1e-3)
