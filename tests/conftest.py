import os
import signal
from collections.abc import Iterator

import pytest

CORES = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else frozenset()


def pytest_configure(config: pytest.Config) -> None:
    """One core for each worker of `pytest --numprocesses`: threads of two on the same cores wait for each other."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and CORES:
        os.sched_setaffinity(0, {sorted(CORES)[int(worker.removeprefix("gw")) % len(CORES)]})


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, also where the tests run in the background of a shell, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def all_cores() -> Iterator[None]:
    """For tests of what several threads do."""
    before = os.sched_getaffinity(0) if CORES else None
    if before:
        os.sched_setaffinity(0, CORES)
    yield
    if before:
        os.sched_setaffinity(0, before)


@pytest.fixture(scope="session", autouse=True)
def _no_cache_of_the_user(tmp_path_factory):
    """Neither filled by tests nor helping them; here, and in the processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
