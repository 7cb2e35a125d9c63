import threading

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from chronomask.config import ClusterConfig, SegmentConfig
from chronomask.errors import InputError
from chronomask.inference import clips as room
from chronomask.inference.clips import first_frames
from chronomask.inference.segment import Segmenter, network_size
from chronomask.inference.snapshot import Snapshot
from chronomask.inference.workers import Urgency
from chronomask.model.network import FrameFeatures, Network, PixelOutputs
from chronomask.video import Frame, VideoSource
from model.networks import CATEGORIES, network_of, noise, tiny

HEIGHT, WIDTH = 48, 64
COLOURS = {"red": (255, 0, 0), "green": (0, 230, 0), "blue": (0, 0, 200)}
SETTINGS = [(8, 4), (8, 0), (8, 7), (4, 1), (1, 0), (5, 3)]
"""Frames a clip, and overlap."""


class ColourNetwork(Network):
    """Sees every colour as an instance of a class of its own, and black as nothing: what it should find is known."""

    def __init__(self):
        super().__init__(tiny(channels=8, attention="none", squeezes=(0, 0, 0, 0)))
        self.lengths = []

    def encode(self, frames):
        return FrameFeatures([F.avg_pool2d(frames.float(), 4, ceil_mode=True)], None)

    def decode(self, features, clips, size):
        assert clips == 1
        self.lengths.append(len(features))
        colours = features.levels[0].transpose(0, 1)[None] / 255
        return PixelOutputs(colours * 3, torch.zeros_like(colours), colours.amax(1), colours * 9, None)


class Frames(VideoSource):
    """Frames in memory as a source."""

    def __init__(self, images):
        self.name, self.fps, self.length = "memory", 10.0, len(images)
        self.images = images

    def __iter__(self):
        for index, image in enumerate(self.images):
            yield Frame(index, index / 10, image)


def moving_objects(length, height=HEIGHT, width=WIDTH):
    """A red object that stays, a green one that passes, and a blue one that is there only for a while."""
    video = np.zeros((length, height, width, 3), dtype=np.uint8)
    for frame in range(length):
        video[frame, 24:44, 4:28] = COLOURS["red"]
        left = 4 * (frame % 10)
        video[frame, 4:20, left : left + 20] = COLOURS["green"]
        if 4 <= frame < 17:
            video[frame, 24:40, 36:56] = COLOURS["blue"]
    return video


def settings(length, overlap, maximum_rounds=32, **others):
    cluster = ClusterConfig(seed_threshold=0.7, minimum_pixels=4, maximum_rounds=maximum_rounds)
    return SegmentConfig(clip_length=length, overlap=overlap, cluster=cluster, **others)


@pytest.fixture(scope="module")
def colour_network():
    return ColourNetwork()


@pytest.fixture
def segmenter_of(colour_network):
    return lambda config: Segmenter(colour_network, config, torch.device("cpu"))


def check_objects(results, video):
    """Every colour has one id, and its masks are where the colour is; returns the ids by colour."""
    ids = {}
    for result, image in zip(results, video, strict=True):
        seen = {name: (image == colour).all(2) for name, colour in COLOURS.items()}
        seen = {name: mask for name, mask in seen.items() if mask.any()}
        assert len(result.track_ids) == len(seen)
        assert result.masks.shape == (len(seen), *image.shape[:2])
        assert result.masks.sum(0).max() <= 1
        for mask, number, category in zip(result.masks, result.track_ids, result.category_ids, strict=True):
            (name,) = [name for name, truth in seen.items() if (mask & truth).any()]
            assert (mask & seen[name]).sum() / (mask | seen[name]).sum() > 0.8
            assert ids.setdefault(name, int(number)) == number
            assert category == CATEGORIES[list(COLOURS).index(name)].id
        assert ((result.scores > 0) & (result.scores <= 1)).all()
    assert len(set(ids.values())) == len(ids)
    return ids


