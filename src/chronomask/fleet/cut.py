"""Long videos in pieces: what was found in each lies in a file, until one worker joins them all."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chronomask.errors import InputError, refusing
from chronomask.files import remove_unfinished, written_aside
from chronomask.progress import Progress
from chronomask.runs.choice import described, provenance
from chronomask.segmenter.found import Clip
from chronomask.segmenter.pieces import Piece, joined, record
from chronomask.segmenter.segmenter import Segmenter
from chronomask.video import VideoSource

_ABOUT = "about.json"


def write_piece(segmenter: Segmenter, source: VideoSource, piece: Piece, folder: Path, progress: Progress) -> None:
    """Finds the clips of a piece and writes them into `folder/NUMBER.zip`; nothing, where they are there already."""
    path, about = folder / f"{piece.number}.zip", _about(segmenter, source, piece)
    if _is_there(path, about):
        return
    remove_unfinished(path)
    with written_aside(path) as aside, zipfile.ZipFile(aside, "w") as archive:
        archive.writestr(_ABOUT, json.dumps(about))
        for number, data in enumerate(progress(record(segmenter, source, piece), f"segmenting {source.name}", None)):
            archive.writestr(f"{number}.npz", data)


def clips_of(segmenter: Segmenter, source: VideoSource, pieces: Sequence[Piece], folder: Path) -> Iterator[Clip]:
    """The clips of all pieces, which `write_piece` wrote, in order.

    Raises:
        InputError: a piece is missing, damaged, or of another video.
    """
    return joined(segmenter, source, _data(segmenter, source, pieces, folder), str(folder))


def remove_pieces(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _is_there(path: Path, about: dict[str, Any]) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_ABOUT)) == about
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # it is not, or is damaged
        return False


def _data(segmenter: Segmenter, source: VideoSource, pieces: Sequence[Piece], folder: Path) -> Iterator[bytes]:
    for piece in pieces:
        path = folder / f"{piece.number}.zip"
        with refusing(path), zipfile.ZipFile(path) as archive:
            if json.loads(archive.read(_ABOUT)) != _about(segmenter, source, piece):
                raise InputError(f"{source.name}: has changed while it was segmented; segment it again")
            for number in range(len(archive.namelist()) - 1):
                yield archive.read(f"{number}.npz")


def _about(segmenter: Segmenter, source: VideoSource, piece: Piece) -> dict[str, Any]:
    about = {**provenance(segmenter), "source": described(source), "piece": asdict(piece)}
    return json.loads(json.dumps(about))
