"""What is written down of a video in progress, and what is refused of what comes back."""

import numpy as np
import pytest

from chronomask import state
from chronomask.errors import InputError
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.snapshot import Snapshot
from segmenter.colour import ColourEngine, Frames, moving_objects, same, segmenter_of, settings


def taken(frames=14, config=settings(4, 2)):  # noqa: B008  (frozen)
    """A snapshot after so many frames."""
    segmenter = segmenter_of(config)
    for image in moving_objects(frames):
        segmenter.push(image)
    return segmenter.snapshot()


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("length", "overlap", "latency"), [(8, 3, None), (4, 2, 1), (1, 0, None)])
def test_a_restored_run_gives_what_the_whole_run_gives(length, overlap, latency, together):
    """Frames go through the network in the batches of the whole run: in others, a convolution may round otherwise."""
    video, config = moving_objects(24), settings(length, overlap, latency=latency)
    whole = Segmenter(ColourEngine(length, together=together), config)
    expected = list(whole.segment(Frames(video)))
    for stop in (3, 9, 14, 24):
        interrupted = Segmenter(ColourEngine(length, together=together), config)
        results = [result for image in video[:stop] for result in interrupted.push(image)]
        snapshot = Snapshot.from_bytes(interrupted.snapshot().to_bytes())
        assert len(results) == snapshot.finished <= snapshot.position <= stop
        assert len(snapshot.replay) < 2 * length
        engine = ColourEngine(length, threads=1, together=together)
        fresh = Segmenter(engine, config)
        same(results + list(fresh.segment(Frames(video), snapshot)), expected)
        assert fresh.tracks == whole.tracks
        if together and stop < len(video):  # after the last frame no clip follows, and nobody waits for the features
            again = snapshot.stream["batches"].tolist()
            assert engine.batches[: len(again)] == again


def test_frames_that_a_snapshot_left_pending_come_with_their_pictures_and_times():
    video, snapshot = moving_objects(24), taken(14, settings(8, 4))
    results = list(segmenter_of(settings(8, 4)).segment(Frames(video), snapshot, keep_images=True))
    assert [result.index for result in results] == list(range(8, 24))
    assert [result.time for result in results[:4]] == [index / 25 for index in range(8, 12)]  # as they were pushed
    np.testing.assert_array_equal([result.image for result in results], video[8:])


def test_there_is_no_snapshot_between_the_results_of_a_clip():
    segmenter, states = segmenter_of(settings(4, 1)), []
    for result in segmenter.segment(Frames(moving_objects(6))):
        states.append((result.index, segmenter.snapshot()))
    positions = [(index, state and (state.finished, state.position)) for index, state in states]
    assert positions == [(0, None), (1, None), (2, (3, 4)), (3, None), (4, (5, 6)), (5, (6, 6))]


def test_snapshots_of_other_settings_or_sources_are_refused():
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


def test_a_snapshot_that_needs_frames_from_before_the_first_is_refused():
    snapshot = taken()
    stream = snapshot.stream | {"batches": 2 * snapshot.stream["batches"], "finished": np.array(0)}
    with pytest.raises(InputError, match="snapshot of an interrupted run: cannot be read: it needs frames"):
        Snapshot.from_bytes(Snapshot(snapshot.settings, stream).to_bytes())


def test_the_same_comes_back():
    snapshot = taken()
    other = Snapshot.from_bytes(snapshot.to_bytes())
    assert other.settings == snapshot.settings
    assert other.stream.keys() == snapshot.stream.keys()
    for name, value in snapshot.stream.items():
        assert other.stream[name].dtype == value.dtype
        np.testing.assert_array_equal(other.stream[name], value)


def test_a_snapshot_of_no_frame():
    segmenter, video = segmenter_of(settings(4, 2)), moving_objects(6)
    segmenter.push(video[0])
    snapshot = Snapshot.from_bytes(segmenter.snapshot().to_bytes())
    assert (snapshot.finished, snapshot.position) == (0, 0)
    same(list(segmenter.segment(Frames(video), snapshot)), list(segmenter_of(settings(4, 2)).segment(Frames(video))))


STREAM = sorted(taken().stream)


@pytest.mark.parametrize("name", STREAM)
def test_what_is_missing_or_of_another_kind_is_refused(name):
    """As in a snapshot of another version."""
    snapshot, video = taken(), moving_objects(14)
    for change in ({}, {name: np.array("text")}):
        stream = {key: value for key, value in snapshot.stream.items() if key != name} | change
        segmenter = segmenter_of(settings(4, 2))
        with pytest.raises(InputError, match="snapshot of an interrupted run"):
            segmenter.restore(Snapshot.from_bytes(Snapshot(snapshot.settings, stream).to_bytes()), video)


@pytest.mark.parametrize(
    "data", [b"other bytes", state.to_bytes({}), state.to_bytes({"settings": np.array("{}")}), taken().to_bytes()[:-9]]
)
def test_what_is_no_snapshot_is_refused(data):
    with pytest.raises(InputError, match="snapshot of an interrupted run: cannot be read"):
        Snapshot.from_bytes(data)
