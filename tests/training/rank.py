"""One of several processes, for test_distributed.py: rank.py OUT DATA. The second one dies in the fourth step."""

import os
import signal
import sys
from pathlib import Path

from chronomask.errors import TrainingError
from chronomask.training.average import MovingAverage
from chronomask.training.loop import train
from training.runs import MACHINE, PLAIN, PLAIN_MODEL, open_sources, thin_network


def update_or_die(average, network, step):
    update(average, network, step)
    if step == 3 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)


update, MovingAverage.update = MovingAverage.update, update_or_die
out, data = Path(sys.argv[1]), Path(sys.argv[2])
try:
    # Every process begins with weights of its own: those of the first count.
    train(thin_network(PLAIN_MODEL, seed=int(os.environ["RANK"])), open_sources(data), PLAIN, out, MACHINE)
except TrainingError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
