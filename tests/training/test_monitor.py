import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from chronomask.data.panels import BAR
from chronomask.embedding import coordinates
from chronomask.errors import InputError
from chronomask.model.network import STRIDE
from chronomask.training.loop import train
from chronomask.training.monitor import Milestones, StepReport
from chronomask.training.pictures import CELL, Pictures, draw_outputs, embedding_colours
from chronomask.training.step import StepResult
from chronomask.training.tensorboard import Board
from chronomask.training.validation import ValidationScores
from training.runs import MACHINE, PLAIN, SHORT, open_sources, thin_network


def report(step, steps=100):
    return StepReport(step, steps, StepResult(1.5, {"center": 0.5}, 2.0, []), 1e-3, 0.25, 2**30)


def due(every, checkpoints, begin=0, steps=100):
    milestones, found = Milestones(every), []
    for first, checkpoint in zip([begin, *checkpoints], checkpoints, strict=False):
        for step in range(first, checkpoint):
            milestones.on_step(report(step, steps))
        if milestones.due(checkpoint):
            found.append(checkpoint)
    return found


def test_milestones_fall_on_the_first_checkpoint_from_there_on():
    assert due(30, range(20, 101, 20)) == [40, 60, 100]
    assert due(10, range(20, 81, 20)) == [20, 40, 60, 80]
    assert due(1000, range(20, 101, 20)) == [100]


def test_milestones_of_a_continued_run_are_those_of_the_whole():
    whole = due(30, range(20, 101, 20))
    assert due(30, [20, 40]) + due(30, [60, 80, 100], begin=40) == whole


def test_pictures_are_drawn_on_schedule_and_change_nothing(tmp_path):
    sources, shown = open_sources(tmp_path / "data"), []
    pictures = Pictures(sources, PLAIN, 4, [lambda step, picture: shown.append((step, picture))])
    network, plain = thin_network(), thin_network()
    train(network, sources, PLAIN, tmp_path / "watched", MACHINE, [pictures])
    train(plain, sources, PLAIN, tmp_path / "plain", MACHINE)
    assert [step for step, _ in shown] == [4, 6]
    written = np.asarray(Image.open(tmp_path / "watched" / "pictures" / "00000004.png"))
    assert np.array_equal(written, shown[0][1])
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name]), name


def test_a_picture_shows_what_the_network_says(tmp_path):
    clip = Pictures(open_sources(tmp_path), SHORT, 1).clip
    network = thin_network()
    torch.nn.init.zeros_(network.heat_head.weight)
    pictures = {}
    for bias in (-20.0, 20.0):
        torch.nn.init.constant_(network.heat_head.bias, bias)
        pictures[bias] = draw_outputs(network, clip)
    cold, hot = (pictures[bias] for bias in (-20.0, 20.0))
    row = round(CELL * clip.frames.shape[2] / clip.frames.shape[3])
    assert len(cold) == len(hot) == 2 * (BAR + row) + 2 * row
    differing = (cold != hot).any((1, 2))
    assert not differing[: BAR + row].any()  # the truth
    assert differing[-2 * row : -row].all()  # the heat map
    assert not differing[-row:].any()  # the embedding


def test_embedding_colours_stretch_every_dimension_and_bear_few_dimensions():
    offsets = torch.linspace(-2, 5, 200).view(1, 2, 10, 10).repeat(4, 1, 1, 1)
    offsets[1] = 3
    colours = embedding_colours(offsets)
    assert colours.shape == (2, 10, 10, 3)
    assert (colours[0, 0, 0, 0], colours[1, -1, -1, 0]) == (0, 255)
    assert (colours[..., 1] == 0).all()
    assert (embedding_colours(offsets[:2])[..., 2] == 0).all()


def test_the_offset_is_the_embedding_without_its_coordinates():
    network = thin_network()
    torch.nn.init.zeros_(network.embedding_head.weight)
    torch.nn.init.zeros_(network.embedding_head.bias)
    frames = torch.zeros(1, 2, 3, 32, 64, dtype=torch.uint8)
    embedding = network(frames).embedding
    assert embedding.abs().max() > 1
    assert embedding.shape[3:] == (32 // STRIDE, 64 // STRIDE)
    places = coordinates(network.config.embedding, *embedding.shape[2:], (32, 64))
    assert torch.equal(embedding[0], torch.from_numpy(places))


def test_tensorboard_has_every_scalar_the_scores_and_the_pictures(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = Board(tmp_path)
    for step in range(21):
        board.on_step(report(step))
    board.scores(20, ValidationScores(0.1, 0.2, 0.3))
    board.picture(20, np.full((8, 8, 3), 200, np.uint8))
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    terms = {"loss", "loss/center", "rate", "gradient", "seconds a step", "memory (GiB)"}
    assert terms | {"validation/AP", "validation/AP50", "validation/AP50_any"} == set(read.Tags()["scalars"])
    assert [event.step for event in read.Scalars("loss/center")] == [0, 10, 20]
    assert read.Scalars("validation/AP50")[0].value == pytest.approx(0.2)
    assert read.Tags()["images"] == ["clip"]


def test_where_tensorboard_cannot_write_is_said_at_once(tmp_path):
    pytest.importorskip("tensorboard")
    with pytest.raises(InputError, match="--tensorboard: TensorBoard writes to no folder whose name is no UTF-8"):
        Board(tmp_path / os.fsdecode(b"caf\xe9"))


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"chronomask\[train\]"):
        Board(tmp_path)
