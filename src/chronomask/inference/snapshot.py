"""The state of a segmentation between two clips, small enough to be written down every few seconds.

Legend: N tracks, M remembered ones, L classes, C channels, O pending frames, T frames of a clip, B batches,
H W pixels of the source, h w stride-4 cells.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float32, Float64, Int, Int64

from chronomask.errors import InputError


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What `Segmenter.snapshot` gives and `Segmenter.restore` takes.

    It holds neither pixels nor features: `restore` gets the frames of `replay` again and runs them through the backbone
    in the same batches as before, so that the result equals that of an uninterrupted run to the last bit.

    Attributes:
        settings: of the segmenter, as json.
        height, width: of the frames; 0 before the first.
        position: frames taken in; the first frame to push after restoring.
        batches: how many frames the last clips added, each, oldest first.
        pending_index, pending_time, pending_labels: number, time and track ids of the frames that are taken in, but not
            final.
        recent: track ids of the last clip at stride 4.
        next_id: of the next track.
        memory_seen: id, and number of the frame in which it was seen last, of every remembered track.
        memory_place: centre and area there, as in `memory.Visit`.
        memory_feature, memory_classes: its look.
        track_ids, class_evidence, object_evidence, pixels: the summary of every track so far.
    """

    settings: str
    height: int
    width: int
    position: int
    batches: Int64[np.ndarray, " B"]
    pending_index: Int64[np.ndarray, " O"]
    pending_time: Float64[np.ndarray, " O"]
    pending_labels: Int[np.ndarray, "O H W"]
    recent: Int64[np.ndarray, "T h w"]
    next_id: int
    memory_seen: Int64[np.ndarray, "M 2"]
    memory_place: Float64[np.ndarray, "M 3"]
    memory_feature: Float32[np.ndarray, "M C"]
    memory_classes: Float32[np.ndarray, "M L"]
    track_ids: Int64[np.ndarray, " N"]
    class_evidence: Float32[np.ndarray, "N L"]
    object_evidence: Float64[np.ndarray, " N"]
    pixels: Float64[np.ndarray, " N"]

    @property
    def replay(self) -> range:
        """Numbers (from 0, in the order in which they came) of the frames `restore` needs: fewer than two clips."""
        return range(self.position - int(self.batches.sum()), self.position)

    @property
    def finished(self) -> int:
        """Frames handed out as final before the snapshot."""
        return self.position - len(self.pending_index)

    def to_bytes(self) -> bytes:
        """The snapshot as a compressed npz archive."""
        buffer = io.BytesIO()
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Snapshot:
        """Inverse of `to_bytes`.

        Raises:
            InputError: the data are no snapshot, or one of another version of this package.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                arrays = {field.name: archive[field.name] for field in fields(cls)}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"snapshot of an interrupted run: cannot be read: {error}") from error
        return cls(**{name: array.item() if array.ndim == 0 else array for name, array in arrays.items()})
