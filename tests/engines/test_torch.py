"""PyTorch as an engine: what it does to threads, and what it computes in."""

import threading

import numpy as np
import pytest
import torch

from chronomask.engines import torch as room
from chronomask.engines.opening import torch_engine
from chronomask.engines.torch import TorchEngine
from chronomask.model.halves import halves
from chronomask.segmenter.workers import Urgency, Workers
from engines.test_description import DESCRIPTION
from model.networks import network_of, noise, tiny


@pytest.fixture
def three_cores(monkeypatch):
    """So many that PyTorch would use by itself, and so many for us."""
    monkeypatch.setattr(room, "cores", lambda: 3)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def engine(precision="float32"):
    return torch_engine(network_of(tiny(channels=8)), 4, precision=precision)


@pytest.mark.usefixtures("three_cores")
def test_every_worker_has_a_core_of_its_own():
    workers, together = Workers(engine()), threading.Barrier(3, timeout=20)

    def task():
        together.wait()
        return torch.get_num_threads()

    assert [future.result(20) for future in [workers.submit(Urgency.FRAME, task) for _ in range(3)]] == [1, 1, 1]


@pytest.mark.usefixtures("three_cores")
def test_the_setting_of_who_asks_stays_as_it_is():
    Workers(engine()).submit(Urgency.FRAME, lambda: 0).result(20)
    assert torch.get_num_threads() == 3
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [3]


@pytest.mark.usefixtures("three_cores")
def test_a_card_has_one_worker_and_frames_in_batches():
    """A device without memory stands in for a card."""
    card = TorchEngine(DESCRIPTION, halves(network_of(tiny(channels=8)), 4), torch.device("meta"), "bfloat16")
    assert (card.threads, card.together) == (1, True)
    assert (card.info.device, card.info.precision) == ("meta", "bfloat16")
    before = torch.get_num_threads()
    card.prepare_thread()
    assert torch.get_num_threads() == before
    ours = engine()
    assert (ours.threads, ours.together, ours.info.device) == (3, False, "cpu")


@pytest.mark.network
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_what_flows_between_the_halves_has_the_precision_and_what_leaves_has_not(precision):
    halved = engine(precision)
    features = halved.encode(noise(4, 3, 32, 64).numpy())
    for frame in features:
        assert frame.look.dtype == np.float32
        fine = halved.fine(frame)
        assert fine.dtype == np.float32
        assert fine.shape == (8, 8, 16)
        np.testing.assert_array_equal(fine, frame.decoded[halved.description.decoded.index("level_4")].float())
        for level in frame.decoded:
            assert level.dtype == getattr(torch, precision)
            assert level.is_inference()
    assert halved.decode(features).dtype == np.float32
