"""Short runs of a tiny network, in the test's process or in processes of their own."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import torch
from torch import nn

import chronomask
from chronomask.config import MachineConfig, MixtureConfig, TrainConfig
from chronomask.data.sources import open_training_sources
from chronomask.model.backbone import Backbone
from data.files import NETWORK, small_set
from model.networks import network_of, tiny

MODEL = tiny(channels=8, attention="none", categories=NETWORK, foreground=True, decoder_activation=True)
SHORT = TrainConfig(
    steps=4, batch=2, warmup=2, backbone_rate=0.1, data=MixtureConfig(length=3, height=32, width=48, max_pastes=1)
)
PLAIN_MODEL = replace(MODEL, norm="group")
PLAIN = replace(SHORT, steps=6, optimizer="sgd", learning_rate=0.05, momentum=0.0, warmup=0, clip_norm=0.0)
"""Together: weights move along the gradient, and a clip's gradient does not depend on its neighbours in the batch."""

MACHINE = MachineConfig(device="cpu", precision="float32", workers=0, checkpoint_every=2)


def open_sources(folder):
    """The two small sources in `folder`, which are made where they are missing."""
    if not (folder / "videos.json").exists():
        small_set(folder)
    return open_training_sources([f"{folder / name},weight=1" for name in ("stills.json", "videos.json")], NETWORK)


class ThinBackbone(Backbone):
    """One small convolution a level: what is tested here does not depend on the backbone."""

    channels = (8, 8, 8, 8)

    def __init__(self):
        super().__init__((127.0,) * 3, (128.0,) * 3)
        sizes = [(3, 4), (8, 2), (8, 2), (8, 2)]
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, 8, side, side, bias=False), nn.BatchNorm2d(8), nn.ReLU())
            for inputs, side in sizes
        )

    def forward(self, pixels):
        features = [self._run(self.levels[0], self.normalise(pixels))]
        for level in self.levels[1:]:
            features.append(self._run(level, features[-1]))
        return features


def thin_network(model=MODEL, dropout=False, seed=0):
    """A network with a thin backbone; with `dropout`, one whose training draws random numbers."""
    with mock.patch("chronomask.model.network.build_backbone", side_effect=lambda *_: ThinBackbone()):
        network = network_of(model, seed)
    if dropout:
        network.attention[0].append(nn.Dropout(0.3))
    return network


class Each:
    """A monitor that calls `action` with the number of every finished step, and scores checkpoints by `scores`."""

    def __init__(self, action, scores=None):
        self.action, self.scores = action, scores or {}

    def on_step(self, report):
        self.action(report.step)

    def on_checkpoint(self, step, network, out):
        return self.scores.get(step)


def assert_same_weights(network, other):
    for name, tensor in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


def in_processes(script, *arguments, count=1, port=None):
    """Runs a script that lies beside this file in `count` processes, as torchrun would; returns them, ended."""
    tests = Path(__file__).parent.parent
    processes = []
    for rank in range(count):
        # The package under test, which need not be the installed one.
        paths = os.pathsep.join([str(tests), str(Path(chronomask.__file__).parent.parent)])
        env = {**os.environ, "PYTHONPATH": paths}
        if port is not None:
            env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
            env |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        command = [sys.executable, str(Path(__file__).parent / script), *map(str, arguments)]
        processes.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True))
    return [(process.communicate(timeout=300)[1], process.returncode) for process in processes]
