"""What the segmenter makes of a real network is what the network itself says of whole clips."""

import cv2
import numpy as np
import pytest
import torch

from chronomask.engines.models import model_files
from chronomask.engines.opening import open_engine, torch_engine
from chronomask.segmenter import clips as room
from chronomask.segmenter.clips import shrunk
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.snapshot import Snapshot
from chronomask.training.objective import tracked_outputs
from engines.videos import VIDEOS
from model.networks import network_of, noise, tiny
from segmenter.colour import Frames, same, settings

pytestmark = pytest.mark.network


def everywhere():
    """A network that finds something everywhere."""
    network = network_of(tiny(channels=8, squeezes=(2, 1, 1, 0)))
    torch.nn.init.constant_(network.heat_head.bias, 3.0)
    return network


@pytest.fixture(scope="module")
def network():
    return everywhere()


@pytest.fixture
def seen(monkeypatch):
    """The outputs that tubes were looked for in; the function that looks for them comes first."""
    outputs, find = [], room.find
    monkeypatch.setattr(room, "find", lambda found, *rest: outputs.append(found) or find(found, *rest))
    return outputs


def check_outputs(found, network, frames, size):
    """These are what the network says of the frames (T 3 H W), which are padded to multiples of 32."""
    padded = torch.zeros(1, len(frames), 3, *(-(-side // 32) * 32 for side in size), dtype=torch.uint8)
    padded[0, ..., : size[0], : size[1]] = torch.from_numpy(frames)
    with torch.no_grad():
        expected = tracked_outputs(network(padded, size=size), 0)
    frames = found.heat.shape[0]
    for name in ("embedding", "log_variance", "heat", "class_logits"):
        values = getattr(expected, name)[..., :frames, :, :]
        scale = np.abs(values).max()
        np.testing.assert_allclose(getattr(found, name) / scale, values / scale, atol=1e-4)


def test_a_short_video_is_its_last_frame_repeated_and_cropped_back(network, seen):
    """At a size that is no multiple of 32."""
    video = noise(3, 40, 52, 3).numpy()
    segmenter = Segmenter(torch_engine(everywhere(), 8), settings(8, 4))
    results = list(segmenter.segment(Frames(video)))
    [outputs] = seen
    check_outputs(outputs, network, video.transpose(0, 3, 1, 2)[[0, 1, 2, 2, 2, 2, 2, 2]], (40, 52))
    assert outputs.heat.shape == (3, 10, 13)
    assert [result.index for result in results] == [0, 1, 2]
    tubes = room.find(outputs, np.zeros((3, 8, 4, 4), np.float32), settings(8, 4), ()).tubes
    assert len(tubes) == len(segmenter.tracks) > 0
    for frame, result in enumerate(results):
        for mask, number in zip(result.masks, result.track_ids, strict=True):
            inside = tubes[number - 1].mask(outputs.heat.shape)[frame].repeat(4, 0).repeat(4, 1)
            near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0  # an edge moves by a cell at most
            assert not (mask & ~near).any()


def test_streaming_is_one_pass_over_the_clips(network, seen):
    """Features kept from the clip before give what encoding the whole clip gives."""
    video, config = noise(9, 33, 40, 3).numpy(), settings(4, 2)
    segmenter = Segmenter(torch_engine(everywhere(), 4), config)
    # Clips of a source may be looked at in any order, and at the same time.
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    assert [result.index for result in results] == list(range(9))
    frames = np.stack([shrunk(image, config) for image in video])
    for outputs, start in zip(seen, (0, 2, 4, 5), strict=True):
        check_outputs(outputs, network, frames[start : start + 4], (32, 40))


ENGINES = {
    "torch": lambda length: torch_engine(everywhere(), length),
    "openvino": lambda length: open_engine(model_files("lite"), length, engine="openvino"),
}


@pytest.mark.parametrize(
    ("name", "length", "overlap", "latency"),
    [("torch", 8, 3, None), ("torch", 4, 2, 1), ("openvino", 8, 3, None), ("openvino", 8, 6, 1)],
)
def test_a_restored_run_gives_what_the_whole_run_gives(name, length, overlap, latency):
    """To the last bit, wherever it was interrupted."""
    video, config = VIDEOS["cat"](), settings(length, overlap, latency=latency, maximum_rounds=4)
    if name == "torch":  # which takes longer, and finds something everywhere
        video = [image[:33, :40] for image in video]
    engine = ENGINES[name](length)
    segmenter = Segmenter(engine, config)
    expected = list(segmenter.segment(Frames(video)))
    tracks = segmenter.tracks
    assert any(len(result.track_ids) for result in expected)
    for stop in (3, 9, 14):
        interrupted = Segmenter(engine, config)
        results = [result for image in video[:stop] for result in interrupted.push(image)]
        snapshot = Snapshot.from_bytes(interrupted.snapshot().to_bytes())
        fresh = Segmenter(engine, config)
        same(results + list(fresh.segment(Frames(video), snapshot)), expected)
        assert fresh.tracks == tracks
