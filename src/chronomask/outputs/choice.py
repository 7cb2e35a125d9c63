"""Which files a run writes, and where they lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chronomask.claims import Output, only
from chronomask.config.checks import one_of
from chronomask.errors import InputError

if TYPE_CHECKING:
    from chronomask.video import VideoSource

RECORDING = "recording.mp4"
"""The frames of a live source, which come only once: what its results belong to."""

CutoutKind = Literal["webm", "mov", "png", "matte"]

ENDINGS: dict[CutoutKind, str] = {"webm": ".webm", "mov": ".mov", "matte": ".mp4", "png": ""}
"""Of the files of cutouts; a folder of images has none."""

_FRAME_FILES = re.compile(r"(\d+|together)(/\d+)?\.(png|webm|mov|mp4)")
"""Files that `masks` and `cutouts` hold, relative to these folders."""


@dataclass(frozen=True)
class Outputs:
    """What is written beside tracks.json and results.json.

    Attributes:
        overlay: write overlay.mp4: the video with masks, ids, names and scores drawn in, with its sound and timing.
        masks: "png" writes masks/00000.png and so on: a picture for each frame, in which every pixel is the number of
            its track, 0 for the background. In the overlay's colours, or with 16 bits if a number exceeds 255.
        cutout: cut the objects out, one video for each track, everything else transparent: "mov" (cutouts/1.mov,
            ProRes 4444, for editing programs), "webm" (cutouts/1.webm, VP9, small, for web pages) or "matte"
            (cutouts/1.mp4, white on black). "png" writes pictures instead, cutouts/1/00000.png and so on. Videos keep
            the sound and timing of the source.
        cutout_tracks: what to cut out: "all" tracks, each by itself; "together", all in one picture; or the numbers of
            some, such as "1" or "1,3".
        feather: how soft the edges of cut-outs are, in pixels to either side; 0 for hard ones.
        background: write background.mp4: the objects before another background, "green", "blur" or the path of a
            picture.
        csv: write tracks.csv: a line for every track in every frame, with track, class, score, class score, frame,
            time, box (x, y, w, h) and area.
    """

    overlay: bool = True
    masks: Literal["png"] | None = None
    cutout: CutoutKind | None = None
    cutout_tracks: str = "all"
    feather: float = 1.0
    background: str | None = None
    csv: bool = False

    def __post_init__(self) -> None:
        one_of("cutout", self.cutout, (None, *ENDINGS))
        one_of("masks", self.masks, (None, "png"))
        if self.cutout_tracks not in ("all", "together"):
            self._named_ids()
        if self.cutout_tracks != "all" and self.cutout is None:
            raise InputError("--cutout-tracks: is for --cutout webm, mov, matte or png")
        if not 0 <= self.feather <= 50:
            raise InputError(f"feather {self.feather}: must lie between 0 and 50 pixels")

    def cutouts(self, track_ids: list[int]) -> dict[str, set[int]]:
        """Names of the cutouts, each with the tracks in it, of the tracks that are written.

        Ids that are asked for but not among them give none: see `missing`.
        """
        if self.cutout_tracks == "all":
            return {str(number): {number} for number in track_ids}
        if self.cutout_tracks == "together":
            return {"together": set(track_ids)}
        return {str(number): {number} for number in self._named_ids() if number in track_ids}

    def missing(self, track_ids: list[int]) -> str | None:
        """A sentence on the tracks that are to be cut out and are not among these; None where all are."""
        wanted = [] if self.cutout_tracks in ("all", "together") else self._named_ids()
        if absent := [number for number in wanted if number not in track_ids]:
            found = ", ".join(str(number) for number in sorted(track_ids)) or "none"
            return f"--cutout-tracks: there is no track {absent[0]}; found: {found}"
        return None

    def check_known(self, track_ids: list[int]) -> None:
        """Raises InputError if tracks are to be cut out that are not among these, where these are known beforehand."""
        if reason := self.missing(track_ids):
            raise InputError(reason)

    def cutout_paths(self, folder: Path, track_ids: list[int]) -> list[Path]:
        """The files or folders of the cutouts of these tracks."""
        if self.cutout is None:
            return []
        return [folder / "cutouts" / f"{name}{ENDINGS[self.cutout]}" for name in self.cutouts(track_ids)]

    @property
    def picture(self) -> Path | None:
        """The file of the background, where it is one."""
        return None if self.background in (None, "green", "blur") else Path(self.background)

    def check_picture(self) -> None:
        """Raises InputError if the background is no picture: before hours of work and not behind them."""
        if self.picture is not None:
            from chronomask.video.pictures import read_picture

            if not self.picture.exists():
                raise InputError(f"background {self.background!r}: must be green, blur or a picture, and there is none")
            read_picture(self.picture)

    def absolute(self) -> Outputs:
        """The same, meant the same in every folder."""
        return self if self.picture is None else replace(self, background=os.path.abspath(self.picture))

    @property
    def drawn(self) -> bool:
        """Whether the frames are needed a second time."""
        return self.overlay or any(wanted is not None for wanted in (self.masks, self.cutout, self.background))

    def paths(self, folder: Path, live: bool = False, tracks: bool = True) -> list[Path]:
        """Everything that is written into a folder; tracks.json comes last, and says that the rest is complete.

        Args:
            live: whether the source is.
            tracks: whether the tracks are written, and not only what is drawn of them.
        """
        chosen = {
            RECORDING: live,
            "results.json": tracks,
            "overlay.mp4": self.overlay,
            "masks": self.masks is not None,
            "cutouts": self.cutout is not None,
            "background.mp4": self.background is not None,
            "tracks.csv": self.csv,
            "tracks.json": tracks,
        }
        return [folder / name for name, wanted in chosen.items() if wanted]

    def claims(self, folder: Path, source: VideoSource, tracks: bool = True) -> list[Output]:
        """The same for a source, as `chronomask.claims` takes them.

        Raises:
            InputError: its frames are too large for a video that is wanted, or the background is no picture.
        """
        self.check_picture()
        from chronomask.video import check_video  # here, for the command line reads the options without PyAV

        paths = self.paths(folder, source.live, tracks)
        for path in paths:
            if path.suffix == ".mp4" or (path.name == "cutouts" and self.cutout != "png"):
                check_video(path, source.width, source.height, source.fps)
        ours = only(lambda path: _FRAME_FILES.fullmatch(path.as_posix()) is not None)
        return [Output(path, None if path.suffix else ours, inside=True) for path in paths]

    def _named_ids(self) -> list[int]:
        parts = [part.strip() for part in self.cutout_tracks.split(",")]
        if not all(part.isdecimal() for part in parts):
            raise InputError(f"--cutout-tracks {self.cutout_tracks!r}: all, together, or track ids such as 1,3")
        return sorted({int(part) for part in parts})
