"""A run that kills itself, for test_resume.py: killed_run.py OUT DATA step|write."""

import os
import signal
import sys
from pathlib import Path

import torch

from chronomask.training.loop import train
from training.runs import MACHINE, SHORT, Each, open_sources, thin_network


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_the_middle_of_writing(state, path):
    save(state, path)
    os.truncate(path, path.stat().st_size // 2)
    die()


out, data, moment = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
save = torch.save
if moment == "write":
    torch.save = die_in_the_middle_of_writing
monitor = Each(lambda step: die() if moment == "step" and step == 2 else None)
train(thin_network(dropout=True), open_sources(data), SHORT, out, MACHINE, [monitor])
