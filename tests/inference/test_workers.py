import gc
import threading
import weakref
from concurrent.futures import Future

import numpy as np
import pytest
import torch

from chronomask.inference.workers import MOST, Urgency, Workers


@pytest.fixture
def cores():
    """So many that PyTorch would use by itself."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


@pytest.fixture
def one_core(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)


def test_every_worker_has_a_core_of_its_own(cores):
    workers, together = Workers(torch.device("cpu")), threading.Barrier(cores, timeout=20)

    def task():
        together.wait()  # none of them could if another had to end first
        return threading.current_thread(), torch.get_num_threads()

    found = [future.result() for future in [workers.submit(Urgency.FRAME, task) for _ in range(cores)]]
    assert len({thread for thread, _ in found}) == workers.count == cores
    assert {threads for _, threads in found} == {1}


def test_the_setting_of_who_asks_stays_as_it_is(cores):
    Workers(torch.device("cpu")).submit(Urgency.FRAME, lambda: 0).result()
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


def test_the_most_urgent_task_is_begun_first_and_else_the_first(one_core):
    workers, begun, busy, may_begin = Workers(torch.device("cpu")), [], threading.Event(), threading.Event()
    workers.submit(Urgency.FRAME, lambda: (busy.set(), may_begin.wait(20)))
    assert busy.wait(20)
    order = [Urgency.FRAME, Urgency.CLIP, Urgency.FRAME, Urgency.PAINTING, Urgency.CLIP]
    results = [workers.submit(urgency, begun.append, number) for number, urgency in enumerate(order)]
    may_begin.set()
    for result in results:
        result.result(20)
    assert begun == [3, 1, 4, 0, 2]


def test_what_needs_a_result_keeps_no_thread_waiting_for_it(one_core):
    workers, begun, needed = Workers(torch.device("cpu")), [], Future()
    late = workers.submit(Urgency.PAINTING, begun.append, "late", after=needed)
    workers.submit(Urgency.FRAME, begun.append, "early").result(20)
    needed.set_exception(ValueError("which is for the task to find out"))
    late.result(20)
    assert begun == ["early", "late"]
    last = workers.submit(Urgency.FRAME, lambda: 0)
    for _ in range(50):
        last = workers.submit(Urgency.CLIP, lambda before: before.result() + 1, last, after=last)
    assert last.result(20) == 50


@pytest.mark.parametrize("function", [np.sum, np.linalg.inv])
def test_a_result_keeps_neither_what_needed_it_nor_what_it_needed(one_core, function):
    """The second function fails. Features lie in the memory of a card; they must not wait for a garbage collection."""
    workers, argument, needed = Workers(torch.device("cpu")), np.zeros(3), Future()
    gone = weakref.ref(argument)
    gc.disable()
    try:
        late = workers.submit(Urgency.CLIP, function, argument, after=needed)
        needed.set_result(None)
        failed = late.exception(20) is not None
        workers.submit(Urgency.CLIP, lambda: None).result(20)  # the thread has let go of the task before
        assert failed == (function is np.linalg.inv)
        del argument, late
        assert gone() is None
    finally:
        gc.enable()


def test_a_clip_waits_for_frames_that_end_out_of_order(cores):
    workers, first_may_end = Workers(torch.device("cpu")), threading.Event()
    frames = [workers.submit(Urgency.FRAME, first_may_end.wait, 20), workers.submit(Urgency.FRAME, lambda: True)]
    clip = workers.submit(Urgency.CLIP, lambda: [frame.result(20) for frame in frames], after=frames[-1])
    first_may_end.set()
    assert clip.result(20) == [True, True]


def test_tasks_infer_and_their_errors_arrive():
    workers = Workers(torch.device("cpu"))
    assert workers.submit(Urgency.FRAME, torch.is_inference_mode_enabled).result()
    with pytest.raises(ValueError, match="nine"):
        workers.submit(Urgency.FRAME, lambda text: int(text), "nine").result()
