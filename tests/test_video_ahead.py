"""Work ahead and behind in a thread: order, bounds, errors and early ends."""

import threading
import time

import pytest

from chronomask.video import ahead, behind


def running():
    return sum(thread.name == "ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("length", [0, 1, 50])
def test_everything_comes_in_order(length, count):
    assert list(ahead(iter(range(length)), count)) == list(range(length))
    assert running() == 0


def test_none_and_empty_things_are_items_too():
    assert list(ahead([None, [], 0], 1)) == [None, [], 0]


def test_it_works_ahead_but_no_further_than_asked():
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    numbers = ahead(items(), 2)
    assert next(numbers) == 0
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert made == [0, 1, 2, 3]  # two wait, and one more is made already
    assert list(numbers) == list(range(1, 20))


def test_an_error_comes_behind_what_came_before_it():
    def items():
        yield 1
        yield 2
        raise KeyError("broken")

    numbers = ahead(items(), 1)
    assert [next(numbers), next(numbers)] == [1, 2]
    with pytest.raises(KeyError, match="broken"):
        next(numbers)
    assert running() == 0


def test_whoever_stops_early_stops_the_work_too():
    ended = threading.Event()

    def items():
        try:
            number = 0
            while True:
                yield (number := number + 1)
        finally:
            ended.set()

    numbers = ahead(items(), 1)
    assert next(numbers) == 1
    numbers.close()
    assert running() == 0
    assert ended.wait(5)


def test_what_is_handed_over_is_done_in_order_before_the_block_ends():
    done = []

    def slowly(number):
        time.sleep(0.01)
        done.append(number)

    with behind(slowly, 2) as hand_over:
        for number in range(8):
            hand_over(number)
            assert len(done) >= number - 2, "no more may wait than asked for"
    assert done == list(range(8))


def test_an_error_of_what_was_handed_over_is_raised_later():
    def fail(number):
        if number == 1:
            raise KeyError("broken")

    def run(last):
        with behind(fail, 4) as hand_over:
            for number in range(last):
                hand_over(number)

    for last in (2, 9):  # at the end of the block; and before
        with pytest.raises(KeyError, match="broken"):
            run(last)


def test_an_error_of_the_block_is_its_own():
    with pytest.raises(ZeroDivisionError), behind(print, 1):
        _ = 1 / 0
