"""Videos that are cut: no mask goes on in the next shot, and no track."""

from concurrent.futures import Future

import numpy as np
import pytest

from chronomask.segmenter.clips import SeenFrame, shots_of
from chronomask.segmenter.pieces import joined, pieces, record
from chronomask.segmenter.snapshot import Snapshot
from segmenter.colour import Frames, check_objects, cut_at, moving_objects, same, segmenter_of, settings

CONFIGS = {
    "usual": settings(8, 4),
    "short step": settings(8, 6),
    "no overlap": settings(4, 0),
    "live": settings(8, 4, latency=1),
}


def seen(images):
    return [SeenFrame(Future(), 0, np.ascontiguousarray(image.transpose(2, 0, 1))) for image in images]


def test_a_shot_ends_where_most_pixels_change_their_colour():
    assert shots_of(seen(moving_objects(20)), 0.4) == [slice(0, 20)]
    assert shots_of(seen(cut_at(5, 6, length=9)), 0.4) == [slice(0, 5), slice(5, 6), slice(6, 9)]
    assert shots_of(seen(cut_at(5, length=9)), 1.0) == [slice(0, 9)]
    assert shots_of(seen(moving_objects(1)), 0.0) == [slice(0, 1)]


def test_a_camera_that_turns_is_no_cut():
    wide = np.random.default_rng(0).integers(0, 256, (64, 8, 3), np.uint8).repeat(40, 1)
    assert shots_of(seen([wide[:, left : left + 96] for left in range(0, 220, 30)]), 0.4) == [slice(0, 8)]


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "no overlap"])
def test_what_looks_the_same_in_the_next_shot_is_another_track(name):
    for places in ((1,), (13,), (12, 13), (9, 18, 29)):
        segmenter, video = segmenter_of(CONFIGS[name]), cut_at(*places)
        results = list(segmenter.segment(Frames(video)))
        before = set()
        for begin, end in zip((0, *places), (*places, len(video)), strict=True):
            shot = results[begin:end]
            check_objects(shot, np.where(video[begin:end] == 90, 0, video[begin:end]))
            ids = {int(number) for result in shot for number in result.track_ids}
            assert not ids & before
            before |= ids
        assert segmenter.relink() == {}


def test_who_says_that_there_are_no_cuts_gets_tracks_that_go_on():
    video = cut_at(13)
    results = list(segmenter_of(settings(8, 4, shot_change=1.0)).segment(Frames(video)))
    check_objects(results, np.where(video == 90, 0, video))


@pytest.mark.parametrize("name", CONFIGS)
def test_resumed_runs_and_pieces_give_what_the_whole_gives(name):
    config, video = CONFIGS[name], cut_at(6, 13, 14)
    segmenter = segmenter_of(config)
    expected = list(segmenter.segment(Frames(video), raw=True))
    tracks = segmenter.tracks
    for stop in (8, 13, 17):
        interrupted = segmenter_of(config)
        results = [result for image in video[:stop] for result in interrupted.push(image, raw=True)]
        snapshot = Snapshot.from_bytes(interrupted.snapshot().to_bytes())
        fresh = segmenter_of(config)
        same(results + list(fresh.segment(Frames(video), snapshot, raw=True)), expected)
        assert fresh.tracks == tracks
    clips = [clip for piece in pieces(config, len(video), 9) for clip in record(segmenter, Frames(video), piece)]
    same(list(segmenter.join(joined(segmenter, Frames(video), clips, "clips"), raw=True)), expected)
    assert segmenter.tracks == tracks