def same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.index == other.index
        for name in ("masks", "track_ids", "category_ids", "scores"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(("length", "overlap"), SETTINGS)
def test_every_frame_comes_out_once_in_order_with_its_objects(segmenter_of, length, overlap):
    segmenter = segmenter_of(settings(length, overlap))
    # Up to two clips behind the first, and a longer video.
    for frames in {*range(1, min(20, length + 2 * (length - overlap)) + 1), 20}:
        video = moving_objects(frames)
        results = list(segmenter.segment(Frames(video)))
        assert [result.index for result in results] == list(range(frames))
        assert [result.time for result in results] == [index / 10 for index in range(frames)]
        if overlap:
            check_objects(results, video)


def test_the_network_always_sees_whole_clips(segmenter_of, colour_network):
    for frames in (1, 3, 8, 9, 13):
        colour_network.lengths.clear()
        list(segmenter_of(settings(8, 4)).segment(Frames(moving_objects(frames))))
        assert set(colour_network.lengths) == {8}
        assert len(colour_network.lengths) == max(1, -(-(frames - 4) // 4))


@pytest.mark.parametrize(("length", "overlap"), SETTINGS)
def test_pushing_gives_what_segmenting_gives_in_bounded_memory(segmenter_of, length, overlap):
    segmenter, video = segmenter_of(settings(length, overlap)), moving_objects(19)
    expected = list(segmenter.segment(Frames(video)))
    results = []
    for number, image in enumerate(video):
        results += segmenter.push(image)
        stream = segmenter._stream
        assert len(stream.pending) <= overlap
        reading = stream.reading
        assert len(reading.waiting) < length
        assert len(results) + len(stream.pending) + len(reading.waiting) == number + 1
        assert len(reading.seen) <= length
        assert stream.due == 0
        assert stream.stitcher.recent is None or len(stream.stitcher.recent) <= length
    same(results + segmenter.flush(), expected)
    assert segmenter.flush() == []


def test_pushed_buffers_may_be_used_again(segmenter_of):
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(19)
    expected, buffer, results = list(segmenter.segment(Frames(video))), np.empty_like(video[0]), []
    for image in video:
        buffer[:] = image
        results += segmenter.push(buffer)
    same(results + segmenter.flush(), expected)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3)), np.zeros((0, 5, 3), np.uint8)],
)
def test_pushed_frames_must_be_images(segmenter_of, frame):
    with pytest.raises(InputError, match="uint8 of shape"):
        segmenter_of(settings(8, 4)).push(frame)


def test_times_of_pushed_frames(segmenter_of):
    segmenter, image = segmenter_of(settings(2, 1)), moving_objects(1)[0]
    results = segmenter.push(image) + segmenter.push(image, 7.5) + segmenter.push(image) + segmenter.flush()
    assert [(result.index, result.time) for result in results] == [(0, 0.0), (1, 7.5), (2, 2 / 25)]


def test_the_next_video_starts_anew(segmenter_of):
    segmenter, video = segmenter_of(settings(4, 2)), moving_objects(10)
    first = list(segmenter.segment(Frames(video)))
    second = list(segmenter.segment(Frames(video)))
    same(first, second)
    assert {track.id for track in segmenter.tracks} == {1, 2, 3}
    segmenter.push(video[0])
    interrupted = segmenter.segment(Frames(video))
    next(interrupted)  # and nobody asks for the rest
    same(list(segmenter.segment(Frames(video))), first)
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    same(results, first)


def test_tracks_sum_up_the_video(segmenter_of):
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(20)
    ids = check_objects(list(segmenter.segment(Frames(video))), video)
    tracks = segmenter.tracks
    assert [track.score for track in tracks] == sorted((track.score for track in tracks), reverse=True)
    named = {ids[name]: category for name, category in zip(COLOURS, CATEGORIES, strict=True)}
    assert {track.id: track.category for track in tracks} == named


@pytest.mark.parametrize(("height", "width"), [(47, 61), (45, 70)])
def test_masks_have_the_size_of_the_source(segmenter_of, height, width):
    video = moving_objects(6, height, width)
    check_objects(list(segmenter_of(settings(4, 2)).segment(Frames(video))), video)


def test_large_frames_are_shrunk_for_the_network_alone(segmenter_of):
    video = moving_objects(5).repeat(3, 1).repeat(3, 2)
    results = list(segmenter_of(settings(4, 2, short_side=72, long_side=1000)).segment(Frames(video)))
    check_objects(results, video)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (256, 448, (256, 448)),
        (480, 854, (252, 448)),
        (854, 480, (448, 252)),
        (100, 100, (100, 100)),  # never stretched
        (720, 720, (256, 256)),
        (101, 99, (100, 100)),
        (3, 5, (4, 4)),
        (20, 4000, (4, 448)),
    ],
)
def test_size_for_the_network(height, width, expected):
    assert network_size(height, width, SegmentConfig()) == expected


