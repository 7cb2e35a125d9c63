"""The tracker without PyTorch is held to the one with it."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from chronomask import rle
from chronomask.config import ClusterConfig, SegmentConfig, StitchConfig
from chronomask.errors import InputError
from chronomask.export import export
from chronomask.formats.ytvis import read_tracks
from chronomask.inference import cluster as torch_cluster
from chronomask.inference import memory as torch_memory
from chronomask.inference import stitch as torch_stitch
from chronomask.inference.load import bundled_weights, load
from chronomask.losses import ClipOutputs
from chronomask.runner import Runner, memory, network, stitch
from chronomask.runner.__main__ import main
from chronomask.runner.cluster import cluster, label_map
from chronomask.runner.description import FILE
from chronomask.video import VideoWriter, open_source
from untyped import untyped

SAMPLE = Path(__file__).parent.parent / "examples" / "sample.mp4"
SETTINGS = SegmentConfig(cluster=ClusterConfig(seed_threshold=0.3, minimum_pixels=20), score=0.0)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    with untyped():
        export(bundled_weights("lite"), folder, SETTINGS, "onnx")
    return folder


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


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("foreground", [True, False])
def test_clustering_finds_the_same_tubes(seed, foreground):
    arrays = random_outputs(seed)
    if not foreground:
        arrays["foreground_logits"] = None
    config = ClusterConfig(minimum_pixels=3, membership_threshold=0.4, foreground_threshold=0.6)
    mine = cluster(network.ClipOutputs(**arrays), config)
    tensors = {name: None if x is None else torch.tensor(x) for name, x in arrays.items()}
    theirs = torch_cluster.cluster(ClipOutputs(**tensors), config)
    assert len(mine) == len(theirs) > 5
    for tube, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(tube.probability, other.probability, atol=1e-5)
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
        yield arrays, random.random((length, 6, 4, 5), dtype=np.float32), 0 if before is None else shared
        before = arrays


@pytest.mark.parametrize("seed", range(2))
def test_stitching_and_memory_give_the_same_ids(seed):
    config = StitchConfig(minimum_iou=0.3, minimum_likeness=0.9, minimum_similarity=0.4, memory_tracks=8)
    mine, theirs = stitch.Stitcher(config), torch_stitch.Stitcher(config)
    clustering = ClusterConfig(minimum_pixels=3)
    taken_up = joined = 0
    for arrays, features, shared in random_clips(seed):
        tubes = cluster(network.ClipOutputs(**arrays), clustering)
        labels = label_map(tubes, arrays["heat"].shape)
        seen = memory.sights(tubes, labels, features, mine.seen - shared)
        theirs_tubes = torch_cluster.cluster(ClipOutputs(**{n: torch.tensor(x) for n, x in arrays.items()}), clustering)
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


def test_sights_agree_where_cells_do_not_divide():
    arrays = random_outputs(1)
    tubes = cluster(network.ClipOutputs(**arrays), ClusterConfig(minimum_pixels=3))
    labels = label_map(tubes, arrays["heat"].shape)
    features = np.random.default_rng(0).random((4, 6, 4, 5), dtype=np.float32)
    theirs = torch_cluster.cluster(
        ClipOutputs(**{name: torch.tensor(x) for name, x in arrays.items()}), ClusterConfig(minimum_pixels=3)
    )
    looks = torch_memory.looks_of(theirs, torch.tensor(features))
    visits = torch_memory.visits(labels, len(tubes), 7)
    for sight, look, visit in zip(memory.sights(tubes, labels, features, 7), looks, visits, strict=True):
        np.testing.assert_allclose(sight.feature, look.feature, rtol=1e-4)
        assert (sight.first, sight.last, sight.area) == (visit.first, visit.last, visit.area)
        assert sight.start == pytest.approx(visit.start)
        assert sight.end == pytest.approx(visit.end)


def tubes_of(results, length):
    """Masks (T H W) and category by track id; the results are complete and in order."""
    assert [result.index for result in results] == list(range(length))
    ids = sorted({int(number) for result in results for number in result.track_ids})
    nothing = np.zeros(results[0].masks.shape[1:], bool)
    masks = {number: np.stack([nothing] * length) for number in ids}
    for result in results:
        for number, mask in zip(result.track_ids, result.masks, strict=True):
            masks[int(number)][result.index] = mask
    return masks


def check_equal(runner, segmenter, images, monkeypatch):
    monkeypatch.setattr(segmenter, "_autocast", nullcontext)
    mine = tubes_of(list(runner.segment(images)), len(images))
    theirs = tubes_of([r for image in images for r in segmenter.push(image)] + segmenter.flush(), len(images))
    assert len(theirs) > 0
    assert len(mine) == len(theirs)
    for (number, mask), (other_number, other) in zip(mine.items(), theirs.items(), strict=True):
        assert number == other_number
        assert (mask & other).sum() / (mask | other).sum() > 0.99
    for track, other in zip(runner.tracks, segmenter.tracks, strict=True):
        assert (track.id, track.category) == (other.id, other.category)
        assert track.score == pytest.approx(other.score, abs=1e-3)


@pytest.mark.parametrize(
    ("size", "length", "changes"),
    [
        ((160, 96), 17, {}),
        ((150, 90), 9, {"short_side": 74}),  # shrunk, and padded
        ((90, 122), 5, {}),  # shorter than a clip
        ((128, 96), 11, {"latency": 1, "overlap": 6}),
    ],
)
def test_the_tracker_without_pytorch_gives_the_same_tubes(
    exported, photographs, tmp_path, monkeypatch, size, length, changes
):
    description = json.loads((exported / FILE).read_text())
    description["settings"] |= changes
    for half in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / half).symlink_to(exported / half)
    (tmp_path / FILE).write_text(json.dumps(description))
    images = [np.asarray(Image.fromarray(image).resize(size)) for image in photographs[:length]]
    runner = Runner(tmp_path)
    segmenter = load("lite", "cpu", runner.description.settings)
    check_equal(runner, segmenter, images, monkeypatch)


def test_a_video_is_segmented_where_no_pytorch_is(exported, photographs, tmp_path):
    video, out = tmp_path / "video.mp4", tmp_path / "out"
    with VideoWriter(video, 128, 96, 25.0) as writer:
        for image in photographs[:5]:
            writer.write(np.asarray(Image.fromarray(image).resize((128, 96))))
    code = "import sys; sys.modules['torch'] = None; from chronomask.runner.__main__ import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", code, str(exported), str(video), "--out", str(out)], check=True)
    found = read_tracks(out / "tracks.json")
    assert [(entry.length, entry.width, entry.height) for entry in found.videos] == [(5, 128, 96)]
    assert set(found.info) == {"version", "checkpoint_sha256", "settings"}
    results = list(Runner(exported).segment(frame.image for frame in open_source(video)))
    masks = tubes_of(results, 5)
    assert 0 < len(found.tracks) <= SETTINGS.max_tracks
    for track in found.tracks:
        decoded = [np.zeros((96, 128), bool) if m is None else rle.decode(m) for m in track.segmentations]
        assert np.array_equal(np.stack(decoded), masks[track.id])


def test_what_cannot_be_used_is_named(exported, tmp_path, capsys):
    assert main([str(tmp_path), "video.mp4", "--out", str(tmp_path / "out")]) == 2
    assert "model.json" in capsys.readouterr().err
    (tmp_path / FILE).write_text((exported / FILE).read_text().replace("chronomask-export-1", "other"))
    with pytest.raises(InputError, match="format is 'other'"):
        Runner(tmp_path)
    (tmp_path / FILE).write_text((exported / FILE).read_text().replace('"overlap": 4', '"overlap": 9'))
    with pytest.raises(InputError, match="overlap 9"):
        Runner(tmp_path)
    (tmp_path / FILE).write_text((exported / FILE).read_text())
    with pytest.raises(InputError, match=r"encoder\.onnx: no such file"):
        Runner(tmp_path)
    (tmp_path / "encoder.onnx").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"encoder\.onnx: "):
        Runner(tmp_path)
    with pytest.raises(InputError, match="provider 'Abacus'"):
        Runner(exported, ["Abacus"])
    runner, image = Runner(exported), np.zeros((32, 48, 3), np.uint8)
    with pytest.raises(InputError, match="frame 1: 32x48 pixels, the frames before have 48x32"):
        list(runner.segment([image, image.transpose(1, 0, 2)]))
    with pytest.raises(InputError, match="float64"):
        list(runner.segment([image / 255]))
    assert list(runner.segment([])) == []
    assert runner.tracks == []


def test_results_are_not_overwritten(exported, tmp_path, capsys):
    (tmp_path / "tracks.json").write_text("mine")
    assert main([str(exported), str(SAMPLE), "--out", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "tracks.json").read_text() == "mine"
