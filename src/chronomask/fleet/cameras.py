"""Several cameras or streams at once, with one engine.

Each is read by a thread of its own, which keeps the newest few frames only, and segmented in a thread of its own. A
stream asks for one clip at a time, and the engine's threads do what was asked for first: so all get equally much, but
for those that want less, and one that is fast cannot make the others late.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from chronomask.outputs.choice import Outputs
from chronomask.progress import Progress, silent
from chronomask.runs.interruption import Interruption
from chronomask.runs.live import Live
from chronomask.runs.segment import Summary, segment_to_folder
from chronomask.segmenter.segmenter import Segmenter


def follow(
    segmenter: Segmenter,
    sources: Sequence[Live],
    folders: Sequence[Path],
    *,
    classes: Collection[str] = (),
    outputs: Outputs = Outputs(),  # noqa: B008  (frozen)
    overwrite: bool = False,
    progress: Callable[[Live], Progress] = lambda source: silent,
) -> Iterator[tuple[Live, Summary | Exception]]:
    """Segments live sources side by side until they end; Ctrl-C ends all of them, and what came so far is written.

    Args:
        segmenter: computes for all.
        sources: each can be iterated once.
        folders: for the results of each.
        classes, outputs, overwrite: as for `segment_to_folder`.
        progress: of every source.

    Yields:
        Every source as it ends, with what came of it. One that fails, by a fault of ours too, does not end the others.
    """

    def one(source: Live, folder: Path) -> Summary:
        shown = progress(source)
        chosen = tuple(classes)
        return segment_to_folder(
            segmenter, source, folder, classes=chosen, outputs=outputs, overwrite=overwrite, progress=shown
        )

    with ThreadPoolExecutor(len(sources), "camera") as threads, Interruption() as interruption:
        for source in sources:
            source.stop = lambda: interruption.wanted
        begun = {threads.submit(one, source, folder): source for source, folder in zip(sources, folders, strict=True)}
        for ended in as_completed(begun):
            yield begun[ended], _came_of(ended)


def _came_of(ended: Future[Summary]) -> Summary | Exception:
    try:
        return ended.result()
    except Exception as error:  # raised now, it would be heard of when all others have ended, and they may never
        return error
