"""One source from beginning to end: segment it, choose the tracks, write the files."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chronomask import __version__, rle
from chronomask.annotations.records import Segmentations, Track, VideoEntry
from chronomask.categories import Category
from chronomask.claims import check_outputs
from chronomask.config import SegmentConfig
from chronomask.device import processor_features
from chronomask.errors import InputError, close_names
from chronomask.formats.ytvis import read_tracks, write_results, write_tracks
from chronomask.outputs.choice import RECORDING, Outputs
from chronomask.outputs.second_pass import draw_outputs
from chronomask.outputs.table import write_csv
from chronomask.progress import Progress, silent
from chronomask.results import TrackInfo
from chronomask.runs.interruption import Interrupted, Interruption
from chronomask.runs.live import Live
from chronomask.runs.partial import PARTIAL, SPOOL, Workplace, check_claims, check_workplace, workplace
from chronomask.runs.recording import Recorded, Recording
from chronomask.runs.resume import segment_into
from chronomask.runs.spool import KeptSpool, Spool
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import VideoSource, VideoWriter


@dataclass(frozen=True)
class TrackRow:
    """One line of the table of tracks.

    Attributes:
        id: track id, from 1.
        name: class name, or `object`.
        score: how likely the mask is right, in [0, 1].
        class_score: how likely the name is right, in [0, 1]; None where results from elsewhere do not say.
        first, last: numbers of the first and last frame in which it is seen.
        area: mean area in pixels over the frames in which it is seen.
    """

    id: int
    name: str
    score: float
    class_score: float | None
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
        classes: only tracks of these names; all if empty.
        outputs: what is written beside the two.
        overwrite: whether files of an earlier run may be replaced.
        resume: go on with an interrupted run, if there is one; the result equals that of an uninterrupted one.
        progress: shows how far the work is.

    Raises:
        InputError: a class that the model does not know, results already there, a run of another source or with other
            settings to go on with, nothing could be decoded, or the disk is full.
        Interrupted: Ctrl-C; the tracks so far are written.
    """
    names, wanted = [category.name for category in segmenter.categories], sorted(set(classes))
    if unknown := [name for name in wanted if name not in names]:
        hint = close_names(unknown[0], names) or f"its classes are {', '.join(names)}"
        raise InputError(f"classes: {unknown[0]!r} is not a class of this model; {hint}")
    if resume and source.live:
        raise InputError(f"{source.name}: a live source cannot be resumed")
    check_output(out, outputs, source.live, source.files, overwrite, resume)
    info = provenance(segmenter) | {"source": _description(source)}
    if resume and _is_complete(out):
        return _finished(out, info | {"classes": wanted}, outputs)
    with workplace(out / PARTIAL, out, out, resume) as place:
        # Again, for another run may have ended there just now.
        check_claims(place.folder, outputs.claims(out, source.live), source.files, [], overwrite)
        place.claim([path.name for path in outputs.paths(out, source.live)])
        job = _Job(segmenter, place, outputs, wanted, info, progress)
        return job.live(source) if source.live else job.file(source)


