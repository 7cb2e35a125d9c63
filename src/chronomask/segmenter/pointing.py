"""One clip in which objects are pointed at again and again, and asked for their names, as on a page.

Legend: T frames of a clip, h w pixels at stride 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chronomask import rle
from chronomask.errors import InputError
from chronomask.prompts import Prompt
from chronomask.segmenter.clips import FoundClip
from chronomask.segmenter.located import Located
from chronomask.segmenter.prompting import Seen, bundled_heads, painted, scene_of
from chronomask.segmenter.segmenter import Segmenter
from chronomask.tracking.heads import Heads
from chronomask.tracking.prompted import cut_out


class ClipPrompts:
    """One clip that is prompted again and again, as on a page: every answer takes a fraction of a second.

    >>> clip = look_at(segmenter, images, first=120)  # doctest: +SKIP
    >>> ClipPrompts(segmenter, clip).masks([Point(320, 180, frame=123)])[3]  # doctest: +SKIP

    Args:
        segmenter: what has seen the clip.
        clip: of `sights.look_at` or `sights.clips_of`.
        heads: make masks of what is known of an object; those of the bundled model by default.
    """

    def __init__(self, segmenter: Segmenter, clip: FoundClip, heads: Heads | None = None) -> None:
        self.segmenter, self.clip, self.scene = segmenter, clip, scene_of(segmenter, clip)
        self.heads = heads or bundled_heads()

    def masks(self, prompts: Sequence[Prompt]) -> list[dict[int, rle.Rle]]:
        """Of every frame of the clip the masks of the objects that are seen in it, by their numbers.

        Args:
            prompts: with the numbers of their frames, all of this clip; one of another clip says nothing.
        """
        located = Located(prompts)
        located.frames_of.update({n: p.frame for n, p in enumerate(prompts) if p.frame is not None})
        rows, columns = self.scene.shape[1:]
        said = located.clicks(self.clip.begin, range(self.clip.begin, self.clip.end), self.clip.size, (rows, columns))
        levels = cut_out(self.scene, {}, said, self.heads)
        tubes = {number: tube for number, level in levels.items() if (tube := self.scene.tube(level)) is not None}
        return [
            painted(self.clip, frame, [Seen(number, tube, frame) for number, tube in tubes.items()])
            for frame in range(len(self.clip.pictures))
        ]

    def names(self, masks: Sequence[rle.Rle | None]) -> list[tuple[str, float]]:
        """What the network would call an object, the likeliest name first, with probabilities.

        Args:
            masks: of the object, in every frame of the clip at the size of the source; None where it is not seen.

        Raises:
            InputError: it is not seen at all, or smaller than the network's pixels.
        """
        shape = self.scene.shape
        level = np.zeros(shape, np.float32)
        for frame, mask in enumerate(masks[: shape[0]]):
            if mask is not None:
                pixels = rle.decode(mask)
                middles = (
                    ((np.arange(n) + 0.5) * side / n).astype(int)
                    for n, side in zip(shape[1:], pixels.shape, strict=True)
                )
                level[frame] = pixels[np.ix_(*middles)]
        tube = self.scene.tube(level)
        if tube is None:
            raise InputError("it is too small here for the model to name it")
        shares = tube.class_probabilities
        categories = self.segmenter.engine.description.categories
        return [(categories[place].name, float(shares[place])) for place in np.argsort(-shares, kind="stable")]
