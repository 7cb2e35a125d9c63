"""A segmented video as a whole: its tracks with their final names and scores, and what can be made of them.

Legend: H W pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from PIL import Image

from chronomask.annotations.records import Segmentations, VideoEntry
from chronomask.categories import OBJECT, Category
from chronomask.claims import check_outputs
from chronomask.errors import InputError
from chronomask.formats.ytvis import write_results, write_tracks
from chronomask.heap import without_holes
from chronomask.outputs.choice import Outputs
from chronomask.outputs.second_pass import draw_outputs
from chronomask.outputs.table import write_csv
from chronomask.progress import Progress, silent
from chronomask.render import contact_sheet
from chronomask.results import CodedMasks, FrameResult, TrackInfo
from chronomask.rle import TrackMasks
from chronomask.runs.choice import CodedTracks, TrackRow, chosen_tracks, track_rows
from chronomask.runs.partial import PARTIAL, Workplace, check_workplace, workplace
from chronomask.runs.spool import Spool
from chronomask.runs.witness import Witness
from chronomask.segmenter.prompting import Following
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import VideoSource

if TYPE_CHECKING:
    from supervision import Detections


@dataclass(frozen=True, eq=False, repr=False)
class VideoResult:
    """What was found in a video: a sequence of `FrameResult`, with final names and scores.

    Masks lie in a temporary file until you look at them; it goes when this object goes. Pictures are read from the
    source again when they are needed. Notebooks show a sheet of frames.

    Examples:
        >>> result = chronomask.segment("video.mp4", end=0.5)
        >>> result
        VideoResult(video: 13 frames, 2 tracks)
        >>> result[12].masks.shape
        (2, 360, 640)

    Attributes:
        source: the video. A camera or stream was recorded.
        spool: the masks of all tracks in all frames.
        witness: tells whether the source has changed since.
        chosen: the tracks, best first.
        categories: everything that a track may be called.
        info: how the tracks were made, for tracks.json.
    """

    source: VideoSource
    spool: Spool
    witness: Witness
    chosen: Sequence[TrackInfo]
    categories: Sequence[Category]
    info: Mapping[str, Any]

    @property
    def tracks(self) -> list[TrackRow]:
        """The table of tracks, best first: id, name, scores, first and last frame, mean area."""
        return track_rows(self.coded_tracks(), self.categories)

    def segmentations(self, track_id: int) -> Segmentations:
        """The masks of a track as run lengths, one entry a frame; None where it is out of sight."""
        # Of their own: the file goes with this object.
        counts = [mask and mask["counts"] for mask in self.spool.segmentations(track_id)]
        return TrackMasks(counts, self.source.height, self.source.width)

    def __len__(self) -> int:
        return len(self.spool)

    @overload
    def __getitem__(self, frame: int) -> FrameResult: ...
    @overload
    def __getitem__(self, frame: slice) -> list[FrameResult]: ...
    def __getitem__(self, frame: int | slice) -> FrameResult | list[FrameResult]:
        if isinstance(frame, slice):
            return [self[place] for place in range(len(self))[frame]]
        by_id = {info.id: info for info in self.chosen}
        coded = self.spool.coded(range(len(self))[frame], by_id)
        infos = tuple(by_id[number] for number in sorted(coded.masks))
        masks = CodedMasks(tuple(coded.masks[info.id] for info in infos), (self.source.height, self.source.width))
        return FrameResult(coded.index, coded.time, infos, masks)

    def __iter__(self) -> Iterator[FrameResult]:
        return (self[frame] for frame in range(len(self)))

    def to_supervision(self) -> Iterator[Detections]:
        """The tracks of every frame as `supervision.Detections`; see `FrameResult.to_supervision`."""
        return (frame.to_supervision() for frame in self)

    def plot(self, count: int = 6, width: int = 1280) -> Image.Image:
        """A sheet of frames with their tracks drawn in: the first, the last, and some between.

        Args:
            count: how many frames, at most.
            width: of the sheet, in pixels.
        """
        places = np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(int).tolist()
        shown = []
        for place, frame in enumerate(self.source):
            if place in places:
                shown.append(np.asarray(self[place].plot(frame.image)))
            if place == places[-1]:
                break
        return Image.fromarray(contact_sheet(shown, min(len(shown), 3), width))

    def save(
        self, out: str | Path, *, overwrite: bool = False, progress: Progress = silent, **choice: Any
    ) -> list[Path]:
        """Writes tracks.json, results.json and whatever else you ask for into a folder, as `chronomask segment` does.

        Examples:
            >>> result = chronomask.segment("video.mp4", end=0.2)
            >>> [path.name for path in result.save("out", overlay=False, csv=True)]
            ['results.json', 'tracks.csv', 'tracks.json']

        Args:
            out: the folder; made if missing. Other files in it are left alone.
            overwrite: whether files of an earlier run may be replaced.
            progress: shows how far the work is.
            choice: what else to write: `overlay`, `masks`, `cutout`, `background`, `csv`, ..., as `chronomask segment
                --help` lists them.

        Returns:
            The files and folders written.

        Raises:
            InputError: something is there and may not be replaced, the place cannot be written to, or a track is to be
                cut out that there is not.
        """
        out, outputs = Path(out), Outputs(**choice)
        outputs.check_known([info.id for info in self.chosen])
        check_workplace(out / PARTIAL, out, out)
        reads = [*self.source.files, *([] if outputs.picture is None else [outputs.picture])]
        check_outputs(outputs.claims(out, self.source), reads, overwrite=overwrite)
        with workplace(out / PARTIAL, out, out, resume=False) as place:
            place.claim([path.name for path in outputs.paths(out)])
            return self.write(place, outputs, progress)

    def write(
        self, place: Workplace, outputs: Outputs, progress: Progress = silent, complete: bool = True
    ) -> list[Path]:
        """Writes the files. Those that need pictures are written for a complete run only.

        Returns:
            The files and folders that were asked for and written.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed while pictures were drawn; everything else is written.
        """
        results, by_id, interrupted = place.results, {info.id: info for info in self.chosen}, None
        if outputs.csv:
            coded = (self.spool.coded(position, by_id) for position in range(len(self)))
            write_csv(results / "tracks.csv", coded, by_id)
        if complete and outputs.drawn:
            try:
                with closing(draw_outputs(self.source, self.spool, results, outputs, by_id)) as frames:
                    shown = progress(frames, f"drawing {self.source.name}", len(self))
                    deque(without_holes(shown), maxlen=0)
            except KeyboardInterrupt as error:
                interrupted = error
        info = {**self.info, "complete": complete and interrupted is None}
        write_results(results / "results.json", [self.entry], self.coded_tracks())
        write_tracks(results / "tracks.json", [self.entry], self.categories, self.coded_tracks(), info)
        paths = [path for path in outputs.paths(place.out) if (results / path.name).exists()]
        self.witness.check()
        place.publish([path.name for path in paths])
        if interrupted is not None:
            raise interrupted
        return paths

    @property
    def entry(self) -> VideoEntry:
        """The video as files of tracks list it."""
        source, length = self.source, len(self)
        names = None if source.file_names is None else source.file_names[:length]
        return VideoEntry(1, source.name, source.width, source.height, length, source.fps, names)

    def coded_tracks(self) -> CodedTracks:
        """The tracks as files hold them."""
        return CodedTracks(self.spool, self.chosen)

    def __repr__(self) -> str:
        return f"VideoResult({self.source.name}: {len(self)} frames, {len(self.chosen)} tracks)"

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.plot().save(buffer, "png")
        return buffer.getvalue()


def result_of(
    segmenter: Segmenter,
    source: VideoSource,
    spool: Spool,
    witness: Witness,
    classes: Collection[str],
    info: Mapping[str, Any],
) -> VideoResult:
    """What came of a video that a segmenter has just finished.

    Args:
        witness: of the source, since before it was segmented.
        classes: only tracks of these names, of which each gets the most probable; all if empty.

    Raises:
        InputError: there was not one frame.
    """
    _check_any(source, spool)
    joined = {} if source.live else segmenter.relink()
    spool.rename(joined)
    wanted = classes or [category.name for category in segmenter.categories]
    # Who asks for nothing but `object` asks for what has no name among all.
    named = segmenter.named({*classes, OBJECT.name}) if set(classes) - {OBJECT.name} else segmenter.tracks
    chosen = chosen_tracks(named, spool.track_ids(), segmenter.config, wanted)
    return VideoResult(
        source,
        spool,
        witness,
        chosen,
        segmenter.categories,
        {**info, "classes": list(classes), "relinked": sorted(joined.items())},
    )


def prompted_result(
    following: Following, source: VideoSource, spool: Spool, witness: Witness, info: Mapping[str, Any]
) -> VideoResult:
    """What came of objects that were followed through a video to its end; all of them, however they score.

    Args: as for `result_of`.

    Raises:
        InputError: there was not one frame.
    """
    _check_any(source, spool)
    seen = set(spool.track_ids())
    chosen = [track for track in following.tracks if track.id in seen]
    told = {**info, "classes": [], "relinked": [], "prompts": [asdict(prompt) for prompt in following.prompts]}
    return VideoResult(source, spool, witness, chosen, following.segmenter.categories, told)


def _check_any(source: VideoSource, spool: Spool) -> None:
    if len(spool) == 0:
        raise InputError(f"{source.damage or source.name}: not one frame could be segmented")
