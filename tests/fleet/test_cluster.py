"""A batch on a Ray cluster of two nodes, of which one is killed, with a video that kills whoever looks at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from chronomask.outputs.choice import Outputs
from chronomask.runs.segment import segment_to_folder
from chronomask.video import open_source
from films import film, moving_square
from fleet.stand_in import POISON, open_colour
from fleet.test_batch import contents

pytestmark = pytest.mark.cluster

SCRIPT = """
import sys
from ray.cluster_utils import Cluster
from chronomask.cli import main
from chronomask.commands import fleet
from chronomask.segmenter import load
from fleet.stand_in import open_patient

load.load = open_patient
node = {"num_cpus": 1, "object_store_memory": 80_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
second = cluster.add_node(**node)
printed, done = fleet._print_json, []

def killing(output, standing, row):
    printed(output, standing, row)
    if row is not None and row.state == "done":
        done.append(row)
        if len(done) == 12:
            cluster.remove_node(second, allow_graceful=False)

fleet._print_json = killing
code = main(["batch", sys.argv[1], "--out", sys.argv[2], "--ray", cluster.address, "--log-json", "--piece", "20"])
cluster.shutdown()
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """39 short ones, one of them cut into pieces, and one that kills."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(38):
        film(folder / f"{number}.mkv", moving_square(5 + number % 3), "ffv1")
    film(folder / "long.mkv", moving_square(60), "ffv1")
    film(folder / "20poison.mkv", [*moving_square(4), np.full((48, 64, 3), POISON, np.uint8)], "ffv1")
    return folder


def test_a_killed_node_and_a_poisonous_video(videos, tmp_path):
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [sys.executable, "-c", SCRIPT, str(videos), str(tmp_path / "out")]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 2, found.stderr
    events = [json.loads(line) for line in found.stdout.splitlines()]
    done = [event["name"] for event in events if event["state"] == "done"]
    assert len(done) == len(set(done)) == 39
    [error] = [line for line in found.stderr.splitlines() if line.startswith("chronomask: /")]
    assert "20poison.mkv: the worker was lost: " in error
    assert error.endswith("(3 attempts)")
    for source in videos.glob("*.mkv"):
        if source.stem in done:
            out = tmp_path / "whole" / source.stem
            segment_to_folder(open_colour(), open_source(source), out, outputs=Outputs(overlay=False))
    whole = contents(tmp_path / "whole")
    assert contents(tmp_path / "out") == whole
