"""This source tree and that of commit 7e45ce1 by the same calls, so that one script can measure both.

Legend: T frames of a clip, H W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from recorder import Recorder, mark_of

if TYPE_CHECKING:
    from chronomask.device import EngineChoice, Precision


class Tree(Protocol):
    """What is measured.

    Attributes:
        segmenter: of the tree's own kind; both know `segment(source)` and `config`.
        threads: that compute at a time.
        about: of what computes the network.
    """

    segmenter: Any
    threads: int
    about: str

    def prepare_thread(self) -> None:
        """Called once in every thread that is going to compute."""
        ...

    def threads_ready(self) -> None:
        """Called once, by who started the threads."""
        ...

    def encode(self, frames: Sequence[np.ndarray]) -> list[Any]:
        """The features of every frame (uint8, "3 H W", H and W multiples of 32)."""
        ...

    def decode(self, features: Sequence[Any]) -> None:
        """Computes the clip of T frames."""
        ...

    def spool(self) -> Any:
        """A new spool."""
        ...

    def segment_to_folder(self, source: Any, out: Path) -> None:
        """The work of the command."""
        ...

    def recording(self) -> tuple[Any, Any]:
        """A segmenter like the one here, and what stands in for its network: settable `playing` and `silent`."""
        ...


def opened(model: str, device: str, engine: EngineChoice, precision: Precision) -> Tree:
    """The source tree that this process imports, with a model."""
    if find_spec("chronomask.engines") is None:
        return Before(model, device)
    return Now(model, device, engine, precision)


class Now:
    """A tree with engines; by its public names."""

    def __init__(self, model: str, device: str, engine: EngineChoice, precision: Precision) -> None:
        import chronomask

        self.segmenter = chronomask.load(model, device, engine, precision)
        self.engine = self.segmenter.engine
        self.threads, info = self.engine.threads, self.engine.info
        self.about = f"{info.name} {info.version}, {info.precision}, {self.threads} threads"

    def prepare_thread(self) -> None:
        self.engine.prepare_thread()

    def threads_ready(self) -> None:
        self.engine.threads_ready()

    def encode(self, frames: Sequence[np.ndarray]) -> list[Any]:
        if self.engine.together:
            return self.engine.encode(np.stack(frames))
        return [features for frame in frames for features in self.engine.encode(frame[None])]

    def decode(self, features: Sequence[Any]) -> None:
        self.engine.decode(features)

    def spool(self) -> Any:
        from chronomask.runs.spool import Spool

        return Spool()

    def segment_to_folder(self, source: Any, out: Path) -> None:
        from chronomask.runs.segment import segment_to_folder

        segment_to_folder(self.segmenter, source, out)

    def recording(self) -> tuple[Any, Any]:
        from chronomask import Segmenter

        recorder = Recorder(self.engine)
        return Segmenter(recorder, self.segmenter.config), recorder


class Before:
    """The tree of commit 7e45ce1, which stays as it is; hence by private names too."""

    def __init__(self, model: str, device: str) -> None:
        import torch

        loading = _room("inference.load")
        self.checkpoint = loading.checkpoint_file(model)
        self.segmenter = loading.load(self.checkpoint, device)
        self.network, self.threads = self.segmenter.network, self.segmenter.workers.count
        self.about = f"torch {torch.__version__}, {self.threads} threads"

    def prepare_thread(self) -> None:
        import torch

        self._shared = torch.get_num_threads()  # takes up the common setting, which would undo the next line later
        torch.set_num_threads(1)

    def threads_ready(self) -> None:
        import torch

        torch.set_num_threads(self._shared)

    def encode(self, frames: Sequence[np.ndarray]) -> list[Any]:
        import torch

        with torch.inference_mode(), self.segmenter._autocast():
            images = [torch.from_numpy(frame)[None].to(self.segmenter.device) for frame in frames]
            return [self.network.encode(image) for image in images]

    def decode(self, features: Sequence[Any]) -> None:
        import torch

        rows, columns = features[0].levels[0].shape[2:]
        with torch.inference_mode(), self.segmenter._autocast():
            self.network.decode(type(features[0]).joined(features), 1, (4 * rows, 4 * columns))

    def spool(self) -> Any:
        return _room("formats.spool").Spool()

    def segment_to_folder(self, source: Any, out: Path) -> None:
        _room("inference.job").segment_to_folder(self.segmenter, source, out, checkpoint=self.checkpoint)

    def recording(self) -> tuple[Any, Any]:
        player = _room("inference.segment").Segmenter(self.network, self.segmenter.config, self.segmenter.device)
        player.network = RecorderBefore(self.network)
        return player, player.network


class RecorderBefore:
    """As `Recorder`, for the tree of commit 7e45ce1."""

    def __init__(self, network: Any) -> None:
        self.network, self.config = network, network.config
        self.playing = self.silent = False
        self._features: dict[bytes, Any] = {}
        self._outputs: dict[tuple[int, ...], Any] = {}

    def encode(self, frames: Any) -> Any:
        import torch

        # The last level tells the frames apart; the third is what tracks are told apart by.
        marks = [mark_of(frame) for frame in frames.cpu()]
        if not self.playing:
            for number, mark in enumerate(marks):
                self._features.setdefault(mark, self.network.encode(frames[number : number + 1]))
        numbers = {mark: number for number, mark in enumerate(list(self._features))}
        last = torch.tensor([numbers[mark] for mark in marks]).view(-1, 1, 1, 1)
        looks = torch.cat([self._features[mark].levels[2] for mark in marks])
        return _room("model.network").FrameFeatures([*[torch.zeros(len(marks), 1, 1, 1)] * 2, looks, last], None)

    def decode(self, features: Any, clips: int, size: tuple[int, int]) -> Any:
        from dataclasses import replace

        import torch

        clip = tuple(features.levels[-1].flatten().tolist())
        if not self.playing:
            known = list(self._features.values())
            whole = type(features).joined([known[number] for number in clip])
            self._outputs[clip] = self.network.decode(whole, clips, size)
        said = self._outputs[clip]
        if not self.silent:
            return said
        nothing = torch.full_like(said.heat, -20.0)
        return replace(said, heat=torch.zeros_like(said.heat), foreground_logits=nothing)


def _room(name: str) -> Any:
    """A module of the tree of commit 7e45ce1; this tree may have none of that name."""
    return import_module(f"chronomask.{name}")