def test_frames_that_may_not_be_written_to_and_mirrored_ones(segmenter_of):
    segmenter, video = segmenter_of(settings(2, 1)), moving_objects(4)
    expected = list(segmenter.segment(Frames(video[:, :, ::-1].copy())))
    video.setflags(write=False)
    same(list(segmenter.segment(Frames(video[:, :, ::-1]))), expected)
    assert len(list(segmenter.segment(Frames(video)))) == 4


def test_a_frame_of_another_size_is_refused(segmenter_of):
    segmenter, image = segmenter_of(settings(4, 2)), moving_objects(1)[0]
    segmenter.push(image)
    with pytest.raises(InputError, match="frame 1: 64x40 pixels, the frames before have 64x48"):
        segmenter.push(image[:40])


def test_an_error_comes_after_what_was_found_before_it(segmenter_of):
    images = [*moving_objects(12), np.zeros((HEIGHT, WIDTH + 4, 3), np.uint8)]
    found = []
    with pytest.raises(InputError, match="frame 12: 68x48"):
        found.extend(segmenter_of(settings(8, 4)).segment(Frames(images)))
    assert [result.index for result in found] == list(range(8))


@pytest.mark.parametrize("which", ["a frame", "the network"])
def test_after_an_error_no_thread_goes_on(segmenter_of, monkeypatch, which):
    """Not even as long as somebody holds its traceback: an open file or spool would be closed under it."""
    images = list(moving_objects(400))
    if which == "a frame":
        images[12] = np.zeros((HEIGHT, WIDTH + 4, 3), np.uint8)
    else:
        monkeypatch.setattr(room, "cluster", None)
    with pytest.raises(Exception, match=r"frame 12|not callable") as error:
        list(segmenter_of(settings(8, 4)).segment(Frames(images)))
    assert not any(thread.name == "ahead" for thread in threading.enumerate()), error.value


def test_who_stops_early_stops_the_work():
    network = ColourNetwork()
    segmenter = Segmenter(network, settings(4, 0), torch.device("cpu"))
    results = segmenter.segment(Frames(moving_objects(400)))
    next(results)
    results.close()
    segmenter.workers.submit(Urgency.FRAME, lambda: None).result()  # all that was begun before is done
    assert len(network.lengths) < 20
    check_objects(list(segmenter.segment(Frames(moving_objects(19)))), moving_objects(19))


def test_what_is_pushed_after_a_failure_is_another_video(segmenter_of, monkeypatch):
    segmenter, video = segmenter_of(settings(4, 1)), moving_objects(19)

    def failing(*_):
        raise RuntimeError("no more")

    for image in video[:3]:
        assert segmenter.push(image) == []
    monkeypatch.setattr(room, "cluster", failing)
    with pytest.raises(RuntimeError, match="no more"):
        segmenter.push(video[3])
    monkeypatch.undo()
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    assert [result.index for result in results] == list(range(19))


def test_a_video_without_objects(segmenter_of):
    segmenter = segmenter_of(settings(4, 2))
    results = list(segmenter.segment(Frames(np.zeros((6, 40, 44, 3), dtype=np.uint8))))
    assert [result.masks.shape for result in results] == [(0, 40, 44)] * 6
    assert segmenter.tracks == []


@pytest.fixture(scope="module")
def network():
    """A real network that finds something everywhere."""
    network = network_of(tiny(channels=8, squeezes=(2, 1, 1, 0)))
    torch.nn.init.constant_(network.heat_head.bias, 3.0)
    return network


