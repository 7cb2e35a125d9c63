"""Results in any format, joined to the videos and categories of the annotations that they are for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from chronomask.annotations.listing import Listing
from chronomask.annotations.records import Track, TracksFile, VideoEntry
from chronomask.categories import plain
from chronomask.errors import InputError, counted, some_names

if TYPE_CHECKING:
    from chronomask.formats.capabilities import Capabilities, Format


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


@dataclass(frozen=True)
class Joint:
    """How the videos and categories of results are those of the annotations.

    Attributes:
        videos: by the id of a video of the results, the video of the annotations.
        classes: by the id of a category of the results, the id in the annotations; those that these have not miss.
        notes: what is taken for granted, a sentence each.
        left_out: which results have no place in the annotations, a sentence each.
    """

    videos: Mapping[int, VideoEntry]
    classes: Mapping[int, int]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def of(self, track: Track) -> Track | None:
        """A result with the ids of the annotations; None for one that they have no place for."""
        category_id = self.classes.get(track.category_id)
        if track.crowd or category_id is None:
            return None
        video, masks = self.videos[track.video_id], track.segmentations
        if len(masks) < video.length:
            masks = (*masks, *(None,) * (video.length - len(masks)))
        return replace(track, video_id=video.id, category_id=category_id, segmentations=masks)


def joint_of(file: TracksFile, name: str, format: Format, capabilities: Capabilities, against: Against) -> Joint:
    """Joins results to annotations: videos and categories by name; videos by id where names say nothing else.

    Args:
        file: the results, with their own videos and categories.
        name: of their file, for messages.
        format: of it.
        capabilities: of that format.
        against: the annotations.

    Raises:
        InputError: a video with results is none of the annotations', or has another size or length; or no category is
            in common.
    """
    used = {track.video_id for track in file.tracks}
    videos = {v.id: v for v in file.videos if v.id in used}
    partners, notes = _partners(videos, name, capabilities.video_ids, against.listing)
    for number, partner in partners.items():
        _check(videos[number], partner, name, pads=not capabilities.empty_frames)
    classes, left_out = _classes(file, name, against)
    if file.tracks and not capabilities.scores:
        notes += (f"{format} has no scores: every result counts as sure",)
    if crowds := sum(track.crowd for track in file.tracks):
        left_out += (f"{counted(crowds, 'crowd')} left out: a region to ignore is no result",)
    return Joint(partners, classes, notes, left_out)


def ids_agree(own: Listing, against: Listing) -> bool:
    """Whether ids of results mean in the annotations what they mean by the results' own names.

    What has no name says nothing else.
    """
    videos = all(_agree(video, against.videos.get(number)) for number, video in own.videos.items())
    made_up = {f"class {number}" for number in own.categories}
    return videos and all(
        number in against.categories and (name in made_up or plain(name) == plain(against.categories[number]))
        for number, name in own.categories.items()
    )


def _agree(video: VideoEntry, partner: VideoEntry | None) -> bool:
    if partner is None:
        return False
    return _nameless(video) or _nameless(partner) or _plain_name(video) == _plain_name(partner)


def _nameless(video: VideoEntry) -> bool:
    """Whether its name was made up of its id, as the reader does where a file has none."""
    return video.name == f"video {video.id}"


_Partners = dict[int, VideoEntry]
"""By the id of a video of results, that of the annotations."""


def _partners(videos: _Partners, name: str, by_id: bool, listing: Listing) -> tuple[_Partners, tuple[str, ...]]:
    """The annotated video of every one here, by its id; and a note where it is only known by being the only one."""
    for key in (_full_name, _plain_name):
        known = {key(video): video for video in listing.videos.values()}
        if len(known) == len(listing.videos) and all(key(video) in known for video in videos.values()):
            return {number: known[key(video)] for number, video in videos.items()}, ()
    if by_id and all(_agree(video, listing.videos.get(number)) for number, video in videos.items()):
        return {number: listing.videos[number] for number in videos}, ()
    if len(videos) == len(listing.videos) == 1:
        (video,), (partner,) = videos.values(), listing.videos.values()
        known = () if _agree(video, partner) else (f"its only video, {video.name}, is taken for {partner.name}",)
        return {video.id: partner}, known
    strange = next((video for video in videos.values() if _plain_name(video) not in known), None)
    if strange is None:
        raise InputError(f"{name}: videos are known by name there, and some of the annotations' have the same name")
    if by_id and (other := listing.videos.get(strange.id)) is not None:
        raise InputError(
            f"{name}: video {strange.id} is {strange.name!r} here and {other.name!r} in the annotations; give one video"
            " one name in both"
        )
    names = some_names(video.name for video in listing.videos.values())
    raise InputError(f"{name}: its video {strange.name!r} is none of the annotations' ({names}); rename it")


def _full_name(video: VideoEntry) -> str:
    return video.name


def _plain_name(video: VideoEntry) -> str:
    return PurePosixPath(video.name).name


def _check(video: VideoEntry, partner: VideoEntry, name: str, pads: bool) -> None:
    """Checks size and length. With `pads` a video may be shorter: its format ends with the last mask."""
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
    names = some_names((repr(category.name) for category in file.categories if category.id in lost), 20)
    if lost.total() == len(file.tracks):
        theirs = some_names(map(repr, against.listing.categories.values()))
        raise InputError(
            f"{name}: its categories ({names}) are none of the annotations' ({theirs}); --class-agnostic scores the"
            " masks alone"
        )
    return found, (f"{counted(lost.total(), 'result')} of {names} left out: no category of the annotations",)
