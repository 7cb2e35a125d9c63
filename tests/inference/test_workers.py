import threading

import pytest
import torch

from chronomask.inference.workers import MOST, Workers


@pytest.fixture
def cores():
    """So many that PyTorch would use by itself."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_every_worker_has_a_core_of_its_own(cores):
    workers, together = Workers(torch.device("cpu")), threading.Barrier(cores, timeout=20)

    def task():
        together.wait()  # none of them could if another had to end first
        return threading.current_thread(), torch.get_num_threads()

    found = [future.result() for future in [workers.submit(task) for _ in range(cores)]]
    assert len({thread for thread, _ in found}) == workers.count == cores
    assert {threads for _, threads in found} == {1}


def test_the_setting_of_who_asks_stays_as_it_is(cores):
    Workers(torch.device("cpu")).submit(lambda: 0).result()
    assert torch.get_num_threads() == cores
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [cores]


def test_a_card_has_one_worker_and_nobody_has_very_many(monkeypatch):
    assert Workers(torch.device("cuda")).count == 1
    monkeypatch.setattr(torch, "get_num_threads", lambda: 200)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    assert Workers(torch.device("cpu")).count == MOST


def test_tasks_are_begun_in_order_and_may_wait_for_those_before(cores):
    workers = Workers(torch.device("cpu"))
    last = workers.submit(lambda: 0)
    for _ in range(50):
        last = workers.submit(lambda before: before.result() + 1, last)
    assert last.result() == 50


def test_tasks_infer_and_their_errors_arrive():
    workers = Workers(torch.device("cpu"))
    assert workers.submit(torch.is_inference_mode_enabled).result()
    with pytest.raises(ValueError, match="nine"):
        workers.submit(lambda text: int(text), "nine").result()