@torch.no_grad()
def test_a_short_video_is_its_last_frame_repeated_and_cropped_back(network, monkeypatch):
    """At a size that is no multiple of 32, which the network pads by itself."""
    video = noise(3, 40, 52, 3).numpy()
    seen = []
    original = room.cluster
    monkeypatch.setattr(room, "cluster", lambda outputs, *rest: seen.append(outputs) or original(outputs, *rest))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    segmenter = Segmenter(network, settings(8, 4), torch.device("cpu"))
    results = list(segmenter.segment(Frames(video)))

    frames = torch.tensor(video).permute(0, 3, 1, 2)
    padded = torch.zeros(1, 8, 3, 64, 64, dtype=torch.uint8)
    padded[0, :, :, :40, :52] = frames[[0, 1, 2, 2, 2, 2, 2, 2]]
    explicit = first_frames(network(padded, size=(40, 52)), 3)
    for name in ("embedding", "log_variance", "heat", "class_logits"):
        torch.testing.assert_close(getattr(seen[0], name), getattr(explicit, name), rtol=1e-4, atol=1e-5)
    assert [result.index for result in results] == [0, 1, 2]
    tubes = original(explicit, settings(8, 4).cluster)
    assert len(tubes) == len(segmenter.tracks) > 0
    for frame, result in enumerate(results):
        for mask, number in zip(result.masks, result.track_ids, strict=True):
            probability = tubes[number - 1].probability[None, frame : frame + 1]
            inside = F.interpolate((probability > 0.5).float(), size=(40, 52), mode="nearest")
            near = F.max_pool2d(inside, 9, stride=1, padding=4)[0, 0] > 0.5  # an edge moves by a cell at most
            assert not (torch.from_numpy(mask) & ~near).any()


@torch.no_grad()
def test_streaming_a_real_network_is_one_pass_over_the_clips(network, monkeypatch):
    """Features kept from the clip before give what encoding the whole clip gives."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    video = noise(9, 33, 40, 3).numpy()
    seen = []
    original = room.cluster
    monkeypatch.setattr(room, "cluster", lambda outputs, *rest: seen.append(outputs) or original(outputs, *rest))
    segmenter = Segmenter(network, settings(4, 2), torch.device("cpu"))
    # Clips of a source may be looked at in any order, and at the same time.
    results = [result for image in video for result in segmenter.push(image)] + segmenter.flush()
    assert [result.index for result in results] == list(range(9))
    frames = F.interpolate(torch.tensor(video).permute(0, 3, 1, 2), size=(32, 40), mode="bilinear", antialias=True)
    for outputs, start in zip(seen, (0, 2, 4, 5), strict=True):
        whole = network(frames[None, start : start + 4])
        torch.testing.assert_close(outputs.embedding, whole.embedding[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(outputs.heat, whole.heat[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("length", "overlap", "latency"), [(8, 3, None), (4, 2, 1)])
def test_a_restored_run_gives_what_the_whole_run_gives(network, length, overlap, latency):
    """To the last bit, wherever it was interrupted: a convolution may round otherwise in a batch of another size."""
    video = noise(14, 33, 40, 3).numpy()
    config = settings(length, overlap, latency=latency, maximum_rounds=4)
    segmenter = Segmenter(network, config, torch.device("cpu"))
    expected = list(segmenter.segment(Frames(video)))
    tracks = segmenter.tracks
    for stop in (3, 9, 14):
        interrupted = Segmenter(network, config, torch.device("cpu"))
        results = [result for image in video[:stop] for result in interrupted.push(image)]
        snapshot = Snapshot.from_bytes(interrupted.snapshot().to_bytes())
        assert len(results) == snapshot.finished <= snapshot.position <= stop
        assert len(snapshot.replay) < 2 * length
        fresh = Segmenter(network, config, torch.device("cpu"))
        same(results + list(fresh.segment(Frames(video), snapshot)), expected)
        assert fresh.tracks == tracks


def test_there_is_no_snapshot_between_the_results_of_a_clip(segmenter_of):
    segmenter, states = segmenter_of(settings(4, 1)), []
    for result in segmenter.segment(Frames(moving_objects(6))):
        states.append((result.index, segmenter.snapshot()))
    positions = [(index, state and (state.finished, state.position)) for index, state in states]
    assert positions == [(0, None), (1, None), (2, (3, 4)), (3, None), (4, (5, 6)), (5, (6, 6))]


def test_snapshots_of_other_settings_or_sources_are_refused(segmenter_of):
    segmenter, video = segmenter_of(settings(4, 2)), moving_objects(6)
    for image in video:
        segmenter.push(image)
    snapshot = segmenter.snapshot()
    with pytest.raises(InputError, match="other settings"):
        segmenter_of(settings(4, 1)).restore(snapshot, video)
    with pytest.raises(InputError, match="ends before frame 6"):
        list(segmenter.segment(Frames(video[:4]), snapshot))
    with pytest.raises(InputError, match="64x40 pixels, the frames before have 64x48"):
        list(segmenter.segment(Frames(video[:, :40]), snapshot))
    with pytest.raises(InputError, match="cannot be read"):
        Snapshot.from_bytes(b"other bytes")
