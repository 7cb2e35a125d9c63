"""`python -m chronomask.runner EXPORTED VIDEO --out DIR`: a video to tracks.json, without PyTorch."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

from chronomask.categories import OBJECT
from chronomask.errors import InputError
from chronomask.files import prepare_place
from chronomask.formats.spool import Spool
from chronomask.formats.ytvis import Track, VideoEntry, write_tracks
from chronomask.runner.tracker import Runner
from chronomask.video import open_source


def run(exported: Path, video: str, out: Path) -> Path:
    """Segments a video with an exported network; returns the path of the tracks.json that it wrote into `out`.

    Raises:
        InputError: the network or the video cannot be used, there are results already, or none can be written.
    """
    path = out / "tracks.json"
    if path.exists():
        raise InputError(f"{path}: exists already")
    runner, source = Runner(exported), open_source(video)
    if source.live:
        raise InputError(f"{source.name}: a live source has no end; record it, and name the file")
    prepare_place(path)
    with Spool() as spool:
        for result in runner.segment((frame.image for frame in source), source.fps):
            spool.add(result)
        entry = VideoEntry(1, source.name, source.width, source.height, len(spool), source.fps, source.file_names)
        known = runner.description
        info = {key: getattr(known, key) for key in ("version", "checkpoint_sha256")}
        info["settings"] = dataclasses.asdict(known.settings)
        write_tracks(path, [entry], [OBJECT, *known.categories], _tracks(runner, spool), info)
    if source.damage:
        print(f"chronomask: warning: {source.damage}", file=sys.stderr)
    return path


def _tracks(runner: Runner, spool: Spool) -> Iterator[Track]:
    """The tracks that are good enough, best first and not too many."""
    settings, present = runner.description.settings, set(spool.track_ids())
    good = [track for track in runner.tracks if track.score >= settings.score and track.id in present]
    for track in good[: settings.max_tracks]:
        yield Track(track.id, 1, track.category.id, round(track.score, 6), spool.segmentations(track.id))


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit code: 0 done, 2 the input's or the caller's fault."""
    parser = argparse.ArgumentParser(prog="python -m chronomask.runner", description=__doc__)
    parser.add_argument("exported", type=Path, help="folder that `chronomask export` wrote")
    parser.add_argument("video", help="video file, folder of frames, or pattern of images")
    parser.add_argument("--out", type=Path, required=True, help="folder for tracks.json; made if missing")
    chosen = parser.parse_args(arguments)
    try:
        print(f"written: {run(chosen.exported, chosen.video, chosen.out)}")
    except InputError as error:
        print(f"chronomask: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
