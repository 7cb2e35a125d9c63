"""What a segmented video comes as: frames with their tracks.

Legend: H W pixels, K tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from operator import index
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8
from PIL import Image

from chronomask import rle
from chronomask.categories import OBJECT, Category
from chronomask.errors import InputError
from chronomask.rle import Rle

if TYPE_CHECKING:
    from supervision import Detections


@dataclass(frozen=True)
class TrackInfo:
    """What is known about a track.

    Attributes:
        id: a number from 1, the same in every frame.
        category: its class; `object` where no class is likely enough.
        score: how likely the mask is right, in [0, 1]: that it covers one object with an IoU of 0.5 or more.
        class_score: how likely the name is right, in [0, 1], whatever the mask. For an `object`, how likely the most
            probable class is wrong.
    """

    id: int
    category: Category
    score: float
    class_score: float

    @property
    def label(self) -> str:
        """Id, name and how likely the name is, as the overlay shows them: a number beside a name is read as its own."""
        known = "" if self.category == OBJECT else f" {self.class_score:.0%}"
        return f"{self.id} {self.category.name}{known}"


@dataclass(frozen=True, eq=False)
class CodedMasks(Sequence):
    """The masks of a frame, kept as run lengths until you look at one. (Thirty masks in 4K would fill 250 MB.)

    `masks[2]` is one mask as an array, H W. `masks[[0, 2]]`, `masks[1:]` and `masks[scores > 0.9]` are several, still
    as run lengths. `np.asarray(masks)` gives the pixels of all, K H W, and NumPy's functions take `masks` as they are.

    Attributes:
        codes: the run lengths, one a mask.
        size: height and width of the frame.
    """

    codes: tuple[Rle, ...]
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(K, H, W)."""
        return (len(self.codes), *self.size)

    @property
    def boxes(self) -> Float32[np.ndarray, "K 4"]:
        """Left, upper, right and lower edge of the tightest box around each, in pixels."""
        boxes = np.array(list(rle.bboxes(self.codes)), np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, which: int) -> Bool[np.ndarray, "H W"]: ...
    @overload
    def __getitem__(self, which: slice | Sequence[int] | np.ndarray) -> CodedMasks: ...
    def __getitem__(self, which: int | slice | Sequence[int] | np.ndarray) -> Bool[np.ndarray, "H W"] | CodedMasks:
        if isinstance(which, slice | Sequence | np.ndarray):
            chosen = np.arange(len(self))[which].tolist()
            return CodedMasks(tuple(self.codes[place] for place in chosen), self.size)
        return rle.decode(self.codes[index(which)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pixels = np.zeros(self.shape, bool if dtype is None else dtype)
        for place, code in enumerate(self.codes):
            pixels[place] = rle.decode(code)
        return pixels

    def __repr__(self) -> str:
        count, height, width = self.shape
        return f"CodedMasks({count} of {width}x{height})"


@dataclass(frozen=True, eq=False, repr=False)
class FrameResult:
    """The tracks of one frame. Masks and ids are final: nothing that comes later changes them.

    Notebooks show it as a picture.

    Examples:
        >>> segmenter = chronomask.load("lite")
        >>> frame = next(segmenter.segment("video.mp4"))
        >>> frame.index, frame.masks.shape
        (0, (2, 360, 640))
        >>> sorted(frame.names)
        ['cat', 'person']
        >>> frame.masks[0].dtype
        dtype('bool')

    Attributes:
        index: number of the frame in its source, from 0.
        time: when it is shown, in seconds.
        tracks: the tracks that are seen in it, in the order of their ids. Names and scores are what is known so far;
            they may change until the video ends.
        masks: one for each track, at the size and orientation in which the video is shown. No two overlap, and none is
            empty.
        image: the picture, uint8 RGB, if you asked for it (`keep_images`).
    """

    index: int
    time: float
    tracks: tuple[TrackInfo, ...]
    masks: CodedMasks
    image: UInt8[np.ndarray, "H W 3"] | None = None

    @property
    def track_ids(self) -> Int64[np.ndarray, " K"]:
        """Ids of the tracks, from 1."""
        return np.array([info.id for info in self.tracks], np.int64)

    @property
    def category_ids(self) -> Int64[np.ndarray, " K"]:
        """Ids of the classes, as in the files: COCO's numbers, 91 to 95 for further animals, 0 for `object`."""
        return np.array([info.category.id for info in self.tracks], np.int64)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes; `object` where no class is likely enough."""
        return tuple(info.category.name for info in self.tracks)

    @property
    def scores(self) -> Float32[np.ndarray, " K"]:
        """How likely each mask is right, in [0, 1]."""
        return np.array([info.score for info in self.tracks], np.float32)

    @property
    def class_scores(self) -> Float32[np.ndarray, " K"]:
        """How likely each name is right, in [0, 1]."""
        return np.array([info.class_score for info in self.tracks], np.float32)

    @property
    def boxes(self) -> Float32[np.ndarray, "K 4"]:
        """Left, upper, right and lower edge of the tightest box around each mask, in pixels."""
        return self.masks.boxes

    def plot(self, image: UInt8[np.ndarray, "H W 3"] | Image.Image | None = None) -> Image.Image:
        """The frame with its tracks drawn in, as in `overlay.mp4`.

        Args:
            image: picture to draw on, uint8 RGB or one of Pillow. By default the frame's own; if that was not kept, a
                dark ground.

        Raises:
            InputError: the image is not RGB of 0-255, or of another size than the masks.
        """
        from chronomask.render import draw_tracks

        shown, shape = self.image if image is None else image, (*self.masks.size, 3)
        ground = np.full(shape, 40, np.uint8) if shown is None else np.asarray(shown)
        if ground.shape != shape or ground.dtype != np.uint8:
            raise InputError(f"image: is {ground.dtype} of shape {ground.shape}, the masks need uint8 of {shape}")
        labels = [info.label for info in self.tracks]
        return Image.fromarray(draw_tracks(ground, np.asarray(self.masks), self.track_ids, labels))

    def to_supervision(self) -> Detections:
        """The tracks as `supervision.Detections`: boxes, masks, confidence, class_id, tracker_id, and the names.

        `class_id` is the id of the class; `data["class_name"]` holds the names, where supervision's annotators look.

        Raises:
            ModuleNotFoundError: supervision is not installed: pip install 'chronomask[supervision]'.
        """
        try:
            from supervision import Detections
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "this needs the package supervision: pip install 'chronomask[supervision]'", name="supervision"
            ) from error
        return Detections(
            xyxy=self.boxes,
            mask=np.asarray(self.masks),
            confidence=self.scores,
            class_id=self.category_ids,
            tracker_id=self.track_ids,
            data={"class_name": np.array(self.names, dtype=np.str_)},
        )

    def __repr__(self) -> str:
        listed = ", ".join(f"{info.id} {info.category.name} {info.score:.2f}" for info in self.tracks[:5])
        listed += ", ..." * (len(self.tracks) > 5)
        return f"FrameResult({self.index} at {self.time:.3f} s: {listed or 'no tracks'})"

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.plot().save(buffer, "png")
        return buffer.getvalue()
