"""Locks that go with the process that holds them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chronomask.errors import InputError
from chronomask.locks import locked

HOLDER = """
import os, sys, time
from pathlib import Path
from chronomask.locks import locked
with locked(Path(sys.argv[1]), Path("out")):
    child = os.fork()
    if not child:
        os.close(1)
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_outlives_a_killed_run_keeps_no_lock(tmp_path):
    """Data workers do for some seconds; the same command shall go on at once."""
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as holder:
        child = int(holder.stdout.readline())
        try:
            refused = pytest.raises(InputError, match=f"out: another run is writing there .process {holder.pid}")
            with refused, locked(path, Path("out")):
                pass
            holder.kill()
            holder.wait()
            os.kill(child, 0)  # it is still there
            with locked(path, path):
                pass
        finally:
            holder.kill()
            os.kill(child, 9)
