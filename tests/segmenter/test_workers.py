import gc
import os
import threading
import weakref
from concurrent.futures import Future

import numpy as np
import pytest

from chronomask.segmenter.workers import Urgency, Workers
from segmenter.colour import ColourEngine


def workers_of(threads):
    return Workers(ColourEngine(threads=threads))


def test_all_threads_of_the_engine_work_at_a_time():
    engine, together = ColourEngine(threads=3), threading.Barrier(3, timeout=20)
    workers = Workers(engine)

    def task():
        together.wait()  # none of them could if another had to end first
        return threading.current_thread()

    found = [future.result(20) for future in [workers.submit(Urgency.FRAME, task) for _ in range(3)]]
    assert len(set(found)) == 3


def test_the_engine_prepares_all_threads_before_it_is_told_that_they_are_ready():
    engine = ColourEngine(threads=3)
    workers = Workers(engine)
    assert engine.prepared == [1, 1, 1, None]
    for future in [workers.submit(Urgency.FRAME, lambda: 0) for _ in range(9)]:
        future.result(20)
    assert engine.prepared == [1, 1, 1, None]


def test_the_most_urgent_task_is_begun_first_and_else_the_first():
    workers, begun, busy, may_begin = workers_of(1), [], threading.Event(), threading.Event()
    workers.submit(Urgency.FRAME, lambda: (busy.set(), may_begin.wait(20)))
    assert busy.wait(20)
    order = [Urgency.FRAME, Urgency.CLIP, Urgency.FRAME, Urgency.PAINTING, Urgency.CLIP]
    results = [workers.submit(urgency, begun.append, number) for number, urgency in enumerate(order)]
    may_begin.set()
    for result in results:
        result.result(20)
    assert begun == [3, 1, 4, 0, 2]


def test_what_needs_a_result_keeps_no_thread_waiting_for_it():
    workers, begun, needed = workers_of(1), [], Future()
    late = workers.submit(Urgency.PAINTING, begun.append, "late", after=[needed])
    workers.submit(Urgency.FRAME, begun.append, "early").result(20)
    needed.set_exception(ValueError("which is for the task to find out"))
    late.result(20)
    assert begun == ["early", "late"]
    both = [Future(), Future()]
    late = workers.submit(Urgency.PAINTING, begun.append, "last", after=both)
    both[1].set_result(None)
    workers.submit(Urgency.FRAME, begun.append, "between").result(20)
    both[0].set_result(None)
    late.result(20)
    assert begun[2:] == ["between", "last"]
    last = workers.submit(Urgency.FRAME, lambda: 0)
    for _ in range(50):
        last = workers.submit(Urgency.CLIP, lambda before: before.result() + 1, last, after=[last])
    assert last.result(20) == 50


@pytest.mark.parametrize("function", [np.sum, np.linalg.inv])
def test_a_result_keeps_neither_what_needed_it_nor_what_it_needed(function):
    """The second function fails. Features lie in the memory of a card; they must not wait for a garbage collection."""
    workers, argument, needed = workers_of(1), np.zeros(3), Future()
    gone = weakref.ref(argument)
    gc.disable()
    try:
        late = workers.submit(Urgency.CLIP, function, argument, after=[needed])
        needed.set_result(None)
        failed = late.exception(20) is not None
        workers.submit(Urgency.CLIP, lambda: None).result(20)  # the thread has let go of the task before
        assert failed == (function is np.linalg.inv)
        del argument, late
        assert gone() is None
    finally:
        gc.enable()


def test_a_clip_waits_for_frames_that_end_out_of_order():
    workers, first_may_end = workers_of(3), threading.Event()
    frames = [workers.submit(Urgency.FRAME, first_may_end.wait, 20), workers.submit(Urgency.FRAME, lambda: True)]
    clip = workers.submit(Urgency.CLIP, lambda: [frame.result(20) for frame in frames], after=frames[-1:])
    first_may_end.set()
    assert clip.result(20) == [True, True]


def test_errors_arrive():
    with pytest.raises(ValueError, match="nine"):
        workers_of(1).submit(Urgency.FRAME, int, "nine").result(20)


def test_nobody_waits_for_threads_that_stayed_behind_in_another_process(monkeypatch):
    workers = workers_of(1)
    monkeypatch.setattr(os, "getpid", lambda: 0)
    with pytest.raises(RuntimeError, match="does not survive a fork: load one in every process"):
        workers.submit(Urgency.FRAME, lambda: 0)
