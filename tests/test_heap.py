import ctypes

import pytest

from chronomask import heap


class Libc:
    def __init__(self):
        self.calls = []

    def mallopt(self, *arguments):
        self.calls.append(arguments)

    def malloc_trim(self, *arguments):
        self.calls.append(("trim", *arguments))


@pytest.mark.parametrize(
    ("platform", "calls"), [("linux", [(-8, 1), (-3, 1 << 23), (-1, 1 << 24), ("trim", 0)]), ("win32", [])]
)
def test_glibc_is_told(monkeypatch, platform, calls):
    libc = Libc()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: libc)
    monkeypatch.setattr(heap.sys, "platform", platform)
    heap.share_heap()
    heap.return_large_blocks()
    heap.close_holes()
    assert libc.calls == calls


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(heap.sys, "platform", "linux")
    asked = []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: asked.append(name) or object())
    heap.share_heap()
    heap.close_holes()
    assert asked == [None, None]  # looked for the function, and did without


def test_holes_are_closed_now_and_then(monkeypatch):
    closed = []
    monkeypatch.setattr(heap, "close_holes", lambda: closed.append(1))
    assert list(heap.without_holes("abc", seconds=0.0)) == list("abc")
    assert len(closed) == 5  # before the first item and behind the last one too
    assert list(heap.without_holes("abc", seconds=60.0)) == list("abc")
    assert len(closed) == 7
