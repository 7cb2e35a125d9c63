"""How a video is segmented: clustering, stitching, clips."""

from __future__ import annotations

from dataclasses import dataclass

from chronomask.config.checks import at_least, within
from chronomask.errors import InputError


@dataclass(frozen=True)
class ClusterConfig:
    """Clustering of a clip, section 4.5.

    Attributes:
        seed_threshold: only pixels of at least this heat are seeds ...
        seed_margin: ... and only where it exceeds the membership (eq. 4) in all instances found before by more than
            this.
        membership_threshold: a pixel joins where eq. (4) exceeds this (eq. 5: 0.5).
        foreground_threshold: only pixels with at least this foreground probability are clustered; without a foreground
            output the setting has no effect.
        refinements: times that means and variances are taken again from the pixels that the instances have.
        minimum_pixels: tubes of fewer stride-4 pixels over the clip are dropped (their pixels go to no other).
        minimum_objectness: tubes that are less likely to be one object are dropped as well.
        sure_objectness: tubes that are less likely to be one object get only the pixels that no other wants.
        maximum_rounds: bound on the seeds tried in a clip.
    """

    seed_threshold: float = 0.5
    seed_margin: float = 0.45
    membership_threshold: float = 0.5
    foreground_threshold: float = 0.5
    refinements: int = 3
    minimum_pixels: int = 100
    minimum_objectness: float = 0.02
    sure_objectness: float = 0.1
    maximum_rounds: int = 32

    def __post_init__(self) -> None:
        for name in ("membership_threshold", "foreground_threshold"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: must lie between 0 and 1")
        within(self, 0, 1, "seed_threshold", "seed_margin", "minimum_objectness", "sure_objectness")
        at_least(self, 0, "refinements", "minimum_pixels", "maximum_rounds")


@dataclass(frozen=True)
class StitchConfig:
    """Joining the tubes of overlapping clips, and of clips between which an object was hidden.

    Attributes:
        minimum_iou: tubes join a track only above this IoU on the shared frames ...
        minimum_likeness: ... and at this cosine of their features or more, in [-1, 1]; -1 asks for none.
        memory_frames: a track may be taken up again up to this many frames after it was last seen; 0 never.
        memory_tracks: at most this many lost tracks are remembered, those seen last.
        minimum_similarity: a tube takes up a lost track only above this similarity, in [0, 1]: of the features x of
            the classes x nearness x likeness of size.
    """

    minimum_iou: float = 0.1
    minimum_likeness: float = 0.85
    memory_frames: int = 100
    memory_tracks: int = 50
    minimum_similarity: float = 0.5

    def __post_init__(self) -> None:
        at_least(self, 0, "memory_frames", "memory_tracks")
        within(self, 0, 1, "minimum_iou")
        within(self, -1, 1, "minimum_likeness")
        within(self, 0, 1, "minimum_similarity")


@dataclass(frozen=True)
class SegmentConfig:
    """How a video is segmented.

    Attributes:
        short_side: frames are shrunk (never stretched) until the short side is at most this many pixels.
        long_side: and the long side at most this many.
        clip_length: T, frames a clip.
        overlap: frames that neighbouring clips share; fewer is faster, more joins better.
        latency: for live sources: hand a frame out after at most this many later ones. By default a frame waits for all
            clips that it is part of, a clip's length less one. With less, later clips cannot improve it any more; with
            less than the overlap, clips also follow each other more closely, which costs time: with the bundled model
            1.3 times as much for 1, 1.8 times for 0.
        shot_change: a new shot begins, and no mask of the shot before goes on, where more than this share of the pixels
            would have to change their colour from one frame to the next. 1 is never: for a few pictures a second of
            what moves fast.
        score: leave out tracks with a score below this; what is pointed at is written always.
        max_tracks: write only this many tracks, the best ones.
        relink: when a file has ended, join tracks that never meet and are likely one object, lost and found again.
        object_below: tracks whose best class has a probability below this are named `object`.
        cluster: how the tubes of a clip are found.
        stitch: how tubes become tracks.
    """

    short_side: int = 256
    long_side: int = 448
    clip_length: int = 8
    overlap: int = 4
    latency: int | None = None
    shot_change: float = 0.4
    score: float = 0.5
    max_tracks: int = 100
    object_below: float = 0.25
    relink: bool = True
    cluster: ClusterConfig = ClusterConfig()
    stitch: StitchConfig = StitchConfig()

    def __post_init__(self) -> None:
        if self.clip_length < 1 or not 0 <= self.overlap < self.clip_length:
            raise InputError(
                f"overlap {self.overlap} and clip_length {self.clip_length}: need 0 <= overlap < clip_length, 1 or more"
            )
        if self.latency is not None:
            at_least(self, 0, "latency")
        if min(self.short_side, self.long_side) < 32:
            raise InputError(f"short_side {self.short_side} and long_side {self.long_side}: at least 32 pixels each")
        at_least(self, 0, "max_tracks")
        within(self, 0, 1, "shot_change", "score", "object_below")

    @property
    def delay(self) -> int:
        """Frames by which results lag behind at most."""
        return self.clip_length - 1 if self.latency is None else min(self.latency, self.clip_length - 1)

    @property
    def step(self) -> int:
        """Frames from the beginning of a clip to that of the next."""
        return min(self.clip_length - self.overlap, self.delay + 1)

    @property
    def held(self) -> int:
        """Frames of a clip that wait for what the next clip adds to them."""
        return min(self.overlap, self.delay + 1 - self.step)


EVERYTHING = SegmentConfig(score=0.0, max_tracks=100)
"""For average precision, which ranks results: weak ones, which `segment` leaves out, only add to it."""