@dataclass(frozen=True)
class _Job:
    """What the steps of one run share; the fields are those of `segment_to_folder`, and the place where it works.

    The classes are not part of `info`, which an interrupted run cannot change: these it may still choose.
    """

    segmenter: Segmenter
    place: Workplace
    outputs: Outputs
    classes: list[str]
    info: dict[str, Any]
    progress: Progress

    def file(self, source: VideoSource) -> Summary:
        """Segments something that can be read again, writing down what a later run needs to go on."""
        with KeptSpool(self.place.folder / SPOOL, self.info) as spool:
            try:
                left = None if source.length is None else max(0, source.length - len(spool))
                # Closed, because what reads ahead would go on after an error as long as anybody holds its traceback.
                with Interruption() as interruption, closing(segment_into(spool, self.segmenter, source)) as frames:
                    for _ in self.progress(frames, f"segmenting {source.name}", left):
                        if interruption.wanted:
                            break
                return self.write(source, spool, complete=not interruption.wanted)
            except BaseException as error:
                self.place.worth_keeping = isinstance(error, Interrupted) or spool.snapshot is not None
                raise

    def live(self, source: VideoSource) -> Summary:
        """Segments something that passes by once, and records it for the outputs that are drawn later."""
        path = self.place.results / RECORDING
        with Spool(self.place.folder) as spool:
            with Interruption() as interruption, VideoWriter(path, source.width, source.height, source.fps) as writer:
                if isinstance(source, Live):
                    source.stop = lambda: interruption.wanted  # a camera may fall silent, and then no frame asks
                recorded = Recorded(source, writer, lambda: interruption.wanted)
                with closing(self.segmenter.segment(recorded, raw=True)) as frames:
                    for result in self.progress(frames, f"segmenting {source.name}", None):
                        spool.add(result)
            self.place.publish([RECORDING])  # now, for it cannot be made again whatever happens to the rest
            return self.write(Recording(self.place.out / RECORDING, source), spool)

    def write(self, source: VideoSource, spool: Spool, complete: bool = True) -> Summary:
        """Writes the results of what is in the spool; of an incomplete run only those that need no pictures.

        Raises:
            Interrupted: in the end, when the run is incomplete, or Ctrl-C was pressed while pictures were drawn.
        """
        if len(spool) == 0:
            raise InputError(f"{source.damage or source.name}: not one frame could be segmented")
        categories = self.segmenter.categories
        wanted = self.classes or [category.name for category in categories]
        chosen = chosen_tracks(self.segmenter.tracks, spool.track_ids(), self.segmenter.config, wanted)
        by_id = {info.id: info for info in chosen}
        results, out = self.place.results, self.place.out
        if self.outputs.csv:
            write_csv(results / "tracks.csv", spool, by_id)
        complete = complete and self._drawn(source, spool, by_id)
        names = None if source.file_names is None else source.file_names[: len(spool)]
        entry = VideoEntry(1, source.name, source.width, source.height, len(spool), source.fps, names)
        tracks, info = _Tracks(spool, chosen), self.info | {"classes": self.classes, "complete": complete}
        write_results(results / "results.json", [entry], tracks)
        write_tracks(results / "tracks.json", [entry], categories, tracks, info)
        paths = self.outputs.paths(out, source.live)
        self.place.publish([path.name for path in paths if (results / path.name).exists()])
        if not complete:
            raise Interrupted(len(spool))
        return Summary(_rows(tracks, categories), len(spool), paths)

    def _drawn(self, source: VideoSource, spool: Spool, tracks: dict[int, TrackInfo]) -> bool:
        """Makes the outputs that need pictures; False when Ctrl-C ended that."""
        if not self.outputs.drawn:
            return True
        try:
            with closing(draw_outputs(source, spool, self.place.results, self.outputs, tracks)) as frames:
                deque(self.progress(frames, f"drawing {source.name}", len(spool)), maxlen=0)
        except KeyboardInterrupt:
            return False
        return True


def chosen_tracks(
    tracks: Iterable[TrackInfo], seen: Iterable[int], config: SegmentConfig, names: Collection[str]
) -> list[TrackInfo]:
    """The tracks to write, of those of a video (best first): of these names, good enough, and not too many.

    Args:
        seen: ids of those that have pixels; a tube too thin to be painted has a name but none.
    """
    present = set(seen)
    good = [info for info in tracks if info.score >= config.score and info.id in present]
    return [info for info in good if info.category.name in names][: config.max_tracks]


def track_of(info: TrackInfo, video_id: int, category: Category, masks: Segmentations) -> Track:
    """A track as files hold it, under the category that it has there; its scores have six digits."""
    scores = round(info.score, 6), round(info.class_score, 6)
    return Track(info.id, video_id, category.id, scores[0], masks, class_score=scores[1])


