"""A video in pieces gives the tracks of the video in one, to the last bit."""

import numpy as np
import pytest

from chronomask.errors import InputError
from chronomask.segmenter import pieces as room
from chronomask.segmenter.pieces import Piece, joined, pieces, record
from segmenter.colour import Frames, moving_objects, same, segmenter_of, settings

CONFIGS = {
    "usual": settings(8, 4),
    "short step": settings(8, 6),
    "no overlap": settings(4, 0),
    "low latency": settings(8, 4, latency=2),
    "no latency": settings(4, 2, latency=0),
}


def in_pieces(segmenter, video, length, claim=None):
    """All frames, and the number of pieces."""
    parts = pieces(segmenter.config, len(video) if claim is None else claim, length)
    clips = [clip for piece in parts for clip in record(segmenter, Frames(video), piece)]
    return list(segmenter.join(joined(segmenter, Frames(video), clips, "clips"), raw=True)), len(parts)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("frames", [1, 7, 25])
def test_the_tracks_are_those_of_one_piece(name, frames):
    segmenter, video = segmenter_of(CONFIGS[name]), moving_objects(25)[:frames]
    expected = list(segmenter.segment(Frames(video), raw=True))
    tracks, relinked = segmenter.tracks, segmenter.relink()
    for length in (4, 11):
        found, count = in_pieces(segmenter, video, length)
        same(found, expected)
        assert count == max(1, min(count, round(frames / length)))
        assert [frame.time for frame in found] == [frame.time for frame in expected]
        assert (segmenter.tracks, segmenter.relink()) == (tracks, relinked)


@pytest.mark.parametrize("claim", [9, 50])
def test_the_last_piece_goes_to_the_end_wherever_that_is(claim):
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(25)
    expected = list(segmenter.segment(Frames(video), raw=True))
    found, _ = in_pieces(segmenter, video, 6, claim)
    same(found, expected)


def test_a_wrong_guess_costs_time_but_no_pixel(monkeypatch):
    """Objects that a piece took for known ones are painted when they turn out to be new."""
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(41)
    video = np.concatenate([video[17:], video[:17]])  # an object appears late
    expected = list(segmenter.segment(Frames(video), raw=True))
    monkeypatch.setattr(room, "_SURE", 0)
    take, anew = room.Tracker.take, []

    def knowing_all(tracker, found, shared):
        ids, _ = take(tracker, found, shared)
        return ids, set()

    with monkeypatch.context() as patch:
        patch.setattr(room.Tracker, "take", knowing_all)
        clips = [clip for piece in pieces(segmenter.config, 41, 12) for clip in record(segmenter, Frames(video), piece)]
    found = room._found
    monkeypatch.setattr(room, "_found", lambda *given: (anew.append(given[2]), found(*given))[1])
    same(list(segmenter.join(joined(segmenter, Frames(video), clips, "clips"), raw=True)), expected)
    assert anew
    assert all(piece.count == 1 for piece in anew)


def test_pieces_are_about_equal():
    assert pieces(settings(8, 4), 100, 50) == [Piece(0, 0, 12), Piece(1, 12, None)]
    assert pieces(settings(8, 4), 3, 50) == [Piece(0, 0, None)]
    parts = pieces(settings(8, 4), 100_000, 1500)
    assert len(parts) == 67
    assert [part.first for part in parts[1:]] == [part.first + part.count for part in parts[:-1]]
    assert max(part.count for part in parts[:-1]) - min(part.count for part in parts[:-1]) <= 1


def test_damaged_clips_are_refused():
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(9)
    [first, *_] = record(segmenter, Frames(video), Piece(0, 0, None))
    for data in (b"", first[:-40], np.random.default_rng(0).bytes(100)):
        with pytest.raises(InputError, match="clips: "):
            list(joined(segmenter, Frames(video), [data], "clips"))
