"""`model.json`, which lies beside an exported network: what a program must know to use it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronomask.categories import Category
from chronomask.config import ClusterConfig, SegmentConfig, StitchConfig
from chronomask.errors import InputError

FILE = "model.json"
FORMAT = "chronomask-export-1"
STRIDE = 4
"""Of the network's outputs, in pixels; the class scores may be coarser."""
MULTIPLE = 32
"""Height and width of the frames that the encoder takes are multiples of it."""


@dataclass(frozen=True)
class Description:
    """What is known of an exported network.

    Attributes:
        version: of the package that exported it.
        checkpoint_sha256: of the file of weights.
        categories: the classes, in the order of the network's indices.
        embedding: meaning of the embedding dimensions, see `ModelConfig.embedding`.
        class_stride: of the class scores, in pixels.
        tube_score: coefficients of the tubes' score, see `ModelConfig.tube_score`.
        settings: how videos are segmented; `clip_length` is the T of the decoder.
    """

    version: str
    checkpoint_sha256: str
    categories: tuple[Category, ...]
    embedding: tuple[str, ...]
    class_stride: int
    tube_score: tuple[float, ...]
    settings: SegmentConfig

    def to_json(self) -> str:
        """As text for `model.json`, with what is the same for all networks."""
        known = {"format": FORMAT, "stride": STRIDE, "multiple": MULTIPLE}
        return json.dumps(known | dataclasses.asdict(self), indent=2)


def read_description(folder: Path) -> Description:
    """The description in a folder that `chronomask export` wrote.

    Raises:
        InputError: there is no such file, or it is none of this format; the message names the field.
    """
    path = folder / FILE
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        if fields["format"] != FORMAT:
            raise InputError(f"{path}: format is {fields['format']!r}, not {FORMAT!r}")
        return Description(
            version=fields["version"],
            checkpoint_sha256=fields["checkpoint_sha256"],
            categories=tuple(Category(**entry) for entry in fields["categories"]),
            embedding=tuple(fields["embedding"]),
            class_stride=fields["class_stride"],
            tube_score=tuple(fields["tube_score"]),
            settings=_settings(fields["settings"]),
        )
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; is this a folder that `chronomask export` wrote?") from error
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{path}: lacks the field {error}") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}") from error


def _settings(fields: dict[str, Any]) -> SegmentConfig:
    cluster, stitch = ClusterConfig(**fields.pop("cluster")), StitchConfig(**fields.pop("stitch"))
    return SegmentConfig(**fields, cluster=cluster, stitch=stitch)
