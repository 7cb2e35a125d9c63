"""One source from beginning to end: segment it, choose the tracks, write the files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronomask import __version__, rle
from chronomask.config import SegmentConfig
from chronomask.data.categories import OBJECT
from chronomask.errors import InputError, close_names
from chronomask.formats.spool import Spool
from chronomask.formats.ytvis import Track, VideoEntry, read_tracks, write_results, write_tracks
from chronomask.inference.interruption import Interrupted, Interruption
from chronomask.inference.partial import PARTIAL, full_disk_explained, kept_spool
from chronomask.inference.recording import Recorded, Recording
from chronomask.inference.resume import segment_into
from chronomask.inference.segment import Segmenter
from chronomask.inference.tracks import TrackInfo
from chronomask.outputs.choice import RECORDING, Outputs, check_replaceable, remove_earlier
from chronomask.outputs.second_pass import draw_outputs
from chronomask.outputs.table import write_csv
from chronomask.progress import Progress, silent
from chronomask.video import VideoSource, VideoWriter


@dataclass(frozen=True)
class TrackRow:
    """One line of the table of tracks.

    Attributes:
        id: track id, from 1.
        name: class name, or `object`.
        score: confidence in [0, 1].
        first, last: numbers of the first and last frame in which it is seen.
        area: mean area in pixels over the frames in which it is seen.
    """

    id: int
    name: str
    score: float
    first: int
    last: int
    area: float


@dataclass(frozen=True)
class Summary:
    """What came of a source.

    Attributes:
        tracks: the tracks that were written, best first.
        frames: number of frames that were segmented.
        paths: files and folders written.
    """

    tracks: list[TrackRow]
    frames: int
    paths: list[Path]


def segment_to_folder(
    segmenter: Segmenter,
    source: VideoSource,
    out: Path,
    *,
    checkpoint: Path,
    classes: tuple[str, ...] = (),
    outputs: Outputs = Outputs(),  # noqa: B008  (frozen)
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = silent,
) -> Summary:
    """Writes tracks.json, results.json and what else is wanted of a source into a folder.

    What is segmented is kept in `out/.partial` until everything is written, so that a killed run can go on. Ctrl-C ends
    a file after the tracks of the frames so far have been written; a live source it ends like its own end.

    Args:
        checkpoint: file of the weights, whose hash is noted in tracks.json.
        classes: only tracks of these names; all if empty.
        outputs: what is written beside the two.
        overwrite: whether files of an earlier run may be replaced.
        resume: go on with an interrupted run, if there is one; the result equals that of an uninterrupted one.
        progress: shows how far the work is.

    Raises:
        InputError: a class that the model does not know, results already there, an interrupted run of another source or
            with other settings, nothing could be decoded, or the disk is full.
        Interrupted: Ctrl-C; the tracks so far are written.
    """
    names = {category.id: category.name for category in (OBJECT, *segmenter.categories)}
    if unknown := sorted(set(classes) - set(names.values())):
        hint = close_names(unknown[0], names.values()) or f"its classes are {', '.join(names.values())}"
        raise InputError(f"classes: {unknown[0]!r} is not a class of this model; {hint}")
    check_output(out, outputs, overwrite, resume, source.live)
    if resume and source.live:
        raise InputError(f"{source.name}: a live source cannot be resumed")
    info = provenance(segmenter, checkpoint) | {"source": _description(source)}
    if resume and (out / "tracks.json").exists() and not (out / PARTIAL).exists():
        return _finished(out, info, names, outputs)
    job = _Job(segmenter, out, outputs, names, set(classes) or set(names.values()), info, progress)
    with full_disk_explained(out):
        return job.live(source) if source.live else job.file(source, resume)


@dataclass(frozen=True)
class _Job:
    """What the steps of one run share; the fields are those of `segment_to_folder`."""

    segmenter: Segmenter
    out: Path
    outputs: Outputs
    names: dict[int, str]
    wanted: set[str]
    info: dict[str, Any]
    progress: Progress

    def file(self, source: VideoSource, resume: bool) -> Summary:
        """Segments something that can be read again, writing down what a later run needs to go on."""
        with kept_spool(self.out, self.info, resume) as spool:
            left = None if source.length is None else max(0, source.length - len(spool))
            # Closed, because what reads ahead would go on after an error as long as anybody holds its traceback.
            with Interruption() as interruption, closing(segment_into(spool, self.segmenter, source)) as frames:
                for _ in self.progress(frames, f"segmenting {source.name}", left):
                    if interruption.wanted:
                        break
            return self.write(source, spool, complete=not interruption.wanted)

    def live(self, source: VideoSource) -> Summary:
        """Segments something that passes by once, and records it for the outputs that are drawn later."""
        path = self.out / RECORDING
        with Spool() as spool:
            with Interruption() as interruption, VideoWriter(path, source.width, source.height, source.fps) as writer:
                recorded = Recorded(source, writer, lambda: interruption.wanted)
                with closing(self.segmenter.segment(recorded)) as frames:
                    for result in self.progress(frames, f"segmenting {source.name}", None):
                        spool.add(result)
            return self.write(Recording(path, source), spool)

    def write(self, source: VideoSource, spool: Spool, complete: bool = True) -> Summary:
        """Writes the results of what is in the spool; of an incomplete run only those that need no pictures.

        Raises:
            Interrupted: in the end, when the run is incomplete, or Ctrl-C was pressed while pictures were drawn.
        """
        if len(spool) == 0:
            raise InputError(f"{source.damage or source.name}: not one frame could be segmented")
        chosen = chosen_tracks(self.segmenter.tracks, spool, self.segmenter.config, self.wanted)
        by_id = {info.id: info for info in chosen}
        if complete:
            self.outputs.cutouts(list(by_id))  # a wrong id is found before anything is touched
        if (self.out / "tracks.json").exists():
            # While the files are replaced, nothing may claim that they belong together.
            remove_earlier(self.out, source.live)
        if self.outputs.csv:
            write_csv(self.out / "tracks.csv", spool, by_id)
        complete = complete and self._drawn(source, spool, by_id)
        names = None if source.file_names is None else source.file_names[: len(spool)]
        entry = VideoEntry(1, source.name, source.width, source.height, len(spool), source.fps, names)
        tracks, categories = _Tracks(spool, chosen), [OBJECT, *self.segmenter.categories]
        write_results(self.out / "results.json", [entry], tracks)
        # Last, because it is what says that the folder is complete.
        write_tracks(self.out / "tracks.json", [entry], categories, tracks, self.info | {"complete": complete})
        if not complete:
            raise Interrupted(len(spool))
        rows = [_row(track, self.names) for track in tracks]
        return Summary(rows, len(spool), self.outputs.paths(self.out, source.live))

    def _drawn(self, source: VideoSource, spool: Spool, tracks: dict[int, TrackInfo]) -> bool:
        """Makes the outputs that need pictures; False when Ctrl-C ended that."""
        if not self.outputs.drawn:
            return True
        try:
            with closing(draw_outputs(source, spool, self.out, self.outputs, tracks)) as frames:
                deque(self.progress(frames, f"drawing {source.name}", len(spool)), maxlen=0)
        except KeyboardInterrupt:
            return False
        return True


def chosen_tracks(
    tracks: Iterable[TrackInfo], spool: Spool, config: SegmentConfig, names: Collection[str]
) -> list[TrackInfo]:
    """The tracks to write, of those of a video (best first): of these names, good enough, and not too many."""
    # A tube too thin to be painted has a name but no pixels.
    present = set(spool.track_ids())
    good = [info for info in tracks if info.score >= config.score and info.id in present]
    return [info for info in good if info.category.name in names][: config.max_tracks]


def provenance(segmenter: Segmenter, checkpoint: Path) -> dict[str, Any]:
    """What made a file of tracks, for its `info`: version, hash of the checkpoint, settings."""
    return {
        "version": __version__,
        "checkpoint_sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "settings": dataclasses.asdict(segmenter.config),
    }


def check_output(
    out: Path, outputs: Outputs, overwrite: bool = False, resume: bool = False, live: bool = False
) -> None:
    """Finds out before the work begins whether its results can be written; writes nothing.

    Args: as for `segment_to_folder`, and whether the source is live.

    Raises:
        InputError: a file stands in the way, the place is not writable, or it holds results that may not be replaced.
    """
    interrupted = (out / PARTIAL).exists()
    if interrupted and not (overwrite or resume):
        raise InputError(f"{out}: holds an interrupted run; go on with it by --resume, or start anew by --overwrite")
    # Results beside an interrupted run, or complete ones that shall be completed, are this program's.
    ours = resume and (interrupted or (out / "tracks.json").exists())
    check_replaceable(outputs.paths(out, live), overwrite or ours)
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not place.is_dir():
        raise InputError(f"{place}: is not a folder, so {out} cannot hold the results")
    if not os.access(place, os.W_OK):
        raise InputError(f"{place}: may not be written to, so {out} cannot hold the results")


def _description(source: VideoSource) -> dict[str, Any]:
    """What tells a source from others, and where in it the frames are that tracks.json speaks of."""
    return {"fingerprint": None if source.live else source.fingerprint(), **dataclasses.asdict(source.selection)}


def _finished(out: Path, info: dict[str, Any], names: dict[int, str], outputs: Outputs) -> Summary:
    """The summary of a run that needs no resuming."""
    file = read_tracks(out / "tracks.json")
    for key, value in json.loads(json.dumps(info)).items():
        if file.info.get(key) != value:
            raise InputError(f"{out}: holds complete results of another {key}; name another folder, or --overwrite")
    if missing := [path for path in outputs.paths(out) if not path.exists()]:
        raise InputError(f"{out}: is complete without {missing[0].name}; name another folder, or say --overwrite")
    rows = [_row(track, names) for track in file.tracks]
    return Summary(rows, file.videos[0].length, outputs.paths(out))


@dataclass(frozen=True)
class _Tracks:
    """The chosen tracks, read from the spool one at a time, as often as needed."""

    spool: Spool
    chosen: list[TrackInfo]

    def __iter__(self) -> Iterator[Track]:
        for info in self.chosen:
            yield Track(info.id, 1, info.category.id, round(info.score, 6), self.spool.segmentations(info.id))


def _row(track: Track, names: dict[int, str]) -> TrackRow:
    seen = [(index, s) for index, s in enumerate(track.segmentations) if s is not None]
    areas = [rle.area(s) for _, s in seen]
    return TrackRow(track.id, names[track.category_id], track.score, seen[0][0], seen[-1][0], sum(areas) / len(areas))
