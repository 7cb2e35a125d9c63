"""One source from beginning to end: segment it, choose the tracks, write the files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chronomask.claims import check_outputs
from chronomask.errors import InputError
from chronomask.formats.ytvis import read_tracks
from chronomask.outputs.choice import RECORDING, Outputs
from chronomask.outputs.later import render_command
from chronomask.progress import Progress, silent
from chronomask.prompts import Prompt, check_prompts
from chronomask.runs.choice import TrackRow, check_no_classes, described, known_classes, provenance, track_rows
from chronomask.runs.interruption import Interrupted, Interruption
from chronomask.runs.kept_spool import KeptSpool
from chronomask.runs.live import Live
from chronomask.runs.partial import PARTIAL, SPOOL, Workplace, check_claims, check_workplace, workplace
from chronomask.runs.recording import Recorded, Recording
from chronomask.runs.resume import join_into, segment_into
from chronomask.runs.spool import Spool
from chronomask.runs.video_result import VideoResult, prompted_result, result_of
from chronomask.runs.witness import Witness
from chronomask.segmenter.found import Clip
from chronomask.segmenter.prompting import Following
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import VideoSource, VideoWriter

_CLEAR = 0.1
"""Masks of a lower score are next to nothing: what segment shows unasked has 0.5."""


@dataclass(frozen=True)
class Summary:
    """What came of a source.

    Attributes:
        tracks: the tracks that were written, best first.
        frames: number of frames that were segmented.
        paths: files and folders written.
        missing: a sentence on tracks that were to be cut out and were not found; None where there are none.
        unclear: a sentence on every object that was pointed at and next to nothing was found of.
    """

    tracks: list[TrackRow]
    frames: int
    paths: list[Path]
    missing: str | None = None
    unclear: tuple[str, ...] = ()


def segment_to_folder(
    segmenter: Segmenter,
    source: VideoSource,
    out: Path,
    *,
    classes: tuple[str, ...] = (),
    prompts: Sequence[Prompt] = (),
    outputs: Outputs = Outputs(),  # noqa: B008  (frozen)
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress = silent,
    clips: Iterable[Clip] | None = None,
) -> Summary:
    """Writes tracks.json, results.json and what else is wanted of a source into a folder.

    What is segmented is kept in `out/.partial` until everything is written, so that a killed run can go on. Ctrl-C ends
    a file after the tracks of the frames so far have been written; a live source it ends like its own end.

    Args:
        classes: only tracks of these names, of which each gets the most probable; all if empty.
        prompts: objects to cut out and follow: then only these. Such a run cannot be resumed.
        outputs: what is written beside the two.
        overwrite: whether files of an earlier run may be replaced.
        resume: go on with an interrupted run, if there is one; the result equals that of an uninterrupted one.
        progress: shows how far the work is.
        clips: of the source, in order, where they were found before.

    Raises:
        InputError: a class that the model does not know, results already there, a run of another source or with other
            settings to go on with, nothing could be decoded, or the disk is full.
        Interrupted: Ctrl-C; the tracks so far are written.
    """
    wanted = known_classes(segmenter, classes)
    if resume and source.live:
        raise InputError(f"{source.name}: a live source cannot be resumed")
    if prompts:
        check_no_classes(wanted)
        check_prompts(prompts, source)
        if resume:
            raise InputError("resume: a run with points cannot be resumed; leave it out, and say --overwrite")
    check_output(out, outputs, source, source.files, overwrite, resume)
    info = provenance(segmenter) | {"source": described(source)}
    if resume and _is_complete(out):
        return _finished(out, source, info | {"classes": wanted}, outputs)
    with workplace(out / PARTIAL, out, out, resume) as place:
        # Again, for another run may have ended there just now.
        check_claims(place.folder, outputs.claims(out, source), source.files, [], overwrite)
        place.claim([path.name for path in outputs.paths(out, source.live)])
        job = _Job(segmenter, place, outputs, wanted, info, progress, clips)
        if prompts:
            return job.prompted(source, prompts)
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
    clips: Iterable[Clip] | None

    def file(self, source: VideoSource) -> Summary:
        """Segments something that can be read again, writing down what a later run needs to go on."""
        witness = Witness(source)
        with KeptSpool(self.place.folder / SPOOL, self.info) as spool:
            try:
                segmented = (
                    segment_into(spool, self.segmenter, source)
                    if self.clips is None
                    else join_into(spool, self.segmenter, self.clips)
                )
                left = None if source.length is None else max(0, source.length - len(spool))
                # Closed, because what reads ahead would go on after an error as long as anybody holds its traceback.
                with Interruption() as interruption, closing(segmented) as frames:
                    for _ in self.progress(frames, f"segmenting {source.name}", left):
                        if interruption.wanted:
                            break
                return self.write(source, spool, witness, complete=not interruption.wanted)
            except BaseException as error:
                self.place.worth_keeping = isinstance(error, Interrupted) or spool.snapshot is not None
                raise

    def prompted(self, source: VideoSource, prompts: Sequence[Prompt]) -> Summary:
        """Follows what is pointed at through something that can be read again."""
        witness = Witness(source)
        with Spool(self.place.folder) as spool:
            with Interruption() as interruption:
                following = Following(
                    self.segmenter,
                    source,
                    prompts,
                    self.progress,
                    stop=lambda: interruption.wanted,
                    folder=self.place.folder,
                )
                with closing(iter(following)) as frames:
                    for frame in frames:
                        spool.add(frame)
                        if interruption.wanted:
                            break
            if interruption.wanted and not len(spool):
                raise KeyboardInterrupt
            result = prompted_result(following, source, spool, witness, self.info)
            summary = self._written(result, complete=not interruption.wanted)
            return replace(summary, unclear=tuple(_unclear(prompts, summary.tracks)))

    def live(self, source: VideoSource) -> Summary:
        """Segments something that passes by once, and records it for the outputs that are drawn later."""
        path = self.place.results / RECORDING
        with Spool(self.place.folder) as spool:
            with Interruption() as interruption, VideoWriter.like(source, path) as writer:
                stop = _stop(source, interruption)
                if isinstance(source, Live):
                    source.stop = stop  # a camera may fall silent, and then no frame asks
                recorded = Recorded(source, writer, stop)
                with closing(self.segmenter.segment(recorded, raw=True)) as frames:
                    for result in self.progress(frames, f"segmenting {source.name}", None):
                        spool.add(result)
            self.place.publish([RECORDING])  # now, for it cannot be made again whatever happens to the rest
            recording = Recording(self.place.out / RECORDING, source)
            summary = self.write(recording, spool, Witness(recording))
            return replace(summary, paths=[self.place.out / RECORDING, *summary.paths])

    def write(self, source: VideoSource, spool: Spool, witness: Witness, complete: bool = True) -> Summary:
        """Writes the results of what is in the spool; of an incomplete run only those that need no pictures.

        Raises:
            Interrupted: in the end, when the run is incomplete, or Ctrl-C was pressed while pictures were drawn.
        """
        return self._written(result_of(self.segmenter, source, spool, witness, self.classes, self.info), complete)

    def _written(self, result: VideoResult, complete: bool) -> Summary:
        try:
            paths = result.write(self.place, self.outputs, self.progress, complete)
        except KeyboardInterrupt:
            complete = False
        if not complete:
            raise Interrupted(len(result))
        return _summary(result.tracks, len(result), paths, self.outputs)


def _summary(rows: list[TrackRow], frames: int, paths: list[Path], outputs: Outputs) -> Summary:
    return Summary(rows, frames, paths, outputs.missing([row.id for row in rows]))


def _unclear(prompts: Sequence[Prompt], rows: Sequence[TrackRow]) -> Iterator[str]:
    """Objects are written however they score, for whoever points wants a mask; that it means nothing is said."""
    found = {row.id: row for row in rows}
    for prompt in {prompt.object: prompt for prompt in reversed(prompts) if prompt.positive}.values():
        row = found.get(prompt.object)
        if row is None or row.score < _CLEAR:
            (x, y), when = prompt.corners[0], f"{prompt.time:g} s" if prompt.frame is None else f"frame {prompt.frame}"
            what = "no mask" if row is None else f"score {row.score:.2f}, frames {row.first} to {row.last}"
            advice = "point at another place of it, or draw a box around it"
            yield f"object {prompt.object}: nothing clear was found at {x:g},{y:g}, {when} ({what}); {advice}"


def _stop(source: VideoSource, interruption: Interruption) -> Callable[[], bool]:
    """Says whether a live source shall end: by Ctrl-C, or because whoever made it wants that."""
    asked = source.stop if isinstance(source, Live) else lambda: False
    return lambda: interruption.wanted or asked()


def check_output(
    out: Path,
    outputs: Outputs,
    source: VideoSource,
    reads: Sequence[Path],
    overwrite: bool = False,
    resume: bool = False,
) -> None:
    """Finds out before the work begins whether its results can be written; writes none.

    Args: as for `segment_to_folder`, and all files that are read.

    Raises:
        InputError: as `chronomask.claims.check_outputs`; somebody works there, or has not ended his work; or frames are
            too large for the video that is wanted.
    """
    check_workplace(out / PARTIAL, out, out)
    if (out / PARTIAL / SPOOL).exists() and not (overwrite or resume):
        raise InputError(f"{out}: holds an interrupted run; go on with it by --resume, or start anew by --overwrite")
    if resume and not _is_complete(out):
        check_claims(out / PARTIAL, outputs.claims(out, source), reads, [], overwrite)
    elif not resume:
        if not overwrite and _is_complete(out):
            # What cannot be written at all is said first.
            check_outputs(outputs.claims(out, source), reads, overwrite=True)
            command = render_command(out, source, outputs)
            more = f", or draw more from it: {command}" if command else ""
            there = out / "tracks.json"
            raise InputError(f"{there}: exists already; name another folder, or say --overwrite{more}")
        check_outputs(outputs.claims(out, source), reads, overwrite=overwrite)


def _is_complete(out: Path) -> bool:
    return (out / "tracks.json").exists() and not (out / PARTIAL / SPOOL).exists()


def _finished(out: Path, source: VideoSource, info: dict[str, Any], outputs: Outputs) -> Summary:
    """The summary of a run that needs no resuming; its tracks may have been corrected since."""
    file = read_tracks(out / "tracks.json")
    if file.info.get("complete") is False:
        raise InputError(f"{out}: holds part of a run that cannot go on; name another folder, or say --overwrite")
    there = {"classes": [], **file.info}  # results of earlier versions do not say which classes were asked for
    for key, value in json.loads(json.dumps(info)).items():
        if there.get(key) != value:
            reason = f"holds complete results of a run that differs in its {key}"
            raise InputError(f"{out}: {reason}; name another folder, or say --overwrite")
    rows, paths = track_rows(file.tracks, file.categories), outputs.paths(out)
    cutouts = outputs.cutout_paths(out, [row.id for row in rows])
    if missing := [path.relative_to(out) for path in (*paths, *cutouts) if not path.exists()]:
        command = render_command(out, source, outputs)
        remedy = f"to draw it: {command}" if command else "name another folder, or say --overwrite"
        raise InputError(f"{out}: is complete without {missing[0]}; {remedy}")
    return _summary(rows, file.videos[0].length, paths, outputs)