def provenance(segmenter: Segmenter) -> dict[str, Any]:
    """What made a file of tracks, for its `info`: version, hash of the checkpoint, engine and processor, settings."""
    engine = segmenter.engine
    return {
        "version": __version__,
        "checkpoint_sha256": engine.description.checkpoint_sha256,
        "engine": dataclasses.asdict(engine.info) | {"processor": list(processor_features())},
        "settings": dataclasses.asdict(segmenter.config),
    }


def check_output(
    out: Path, outputs: Outputs, live: bool, reads: Sequence[Path], overwrite: bool = False, resume: bool = False
) -> None:
    """Finds out before the work begins whether its results can be written; writes nothing.

    Args: as for `segment_to_folder`, and whether the source is live, and which files are read.

    Raises:
        InputError: as `chronomask.claims.check_outputs`; or somebody works there, or has not ended his work.
    """
    check_workplace(out / PARTIAL, out)
    if (out / PARTIAL / SPOOL).exists() and not (overwrite or resume):
        raise InputError(f"{out}: holds an interrupted run; go on with it by --resume, or start anew by --overwrite")
    if resume and not _is_complete(out):
        check_claims(out / PARTIAL, outputs.claims(out, live), reads, [], overwrite)
    elif not resume:
        check_outputs(outputs.claims(out, live), reads, overwrite=overwrite)


def _is_complete(out: Path) -> bool:
    return (out / "tracks.json").exists() and not (out / PARTIAL / SPOOL).exists()


def _description(source: VideoSource) -> dict[str, Any]:
    """What tells a source from others, and where in it the frames are that tracks.json speaks of."""
    return {"fingerprint": None if source.live else source.fingerprint(), **dataclasses.asdict(source.selection)}


def _finished(out: Path, info: dict[str, Any], outputs: Outputs) -> Summary:
    """The summary of a run that needs no resuming; its tracks may have been corrected since."""
    file = read_tracks(out / "tracks.json")
    if file.info.get("complete") is False:
        raise InputError(f"{out}: holds part of a run that cannot go on; name another folder, or say --overwrite")
    there = {"classes": [], **file.info}  # results of earlier versions do not say which classes were asked for
    for key, value in json.loads(json.dumps(info)).items():
        if there.get(key) != value:
            reason = f"holds complete results of a run that differs in its {key}"
            raise InputError(f"{out}: {reason}; name another folder, or say --overwrite")
    rows, paths = _rows(file.tracks, file.categories), outputs.paths(out)
    cutouts = outputs.cutout_paths(out, [row.id for row in rows])
    if missing := [path.relative_to(out) for path in (*paths, *cutouts) if not path.exists()]:
        raise InputError(f"{out}: is complete without {missing[0]}; name another folder, or say --overwrite")
    return Summary(rows, file.videos[0].length, paths)


@dataclass(frozen=True)
class _Tracks:
    """The chosen tracks, read from the spool one at a time, as often as needed."""

    spool: Spool
    chosen: list[TrackInfo]

    def __iter__(self) -> Iterator[Track]:
        for info in self.chosen:
            yield track_of(info, 1, info.category, self.spool.segmentations(info.id))


def _rows(tracks: Iterable[Track], categories: Iterable[Category]) -> list[TrackRow]:
    """The table of tracks; one that is seen nowhere, as a file from elsewhere may hold, is left out."""
    names, rows = {category.id: category.name for category in categories}, []
    for track in tracks:
        seen = np.flatnonzero([mask is not None for mask in track.segmentations]).tolist()
        if seen:
            mean = sum(rle.area(mask) for mask in track.segmentations if mask is not None) / len(seen)
            name, scores = names[track.category_id], (track.score, track.class_score)
            rows.append(TrackRow(track.id, name, *scores, seen[0], seen[-1], mean))
    return rows
