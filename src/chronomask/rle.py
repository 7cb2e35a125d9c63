"""Masks as COCO run lengths: {"size": [height, width], "counts": str}, column-major, background first.

Legend: H W pixels, A B M masks, R runs, N runs of several masks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypedDict, overload

import numpy as np
from faster_coco_eval.core import mask as _mask
from jaxtyping import Bool, Float64, Int, Int64

from chronomask.errors import InputError

coco_mask: Any = _mask
"""Any, for the library's own annotations leave out half of what it takes and gives."""

MAX_COORDINATE = 1e6
"""Polygon coordinates beyond this are refused: the rasteriser walks every pixel of an edge, inside the image or not."""


class Rle(TypedDict):
    """Compressed run lengths, as they stand in COCO and YouTube-VIS files.

    A dict and no dataclass, because json and every COCO evaluator take it as it is.

    Keys:
        size: [height, width] in pixels.
        counts: COCO's compressed run lengths as text; never bytes, which json cannot write.
    """

    size: list[int]
    counts: str


class TrackMasks(Sequence[Rle | None]):
    """The masks of a track, one a frame, made when they are looked at: those of 10,000 frames would take megabytes.

    Attributes:
        counts: their compressed run lengths; None where there is no mask.
        height, width: of all of them, in pixels.
    """

    __slots__ = ("counts", "height", "width")

    def __init__(self, counts: Sequence[str | None], height: int, width: int) -> None:
        self.counts, self.height, self.width = counts, height, width

    def __len__(self) -> int:
        return len(self.counts)

    @overload
    def __getitem__(self, frame: int) -> Rle | None: ...
    @overload
    def __getitem__(self, frame: slice) -> TrackMasks: ...
    def __getitem__(self, frame: int | slice) -> Rle | TrackMasks | None:
        if isinstance(frame, slice):
            return TrackMasks(self.counts[frame], self.height, self.width)
        text = self.counts[frame]
        return None if text is None else Rle(size=[self.height, self.width], counts=text)

    def __eq__(self, other: object) -> bool:
        """Whether it holds the same masks, in whatever kind of list."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # as a list


def encode(mask: Bool[np.ndarray, "H W"]) -> Rle:
    """Run lengths of a mask."""
    return encode_ids(mask.view(np.int8)).get(1) or from_run_lengths([mask.size], *mask.shape)


def encode_ids(id_map: Int[np.ndarray, "H W"]) -> dict[int, Rle]:
    """Run lengths of the mask of every id in a map, 0 aside, by id, ascending; the map is walked through once."""
    height, width = id_map.shape
    # Where a run begins, down the columns; found along the rows, in whose order the map lies in memory.
    row, column = np.divmod(np.flatnonzero(id_map[1:] != id_map[:-1]), width)
    on_top = np.flatnonzero(id_map[0, 1:] != id_map[-1, :-1]) + 1
    starts = np.sort(np.concatenate([[0], column * height + row + 1, on_top * height]))
    owner, ends = id_map[starts % height, starts // height], np.append(starts[1:], id_map.size)
    coded = {}
    for number in np.unique(owner[owner > 0]).tolist():
        own = owner == number
        edges = np.zeros(2 * np.count_nonzero(own) + 2, np.int64)
        edges[1:-1:2], edges[2:-1:2], edges[-1] = starts[own], ends[own], id_map.size
        runs = edges[1:] - edges[:-1]
        coded[number] = from_run_lengths(runs if runs[-1] else runs[:-1], height, width)
    return coded


def decode(rle: Rle) -> Bool[np.ndarray, "H W"]:
    """The mask of run lengths, C-contiguous."""
    height, width = rle["size"]
    runs = run_lengths(rle["counts"])
    columns = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def area(rle: Rle) -> int:
    """Number of pixels inside."""
    return int(coco_mask.area(rle))


def bbox(rle: Rle) -> tuple[float, float, float, float]:
    """Tight box (x, y, width, height) in pixels; all zero for an empty mask."""
    x, y, width, height = (float(value) for value in coco_mask.toBbox(rle))
    return x, y, width, height


def areas(rles: Iterable[Rle | None]) -> Iterator[int | None]:
    """As `area`, of each; None where there is no mask. Some hundred are measured together, in a tenth of the time."""
    return _measured(rles, coco_mask.area)


def bboxes(rles: Iterable[Rle | None]) -> Iterator[list[float] | None]:
    """As `bbox`, of each; None where there is no mask."""
    return _measured(rles, coco_mask.toBbox)


def _measured(rles: Iterable[Rle | None], measure: Callable[[list[Rle]], np.ndarray]) -> Iterator[Any]:
    rles = iter(rles)
    while some := list(islice(rles, 500)):
        masks = [rle for rle in some if rle is not None]
        found = iter(measure(masks).tolist() if masks else [])
        yield from (None if rle is None else next(found) for rle in some)


def iou(first: Sequence[Rle], second: Sequence[Rle]) -> Float64[np.ndarray, "A B"]:
    """Intersection over union, in [0, 1], of every mask of `first` with every mask of `second`; 0 for two empty ones.

    All masks have one size. No mask counts as a crowd, where COCO would divide by the detection instead of the union.
    """
    if not first or not second:
        return np.zeros((len(first), len(second)))
    values = coco_mask.iou(list(first), list(second), [0] * len(second))
    return np.asarray(values, dtype=np.float64).reshape(len(first), len(second))


def union(rles: Sequence[Rle]) -> Rle:
    """Pixels that lie in any of the masks, of which there is at least one, all of one size.

    Raises:
        InputError: no mask, or masks of differing sizes.
    """
    sizes = {tuple(rle["size"]) for rle in rles}
    if len(sizes) != 1:
        raise InputError(f"a union needs masks of one size, given are {sorted(sizes) or 'none'}")
    return _text_counts(coco_mask.merge(list(rles)))


def from_run_lengths(counts: Sequence[int] | Int64[np.ndarray, " R"], height: int, width: int) -> Rle:
    """Compress plain run lengths (column-major, background first; they add up to height x width, unchecked)."""
    plain = {"size": [height, width], "counts": np.asarray(counts).tolist()}
    return _text_counts(coco_mask.frPyObjects(plain, height, width))


def run_lengths(counts: str) -> Int64[np.ndarray, " R"]:
    """Plain run lengths of COCO's compressed text: column-major, background first.

    Raises:
        InputError: the text is no such code.
    """
    if not counts:
        return np.zeros(0, np.int64)
    runs, _ = numbers(counts)
    runs[1::2] = np.cumsum(runs[1::2])
    # The third number is still plain: the chain of even places starts there, and leaves the first out.
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def numbers(text: str) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, "_"]]:
    """The numbers of COCO's compressed text, and the places of characters behind which the same number goes on.

    A text holds numbers in groups of 5 bits, low first, one character (48 + bits) a group, bit 6 set where more follow.
    From the fourth number on they are differences to the run length two places before, and so they are left. The texts
    of many masks may stand one behind the other.

    Raises:
        InputError: the text is no such code. COCO's own C code does not look and reads past the end.
    """
    codes = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8) - np.uint8(48)
    before = np.flatnonzero(codes >= 32)  # about one in a hundred
    if codes.max() > 63 or codes[-1] >= 32:
        raise InputError(f"counts are no compressed run lengths: {_shown(text[:99])}")
    # The sign of a number is the upper bit of its last character.
    bits = ((codes & 31) ^ 16).view(np.int8) - np.int8(16)
    if not len(before):
        return bits.astype(np.int64), before
    bits[before] &= 31
    begins = np.ones(len(bits), bool)
    rest = before + 1
    begins[rest] = False
    found = bits[begins].astype(np.int64)
    place = before[begins[before]]
    owner = np.searchsorted(place, rest) - 1
    group = rest - place[owner]
    if group.max() > 7:
        raise InputError(f"counts hold a number of more than 40 bits: {_shown(text[:99])}")
    first = np.searchsorted(rest, place)
    found[place - np.searchsorted(before, place)] += np.add.reduceat(bits[rest].astype(np.int64) << (5 * group), first)
    return found, before


def canonical(counts: str, height: int, width: int) -> str:
    """The same mask without runs of no length but the first."""
    return _joined(run_lengths(counts), height, width)["counts"]


def _joined(runs: Int64[np.ndarray, " R"], height: int, width: int) -> Rle:
    """The mask of run lengths, whose neighbours become one where a run between them is of no length.

    COCO's code that compares or joins two masks stops where both have such a run, and counts too few pixels. Tools
    that write masks column by column make them where two columns touch.
    """
    edges, times = np.unique(np.cumsum(runs)[:-1], return_counts=True)
    odd = edges[times % 2 == 1]  # where as much begins as ends, nothing does
    odd = odd[odd < height * width]
    return from_run_lengths(np.diff([0, *odd, height * width]), height, width)


def from_annotation(segmentation: Any, height: int, width: int) -> Rle:
    """Run lengths of a `segmentation` field as COCO and YouTube-VIS files hold it.

    Args:
        segmentation: polygons ([[x1, y1, x2, y2, x3, y3, ...], ...], their union is the mask), plain run lengths
            ({"size": [height, width], "counts": [int, ...]}) or compressed ones ({"size": ..., "counts": str}).
        height: of the image, in pixels.
        width: of the image, in pixels.

    Raises:
        InputError: naming the value, for anything else, for another size than the image's, and for run lengths that
            do not add up to height x width.
    """
    if isinstance(segmentation, Mapping):
        return _from_counts(segmentation, height, width)
    if not isinstance(segmentation, list | tuple):
        raise InputError(f"segmentation must be a list of polygons or run lengths, not {_shown(segmentation)}")
    if not segmentation:
        raise InputError("segmentation is empty: it must hold at least one polygon")
    polygons = [_checked_polygon(polygon) for polygon in segmentation]
    return _text_counts(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width)))


def _from_counts(segmentation: Mapping[str, Any], height: int, width: int) -> Rle:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    whole = isinstance(size, list | tuple) and all(type(side) is int for side in size)  # 720.0 equals 720
    if not whole or list(size) != [height, width]:
        raise InputError(f"segmentation has size {_shown(size)}, the image is [{height}, {width}] ([height, width])")
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        runs = run_lengths(counts)
    elif isinstance(counts, list | tuple) and all(isinstance(c, int) and not isinstance(c, bool) for c in counts):
        runs = np.array([min(max(count, -1), 2**40) for count in counts], dtype=np.int64)
    else:
        raise InputError(f"segmentation has counts {_shown(counts)}: neither text nor a list of whole numbers")
    if runs.size and runs.min() < 0:
        raise InputError(f"segmentation has a negative run length in counts {_shown(counts)}")
    if runs.sum() != height * width:
        raise InputError(
            f"run lengths of a segmentation add up to {runs.sum()}, not to {height} x {width} = {height * width}"
        )
    if isinstance(counts, str) and runs[1:].all():
        return Rle(size=[height, width], counts=counts)
    return _joined(runs, height, width)


def _checked_polygon(polygon: Any) -> list[float]:
    # Four numbers would pass for a box in COCO's code, so the lower bound is more than cosmetics.
    if not isinstance(polygon, list | tuple) or len(polygon) < 6 or len(polygon) % 2:
        raise InputError(f"a polygon must be a flat list [x1, y1, x2, y2, x3, y3, ...], not {_shown(polygon)}")
    for value in polygon:
        # A comparison with NaN is false, so this refuses NaN too.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_COORDINATE:
            raise InputError(f"a polygon has the coordinate {_shown(value)}")
    return [float(value) for value in polygon]


def _text_counts(rle: Mapping[str, Any]) -> Rle:
    counts = rle["counts"]
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    return Rle(size=[int(side) for side in rle["size"]], counts=text)


def _shown(value: Any) -> str:
    """The value as a message shows it: cut, for annotations run to megabytes."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
