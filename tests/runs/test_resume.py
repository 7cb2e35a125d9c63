"""A run that was killed goes on, and nobody can tell from what it wrote."""

import os
import shutil

import numpy as np
import pytest

from chronomask.errors import InputError
from chronomask.runs.kept_spool import KeptSpool
from chronomask.runs.resume import segment_into
from chronomask.state import to_bytes
from segmenter.colour import Frames, moving_objects, segmenter_of, settings

FRAMES = 30


def run(path, frames=FRAMES):
    """Frames handed out by this run, everything in the spool, and the tracks."""
    segmenter = segmenter_of(settings(4, 2))
    with KeptSpool(path, {"source": "memory"}) as spool:
        new = list(segment_into(spool, segmenter, Frames(moving_objects(frames)), seconds=0.0))
        masks = {track: list(spool.segmentations(track)) for track in spool.track_ids()}
        return [result.index for result in new], masks, segmenter.tracks


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    """What kill -9 leaves is what lies on the disk at that moment, an open transaction with its journal included."""
    (tmp_path / "running").mkdir()
    segmenter = segmenter_of(settings(4, 2))
    with KeptSpool(tmp_path / "running/run.db", {"source": "memory"}) as spool:
        spool._database.execute("PRAGMA cache_size = 1")  # changes reach the disk at once
        for result in segment_into(spool, segmenter, Frames(moving_objects(FRAMES)), seconds=0.0):
            if result.index == 12:  # the last snapshot is behind frame 11
                break
        assert len(os.listdir(tmp_path / "running")) == 2
        shutil.copytree(tmp_path / "running", tmp_path / "killed")
    new, masks, tracks = run(tmp_path / "killed/run.db")
    assert new == list(range(12, FRAMES))
    everything, expected, whole = run(tmp_path / "whole.db")
    assert everything == list(range(FRAMES))
    assert masks == expected
    assert tracks == whole


def test_a_finished_run_gives_its_tracks_again(tmp_path):
    first = run(tmp_path / "run.db")
    again = run(tmp_path / "run.db")
    assert again == ([], *first[1:])


def test_another_source_is_refused(tmp_path):
    run(tmp_path / "run.db")
    with pytest.raises(InputError, match="ends before frame"):
        run(tmp_path / "run.db", frames=8)


@pytest.mark.parametrize("snapshot", [b"other bytes", to_bytes({"settings": np.array("{}")})])
def test_a_snapshot_of_another_version_is_refused(tmp_path, snapshot):
    with KeptSpool(tmp_path / "run.db", {"source": "memory"}) as spool:
        spool.save(snapshot)
    with pytest.raises(InputError, match=r"run\.db: snapshot of an interrupted run: cannot be read"):
        run(tmp_path / "run.db")
