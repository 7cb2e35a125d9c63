"""A video in pieces gives the tracks of the video in one, to the last bit."""

import numpy as np
import pytest
from PIL import Image

from chronomask.errors import InputError
from chronomask.segmenter import pieces as room
from chronomask.segmenter.clips import Reading
from chronomask.segmenter.pieces import Misfit, Piece, joined, pieces, record
from chronomask.video import open_source
from films import film
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


def counted(monkeypatch):
    """The pieces that are found from now on."""
    found, pieces_found = room._found, []
    monkeypatch.setattr(room, "_found", lambda *given: (pieces_found.append(given[2]), found(*given))[1])
    return pieces_found


@pytest.mark.parametrize("name", CONFIGS)
def test_no_clip_is_found_again_where_the_pieces_guess_right(name, monkeypatch):
    segmenter, video = segmenter_of(CONFIGS[name]), moving_objects(41)
    clips = [clip for piece in pieces(segmenter.config, 41, 12) for clip in record(segmenter, Frames(video), piece)]
    anew = counted(monkeypatch)
    found = list(segmenter.join(joined(segmenter, Frames(video), clips, "clips"), raw=True))
    assert len(found) == 41
    assert not anew


def test_a_wrong_guess_costs_time_but_no_pixel(monkeypatch):
    """Of objects that a piece took for new ones in every clip."""
    segmenter, video = segmenter_of(settings(8, 4)), moving_objects(41)
    expected = list(segmenter.segment(Frames(video), raw=True))
    with monkeypatch.context() as patch:
        ids = iter(range(1, 10**6))
        patch.setattr(room.Tracker, "take", lambda tracker, found, shared: [next(ids) for _ in found.tubes])
        clips = [clip for piece in pieces(segmenter.config, 41, 12) for clip in record(segmenter, Frames(video), piece)]
    anew = counted(monkeypatch)
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


def long_film(path, open_groups):
    """Forty seconds with B-frames and a key frame every second, some of which others before them lean on."""
    images = np.tile(moving_objects(20), (20, 1, 1, 1))
    options = {"g": "10", "bf": "3", "x264-params": f"open-gop={int(open_groups)}:b-adapt=0:scenecut=0"}
    return open_source(film(path, images, rate=10, **options))


@pytest.mark.parametrize("open_groups", [True, False])
def test_a_piece_enters_a_file_where_it_begins(tmp_path, open_groups):
    """Its frames, numbers and times are those of the whole file, but it is not decoded from the beginning."""
    source = long_film(tmp_path / "a.mp4", open_groups)
    times = source.times()
    expected = {frame.index: frame for frame in source}
    assert times == [frame.time for frame in expected.values()]
    decoded = []
    timed = source._timed
    source._timed = lambda *given: (decoded.append(1) or frame for frame in timed(*given))
    for begin in (0, 99, 350, 397):
        decoded.clear()
        found = list(source.frames_from(begin, times[begin]))
        assert [frame.index for frame in found] == list(range(begin, 400))
        assert all(frame.time == expected[frame.index].time for frame in found)
        assert all((frame.image == expected[frame.index].image).all() for frame in found)
        assert len(decoded) <= 400 - begin + 120


def test_a_clip_is_found_again_without_decoding_what_lies_long_before_it(tmp_path, monkeypatch):
    source, segmenter = long_film(tmp_path / "a.mp4", open_groups=True), segmenter_of(settings(8, 4))
    parts = pieces(segmenter.config, 400, 130, source.times())
    data = [clip for piece in parts for clip in record(segmenter, source, piece)]
    expected = list(segmenter.finder.clips_ahead(Reading(), iter(source)))
    anew, decoded, timed = counted(monkeypatch), [], source._timed
    source._timed = lambda *given: (decoded.append(1) or frame for frame in timed(*given))
    clips = list(joined(segmenter, source, data, "clips"))
    assert len(clips) == len(expected) == 99
    for number in (0, 1, 31, 32, 33, 98):
        decoded.clear()
        again = clips[number].whole()
        np.testing.assert_array_equal(again.pictures, expected[number].pictures)
        assert (again.begin, again.shared) == (expected[number].begin, expected[number].shared)
        assert len(decoded) <= 150
        assert clips[number].whole() is again
    assert [piece.count for piece in anew] == [1] * 6


def test_who_enters_a_file_late_notices_that_it_is_cut_off(tmp_path):
    long_film(tmp_path / "a.mkv", open_groups=False)
    whole = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) * 4 // 5])
    source = open_source(tmp_path / "a.mkv")
    frames = list(source)
    damage, times = source.damage, source.times()
    assert f"cut off: {len(frames)} frames" in damage
    assert len(list(source.frames_from(200, times[200]))) == len(frames) - 200
    assert source.damage == damage


@pytest.mark.parametrize("broken", [None, 15, 39])
def test_pieces_of_a_folder_fit_unless_one_of_its_images_breaks_off(tmp_path, broken):
    segmenter = segmenter_of(settings(8, 4))
    for number, image in enumerate(moving_objects(41)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    if broken is not None:
        whole = (tmp_path / f"{broken}.png").read_bytes()
        (tmp_path / f"{broken}.png").write_bytes(whole[: len(whole) // 2])
    source = open_source(tmp_path)
    parts = pieces(segmenter.config, 41, 12, source.times())
    data = [clip for part in parts for clip in record(segmenter, open_source(tmp_path), part)]
    clips = joined(segmenter, source, data, "clips")
    if broken is None:
        same(list(segmenter.join(clips, raw=True)), list(segmenter.segment(source, raw=True)))
    else:
        with pytest.raises(Misfit):
            list(clips)


def test_pieces_that_do_not_fit_are_refused(tmp_path):
    segmenter, source = segmenter_of(settings(8, 4)), Frames(moving_objects(25))
    parts = pieces(segmenter.config, 25, 12)
    clips = [clip for piece in parts for clip in record(segmenter, source, piece)]
    del clips[2]
    with pytest.raises(Misfit, match="memory: its pieces do not fit together"):
        list(segmenter.join(joined(segmenter, source, clips, "clips")))
