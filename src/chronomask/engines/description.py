"""`model.json`, which lies beside an exported network: what a program must know to use it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from chronomask.categories import Category, categories_of
from chronomask.config import TUBE_STATISTICS, ModelConfig
from chronomask.errors import InputError, words_of

MAX_CLIP = 1000
"""Frames of a clip: memory does not hold more."""

FILE = "model.json"
FORMAT = "chronomask-export-2"
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"


@dataclass(frozen=True)
class Description:
    """What is known of a network that was cut in two for inference (see `model.halves`).

    Attributes:
        checkpoint_sha256: of the file of weights.
        categories: the classes, in the order of the network's indices.
        embedding: meaning of the embedding dimensions, see `ModelConfig.embedding`.
        foreground: whether the decoder gives the foreground probability.
        tube_score: coefficients of the tubes' score, see `ModelConfig.tube_score`.
        clip_length: T of the decoder.
        features: names of what the encoder gives; `level_16` and `class_logits` are for the tracker.
        decoded: names of those that the decoder reads.
    """

    checkpoint_sha256: str
    categories: tuple[Category, ...]
    embedding: tuple[str, ...]
    foreground: bool
    tube_score: tuple[float, ...]
    clip_length: int
    features: tuple[str, ...]
    decoded: tuple[str, ...]

    def check(self, path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Raises InputError unless a file of the network takes and gives what is said here."""
        expected = (("frames",), self.features) if path.stem == Path(ENCODER).stem else (self.decoded, ("pixels",))
        if (tuple(inputs), tuple(outputs)) != expected:
            found = f"takes {', '.join(inputs)} and gives {', '.join(outputs)}"
            raise InputError(f"{path}: {found}, which is not what {FILE} beside it says; export the network again")

    def to_json(self, version: str) -> str:
        """As text for `model.json`; `version` is that of the package."""
        return json.dumps({"format": FORMAT, "version": version} | dataclasses.asdict(self), indent=2)


def describe(
    config: ModelConfig, sha256: str, clip_length: int, features: tuple[str, ...], decoded: tuple[str, ...]
) -> Description:
    """The description of a network of this configuration; the other arguments are its fields of these names."""
    return Description(
        checkpoint_sha256=sha256,
        categories=config.categories,
        embedding=config.embedding,
        foreground=config.foreground,
        tube_score=config.tube_score,
        clip_length=clip_length,
        features=features,
        decoded=decoded,
    )


def read_description(folder: Path) -> Description:
    """The description in a folder that `chronomask export` wrote.

    Raises:
        InputError: there is no such file, or it is none of this format; the message names the field.
    """
    path = folder / FILE
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        if fields["format"] != FORMAT:
            remedy = "export it again with this version of chronomask"
            raise InputError(f"format is {fields['format']!r:.80}, this version reads {FORMAT!r}; {remedy}")
        return _parsed(fields)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; is this a folder that `chronomask export` wrote?") from error
    except KeyError as error:
        raise InputError(f"{path}: lacks the field {error}") from error
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{path}: {words_of(error)}") from error


def _parsed(fields: Mapping[str, Any]) -> Description:
    """The description in a json object; ValueError, TypeError or KeyError where it is none."""
    description = Description(
        checkpoint_sha256=str(fields["checkpoint_sha256"]),
        categories=categories_of(fields["categories"]),
        embedding=_names(fields, "embedding"),
        foreground=fields["foreground"] is True,
        tube_score=tuple(float(value) for value in fields["tube_score"]),
        clip_length=int(fields["clip_length"]),
        features=_names(fields, "features"),
        decoded=_names(fields, "decoded"),
    )
    if not 1 <= description.clip_length <= MAX_CLIP:
        raise ValueError(f"clip_length {description.clip_length}: must be 1 or more, and at most {MAX_CLIP}")
    if missing := [name for name in ("level_16", *description.decoded) if name not in description.features]:
        raise ValueError(f"features {description.features}: {missing[0]} is not among them")
    if len(description.tube_score) not in (0, len(TUBE_STATISTICS)) or not all(map(isfinite, description.tube_score)):
        raise ValueError(f"tube_score {description.tube_score}: {len(TUBE_STATISTICS)} finite numbers, or none")
    return description


def _names(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if not isinstance(fields[key], list) or not all(isinstance(name, str) for name in fields[key]):
        raise TypeError(f"{key} {fields[key]!r:.80}: must be a list of names")
    return tuple(fields[key])
