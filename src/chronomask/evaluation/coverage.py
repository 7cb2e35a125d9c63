"""What of annotations and results does not count, and which videos have no result: said, for it moves every number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from chronomask.annotations.records import Track, VideoEntry
from chronomask.errors import counted, some_names
from chronomask.evaluation.records import GroundTruth

_NAMES = 20
"""Videos or classes that a sentence names."""


def left_aside(truth: GroundTruth, found: Sequence[Track]) -> Iterator[str]:
    """A sentence for every kind of thing that an evaluation passes over, and on videos with objects but no result."""
    objects = [track for track in truth.tracks if not track.crowd]
    if crowds := len(truth.tracks) - len(objects):
        held = f"{counted(len(objects), 'object')} and {counted(crowds, 'crowd')}"
        yield f"{counted(len(truth.tracks), 'annotation')}: {held}, which need not be found"
    yield from of_unseen_classes(found, set(truth.present), truth.categories)
    seen = {track.video_id for track in objects}
    yield from without_results(found, {number: video for number, video in truth.videos.items() if number in seen})


def of_unseen_classes(found: Sequence[Track], present: Collection[int], categories: Mapping[int, str]) -> Iterator[str]:
    """A sentence on results of categories that no annotation has, which AP, the mean over the others, leaves out."""
    unseen = [track.category_id for track in found if track.category_id not in present]
    if unseen:
        names = some_names((repr(categories[number]) for number in dict.fromkeys(unseen)), _NAMES)
        yield f"{len(unseen)} of {counted(len(found), 'result')} left out: no annotation is of the class {names}"


def without_results(found: Sequence[Track], videos: Mapping[int, VideoEntry]) -> Iterator[str]:
    """A sentence on the videos without any result."""
    silent = sorted(videos.keys() - {track.video_id for track in found})
    if silent:
        names = some_names((videos[number].name for number in silent), _NAMES)
        yield f"no result for {len(silent)} of {counted(len(videos), 'video')}: {names}"
