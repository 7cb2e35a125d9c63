"""Results in any format, joined to the videos and categories of the annotations that they are for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from chronomask.annotations.listing import Listing
from chronomask.annotations.records import TracksFile, VideoEntry
from chronomask.categories import plain
from chronomask.errors import InputError
from chronomask.formats.conversion_losses import counted, listed

if TYPE_CHECKING:
    from chronomask.formats.file_format import FileFormat  # brings what opens pictures, in a tenth of a second


@dataclass(frozen=True, eq=False)
class Against:
    """What results are for.

    Attributes:
        listing: videos and categories of the annotations.
        any_class: whether results of classes that the annotations do not have are kept, for whoever asks for no class.
    """

    listing: Listing
    any_class: bool = False

    @property
    def only_size(self) -> tuple[int, int] | None:
        """(width, height) of all videos, for formats that do not say it; None where they differ."""
        sizes = {(video.width, video.height) for video in self.listing.videos.values()}
        return sizes.pop() if len(sizes) == 1 else None


def joined_to(file: TracksFile, name: str, format: FileFormat, against: Against) -> TracksFile:
    """The results with the ids of the annotations; what is left out or taken for granted goes to the notes.

    Videos are found by name or, in formats that have ids of videos, by these; categories by name.

    Raises:
        InputError: a video with results is none of the annotations', or has another size or length; or no category is
            in common.
    """
    used = {track.video_id for track in file.tracks}
    videos = {v.id: v for v in file.videos if v.id in used}
    partners = _partners(videos, name, format, against.listing)
    for number, partner in partners.items():
        _check(videos[number], partner, name, pads=not format.capabilities.empty_frames)
    classes, notes = _classes(file, name, against)
    if file.tracks and not format.capabilities.scores:
        notes += (f"{format.name} has no scores: every result counts as sure",)
    if crowds := sum(track.crowd for track in file.tracks):
        notes += (f"{counted(crowds, 'crowd')} left out: a region to ignore is no result",)
    tracks = []
    for track in file.tracks:
        if not track.crowd and (category_id := classes.get(track.category_id)) is not None:
            video = partners[track.video_id]
            masks = (*track.segmentations, *(None,) * (video.length - len(track.segmentations)))
            tracks.append(replace(track, video_id=video.id, category_id=category_id, segmentations=masks))
    return TracksFile(tuple(tracks), tuple(against.listing.videos.values()), notes=(*file.notes, *notes))


def _partners(videos: dict[int, VideoEntry], name: str, format: FileFormat, listing: Listing) -> dict[int, VideoEntry]:
    """By the id of a video of results, that of the annotations."""
    known = {_plain_name(video): video for video in listing.videos.values()}
    if len(known) == len(listing.videos) and all(_plain_name(video) in known for video in videos.values()):
        return {number: known[_plain_name(video)] for number, video in videos.items()}
    if format.capabilities.video_ids and videos.keys() <= listing.videos.keys():
        return {number: listing.videos[number] for number in videos}
    if len(videos) == len(listing.videos) == 1:
        return dict(zip(videos, listing.videos.values(), strict=True))
    strange = next((video for video in videos.values() if _plain_name(video) not in known), None)
    if strange is None:
        raise InputError(f"{name}: videos are known by name there, and some of the annotations' have the same name")
    names = listed(video.name for video in listing.videos.values())
    raise InputError(f"{name}: its video {strange.name!r} is none of the annotations' ({names}); rename it")


def _plain_name(video: VideoEntry) -> str:
    return PurePosixPath(video.name).name


def _check(video: VideoEntry, partner: VideoEntry, name: str, pads: bool) -> None:
    """Formats that end with the last mask may be shorter."""
    size, expected = f"{video.width}x{video.height}", f"{partner.width}x{partner.height}"
    if size != expected:
        raise InputError(f"{name}: video {video.name} is {size}, in the annotations {expected}")
    if video.length != partner.length and not (pads and video.length < partner.length):
        raise InputError(
            f"{name}: video {video.name} has {counted(video.length, 'frame')}, in the annotations {partner.length};"
            " results must be of the annotated frames, and of these alone"
        )


def _classes(file: TracksFile, name: str, against: Against) -> tuple[dict[int, int], tuple[str, ...]]:
    """Categories of the annotations by those of the results, and a note on results that have none there."""
    known = {plain(text): number for number, text in reversed([*against.listing.categories.items()])}
    if against.any_class:
        return {category.id: known.get(plain(category.name), -1) for category in file.categories}, ()
    found = {c.id: known[plain(c.name)] for c in file.categories if plain(c.name) in known}
    lost = Counter(track.category_id for track in file.tracks if track.category_id not in found)
    if not lost:
        return found, ()
    names = listed(repr(category.name) for category in file.categories if category.id in lost)
    if lost.total() == len(file.tracks):
        theirs = listed(map(repr, against.listing.categories.values()))
        raise InputError(
            f"{name}: its categories ({names}) are none of the annotations' ({theirs}); --class-agnostic scores the"
            " masks alone"
        )
    return found, (f"{counted(lost.total(), 'result')} of {names} left out: no category of the annotations",)
