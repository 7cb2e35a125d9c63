"""A long run that may be killed at any time and goes on from where it was."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable

from chronomask.heap import without_holes
from chronomask.results import FrameResult
from chronomask.runs.kept_spool import KeptSpool
from chronomask.segmenter.found import Clip
from chronomask.segmenter.segmenter import Segmenter
from chronomask.segmenter.snapshot import Snapshot
from chronomask.state import SNAPSHOT
from chronomask.video import VideoSource


def segment_into(
    spool: KeptSpool, segmenter: Segmenter, source: VideoSource, seconds: float = 10.0
) -> Generator[FrameResult, None, None]:
    """Segments a source into a spool, and yields every frame after it was added.

    Where the spool holds an earlier, interrupted run, that run goes on: its frames are in the spool already and do not
    come again. In the end spool and `segmenter.tracks` are those of an uninterrupted run.

    Args:
        seconds: between two snapshots, each a write of the spool to disk; so much work is lost at most.

    Raises:
        InputError: as `Segmenter.segment`; or the spool was written by another version of this package.
    """
    where = f"{spool.path}: {SNAPSHOT}"
    before = None if spool.snapshot is None else Snapshot.from_bytes(spool.snapshot, where)
    saved = time.monotonic()
    for result in without_holes(segmenter.segment(source, before, raw=True)):
        spool.add(result)
        if time.monotonic() - saved >= seconds and (snapshot := segmenter.snapshot()) is not None:
            spool.save(snapshot.to_bytes())
            saved = time.monotonic()
        yield result


def join_into(spool: KeptSpool, segmenter: Segmenter, clips: Iterable[Clip]) -> Generator[FrameResult, None, None]:
    """As `segment_into`, of a video whose clips were found before; that takes no time worth to be kept."""
    for result in segmenter.join(clips, raw=True):
        spool.add(result)
        yield result
