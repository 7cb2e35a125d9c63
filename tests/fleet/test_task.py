"""What a worker does with pieces of a video, in this process."""

from dataclasses import replace

import fsspec

from chronomask.fleet.task import Job, Task, do
from chronomask.outputs.choice import Outputs
from chronomask.runs.segment import segment_to_folder
from chronomask.video import open_source
from films import film, moving_square
from fleet.stand_in import open_colour


def test_pieces_that_do_not_fit_together_are_left_for_the_whole(tmp_path):
    """As where a file cannot be entered at the frame that its index promises."""
    path, said = film(tmp_path / "a.mkv", moving_square(40), "ffv1"), []
    segmenter, job = open_colour(), Job(tmp_path / "out", open_colour, piece=15)
    cut = do(segmenter, job, Task("a", str(path)), said.append)
    assert len(cut.pieces) == 3
    wrong = (cut.pieces[0], replace(cut.pieces[1], time=cut.pieces[1].time + 0.2), cut.pieces[2])
    for piece in wrong:
        assert not do(segmenter, job, Task("a", str(path), piece), said.append).error
    outcome = do(segmenter, job, Task("a", str(path), join=wrong), said.append)
    assert (outcome.error, outcome.frames) == ("", 40)
    segment_to_folder(open_colour(), open_source(path), tmp_path / "whole", outputs=Outputs(overlay=False))
    assert (tmp_path / "out/a/tracks.json").read_bytes() == (tmp_path / "whole/tracks.json").read_bytes()
    assert not list((tmp_path / "out/.batch/pieces").iterdir())


def test_tracks_that_could_not_be_cut_out_are_said(tmp_path):
    path, said = film(tmp_path / "a.mkv", moving_square(5), "ffv1"), []
    job = Job(tmp_path / "out", open_colour, outputs=Outputs(overlay=False, cutout="png", cutout_tracks="1,9"))
    outcome = do(open_colour(), job, Task("a", str(path)), said.append)
    assert (outcome.error, outcome.warning) == ("", "--cutout-tracks: there is no track 9; found: 1")
    assert said[0] == 0  # a sign of life at once
    assert said[-1] == 5  # drawing goes on behind the last frame


def test_what_is_fetched_gives_signs_of_life(tmp_path):
    path, said = film(tmp_path / "a.mkv", moving_square(5), "ffv1"), []
    fsspec.filesystem("memory").pipe("/a.mkv", path.read_bytes())
    assert not do(open_colour(), Job(tmp_path / "out", open_colour), Task("a", "memory://a.mkv"), said.append).error
    assert said.count(0) > 1


def test_a_piece_that_is_there_is_not_found_again(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mkv", moving_square(40), "ffv1")
    segmenter, job = open_colour(), Job(tmp_path / "out", open_colour, piece=15)
    [first, *_] = do(segmenter, job, Task("a", str(path)), print).pieces
    task = Task("a", str(path), first)
    assert not do(segmenter, job, task, lambda frames: None).error
    file = tmp_path / "out/.batch/pieces/a/0.zip"
    before = file.stat().st_mtime_ns
    assert not do(segmenter, job, task, lambda frames: None).error
    assert file.stat().st_mtime_ns == before
    whole = file.read_bytes()
    file.write_bytes(whole[:-50])
    assert not do(segmenter, job, task, lambda frames: None).error
    assert len(file.read_bytes()) == len(whole)
