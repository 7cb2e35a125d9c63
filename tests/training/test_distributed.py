import csv
import os
import signal
import socket
from dataclasses import replace

import pytest
import torch

from chronomask.errors import InputError
from chronomask.training.distributed import ClipSampler, Ranks, joined_ranks
from chronomask.training.loop import train
from training.runs import MACHINE, PLAIN, PLAIN_MODEL, in_processes, open_sources, thin_network

CPU = torch.device("cpu")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_a_step_has_the_same_clips_however_many_processes(count):
    samplers = [ClipSampler((4, 9), 6, Ranks(rank, count, CPU)) for rank in range(count)]
    shares = [list(sampler) for sampler in samplers]
    assert [len(share) for share in shares] == [len(sampler) for sampler in samplers] == [30 // count] * count
    for step in range(5):
        size = 6 // count
        clips = [clip for share in shares for clip in share[step * size : (step + 1) * size]]
        assert clips == list(range((step + 4) * 6, (step + 5) * 6))


def test_a_process_on_its_own_is_the_only_rank(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with joined_ranks("cpu") as ranks:
        assert (ranks.rank, ranks.count, ranks.first) == (0, 1, True)
        assert ranks.on_first(lambda: 7) == 7
        assert ranks.gather(["a"]) == ["a"]
        assert ranks.mean(torch.tensor([2.0])).item() == 2
        assert ranks.any(True)
        assert not ranks.any(False)
    with pytest.raises(InputError, match="device 'nonsense'"), joined_ranks("nonsense"):
        pass


def test_two_processes_do_what_one_does_and_end_together(tmp_path):
    """With plain SGD and no statistics, equal weights after two steps mean equal gradients."""
    data, together, alone = tmp_path / "data", tmp_path / "together", tmp_path / "alone"
    data.mkdir()
    sources = open_sources(data)
    (said, code), (_, killed) = in_processes("rank.py", together, data, count=2, port=free_port())

    train(thin_network(PLAIN_MODEL), sources, PLAIN, alone, replace(MACHINE, stop_after="0s"))
    train(thin_network(PLAIN_MODEL), sources, PLAIN, alone, replace(MACHINE, stop_after="0s"))
    states = [torch.load(out / "state-00000002.pt", weights_only=True) for out in (alone, together)]
    start = thin_network(PLAIN_MODEL).state_dict()
    for part in ("network", "average"):
        for name, tensor in states[0][part].items():
            torch.testing.assert_close(states[1][part][name], tensor, rtol=1e-4, atol=1e-6)
    assert any(not torch.allclose(start[name], tensor, atol=1e-3) for name, tensor in states[0]["network"].items())
    rows = [next(csv.DictReader((out / "log.csv").read_text().splitlines())) for out in (alone, together)]
    for name in ("step", "loss", "embedding", "center", "gradient"):
        assert float(rows[1][name]) == pytest.approx(float(rows[0][name]), rel=1e-3), name

    # The second process was killed in its fourth step: the first says so, and its checkpoint is whole.
    assert killed == -signal.SIGKILL
    assert code == 1
    assert "another training process ended" in said
    assert "Traceback" not in said
    assert "same command continues" in said
    resumed = thin_network(PLAIN_MODEL, seed=5)
    assert train(resumed, sources, PLAIN, together, MACHINE) == PLAIN.steps
    assert os.path.exists(together / "state-00000006.pt")
