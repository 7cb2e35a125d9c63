"""SA-Co/VEval: YouTube-VIS whose categories are noun phrases, of which every video is asked for its own few.

Definition: facebookresearch/sam3, scripts/eval/veval/README.md. `video_np_pairs` names the phrases of a video, those
too that nothing in it answers to. All objects of these are annotated and none of the others, so that they are its
`labelled_classes`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from chronomask.annotations.content import Content
from chronomask.annotations.problems import Problems
from chronomask.annotations.records import VideoEntry

PAIRS = "video_np_pairs"


def asked_for(
    content: Content,
    problems: Problems,
    videos: Mapping[int, VideoEntry],
    categories: Mapping[int, str],
    broken: Collection[int],
) -> dict[int, VideoEntry]:
    """The videos, with the phrases of each as its `labelled_classes`, in the order of the file.

    Pairs of a video in `broken` are passed over. Files without pairs ask for every category in every video.
    """
    if content.head.get(PAIRS) is None:
        return dict(videos)
    phrases: dict[int, dict[str, None]] = {number: {} for number in videos}
    for _, row in content.rows(PAIRS, problems):
        if row.fields.get("video_id") in broken:
            continue
        video_id, category_id = row.known("video_id", videos), row.known("category_id", categories)
        if row.sound:
            phrases[video_id][categories[category_id]] = None
    return {number: replace(video, labelled_classes=tuple(phrases[number])) for number, video in videos.items()}
